//! Maintenance over the wire: small files become few and stay sorted, logs are summed up, what nobody needs any more
//! goes, and what somebody needs stays.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::Trial;
use tokio_postgres::Client;

use crate::process::query;
use crate::trial::{Outcome, ensure, refused, same, trial};
use crate::warehouse::{Served, Warehouse, rows, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("maintenance::a_day_becomes_one_sorted_file", a_day_becomes_one_sorted_file),
        trial("maintenance::keys_stay_in_their_buckets", keys_stay_in_their_buckets),
        trial("maintenance::many_files_are_sorted_anew", many_files_are_sorted_anew),
        trial("maintenance::what_is_read_stays", what_is_read_stays),
        trial("maintenance::logs_are_summed_up", logs_are_summed_up),
        trial("maintenance::writers_go_on", writers_go_on),
        trial("maintenance::procedures", procedures),
        trial("maintenance::nobodys_files_go", nobodys_files_go),
        trial("maintenance::runs_are_recorded", runs_are_recorded),
        trial("maintenance::in_the_background", in_the_background),
        trial("maintenance::as_configured", as_configured),
    ]
}

const EVENTS: &str = "CREATE TABLE events (profile_id text NOT NULL, ts timestamptz NOT NULL, n integer) \
                      PARTITION BY RANGE (ts) WITH (cluster_by = 'profile_id, ts')";

async fn plan(client: &Client, sql: &str) -> Outcome<String> {
    Ok(rows(client, sql).await?.into_iter().map(|row| row.join("")).collect::<Vec<_>>().join("\n"))
}

/// Parquet files below a folder, those of its log apart.
fn data_files(folder: &Path) -> Outcome<usize> {
    let mut found = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("_delta_log") {
            found += data_files(&path)?;
        } else if path.extension().is_some_and(|e| e == "parquet") {
            found += 1;
        }
    }
    Ok(found)
}

fn named(folder: &Path, end: &str) -> Outcome<usize> {
    let mut found = 0;
    for entry in std::fs::read_dir(folder)? {
        found += usize::from(entry?.file_name().to_string_lossy().ends_with(end));
    }
    Ok(found)
}

/// `batches` inserts of ten rows each: profiles interleaved, so that every file spans the whole range.
async fn fill(client: &Client, batches: u32) -> Outcome {
    for batch in 0..batches {
        let values: Vec<String> = (0..10)
            .map(|row| {
                format!("('p{:03}', '2026-03-01 {:02}:00:00+00', {})", row * 97 % 101, batch % 24, batch * 10 + row)
            })
            .collect();
        client.batch_execute(&format!("INSERT INTO events VALUES {}", values.join(", "))).await?;
    }
    Ok(())
}

const CONTENT: &str = "SELECT count(*), count(DISTINCT n), sum(n), min(profile_id), max(ts)::text FROM events";

async fn a_day_becomes_one_sorted_file() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute(EVENTS).await?;
    fill(&client, 40).await?;
    let before = rows(&client, CONTENT).await?;
    let many = plan(&client, "EXPLAIN SELECT profile_id, ts FROM events ORDER BY profile_id, ts").await?;
    ensure(many.contains("files=40/40"), format_args!("not one file per insert:\n{many}"))?;

    let would = rows(&client, "CALL audience.maintain('events', dry_run => true)").await?;
    same("dry run", would[0][..3].to_vec(), vec!["1", "40", "1"])?;
    let unchanged = plan(&client, "EXPLAIN SELECT profile_id FROM events").await?;
    ensure(unchanged.contains("files=40/40"), "a dry run changed the table")?;

    let done = rows(&client, "CALL audience.maintain('events')").await?;
    same("done", done[0][..3].to_vec(), vec!["1", "40", "1"])?;
    same("content", rows(&client, CONTENT).await?, before)?;
    let one = plan(&client, "EXPLAIN SELECT profile_id, ts FROM events ORDER BY profile_id, ts").await?;
    ensure(one.contains("files=1/1") && !one.contains("Sort"), format_args!("not one sorted file:\n{one}"))?;
    let wrong = "SELECT count(*) FROM (SELECT profile_id, lag(profile_id) OVER (ORDER BY place) AS previous \
                 FROM (SELECT profile_id, row_number() OVER () AS place FROM \
                 (SELECT profile_id FROM events ORDER BY profile_id) AS s) AS n) AS c WHERE previous > profile_id";
    same("out of order", value(&client, wrong).await?.as_str(), "0")?;
    let bloom = plan(&client, "EXPLAIN ANALYZE SELECT n FROM events WHERE profile_id = 'p050x'").await?;
    ensure(bloom.contains("row_groups_pruned_bloom_filter=1 total"), format_args!("no bloom filter:\n{bloom}"))?;
    // Nothing is left to do.
    let again = rows(&client, "CALL audience.maintain('events')").await?;
    same("again", again[0][1..].to_vec(), vec!["1", "1", "0", "0", "0", "0", "0", "0"])?;
    drop(client);
    served.stop().await
}

