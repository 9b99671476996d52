//! Erasure: after it nothing of the person is in any object, and nobody else has lost anything.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use libtest_mimic::Trial;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::process::Server;
use crate::trial::{Outcome, ensure, full, refused, same, trial};
use crate::warehouse::{Served, rows, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("erasure::nothing_is_left", nothing_is_left),
        trial("erasure::grace_and_readers", grace_and_readers),
        trial("erasure::writers", writers),
        trial("erasure::whose_and_what", whose_and_what),
        trial("erasure::elsewhere", elsewhere),
        trial("erasure::logs_tell_nothing", logs_tell_nothing),
        trial("erasure::killed", killed),
    ]
}

/// Whom it is about, and what else is known of that person only.
const KEY: &str = "person-0017";
const MARKS: [&str; 4] = [KEY, "mail-0017@", "+33-0017", "note of 0017"];

const TABLES: &str = "
    CREATE TABLE profiles (profile_id text PRIMARY KEY, email text, phone text, born date) WITH (buckets = 4);
    CREATE TABLE events (profile_id text, ts timestamptz NOT NULL, kind text, note text) PARTITION BY RANGE (ts);
    CREATE TABLE identities (identifier text, kind text, profile_id text);
    CREATE TABLE orders (order_id integer PRIMARY KEY, customer text, amount numeric(10,2)) WITH (erase_by = 'customer');
    CREATE TABLE products (product_id integer PRIMARY KEY, name text);
    CREATE TABLE referrals (profile_id text, note text) WITH (erase_by = '');
    INSERT INTO products VALUES (17, 'cup'), (18, 'plate');";

/// A hundred persons with everything that becomes of rows in a year: upserts, updates, deletions, merges, checkpoints.
async fn fill(client: &Client) -> Outcome {
    client.batch_execute(TABLES).await?;
    let people = "(SELECT lpad(g::text, 4, '0') AS n, g FROM generate_series(0, 99) AS s(g)) AS p";
    for _ in 0..2 {
        client
            .batch_execute(&format!(
                "INSERT INTO profiles SELECT 'person-' || n, 'mail-' || n || '@example.org', '+33-' || n, \
                 date '1970-01-01' + g::integer FROM {people} \
                 ON CONFLICT (profile_id) DO UPDATE SET email = excluded.email;
                 INSERT INTO events SELECT 'person-' || n, ('2026-03-0' || (g / 24 + 1)::text || ' ' || lpad((g % 24)::text, 2, '0') || ':00+00')::timestamptz, 'visit', \
                 'note of ' || n FROM {people};
                 INSERT INTO identities SELECT 'cookie-' || g, 'mail-' || n || '@', 'person-' || n FROM {people}"
            ))
            .await?;
    }
    client
        .batch_execute(&format!(
            "INSERT INTO orders SELECT g, 'person-' || n, g * 1.5 FROM {people};
             INSERT INTO profiles VALUES ('person-9999', 'alone', '1', date '2000-01-01');
             CREATE TABLE copied AS SELECT profile_id, email FROM profiles;
             DROP TABLE copied;
             UPDATE profiles SET phone = phone || ' ' WHERE profile_id LIKE 'person-001%';
             UPDATE events SET kind = 'call' WHERE profile_id = 'person-0018';
             DELETE FROM identities WHERE identifier = 'cookie-17' AND profile_id IS NULL;
             DELETE FROM orders WHERE order_id = 3"
        ))
        .await?;
    client.batch_execute("CALL audience.maintain()").await?;
    client
        .batch_execute(&format!(
            "INSERT INTO events VALUES ('{KEY}', '2026-05-01', 'visit', 'note of 0017'), \
                                       ('person-0018', '2026-05-01', 'visit', 'note of 0018');
             INSERT INTO profiles VALUES ('{KEY}', 'mail-0017@new', '+33-0017', NULL) \
             ON CONFLICT (profile_id) DO UPDATE SET email = excluded.email"
        ))
        .await?;
    Ok(())
}

/// What everybody else has.
async fn others(client: &Client) -> Outcome<Vec<Vec<String>>> {
    let mut all = Vec::new();
    for (table, column) in
        [("profiles", "profile_id"), ("events", "profile_id"), ("identities", "profile_id"), ("orders", "customer")]
    {
        let sql = format!("SELECT t.* FROM {table} AS t WHERE {column} <> '{KEY}' ORDER BY 1, 2, 3, 4");
        let sql = if table == "orders" || table == "identities" { sql.replace(", 3, 4", ", 3") } else { sql };
        all.extend(rows(client, &sql).await?);
    }
    all.extend(rows(client, "SELECT * FROM products ORDER BY 1").await?);
    Ok(all)
}

