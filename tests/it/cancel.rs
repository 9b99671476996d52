//! Cancel, time limit and a vanished client: each stops the work itself, seen from outside as processor time.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::process::Server;
use crate::raw::{Raw, TEXT, bind, execute, parse, query, sync};
use crate::trial::{Outcome, ensure, refused, same, trial};
use crate::warehouse::{address, try_connect, value};

/// Ten thousand million pairs, compared one by one: minutes of work.
const LONG: &str = "SELECT count(*) FROM generate_series(1, 100000) AS a (x) \
                    CROSS JOIN generate_series(1, 100000) AS b (y) WHERE (x * 7 + y * 13) % 1000003 = 5";
/// A sort that returns nothing until it has read everything.
const SORT: &str = "SELECT x FROM generate_series(1, 200000000) AS a (x) ORDER BY (x * 7919) % 1000003, x DESC";
/// Rows without end.
const ROWS: &str = "SELECT x, repeat('x', 200) FROM generate_series(1, 2000000000) AS a (x)";
/// A join of few keys: every row meets thousands of others, which are counted, or dropped by a condition.
const PAIRS: &str = "SELECT count(*) FROM (SELECT i % 8 AS k, i AS v FROM generate_series(1, 400000) AS s (i)) AS a \
                     JOIN (SELECT i % 8 AS k, i AS v FROM generate_series(1, 400000) AS s (i)) AS b ON a.k = b.k";
const DROPPED: &str = "SELECT count(*) FROM (SELECT i % 8 AS k, i AS v FROM generate_series(1, 400000) AS s (i)) AS a \
                       JOIN (SELECT i % 8 AS k, i AS v FROM generate_series(1, 400000) AS s (i)) AS b \
                       ON a.k = b.k AND a.v + b.v < 0";
/// How soon the work has to be over.
const SOON: Duration = Duration::from_secs(1);
/// Share of one core that a server without work may use.
const IDLE: f64 = 0.2;

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("cancel::statement_timeout", statement_timeout),
        trial("cancel::timeout_spares_the_quick", timeout_spares_the_quick),
        trial("cancel::while_idle", while_idle),
        trial("cancel::wrong_key", wrong_key),
        trial("cancel::reader_that_stops", reader_that_stops),
    ];
    for (name, sql) in [("join", LONG), ("sort", SORT), ("rows", ROWS), ("pairs", PAIRS), ("dropped_pairs", DROPPED)] {
        trials.push(trial(format!("cancel::request::{name}"), move || request(sql)));
        trials.push(trial(format!("cancel::disconnect::{name}"), move || disconnect(sql)));
        trials.push(trial(format!("cancel::disconnect_extended::{name}"), move || disconnect_extended(sql)));
    }
    for (name, sql) in [("join", LONG), ("pairs", PAIRS), ("dropped_pairs", DROPPED)] {
        trials.push(trial(format!("cancel::others_go_on::{name}"), move || others_go_on(sql)));
    }
    trials
}

/// However many statements compute, others are answered.
async fn others_go_on(sql: &'static str) -> Outcome {
    let (_folder, server) = server().await?;
    let mut running = Vec::new();
    for _ in 0..3 {
        let client = server.connect().await?;
        let token = client.cancel_token();
        running.push((tokio::spawn(async move { client.batch_execute(sql).await }), token));
    }
    busy(&server).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..3 {
        let asked = Instant::now();
        let client = server.connect().await?;
        same("answer", value(&client, "SELECT count(*) FROM generate_series(1, 1000)").await?.as_str(), "1000")?;
        let took = asked.elapsed();
        ensure(took < 5 * SOON, format_args!("another statement waited {took:?}"))?;
    }
    for (task, token) in running {
        token.cancel_query(NoTls).await?;
        refused(task.await?, "57014")?;
    }
    quiet(&server).await
}

async fn server() -> Outcome<(TempDir, Server)> {
    let folder = TempDir::new()?;
    let server = Server::start(folder.path())?;
    Ok((folder, server))
}