async fn keys_stay_in_their_buckets() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE k (id integer PRIMARY KEY, v text) WITH (buckets = 2)").await?;
    for n in 0..12 {
        client
            .batch_execute(&format!("INSERT INTO k SELECT g, 'v' || g FROM (VALUES ({n}), ({})) AS s(g)", n + 100))
            .await?;
    }
    // An open transaction that has checked its keys is not in the way of a merge, nor the merge in its.
    let other = served.connect().await?;
    other.batch_execute("BEGIN; INSERT INTO k VALUES (500, 'open')").await?;
    let done = rows(&client, "CALL audience.maintain('k')").await?;
    same("files", done[0][2].as_str(), "2")?;
    other.batch_execute("COMMIT").await?;
    same("rows", value(&client, "SELECT count(*) FROM k").await?.as_str(), "25")?;
    refused(client.batch_execute("INSERT INTO k VALUES (5, 'again')").await, "23505")?;
    same("one", value(&client, "SELECT v FROM k WHERE id = 111").await?.as_str(), "v111")?;
    drop((client, other));
    served.stop().await
}

/// More files than are merged side by side.
async fn many_files_are_sorted_anew() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute(EVENTS).await?;
    fill(&client, 80).await?;
    let before = rows(&client, CONTENT).await?;
    let done = rows(&client, "CALL audience.maintain('events')").await?;
    same("done", done[0][..3].to_vec(), vec!["1", "80", "1"])?;
    same("content", rows(&client, CONTENT).await?, before)?;
    let one = plan(&client, "EXPLAIN SELECT profile_id, ts FROM events ORDER BY profile_id, ts").await?;
    ensure(one.contains("files=1/1") && !one.contains("Sort"), format_args!("not one sorted file:\n{one}"))?;
    drop(client);
    served.stop().await
}

async fn what_is_read_stays() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute(EVENTS).await?;
    fill(&client, 10).await?;
    let before = rows(&client, CONTENT).await?;
    let reader = served.connect().await?;
    reader.batch_execute("BEGIN").await?;
    same("first look", rows(&reader, CONTENT).await?, before.clone())?;

    let maintain = "CALL audience.maintain('events', retain => interval '0 seconds', retain_log => '0 seconds')";
    rows(&client, maintain).await?;
    rows(&client, maintain).await?;
    let folder = served.folder().join("public/events");
    same("files while they are read", data_files(&folder)?, 11)?;
    same("second look", rows(&reader, CONTENT).await?, before.clone())?;
    reader.batch_execute("COMMIT").await?;

    // Within the retention nothing goes, whoever reads.
    rows(&client, "CALL audience.maintain('events')").await?;
    same("files within the retention", data_files(&folder)?, 11)?;
    let done = rows(&client, maintain).await?;
    same("removed", done[0][7].as_str() >= "10", true)?;
    same("files", data_files(&folder)?, 1)?;
    same("content", rows(&client, CONTENT).await?, before)?;
    drop((client, reader));
    served.stop().await
}

async fn logs_are_summed_up() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute(EVENTS).await?;
    fill(&client, 140).await?;
    let before = rows(&client, CONTENT).await?;
    let log = served.folder().join("public/events/_delta_log");
    same("commits", named(&log, ".json")?, 141)?;
    // All tables, and the warehouse's own log.
    rows(&client, "CALL audience.maintain(retain => '0 seconds', retain_log => '0 seconds')").await?;
    same("checkpoints", named(&log, ".checkpoint.parquet")?, 1)?;
    same("commits behind it", named(&log, ".json")?, 1)?;
    let entries = named(&served.folder().join("_audiencedb/log"), ".json")?;
    ensure(entries < 100, format_args!("{entries} entries are left of the warehouse's log"))?;
    client.batch_execute("INSERT INTO events VALUES ('p000', '2026-03-01 00:00:00+00', 0)").await?;
    let folder = served.folder().to_owned();
    drop(client);

    // Another process sees the same, and still knows that files are sorted: the checkpoint kept their tags.
    let again = query(&folder, "SELECT count(*), sum(n) FROM events")?;
    same("read elsewhere", again, vec![format!("{},{}", 1401, before[0][2])])?;
    let explained = query(&folder, "EXPLAIN SELECT profile_id, ts FROM events ORDER BY profile_id, ts")?.join("\n");
    ensure(!explained.contains("SortExec"), format_args!("the order is forgotten:\n{explained}"))?;
    served.stop().await
}

