//! kill -9 at random moments: every acknowledged row is there exactly once, and nothing is there by halves.
//!
//! Moments come from a fixed seed, so a failure comes back. Five rounds by default, fifty in the long tier.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use crate::process::{Server, query, run, run_and_kill};
use crate::trial::{Outcome, ensure, full, same, trial};
use crate::warehouse::{rows, value};

/// Rows of the file that is loaded.
const ROWS: u64 = 1_000_000;
/// Rows of one INSERT.
const BATCH: u64 = 7;

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("durability::load", load),
        trial("durability::load_into_existing_rows", load_into_existing_rows),
        trial("durability::insert", insert),
        trial("durability::transactions", transactions),
    ]
}

fn rounds() -> u64 {
    if full() { 50 } else { 5 }
}

fn csv(path: &Path) -> Outcome {
    let mut text = String::from("id,household,amount,note\n");
    for id in 0..ROWS {
        writeln!(text, "{id},{},{}.{:02},note {}", id * 7919 % 5000, id % 1000, id % 100, id % 13)
            .map_err(|e| e.to_string())?;
    }
    Ok(std::fs::write(path, text)?)
}

/// What a whole load has to give: rows, different ids, their sum.
fn whole() -> String {
    format!("{ROWS},{ROWS},{}", ROWS * (ROWS - 1) / 2)
}

const CHECK: &str = "SELECT count(*), count(DISTINCT id), sum(id) FROM t";

/// Loads a file, killed again and again, and once more to the end.
async fn load() -> Outcome {
    let folder = TempDir::new()?;
    let file = folder.path().join("rows.csv");
    csv(&file)?;
    let file = file.to_string_lossy().into_owned();

    let data = folder.path().join("undisturbed");
    // The faster of two, so that a first run on a busy machine does not put the kills after the end of the others.
    let mut takes = Duration::MAX;
    for data in [&folder.path().join("first"), &data] {
        let start = Instant::now();
        finish(&file, data)?;
        takes = takes.min(start.elapsed());
    }
    same("undisturbed", query(&data, CHECK)?, vec![whole()])?;
    // The same file again adds nothing.
    finish(&file, &data)?;
    same("the same file again", query(&data, CHECK)?, vec![whole()])?;

    let mut kills = 0;
    for round in 0..rounds() {
        let mut random = StdRng::seed_from_u64(round);
        let data = folder.path().join(format!("round{round}"));
        let arguments = ["load", &file, "--table", "t", "--data", &data.to_string_lossy()].map(str::to_owned);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        for _ in 0..4 {
            let after = takes.mul_f64(random.random_range(0.02..1.0));
            if !run_and_kill(&arguments, after)? {
                break;
            }
            kills += 1;
            unspoilt(&data).map_err(|e| format!("round {round}, killed after {after:?}: {e}"))?;
        }
        finish(&file, &data)?;
        same(&format!("round {round}"), query(&data, CHECK)?, vec![whole()])?;
    }
    ensure(kills >= rounds(), format_args!("only {kills} kills hit a running load"))
}

fn finish(file: &str, data: &Path) -> Outcome {
    let output = run(&["load", file, "--table", "t", "--data", &data.to_string_lossy()])?;
    ensure(output.status.success(), String::from_utf8_lossy(&output.stderr))
}

