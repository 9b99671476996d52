//! SIGTERM: idle sessions are told, running statements may finish, nothing acknowledged is lost.

use std::time::Duration;

use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::process::{Server, run};
use crate::raw::{Raw, query};
use crate::trial::{Outcome, ensure, same, trial};
use crate::warehouse::{address, try_connect, value};

/// The server lets statements run on for ten seconds; after that it stops them.
const LONGEST: Duration = Duration::from_secs(25);

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("shutdown::idle", idle),
        trial("shutdown::running_statement_finishes", running_statement_finishes),
        trial("shutdown::endless_statement_is_stopped", endless_statement_is_stopped),
        trial("shutdown::usage", usage),
    ]
}

async fn idle() -> Outcome {
    let folder = TempDir::new()?;
    let mut server = Server::start(folder.path())?;
    let client = server.connect().await?;
    client.batch_execute("CREATE TABLE t (n integer); INSERT INTO t VALUES (1)").await?;
    let mut raw = Raw::connect(server.port, &[]).await?;
    let port = server.port;
    server.terminate()?;
    let farewell = raw.next().await?;
    same("farewell", farewell.kind, 'E')?;
    same("sqlstate", farewell.fields().remove(&'C'), Some("57P01".to_owned()))?;
    ensure(raw.next().await.is_err(), "the connection stayed open")?;
    let status = server.wait(Duration::from_secs(5))?;
    same("exit code", status.code(), Some(0))?;
    ensure(try_connect(&address(port)).await.is_err(), "still accepts connections")?;

    // At once, and with all that was there.
    let server = Server::start(folder.path())?;
    let client = server.connect().await?;
    same("rows", value(&client, "SELECT count(*) FROM t").await?.as_str(), "1")
}

async fn running_statement_finishes() -> Outcome {
    let folder = TempDir::new()?;
    let mut server = Server::start(folder.path())?;
    let mut raw = Raw::connect(server.port, &[]).await?;
    raw.ask(&[query("CREATE TABLE t (n bigint)")]).await?;
    raw.send(&query("INSERT INTO t SELECT x FROM generate_series(1, 20000000) AS a (x)")).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.terminate()?;
    let answer = raw.next().await?;
    let acknowledged = answer.kind == 'C';
    if !acknowledged {
        same("sqlstate", answer.fields().remove(&'C'), Some("57P01".to_owned()))?;
    }
    same("exit code", server.wait(LONGEST)?.code(), Some(0))?;
    let server = Server::start(folder.path())?;
    let client = server.connect().await?;
    let want = if acknowledged { "20000000" } else { "0" };
    same("rows", value(&client, "SELECT count(*) FROM t").await?.as_str(), want)
}

async fn endless_statement_is_stopped() -> Outcome {
    let folder = TempDir::new()?;
    let mut server = Server::start(folder.path())?;
    let mut raw = Raw::connect(server.port, &[]).await?;
    raw.send(&query(
        "SELECT count(*) FROM generate_series(1, 100000) AS a (x) CROSS JOIN generate_series(1, 100000) AS b (y) \
         WHERE (x * 7 + y * 13) % 1000003 = 5",
    ))
    .await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.terminate()?;
    let mut answer = tokio::time::timeout(LONGEST, raw.next()).await??;
    if answer.kind == 'T' {
        // Its columns are told as soon as they are known.
        answer = tokio::time::timeout(LONGEST, raw.next()).await??;
    }
    same("kind", answer.kind, 'E')?;
    let state = answer.fields().remove(&'C').unwrap_or_default();
    ensure(state == "57P01" || state == "57014", format_args!("SQLSTATE {state}"))?;
    same("exit code", server.wait(LONGEST)?.code(), Some(0))
}

/// Exit codes and where the words go: 2 for a wrong command line, 1 for an error, 0 for success.
async fn usage() -> Outcome {
    let folder = TempDir::new()?;
    let data = folder.path().to_string_lossy().into_owned();
    let data = data.as_str();
    for (arguments, code) in [
        (vec!["--help"], 0),
        (vec!["--version"], 0),
        (vec!["no-such-command"], 2),
        (vec!["serve", "--no-such-option"], 2),
        (vec!["serve", "--data", data, "--listen", "not an address"], 2),
        (vec!["query", "SELECT 1", "--data", data], 0),
        (vec!["query", "SELECT nonsense", "--data", data], 1),
        (vec!["load", "/no/such/file.parquet", "--table", "t", "--data", data], 1),
    ] {
        let output = run(&arguments)?;
        let said = String::from_utf8_lossy(&output.stderr);
        same(&format!("{arguments:?}: {said}"), output.status.code(), Some(code))?;
        ensure(code == 0 || !said.trim().is_empty(), format_args!("{arguments:?} failed without a word"))?;
        ensure(!said.contains("panicked"), format_args!("{arguments:?}: {said}"))?;
    }
    // Loopback is the only address that serves without a password.
    let output = run(&["serve", "--data", data, "--listen", "0.0.0.0:0"])?;
    ensure(!output.status.success(), "served everybody without a password")?;

    let json = run(&["query", "SELECT 1 AS n, NULL AS nothing, 'a \"b\"' AS t", "--data", data, "--format", "json"])?;
    let text = String::from_utf8_lossy(&json.stdout).into_owned();
    // One object a line, a null written as one.
    let row: serde_json::Value = serde_json::from_str(text.trim_end()).map_err(|e| format!("{text}: {e}"))?;
    same("json", row, serde_json::json!({"n": 1, "nothing": null, "t": "a \"b\""}))?;
    let csv = run(&["query", "SELECT 1 AS n, NULL AS nothing, 'a,\"b\"' AS t", "--data", data, "--format", "csv"])?;
    same("csv", String::from_utf8_lossy(&csv.stdout).into_owned(), "n,nothing,t\n1,,\"a,\"\"b\"\"\"\n".to_owned())
}