/// Maintenance again and again beside writers: no row is lost or doubled, nobody fails.
async fn writers_go_on() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute(EVENTS).await?;
    let port = served.port;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            tokio::spawn(async move {
                let client = crate::warehouse::connect(port).await?;
                for n in 0..25 {
                    let sql = format!(
                        "INSERT INTO events VALUES ('w{writer}', '2026-03-01 00:00:00+00', {})",
                        writer * 100 + n
                    );
                    client.batch_execute(&sql).await?;
                }
                Outcome::Ok(())
            })
        })
        .collect();
    while !writers.iter().all(|writer| writer.is_finished()) {
        rows(&client, "CALL audience.maintain('events', retain => '0 seconds', retain_log => '0 seconds')").await?;
    }
    for writer in writers {
        writer.await??;
    }
    same("rows", value(&client, "SELECT count(*) FROM events").await?.as_str(), "100")?;
    same("different", value(&client, "SELECT count(DISTINCT n) FROM events").await?.as_str(), "100")?;
    drop(client);
    served.stop().await
}

async fn procedures() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE t (a integer); CREATE VIEW v AS SELECT 1 AS a").await?;
    let row = client.query_one("CALL audience.maintain($1, dry_run => $2)", &[&"t", &true]).await?;
    same("tables", row.get::<_, i64>("tables"), 1)?;
    refused(client.batch_execute("CALL audience.maintain('nowhere')").await, "42P01")?;
    refused(client.batch_execute("CALL audience.maintain('v')").await, "42809")?;
    let message = refused(client.batch_execute("CALL audience.tidy('t', fast => true)").await, "42883")?;
    same("message", message.as_str(), "procedure audience.tidy(unknown, fast => boolean) does not exist")?;
    refused(client.batch_execute("CALL maintain('t')").await, "42883")?;
    refused(client.batch_execute("CALL audience.maintain('t', nope => 1)").await, "42883")?;
    refused(client.batch_execute("CALL audience.maintain('t', table_name => 't')").await, "42883")?;
    refused(client.batch_execute("CALL audience.maintain(dry_run => true, 't')").await, "42601")?;
    refused(client.batch_execute("CALL audience.maintain('t', dry_run => 'perhaps')").await, "22P02")?;
    refused(client.batch_execute("CALL audience.maintain('t', retain => '-1 day')").await, "22023")?;
    refused(client.batch_execute("CALL audience.maintain('t', retain => '31 days')").await, "22023")?;
    client.batch_execute("BEGIN").await?;
    refused(client.batch_execute("CALL audience.maintain('t')").await, "25001")?;
    client.batch_execute("ROLLBACK").await?;
    drop(client);
    served.stop().await
}

async fn nobodys_files_go() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute(EVENTS).await?;
    fill(&client, 2).await?;
    client.batch_execute("CREATE TABLE gone (a integer); INSERT INTO gone VALUES (1); DROP TABLE gone").await?;
    let table = served.folder().join("public/events");
    let day = table.join("_day=2026-03-01");
    // What a killed write left: a whole file that was never committed, and half of one.
    let orphan = day.join("part-01960000-0000-7000-8000-000000000000-00000.zstd.parquet");
    let half = day.join("part-01960000-0000-7000-8000-000000000001-00000.zstd.parquet#123456789");
    let foreign = table.join("notes.txt");
    for path in [&orphan, &half, &foreign] {
        std::fs::write(path, "x")?;
    }
    // A write that is not committed yet owns its file.
    let writer = served.connect().await?;
    writer.batch_execute("BEGIN; INSERT INTO events VALUES ('w', '2026-03-01 00:00:00+00', 77)").await?;

    rows(&client, "CALL audience.maintain()").await?;
    ensure(orphan.exists() && half.exists(), "removed before the retention was over")?;
    ensure(served.folder().join("public/gone").exists(), "the dropped table went before the retention was over")?;
    let hours_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
    std::fs::File::options().write(true).open(&half)?.set_modified(hours_ago)?;
    rows(&client, "CALL audience.maintain(retain => '0 seconds')").await?;
    ensure(!orphan.exists(), "a file that was never committed is still there")?;
    ensure(!half.exists(), "half a file is still there")?;
    ensure(foreign.exists(), "somebody else's file was removed")?;
    ensure(!served.folder().join("public/gone").exists(), "the dropped table's folder is still there")?;
    writer.batch_execute("COMMIT").await?;
    same("rows", value(&client, "SELECT count(*) FROM events").await?.as_str(), "21")?;
    drop((client, writer));
    served.stop().await
}