/// Rows of the person by table.
async fn own(client: &Client) -> Outcome<Vec<String>> {
    let mut counts = Vec::new();
    for (table, column) in
        [("profiles", "profile_id"), ("events", "profile_id"), ("identities", "profile_id"), ("orders", "customer")]
    {
        counts.push(value(client, &format!("SELECT count(*) FROM {table} WHERE {column} = '{KEY}'")).await?);
    }
    Ok(counts)
}

fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

/// The files that hold one of `marks`: in their bytes, or in the values of Parquet.
fn holding(folder: &Path, marks: &[&str]) -> Outcome<Vec<String>> {
    let mut holding = Vec::new();
    for path in files(folder)? {
        let bytes = std::fs::read(&path)?;
        let mut texts = vec![String::from_utf8_lossy(&bytes).into_owned()];
        if path.extension().is_some_and(|end| end == "parquet") {
            let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path)?).map_err(|e| failed(&e))?;
            for batch in reader.build().map_err(|e| failed(&e))? {
                let batch = batch.map_err(|e| failed(&e))?;
                texts.push(pretty_format_batches(&[batch]).map_err(|e| failed(&e))?.to_string());
            }
        }
        if let Some(mark) = marks.iter().find(|mark| texts.iter().any(|text| text.contains(**mark))) {
            holding.push(format!("{} ({mark})", path.display()));
        }
    }
    Ok(holding)
}

async fn nothing_is_left() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    fill(&client).await?;
    let before = others(&client).await?;
    same("before", own(&client).await?, vec!["1", "3", "2", "1"])?;
    let held = holding(served.folder(), &MARKS)?;
    ensure(held.iter().any(|file| file.contains("_delta_log")), "no log tells of the person, nothing is proved")?;
    ensure(held.iter().any(|file| file.contains("copied")), "the dropped table is gone, nothing is proved")?;

    let would = rows(&client, &format!("CALL audience.erase('{KEY}', dry_run => true)")).await?;
    same("dry run", own(&client).await?, vec!["1", "3", "2", "1"])?;
    let done = rows(&client, &format!("CALL audience.erase('{KEY}', grace => '0')")).await?;
    let shown: Vec<Vec<&str>> = done.iter().map(|row| row[1..4].iter().map(String::as_str).collect()).collect();
    same(
        "tables",
        shown,
        vec![
            vec!["public.profiles", "profile_id", "1"],
            vec!["public.events", "profile_id", "3"],
            vec!["public.identities", "profile_id", "2"],
            vec!["public.orders", "customer", "1"],
        ],
    )?;
    for (would, done) in would.iter().zip(&done) {
        same("a dry run says the same", &would[1..5], &done[1..5])?;
        same("nothing is left to do", [&done[5], &done[7]], ["0", "verified"])?;
    }
    same("after", own(&client).await?, vec!["0"; 4])?;
    ensure(others(&client).await? == before, "others have lost or gained something")?;
    same("left", holding(served.folder(), &MARKS)?, Vec::<String>::new())?;

    let told = "SELECT state, keys, tables, rows, requested_by, verified_at >= removed_at FROM audience.erasures";
    same("told", rows(&client, told).await?, vec![vec!["verified", "1", "4", "7", "postgres", "t"]])?;
    // It comes to the same result again, and finds nothing.
    let again = rows(&client, &format!("CALL audience.erase(ARRAY['{KEY}', 'person-none'], grace => '0')")).await?;
    ensure(again.iter().all(|row| row[3] == "0" && row[7] == "verified"), format_args!("again: {again:?}"))?;
    same("verify", rows(&client, &format!("CALL audience.verify_erasure('{KEY}')")).await?, Vec::<Vec<String>>::new())?;
    // What is written later is as well kept as ever.
    client.batch_execute(&format!("INSERT INTO profiles VALUES ('{KEY}', 'again', NULL, NULL)")).await?;
    client.batch_execute("CALL audience.maintain()").await?;
    same("again", own(&client).await?, vec!["1", "0", "0", "0"])?;
    let found = rows(&client, &format!("CALL audience.verify_erasure('{KEY}')")).await?;
    ensure(found.iter().any(|row| row[0].contains("profiles/") && row[1] == "profile_id"), format_args!("{found:?}"))?;
    drop(client);
    served.stop().await
}

