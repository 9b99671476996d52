//! Many sessions that insert a row at a time share commits: every row is there once, each statement hears its own
//! outcome, and a kill in the middle loses nothing that was acknowledged.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::Trial;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::process::Server;
use crate::trial::{Outcome, ensure, full, same, trial};
use crate::warehouse::{Served, connect, rows, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("inserts::sessions_share_commits", sessions_share_commits),
        trial("inserts::a_session_alone_commits_each", a_session_alone_commits_each),
        trial("inserts::faults_stay_alone", faults_stay_alone),
        trial("inserts::cancelled_or_there", cancelled_or_there),
        trial("durability::inserts_of_many", killed),
        trial("durability::maintenance", killed_while_maintained),
    ]
}

const CLIENTS: i64 = 32;

fn rounds() -> u64 {
    if full() { 50 } else { 5 }
}

fn commits(table: &Path) -> Outcome<usize> {
    let mut found = 0;
    for entry in std::fs::read_dir(table.join("_delta_log"))? {
        found += usize::from(entry?.file_name().to_string_lossy().ends_with(".json"));
    }
    Ok(found)
}

/// Half of the clients by the simple protocol, half with prepared statements.
async fn insert(client: &Client, client_number: i64, numbers: std::ops::Range<i64>) -> Outcome {
    let statement = client.prepare("INSERT INTO t (id, who, at) VALUES ($1, $2, now())").await?;
    for number in numbers {
        let id = client_number * 1_000_000 + number;
        if client_number % 2 == 0 {
            let done = client.execute(&statement, &[&id, &format!("c{client_number}")]).await?;
            same("count", done, 1)?;
        } else {
            client.batch_execute(&format!("INSERT INTO t VALUES ({id}, 'c{client_number}', now())")).await?;
        }
    }
    Ok(())
}

async fn sessions_share_commits() -> Outcome {
    let each: i64 = if full() { 1000 } else { 40 };
    let served = Served::start().await?;
    let client = served.connect().await?;
    client
        .batch_execute("CREATE TABLE t (id bigint NOT NULL, who text, at timestamptz) PARTITION BY RANGE (at)")
        .await?;
    let port = served.port;
    let clients = (0..CLIENTS).map(|number| {
        tokio::spawn(async move {
            let client = connect(port).await?;
            // Zones differ, and instants don't.
            client
                .batch_execute(if number % 3 == 0 { "SET timezone = 'Asia/Tokyo'" } else { "SET timezone = 'UTC'" })
                .await?;
            insert(&client, number, 0..each).await
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await??;
    }
    let total = CLIENTS * each;
    same("rows", value(&client, "SELECT count(*) FROM t").await?, total.to_string())?;
    same("different", value(&client, "SELECT count(DISTINCT id) FROM t").await?, total.to_string())?;
    same(
        "owners",
        value(&client, "SELECT count(*) FROM t WHERE who <> 'c' || (id / 1000000)::text").await?.as_str(),
        "0",
    )?;
    same(
        "times",
        value(&client, "SELECT count(*) FROM t WHERE at > now() OR at < now() - interval '1 hour'").await?.as_str(),
        "0",
    )?;
    let made = commits(&served.folder().join("public/t"))? as i64;
    ensure(made * 4 < total, format_args!("{made} commits for {total} rows"))?;
    drop(client);
    served.stop().await
}

async fn a_session_alone_commits_each() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE t (id bigint PRIMARY KEY, who text, at timestamptz DEFAULT now())").await?;
    client.batch_execute("INSERT INTO t (id) VALUES (1), (2)").await?;
    client.batch_execute("INSERT INTO t (id) VALUES (3)").await?;
    same("commits", commits(&served.folder().join("public/t"))?, 3)?;
    // A block sees its own rows, and takes them back.
    client.batch_execute("BEGIN; INSERT INTO t (id) VALUES (4)").await?;
    same("own rows", value(&client, "SELECT count(*) FROM t").await?.as_str(), "4")?;
    client.batch_execute("ROLLBACK").await?;
    client.batch_execute("INSERT INTO t (id) VALUES (5); INSERT INTO t (id) VALUES (6)").await?;
    same("rows", value(&client, "SELECT count(*) FROM t").await?.as_str(), "5")?;
    drop(client);
    served.stop().await
}

/// Of what many insert at once, those with a fault fail, for their own reason, and the others don't.
async fn faults_stay_alone() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE t (id bigint PRIMARY KEY, who text NOT NULL)").await?;
    client.batch_execute("INSERT INTO t VALUES (-1, 'before')").await?;
    let port = served.port;
    let clients = (0..16_i64).map(|number| {
        tokio::spawn(async move {
            let client = connect(port).await?;
            let mut won = Vec::new();
            for round in 0..15_i64 {
                // Everybody wants the same key, some a null, some what is no number, some a key that was there before.
                let (sql, fault) = match number % 4 {
                    0 => (format!("INSERT INTO t VALUES ({round}, 'c{number}')"), "23505"),
                    1 => (format!("INSERT INTO t VALUES ({}, NULL)", 10_000 + number * 100 + round), "23502"),
                    2 => ("INSERT INTO t VALUES ('many', 'x')".to_owned(), "22P02"),
                    _ if round % 2 == 0 => ("INSERT INTO t VALUES (-1, 'again')".to_owned(), "23505"),
                    _ => (
                        format!("INSERT INTO t VALUES ({0}, 'twice'), ({0}, 'twice')", 20_000 + number * 100 + round),
                        "23505",
                    ),
                };
                match client.batch_execute(&sql).await {
                    Ok(()) => won.push((number, round)),
                    Err(error) => {
                        let state = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
                        same(&sql, state.as_str(), fault)?;
                    }
                }
                let own = 50_000 + number * 100 + round;
                client.batch_execute(&format!("INSERT INTO t VALUES ({own}, 'own')")).await?;
            }
            Outcome::Ok(won)
        })
    });
    let mut won = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        won.extend(client.await??);
    }
    ensure(won.iter().all(|(number, _)| number % 4 == 0), format_args!("a faulty row was taken: {won:?}"))?;
    same("winners", won.len(), 15)?;
    same("rows of winners", value(&client, "SELECT count(*) FROM t WHERE id BETWEEN 0 AND 14").await?.as_str(), "15")?;
    same("own rows", value(&client, "SELECT count(*) FROM t WHERE who = 'own'").await?.as_str(), "240")?;
    same("rows", value(&client, "SELECT count(*) FROM t").await?.as_str(), "256")?;
    same("keys", value(&client, "SELECT count(DISTINCT id) FROM t").await?.as_str(), "256")?;
    drop(client);
    served.stop().await
}