async fn runs_are_recorded() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute(EVENTS).await?;
    fill(&client, 5).await?;
    rows(&client, "CALL audience.maintain('events', retain => '0 seconds')").await?;
    let told = "SELECT table_name, kind, files_before, files_after, files_removed, trigger, error, ended_at >= started_at \
                FROM audience.maintenance_runs ORDER BY kind";
    let wanted = [
        ["events", "checkpoint", "NULL", "NULL", "NULL", "call", "NULL", "t"],
        ["events", "compact", "5", "1", "NULL", "call", "NULL", "t"],
        ["events", "vacuum", "NULL", "NULL", "5", "call", "NULL", "t"],
    ];
    same("runs", rows(&client, told).await?, wanted.map(|row| row.map(str::to_owned).to_vec()).to_vec())?;
    same(
        "one run",
        value(&client, "SELECT count(DISTINCT run_id) FROM audience.maintenance_runs").await?.as_str(),
        "1",
    )?;
    // Nothing to do, nothing to tell; and a run on the table that tells is not told of.
    rows(&client, "CALL audience.maintain('events')").await?;
    rows(&client, "CALL audience.maintain()").await?;
    rows(&client, "CALL audience.maintain()").await?;
    same("runs later", rows(&client, told).await?.len(), 3)?;

    refused(client.batch_execute("INSERT INTO audience.maintenance_runs (kind) VALUES ('x')").await, "42501")?;
    refused(client.batch_execute("INSERT INTO audience.maintenance_runs (kind) SELECT 'x'").await, "42501")?;
    refused(client.batch_execute("DROP TABLE audience.maintenance_runs").await, "42501")?;
    refused(client.batch_execute("CREATE TABLE audience.mine (a integer)").await, "42501")?;
    refused(client.batch_execute("CREATE VIEW audience.mine AS SELECT 1 AS a").await, "42501")?;
    refused(client.batch_execute("SET search_path = audience; CREATE TABLE mine (a integer)").await, "42501")?;
    refused(client.batch_execute("DROP SCHEMA audience CASCADE").await, "2BP01")?;
    refused(client.batch_execute("CREATE SCHEMA audience").await, "42939")?;
    drop(client);
    served.stop().await
}

/// What the options say of how long files stay is what CALL goes by, unless its arguments say otherwise.
async fn as_configured() -> Outcome {
    let warehouse = Warehouse::open_with(|options| options.maintenance.retain = Duration::ZERO).await?;
    let served = warehouse.serve().await?;
    let client = served.connect().await?;
    client.batch_execute(EVENTS).await?;
    fill(&client, 5).await?;
    client.batch_execute("CALL audience.maintain('events', retain => interval '1 day')").await?;
    // Each run is recorded, in a file of its own.
    same("files of both versions, and a record", data_files(served.folder())?, 6 + 1)?;
    client.batch_execute("CALL audience.maintain('events')").await?;
    same("files of the last one, and two records", data_files(served.folder())?, 1 + 2)?;
    same("rows", value(&client, "SELECT count(*) FROM events").await?.as_str(), "50")?;
    drop(client);
    served.stop().await
}

async fn in_the_background() -> Outcome {
    let warehouse = Warehouse::open_with(|options| {
        options.maintenance.every = Duration::from_millis(20);
        options.maintenance.clean_every = Duration::from_millis(20);
        options.maintenance.share = 1.0;
    });
    let served = warehouse.await?.serve().await?;
    let client = served.connect().await?;
    client.batch_execute(EVENTS).await?;
    let maintenance = served.engine().maintain_in_background();
    fill(&client, 30).await?;
    let few = async {
        loop {
            let plan = plan(&client, "EXPLAIN SELECT profile_id FROM events").await?;
            let files = plan.split("files=").nth(1).and_then(|rest| rest.split('/').next());
            if files.and_then(|files| files.parse::<u32>().ok()).is_some_and(|files| files < 9) {
                return Outcome::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), few).await??;
    same("rows", value(&client, "SELECT count(DISTINCT n) FROM events").await?.as_str(), "300")?;
    let trigger = "SELECT min(trigger) || max(trigger) FROM audience.maintenance_runs WHERE kind = 'compact'";
    let told = async {
        // A run is told of when it has ended.
        while value(&client, trigger).await.map_or(true, |text| text != "backgroundbackground") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told).await?;
    drop((maintenance, client));
    served.stop().await
}
