//! One writer per warehouse: a second one is refused and told who writes; a dead one stands in nobody's way.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::process::{Server, query, run};
use crate::trial::{Outcome, ensure, same, trial};
use crate::warehouse::value;

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("lease::second_writer_is_refused", second_writer_is_refused),
        trial("lease::reading_needs_none", reading_needs_none),
        trial("lease::takeover_after_kill", takeover_after_kill),
        trial("lease::handed_on_at_shutdown", handed_on_at_shutdown),
    ]
}

async fn second_writer_is_refused() -> Outcome {
    let folder = TempDir::new()?;
    let data = folder.path().to_string_lossy().into_owned();
    let server = Server::start(folder.path())?;
    let client = server.connect().await?;
    client.batch_execute("CREATE TABLE t (n integer)").await?;
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, "n\n1\n2\n")?;
    let file = file.to_string_lossy().into_owned();
    for arguments in [
        vec!["query", "INSERT INTO t VALUES (1)", "--data", &data],
        vec!["query", "CREATE TABLE u (n integer)", "--data", &data],
        vec!["load", &file, "--table", "t", "--data", &data],
    ] {
        let output = run(&arguments)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        same(&format!("{arguments:?}: {said}"), output.status.code(), Some(1))?;
        ensure(said.contains(&server.pid().to_string()), format_args!("does not name the writer's process: {said}"))?;
    }
    same("rows", value(&client, "SELECT count(*) FROM t").await?.as_str(), "0")
}

async fn reading_needs_none() -> Outcome {
    let folder = TempDir::new()?;
    let server = Server::start(folder.path())?;
    let client = server.connect().await?;
    client.batch_execute("CREATE TABLE t (n integer); INSERT INTO t VALUES (1), (2)").await?;
    same("rows", query(folder.path(), "SELECT count(*) FROM t")?, vec!["2".to_owned()])?;
    client.batch_execute("INSERT INTO t VALUES (3); CREATE VIEW v AS SELECT n FROM t").await?;
    same("later rows", query(folder.path(), "SELECT count(*) FROM v")?, vec!["3".to_owned()])?;
    // The readers did not disturb the writer.
    client.batch_execute("INSERT INTO t VALUES (4)").await?;
    same("rows", value(&client, "SELECT count(*) FROM t").await?.as_str(), "4")
}

async fn takeover_after_kill() -> Outcome {
    let folder = TempDir::new()?;
    let server = Server::start(folder.path())?;
    server.connect().await?.batch_execute("CREATE TABLE t (n integer)").await?;
    server.kill()?;
    for n in 0..3 {
        let start = Instant::now();
        let server = Server::start(folder.path())?;
        server.connect().await?.batch_execute(&format!("INSERT INTO t VALUES ({n})")).await?;
        let took = start.elapsed();
        ensure(took < Duration::from_secs(5), format_args!("took {took:?} to write again"))?;
        server.kill()?;
    }
    same("rows", query(folder.path(), "SELECT count(*) FROM t")?, vec!["3".to_owned()])
}

async fn handed_on_at_shutdown() -> Outcome {
    let folder = TempDir::new()?;
    let data = folder.path().to_string_lossy().into_owned();
    for n in 0..3 {
        let mut server = Server::start(folder.path())?;
        let client = server.connect().await?;
        client.batch_execute(&format!("CREATE TABLE t{n} (n integer)")).await?;
        drop(client);
        server.terminate()?;
        same("exit code", server.wait(Duration::from_secs(10))?.code(), Some(0))?;
        let output = run(&["query", &format!("INSERT INTO t{n} VALUES (1)"), "--data", &data])?;
        ensure(output.status.success(), String::from_utf8_lossy(&output.stderr))?;
    }
    Ok(())
}