/// A statement that was cancelled has left no row, and one that says it is done has.
async fn cancelled_or_there() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE t (id bigint)").await?;
    let port = served.port;
    let clients = (0..8_i64).map(|number| {
        tokio::spawn(async move {
            let client = connect(port).await?;
            let (mut there, mut cancelled) = (Vec::new(), Vec::new());
            let token = client.cancel_token();
            // Comes at any moment, and does nothing between statements.
            let cancelling = tokio::spawn(async move {
                let mut random = StdRng::seed_from_u64(number as u64);
                loop {
                    tokio::time::sleep(Duration::from_millis(random.random_range(1..40))).await;
                    if token.cancel_query(tokio_postgres::NoTls).await.is_err() {
                        return;
                    }
                }
            });
            for round in 0..40_i64 {
                let id = number * 1000 + round;
                match client.batch_execute(&format!("INSERT INTO t VALUES ({id})")).await {
                    Ok(()) => there.push(id),
                    Err(error) => {
                        same("fault", error.code().map(|code| code.code()), Some("57014"))?;
                        cancelled.push(id);
                    }
                }
            }
            cancelling.abort();
            Outcome::Ok((there, cancelled))
        })
    });
    let (mut there, mut cancelled) = (BTreeSet::new(), BTreeSet::new());
    for client in clients.collect::<Vec<_>>() {
        let (yes, no) = client.await??;
        there.extend(yes);
        cancelled.extend(no);
    }
    let found = rows(&client, "SELECT id FROM t").await?;
    let found: Vec<i64> = found.iter().filter_map(|row| row[0].parse().ok()).collect();
    same("rows", found.iter().copied().collect::<BTreeSet<i64>>(), there)?;
    same("once each", found.iter().collect::<BTreeSet<_>>().len(), found.len())?;
    ensure(!cancelled.is_empty(), "nothing was cancelled, so the test shows nothing")?;
    drop(client);
    served.stop().await
}

async fn killed() -> Outcome {
    kills(false).await
}

async fn killed_while_maintained() -> Outcome {
    kills(true).await
}

/// Clients insert rows one by one until the server is gone; what it acknowledged is there afterwards, once.
async fn kills(maintained: bool) -> Outcome {
    let folder = TempDir::new()?;
    let mut acknowledged: BTreeSet<i64> = BTreeSet::new();
    for round in 0..rounds() {
        let mut random = StdRng::seed_from_u64(if maintained { 500 } else { 400 } + round);
        let server = Server::start(folder.path())?;
        check(&server, &acknowledged).await.map_err(|e| format!("round {round}: {e}"))?;
        if round == 0 {
            let sql = "CREATE TABLE t (id bigint, day date) PARTITION BY RANGE (day) WITH (cluster_by = 'id')";
            server.connect().await?.batch_execute(sql).await?;
        }
        let writers = (0..8_i64).map(|writer| {
            let port = server.port;
            tokio::spawn(async move {
                let mut done = Vec::new();
                let Ok(client) = connect(port).await else { return done };
                for n in 0.. {
                    let id = (round as i64 * 8 + writer) * 1_000_000 + n;
                    let sql = format!("INSERT INTO t VALUES ({id}, date '2026-03-01' + {})", n % 2);
                    if client.batch_execute(&sql).await.is_err() {
                        break;
                    }
                    done.push(id);
                }
                done
            })
        });
        let writers: Vec<_> = writers.collect();
        let port = server.port;
        let maintaining = tokio::spawn(async move {
            let Ok(client) = connect(port).await else { return };
            let sql = "CALL audience.maintain(retain => '0 seconds', retain_log => '0 seconds')";
            while maintained && client.simple_query(sql).await.is_ok() {}
        });
        tokio::time::sleep(Duration::from_millis(random.random_range(300..1800))).await;
        server.kill()?;
        for writer in writers {
            acknowledged.extend(writer.await?);
        }
        maintaining.await?;
    }
    let server = Server::start(folder.path())?;
    ensure(acknowledged.len() as u64 > 8 * rounds(), "hardly anything was inserted, so the test shows nothing")?;
    check(&server, &acknowledged).await
}

async fn check(server: &Server, acknowledged: &BTreeSet<i64>) -> Outcome {
    if acknowledged.is_empty() {
        return Ok(());
    }
    let client = server.connect().await?;
    let found = rows(&client, "SELECT id FROM t").await?;
    let ids: BTreeSet<i64> = found.iter().filter_map(|row| row[0].parse().ok()).collect();
    same("once each", ids.len(), found.len())?;
    let lost: Vec<&i64> = acknowledged.difference(&ids).collect();
    ensure(lost.is_empty(), format_args!("{} acknowledged rows are lost: {lost:?}", lost.len()))
}