async fn grace_and_readers() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    fill(&client).await?;
    let reader = served.connect().await?;
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    same("reader", own(&reader).await?, vec!["1", "3", "2", "1"])?;
    let done = rows(&client, &format!("CALL audience.erase('{KEY}', grace => '0')")).await?;
    ensure(done.iter().all(|row| row[7] == "pending" && row[5] != "0"), format_args!("not pending: {done:?}"))?;
    same("gone", own(&client).await?, vec!["0"; 4])?;
    same("reader goes on", own(&reader).await?, vec!["1", "3", "2", "1"])?;
    client.batch_execute("CALL audience.maintain()").await?;
    same("still reads", own(&reader).await?, vec!["1", "3", "2", "1"])?;
    ensure(!holding(served.folder(), &MARKS)?.is_empty(), "a reader's files were removed")?;
    reader.batch_execute("COMMIT").await?;
    client.batch_execute("CALL audience.maintain()").await?;
    same("left", holding(served.folder(), &MARKS)?, Vec::<String>::new())?;
    same("told", value(&client, "SELECT state FROM audience.erasures").await?.as_str(), "verified")?;

    // Within the grace period files stay.
    client.batch_execute(&format!("INSERT INTO profiles VALUES ('{KEY}', 'mail-0017@', NULL, NULL)")).await?;
    let done = rows(&client, &format!("CALL audience.erase('{KEY}', grace => '1 hour')")).await?;
    ensure(done.iter().all(|row| row[7] == "pending"), format_args!("not pending: {done:?}"))?;
    client.batch_execute("CALL audience.maintain()").await?;
    ensure(!holding(served.folder(), &MARKS)?.is_empty(), "the grace period was cut short")?;
    let pending = value(&client, "SELECT count(*) FROM audience.erasures WHERE state = 'pending' AND due_at > now()");
    same("pending", pending.await?.as_str(), "1")?;
    drop((client, reader));
    served.stop().await
}

async fn writers() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    fill(&client).await?;
    // Who has changed the same rows and commits after the erasure brings nothing back.
    let other = served.connect().await?;
    other.batch_execute(&format!("BEGIN; SELECT 1; UPDATE events SET kind = 'x' WHERE profile_id = '{KEY}'")).await?;
    let erase = format!("CALL audience.erase('{KEY}', grace => '0')");
    client.batch_execute(&erase).await?;
    refused(other.batch_execute("COMMIT").await, "40001")?;
    same("gone", own(&client).await?, vec!["0"; 4])?;
    client.batch_execute("CALL audience.maintain()").await?;
    same("left", holding(served.folder(), &MARKS)?, Vec::<String>::new())?;

    // Erasures among statements that never cease.
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut busy = Vec::new();
    for n in 0..3 {
        let (client, stop) = (served.connect().await?, std::sync::Arc::clone(&stop));
        busy.push(tokio::spawn(async move {
            let mut done = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let sql = match n {
                    0 => format!("INSERT INTO events VALUES ('busy-{done}', '2026-03-02', 'visit', 'busy')"),
                    1 => format!("UPDATE profiles SET phone = 'busy-{done}' WHERE profile_id = 'person-9999'"),
                    _ => format!("INSERT INTO identities SELECT 'busy-{done}', 'busy', 'person-0018' FROM products"),
                };
                client.batch_execute(&sql).await?;
                done += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok::<usize, tokio_postgres::Error>(done)
        }));
    }
    for n in 20..24 {
        client.batch_execute(&format!("CALL audience.erase('person-00{n}', grace => '0')")).await?;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut done = Vec::new();
    for task in busy {
        done.push(task.await??);
    }
    same("inserted", value(&client, "SELECT count(*) FROM events WHERE note = 'busy'").await?, done[0].to_string())?;
    let last = value(&client, "SELECT phone FROM profiles WHERE profile_id = 'person-9999'").await?;
    same("updated", last, format!("busy-{}", done[1] - 1))?;
    let copied = value(&client, "SELECT count(*) FROM identities WHERE kind = 'busy'").await?;
    same("copied", copied, (2 * done[2]).to_string())?;
    let left = "SELECT count(*) FROM profiles WHERE profile_id BETWEEN 'person-0020' AND 'person-0023'";
    same("erased", value(&client, left).await?.as_str(), "0")?;
    client.batch_execute("CALL audience.maintain()").await?;
    let marks: Vec<String> = (20..24).map(|n| format!("person-00{n}")).collect();
    let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
    same("left", holding(served.folder(), &marks)?, Vec::<String>::new())?;
    drop((client, other));
    served.stop().await
}