/// Waits until the server has worked for a while, however little of the machine it gets.
async fn busy(server: &Server) -> Outcome {
    let (before, start) = (server.cpu()?, Instant::now());
    while server.cpu()? - before < Duration::from_millis(300) {
        ensure(
            start.elapsed() < Duration::from_secs(20),
            "the server never started to work, so the test shows nothing",
        )?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn quiet(server: &Server) -> Outcome {
    tokio::time::sleep(SOON).await;
    let load = server.load().await?;
    ensure(load < IDLE, format_args!("the work goes on: load {load:.2} of one core"))
}

async fn request(sql: &'static str) -> Outcome {
    let (_folder, server) = server().await?;
    let client = server.connect().await?;
    let token = client.cancel_token();
    let running = tokio::spawn(async move {
        let rows = client.query_raw(sql, std::iter::empty::<i32>()).await;
        let outcome = match rows {
            Ok(rows) => drain(rows).await,
            Err(error) => Err(error),
        };
        (client, outcome)
    });
    busy(&server).await?;
    let asked = Instant::now();
    token.cancel_query(NoTls).await?;
    let (client, outcome) = running.await?;
    let took = asked.elapsed();
    refused(outcome, "57014")?;
    ensure(took < SOON, format_args!("the answer took {took:?}"))?;
    quiet(&server).await?;
    // The session goes on.
    same("afterwards", value(&client, "SELECT 1").await?.as_str(), "1")
}

async fn drain(rows: tokio_postgres::RowStream) -> Result<u64, tokio_postgres::Error> {
    use futures::TryStreamExt;
    rows.try_fold(0, |n, _| async move { Ok(n + 1) }).await
}

async fn disconnect(sql: &'static str) -> Outcome {
    let (_folder, server) = server().await?;
    let mut raw = Raw::connect(server.port, &[]).await?;
    raw.send(&query(sql)).await?;
    leave(&server, raw).await
}

async fn disconnect_extended(sql: &'static str) -> Outcome {
    let (_folder, server) = server().await?;
    let mut raw = Raw::connect(server.port, &[]).await?;
    raw.send(&[parse("", sql, &[]), bind("", "", TEXT, &[], TEXT), execute("", 0), sync()].concat()).await?;
    leave(&server, raw).await
}

/// Reads for a while as a live client does, then is gone without a word.
async fn leave(server: &Server, mut raw: Raw) -> Outcome {
    let reading = async { while raw.next().await.is_ok() {} };
    let _ = tokio::time::timeout(Duration::from_millis(1500), reading).await;
    let before = server.cpu()?;
    // A client that reads row by row holds the server back, so it need not have worked hard; idle it uses no tick.
    ensure(before > Duration::from_millis(50), "the server never started to work, so the test shows nothing")?;
    drop(raw);
    quiet(server).await?;
    let client = server.connect().await?;
    same("afterwards", value(&client, "SELECT 1").await?.as_str(), "1")
}

/// A client that is still there but does not read makes the server wait, not work.
async fn reader_that_stops() -> Outcome {
    let (_folder, server) = server().await?;
    let mut raw = Raw::connect(server.port, &[]).await?;
    raw.send(&query(ROWS)).await?;
    for _ in 0..1000 {
        raw.next().await?;
    }
    quiet(&server).await?;
    // It reads on where it stopped.
    for _ in 0..1000 {
        same("row", raw.next().await?.kind, 'D')?;
    }
    Ok(())
}

async fn statement_timeout() -> Outcome {
    let (_folder, server) = server().await?;
    let client = server.connect().await?;
    client.batch_execute("SET statement_timeout = '1500ms'").await?;
    for sql in [LONG, SORT, ROWS] {
        let start = Instant::now();
        let outcome = match client.query_raw(sql, std::iter::empty::<i32>()).await {
            Ok(rows) => drain(rows).await,
            Err(error) => Err(error),
        };
        let message = refused(outcome, "57014")?;
        ensure(message.contains("timeout"), format_args!("does not say why: {message}"))?;
        let took = start.elapsed();
        ensure(
            took > Duration::from_millis(1400) && took < Duration::from_millis(1500) + SOON,
            format_args!("took {took:?}"),
        )?;
        quiet(&server).await?;
    }
    // As a startup option it holds from the first statement.
    let client = try_connect(address(server.port).options("-c statement_timeout=700")).await?;
    refused(client.simple_query(LONG).await, "57014")?;
    // Zero is none.
    client.batch_execute("SET statement_timeout = 0").await?;
    same("afterwards", value(&client, "SELECT 1").await?.as_str(), "1")
}

/// The limit is for one statement, not for the session, and starts anew with each.
async fn timeout_spares_the_quick() -> Outcome {
    let (_folder, server) = server().await?;
    let client = server.connect().await?;
    client.batch_execute("SET statement_timeout = '1s'").await?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2500) {
        same("value", value(&client, "SELECT 1").await?.as_str(), "1")?;
    }
    Ok(())
}

/// A cancel that comes too late cancels nothing later.
async fn while_idle() -> Outcome {
    let (_folder, server) = server().await?;
    let client = server.connect().await?;
    for _ in 0..20 {
        client.cancel_token().cancel_query(NoTls).await?;
        // The driver does not wait until the server has read it.
        tokio::time::sleep(Duration::from_millis(50)).await;
        same("value", value(&client, "SELECT 1").await?.as_str(), "1")?;
    }
    Ok(())
}

/// Only who knows the key cancels.
async fn wrong_key() -> Outcome {
    use crate::raw::framed;
    let (_folder, server) = server().await?;
    let client = server.connect().await?;
    client.batch_execute("SET statement_timeout = '3s'").await?;
    let running = tokio::spawn(async move { client.simple_query(LONG).await.map(drop) });
    for pid in 0..50_i32 {
        use tokio::io::AsyncWriteExt;
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await?;
        let body = [80_877_102_i32.to_be_bytes(), pid.to_be_bytes(), 12_345_i32.to_be_bytes()].concat();
        stream.write_all(&framed(None, &body)).await?;
    }
    let message = refused(running.await?, "57014")?;
    ensure(message.contains("timeout"), format_args!("a stranger cancelled it: {message}"))
}