/// After a kill the table is not there yet, or it holds some rows of the file, none of them twice.
fn unspoilt(data: &Path) -> Outcome {
    let output = run(&["query", CHECK, "--data", &data.to_string_lossy(), "--format", "csv"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return ensure(said.contains("does not exist"), format_args!("unreadable after the kill: {said}"));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().nth(1).ok_or("no row")?;
    let mut fields = line.split(',');
    let (count, distinct) = (fields.next(), fields.next());
    ensure(count == distinct, format_args!("rows came twice: {line}"))
}

/// Rows that were there before stay, whatever happens to a load beside them.
async fn load_into_existing_rows() -> Outcome {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let file = folder.path().join("rows.csv");
    csv(&file)?;
    let file = file.to_string_lossy().into_owned();
    let server = Server::start(&data)?;
    let client = server.connect().await?;
    client
        .batch_execute(
            "CREATE TABLE t (id bigint, household bigint, amount double precision, note text); \
             INSERT INTO t VALUES (-1, 0, 0, 'first'), (-2, 0, 0, 'second')",
        )
        .await?;
    drop(client);
    server.kill()?;
    let mut random = StdRng::seed_from_u64(7);
    let arguments = ["load", &file, "--table", "t", "--data", &data.to_string_lossy()].map(str::to_owned);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for _ in 0..rounds() {
        run_and_kill(&arguments, Duration::from_millis(random.random_range(20..1500)))?;
        same("old rows", query(&data, "SELECT count(*) FROM t WHERE id < 0")?, vec!["2".to_owned()])?;
    }
    finish(&file, &data)?;
    same("old rows", query(&data, "SELECT count(*) FROM t WHERE id < 0")?, vec!["2".to_owned()])?;
    let loaded = "SELECT count(*), count(DISTINCT id), sum(id) FROM t WHERE id >= 0";
    same("loaded", query(&data, loaded)?, vec![whole()])
}

/// Clients insert as fast as they can until the server is gone; what it acknowledged is there afterwards.
async fn insert() -> Outcome {
    let folder = TempDir::new()?;
    let mut acknowledged = BTreeSet::new();
    let mut attempted = 0_u64;
    for round in 0..rounds() {
        let mut random = StdRng::seed_from_u64(1000 + round);
        let server = Server::start(folder.path())?;
        check_inserts(&server, &acknowledged).await.map_err(|e| format!("round {round}: {e}"))?;
        if round == 0 {
            server.connect().await?.batch_execute("CREATE TABLE t (batch bigint, n bigint)").await?;
        }
        let writers = (0..3_u64).map(|writer| {
            let port = server.port;
            let first = attempted + writer * 1_000_000;
            tokio::spawn(async move {
                let mut done = Vec::new();
                let Ok(client) = crate::warehouse::connect(port).await else { return done };
                for batch in first.. {
                    let values: Vec<String> = (0..BATCH).map(|n| format!("({batch}, {n})")).collect();
                    let sql = format!("INSERT INTO t VALUES {}", values.join(", "));
                    if client.batch_execute(&sql).await.is_err() {
                        break;
                    }
                    done.push(batch);
                }
                done
            })
        });
        let writers: Vec<_> = writers.collect();
        tokio::time::sleep(Duration::from_millis(random.random_range(100..1500))).await;
        server.kill()?;
        for writer in writers {
            acknowledged.extend(writer.await?);
        }
        attempted += 3_000_000;
    }
    let server = Server::start(folder.path())?;
    ensure(acknowledged.len() as u64 > rounds(), "hardly anything was inserted, so the test shows nothing")?;
    check_inserts(&server, &acknowledged).await
}

async fn check_inserts(server: &Server, acknowledged: &BTreeSet<u64>) -> Outcome {
    if acknowledged.is_empty() {
        return Ok(());
    }
    let client = server.connect().await?;
    let found = rows(&client, "SELECT batch, count(*), count(DISTINCT n) FROM t GROUP BY batch").await?;
    let mut batches = BTreeSet::new();
    for row in found {
        let whole = BATCH.to_string();
        ensure(
            row[1] == whole && row[2] == whole,
            format_args!("batch {} has {} rows, {} different", row[0], row[1], row[2]),
        )?;
        batches.insert(row[0].parse::<u64>().map_err(|e| e.to_string())?);
    }
    let lost: Vec<&u64> = acknowledged.difference(&batches).collect();
    ensure(lost.is_empty(), format_args!("{} acknowledged batches are lost: {lost:?}", lost.len()))
}

/// Transactions over two tables and a view: both or neither, and the view with them.
async fn transactions() -> Outcome {
    let folder = TempDir::new()?;
    let mut acknowledged = 0_i64;
    let mut next = 0_i64;
    for round in 0..rounds() {
        let mut random = StdRng::seed_from_u64(2000 + round);
        let server = Server::start(folder.path())?;
        let client = server.connect().await?;
        if round == 0 {
            client.batch_execute("CREATE TABLE a (n bigint); CREATE TABLE b (n bigint)").await?;
        }
        check_transactions(&client, acknowledged).await.map_err(|e| format!("round {round}: {e}"))?;
        let writing = tokio::spawn(async move {
            let mut last = None;
            for n in next.. {
                let sql = format!(
                    "BEGIN; INSERT INTO a VALUES ({n}); INSERT INTO b VALUES ({n}); \
                     CREATE OR REPLACE VIEW latest AS SELECT {n}::bigint AS n; COMMIT"
                );
                if client.batch_execute(&sql).await.is_err() {
                    return (last, n + 1);
                }
                last = Some(n);
            }
            (last, next)
        });
        tokio::time::sleep(Duration::from_millis(random.random_range(100..1500))).await;
        server.kill()?;
        let (last, following) = writing.await?;
        acknowledged = last.map_or(acknowledged, |n| n + 1);
        next = following;
    }
    let server = Server::start(folder.path())?;
    ensure(acknowledged > 0, "no transaction was committed, so the test shows nothing")?;
    check_transactions(&server.connect().await?, acknowledged).await
}

async fn check_transactions(client: &tokio_postgres::Client, acknowledged: i64) -> Outcome {
    let apart = "SELECT count(*) FROM (SELECT n FROM a EXCEPT SELECT n FROM b UNION ALL \
                 (SELECT n FROM b EXCEPT SELECT n FROM a)) AS d";
    same("only in one table", value(client, apart).await?.as_str(), "0")?;
    same("twice", value(client, "SELECT count(*) - count(DISTINCT n) FROM a").await?.as_str(), "0")?;
    let most = value(client, "SELECT coalesce(max(n), -1) FROM a").await?;
    let most: i64 = most.parse().map_err(|_| format!("no number: {most}"))?;
    ensure(most + 1 >= acknowledged, format_args!("acknowledged up to {acknowledged}, found {most}"))?;
    if most >= 0 {
        same("view", value(client, "SELECT n FROM latest").await?, most.to_string())?;
    }
    Ok(())
}