async fn whose_and_what() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    refused(client.batch_execute("CALL audience.erase('x')").await, "42703")?;
    client
        .batch_execute(
            "CREATE TABLE numbered (profile_id bigint PRIMARY KEY, name text);
             INSERT INTO numbered VALUES (4711, 'Ada'), (4712, 'Bob'), (4713, 'Cy');
             CREATE TABLE visits (visitor text, ts timestamptz NOT NULL) PARTITION BY RANGE (ts) WITH (erase_by = 'visitor')",
        )
        .await?;
    refused(client.batch_execute("CALL audience.erase()").await, "22023")?;
    refused(client.batch_execute("CALL audience.erase(NULL)").await, "22023")?;
    refused(client.batch_execute("CALL audience.erase('x', grace => '-1 hour')").await, "22023")?;
    refused(client.batch_execute("CALL audience.erase('x', column_name => 'nowhere')").await, "42703")?;
    refused(client.batch_execute("BEGIN; CALL audience.erase('x')").await, "25001")?;
    client.batch_execute("ROLLBACK").await?;
    refused(client.batch_execute("CREATE TABLE t (a integer) WITH (erase_by = 'b')").await, "42703")?;

    client
        .batch_execute(
            "CREATE ROLE officer LOGIN; CREATE ROLE owner; GRANT ALL ON ALL TABLES IN SCHEMA public TO officer",
        )
        .await?;
    client.batch_execute("SET ROLE officer").await?;
    let message = refused(client.batch_execute("CALL audience.erase(4711)").await, "42501")?;
    ensure(message.contains("numbered"), message)?;
    refused(client.batch_execute("CALL audience.verify_erasure(4711)").await, "42501")?;
    client
        .batch_execute("RESET ROLE; ALTER TABLE numbered OWNER TO officer; DROP TABLE visits; SET ROLE officer")
        .await?;
    // Keys that are numbers, one as a number, and those of a query.
    let done = rows(&client, "CALL audience.erase(4711, grace => '0')").await?;
    same(
        "a number",
        done[0][3..].iter().map(String::as_str).filter(|v| v.len() < 9).collect::<Vec<_>>(),
        vec!["1", "1", "0", "verified"],
    )?;
    let of_query = "CALL audience.erase((SELECT array_agg(profile_id) FROM numbered WHERE name = 'Bob'), grace => '0')";
    same("of a query", rows(&client, of_query).await?[0][3].as_str(), "1")?;
    same("left", rows(&client, "SELECT * FROM numbered").await?, vec![vec!["4713", "Cy"]])?;
    client.batch_execute("RESET ROLE; ALTER TABLE numbered RENAME COLUMN profile_id TO who").await?;
    refused(client.batch_execute("CALL audience.erase(4713)").await, "42703")?;
    same(
        "named",
        rows(&client, "CALL audience.erase('4713', column_name => 'who', grace => '0')").await?[0][3].as_str(),
        "1",
    )?;
    same("left", holding(served.folder(), &["Ada", "Bob", "Cy"])?, Vec::<String>::new())?;
    drop(client);
    served.stop().await
}

/// What an erasure does not reach is found by the search.
async fn elsewhere() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client
        .batch_execute(&format!(
            "CREATE TABLE profiles (profile_id text PRIMARY KEY);
             INSERT INTO profiles VALUES ('{KEY}');
             CREATE TABLE letters (body text);
             INSERT INTO letters VALUES ('dear {KEY}, …'), ('dear {KEY}0');
             CREATE VIEW segments.one AS SELECT profile_id FROM profiles WHERE profile_id = '{KEY}'"
        ))
        .await?;
    let done = rows(&client, &format!("CALL audience.erase('{KEY}', grace => '0')")).await?;
    same("found", done[0][7].as_str(), "found")?;
    let found = rows(&client, &format!("CALL audience.verify_erasure('{KEY}')")).await?;
    ensure(found.iter().any(|row| row[0].contains("letters/") && row[1] == "body"), format_args!("{found:?}"))?;
    ensure(found.iter().any(|row| row[0].starts_with("_audiencedb/checkpoints")), format_args!("{found:?}"))?;
    client
        .batch_execute(&format!("DROP VIEW segments.one; DELETE FROM letters WHERE body LIKE 'dear {KEY},%'"))
        .await?;
    client.batch_execute(&format!("CALL audience.erase('dear {KEY}, …', column_name => 'body', grace => '0')")).await?;
    let id = value(&client, "SELECT erasure_id FROM audience.erasures ORDER BY requested_at LIMIT 1").await?;
    let left = rows(&client, &format!("CALL audience.verify_erasure('{KEY}', erasure => '{id}')")).await?;
    same("left", left, Vec::<Vec<String>>::new())?;
    let state = value(&client, &format!("SELECT state FROM audience.erasures WHERE erasure_id = '{id}'")).await?;
    same("state", state.as_str(), "verified")?;
    drop(client);
    served.stop().await
}

/// The server's log has neither statements nor what their errors say, and spills leave nothing behind.
async fn logs_tell_nothing() -> Outcome {
    let folder = TempDir::new()?;
    let mut server = Server::start(&folder.path().join("data"))?;
    let client = server.connect().await?;
    fill(&client).await?;
    let again = format!("INSERT INTO profiles VALUES ('{KEY}', 'mail-0017@example.org', NULL, NULL)");
    refused(client.batch_execute(&again).await, "23505")?;
    refused(client.batch_execute(&format!("SELECT '{KEY}'::integer")).await, "22P02")?;
    client.batch_execute(&format!("CALL audience.erase('{KEY}', grace => '0')")).await?;
    drop(client);
    server.terminate()?;
    server.wait(Duration::from_secs(60))?;
    let log = server.log(Duration::from_secs(60))?;
    ensure(log.contains("23505") && log.contains("22P02"), format_args!("the log is another: {log}"))?;
    for mark in MARKS {
        ensure(!log.contains(mark), format_args!("{mark} is in the log:\n{log}"))?;
    }
    Ok(())
}

/// Killed anywhere, an erasure is there or is not, and the next writer goes on with it.
async fn killed() -> Outcome {
    let template = TempDir::new()?;
    let server = Server::start(template.path())?;
    let client = server.connect().await?;
    fill(&client).await?;
    let before = others(&client).await?;
    drop(client);
    server.kill()?;
    let erase = format!("CALL audience.erase('{KEY}', grace => '0')");
    let mut takes = Duration::from_secs(1);
    let (mut whole, mut half) = (0, 0);
    for round in 0..=(if full() { 200 } else { 8 }) {
        let folder = TempDir::new()?;
        copy(template.path(), folder.path())?;
        let server = Server::start(folder.path())?;
        let client = server.connect().await?;
        own(&client).await?;
        let started = Instant::now();
        let mut random = StdRng::seed_from_u64(round);
        if round == 0 {
            client.batch_execute(&erase).await?;
            takes = started.elapsed();
        } else {
            let after = takes.mul_f64(random.random_range(0.05..1.1));
            let _ = tokio::time::timeout(after, client.batch_execute(&erase)).await;
        }
        server.kill()?;

        let server = Server::start(folder.path())?;
        let client = server.connect().await?;
        let left = own(&client).await?;
        ensure(others(&client).await? == before, format_args!("round {round}: others have lost something"))?;
        if left == ["1", "3", "2", "1"] {
            whole += 1;
            client.batch_execute(&erase).await?;
        } else {
            same(&format!("round {round}: half erased"), left, vec!["0"; 4])?;
            half += usize::from(!holding(folder.path(), &MARKS)?.is_empty());
            client.batch_execute("CALL audience.maintain()").await?;
            let verified = rows(&client, &format!("CALL audience.verify_erasure('{KEY}')")).await?;
            same(&format!("round {round}"), verified, Vec::<Vec<String>>::new())?;
        }
        ensure(others(&client).await? == before, format_args!("round {round}: others have lost something"))?;
        same(&format!("round {round}: left"), holding(folder.path(), &MARKS)?, Vec::<String>::new())?;
        server.kill()?;
    }
    ensure(whole > 0, format_args!("no kill came before the commit ({half} before the end)"))
}

fn copy(from: &Path, to: &Path) -> Outcome {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&to)?;
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
