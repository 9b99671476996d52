//! Tables that are altered while others use them, and kill -9 in the middle: there is the old shape or the new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use crate::process::Server;
use crate::trial::{Fault, Outcome, ensure, full, refused, same, trial};
use crate::warehouse::{Served, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("alter::others_go_on", others_go_on),
        trial("alter::prepared_statements", prepared_statements),
        trial("alter::conflicts", conflicts),
        trial("alter::cancelled", cancelled),
        trial("durability::alter", killed),
    ]
}

/// Single-row inserts of several clients into tables of both kinds while these are altered again and again: neither
/// fails, and every acknowledged row is there once.
async fn others_go_on() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE plain (id integer, w integer)").await?;
    client.batch_execute("CREATE TABLE keyed (id integer PRIMARY KEY, w integer) WITH (buckets = 2)").await?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for writer in 0..4_i32 {
        let (client, stop) = (served.connect().await?, Arc::clone(&stop));
        tasks.push(tokio::spawn(async move {
            let mut rows = 0;
            while !stop.load(Ordering::Relaxed) {
                let id = rows * 4 + writer;
                for table in ["plain", "keyed"] {
                    client.batch_execute(&format!("INSERT INTO {table} (id) VALUES ({id})")).await?;
                }
                rows += 1;
            }
            Outcome::Ok(rows)
        }));
    }
    for round in 0..if full() { 40 } else { 5 } {
        for table in ["plain", "keyed"] {
            for change in [
                format!("ADD COLUMN c{round} integer DEFAULT {round}"),
                format!("ADD COLUMN d{round} text"),
                format!("RENAME COLUMN d{round} TO e{round}"),
                "ALTER COLUMN w TYPE bigint, ALTER COLUMN w SET DEFAULT 1".to_owned(),
                format!("DROP COLUMN e{round}, ALTER COLUMN w TYPE integer"),
                format!("ALTER COLUMN id SET NOT NULL, DROP COLUMN c{round}"),
            ] {
                let sql = format!("ALTER TABLE {table} {change}");
                client.batch_execute(&sql).await.map_err(|e| format!("{sql}: {e:?}"))?;
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut rows = 0;
    for task in tasks {
        rows += task.await??;
    }
    ensure(rows > 20, format_args!("only {rows} rows came meanwhile"))?;
    for table in ["plain", "keyed"] {
        let found = value(&client, &format!("SELECT count(*) || ' ' || count(DISTINCT id) FROM {table}")).await?;
        same(table, found, format!("{rows} {rows}"))?;
    }
    drop(client);
    served.stop().await
}

/// What was prepared before goes on if its columns are the same, and says so if they are not.
async fn prepared_statements() -> Outcome {
    let served = Served::start().await?;
    let (client, other) = (served.connect().await?, served.connect().await?);
    client.batch_execute("CREATE TABLE t (a integer, b text); INSERT INTO t VALUES (1, 'x')").await?;
    let some = client.prepare("SELECT a FROM t WHERE a = $1").await?;
    let all = client.prepare("SELECT * FROM t").await?;
    let insert = client.prepare("INSERT INTO t (a) VALUES ($1)").await?;
    other.batch_execute("ALTER TABLE t ADD COLUMN c integer DEFAULT 3").await?;
    client.execute(&insert, &[&2_i32]).await?;
    same("some", client.query(&some, &[&2_i32]).await?.len(), 1)?;
    refused(client.query(&all, &[]).await, "0A000")?;
    other.batch_execute("ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME COLUMN a TO z").await?;
    refused(client.query(&some, &[&2_i32]).await, "42P01")?;
    same("kept", value(&client, "SELECT string_agg(z || ':' || c, ',' ORDER BY z) FROM u").await?.as_str(), "1:3,2:3")
}

/// Two transactions of which one alters a table, and whether the one that commits last may.
async fn conflicts() -> Outcome {
    let cells = [
        ("ALTER TABLE t ADD COLUMN c integer", "INSERT INTO t VALUES (9)", false),
        ("ALTER TABLE t RENAME TO u", "INSERT INTO t VALUES (9)", true),
        ("ALTER TABLE t ALTER COLUMN n SET DEFAULT 1", "INSERT INTO t VALUES (9)", true),
        ("ALTER TABLE t ALTER COLUMN n SET NOT NULL", "INSERT INTO t VALUES (NULL)", false),
        ("ALTER TABLE t RENAME COLUMN n TO m", "UPDATE t SET n = 0", false),
        ("INSERT INTO t VALUES (9)", "ALTER TABLE t ADD COLUMN c integer", true),
        ("INSERT INTO t VALUES (NULL)", "ALTER TABLE t ALTER COLUMN n SET NOT NULL", false),
        ("INSERT INTO t VALUES (NULL)", "ALTER TABLE t ALTER COLUMN n DROP NOT NULL", true),
        ("INSERT INTO t VALUES (9)", "ALTER TABLE t ADD COLUMN c integer DEFAULT 1", false),
        ("INSERT INTO t VALUES (9)", "ALTER TABLE t RENAME COLUMN n TO m", false),
        ("DELETE FROM t", "ALTER TABLE t ALTER COLUMN n TYPE bigint", false),
        ("DROP TABLE t", "ALTER TABLE t ADD COLUMN c integer", false),
        ("ALTER TABLE t ADD COLUMN c integer", "ALTER TABLE t ADD COLUMN d integer", false),
        ("CREATE VIEW v AS SELECT n FROM t", "ALTER TABLE t RENAME COLUMN n TO m", false),
        ("CREATE VIEW v AS SELECT n FROM t", "ALTER TABLE t RENAME TO u", false),
        ("CREATE VIEW v AS SELECT n FROM t", "COMMENT ON TABLE t IS 'x'", true),
        ("ALTER TABLE t RENAME COLUMN n TO m", "CREATE VIEW v AS SELECT n FROM t", false),
        ("COMMENT ON TABLE t IS 'x'", "CREATE VIEW v AS SELECT n FROM t", true),
    ];
    let served = Served::start().await?;
    let (first, second) = (served.connect().await?, served.connect().await?);
    for (winner, loser, may) in cells {
        first.batch_execute("DROP VIEW IF EXISTS v; DROP TABLE IF EXISTS t, u; CREATE TABLE t (n integer)").await?;
        first.batch_execute("INSERT INTO t VALUES (1), (2)").await?;
        for client in [&first, &second] {
            client.batch_execute("BEGIN").await?;
            same("before", value(client, "SELECT count(*) FROM t").await?, "2")?;
        }
        first.batch_execute(winner).await?;
        second.batch_execute(loser).await?;
        first.batch_execute("COMMIT").await?;
        let what = format!("{winner}; then {loser}");
        match second.batch_execute("COMMIT").await {
            Ok(()) => ensure(may, format_args!("{what}: was committed"))?,
            Err(e) if may => return Err(Fault::from(format!("{what}: {e:?}"))),
            failed => drop(refused(failed, "40001").map_err(|e| format!("{what}: {e}"))?),
        }
    }
    Ok(())
}

/// Stopped in the middle of writing a table anew, it has changed nothing.
async fn cancelled() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    let rows = 400_000;
    client
        .batch_execute(&format!(
            "CREATE TABLE big AS SELECT i AS n, 'row ' || i AS t FROM generate_series(1, {rows}) AS s (i)"
        ))
        .await?;
    client.batch_execute("SET statement_timeout = 60").await?;
    let sql = "ALTER TABLE big RENAME COLUMN n TO number";
    refused(client.batch_execute(sql).await, "57014")?;
    client.batch_execute("RESET statement_timeout").await?;
    let sum = (rows as u64) * (rows as u64 + 1) / 2;
    same("as it was", value(&client, "SELECT sum(n) FROM big").await?, sum.to_string().as_str())?;
    client.batch_execute(sql).await?;
    same("altered", value(&client, "SELECT sum(number) FROM big").await?, sum.to_string().as_str())
}

/// One client alters a table over and over, the server is killed at some moment, and again.
async fn killed() -> Outcome {
    let folder = TempDir::new()?;
    let mut random = StdRng::seed_from_u64(20_260_706);
    let server = Server::start(folder.path())?;
    let client = server.connect().await?;
    client
        .batch_execute(
            "CREATE TABLE t (id integer PRIMARY KEY, c0 integer) WITH (buckets = 2); \
             INSERT INTO t SELECT i, i FROM generate_series(1, 2000) AS s (i); \
             CREATE VIEW v AS SELECT id, c0 AS c FROM t",
        )
        .await?;
    server.kill()?;
    // The number in the column's name, and whether there is an extra column.
    let (mut known, mut acknowledged) = (0_u64, 0);
    for round in 0..if full() { 100 } else { 4 } {
        let server = Server::start(folder.path())?;
        let client = server.connect().await?;
        let column = value(
            &client,
            "SELECT column_name FROM information_schema.columns WHERE table_name = 't' AND column_name LIKE 'c%'",
        )
        .await?;
        let number: u64 = column[1..].parse().map_err(|_| format!("a column {column}"))?;
        ensure(number == known || number == known + 1, format_args!("after kill {round}: {number}, known {known}"))?;
        known = number;
        for (what, from) in [(column.as_str(), "t"), ("c", "v")] {
            let figures = format!("SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || sum({what}) FROM {from}");
            same(&format!("after kill {round}"), value(&client, &figures).await?.as_str(), "2000 2000 2001000")?;
        }
        let until = Instant::now() + Duration::from_millis(random.random_range(50..1200));
        let task = tokio::spawn(async move {
            let mut done = 0;
            let mut number = known;
            loop {
                let next = number + 1;
                let sql = format!("ALTER TABLE t RENAME COLUMN c{number} TO c{next}");
                if client.batch_execute(&sql).await.is_err() {
                    return (number, done);
                }
                (number, done) = (next, done + 1);
            }
        });
        tokio::time::sleep_until(until.into()).await;
        server.kill()?;
        let (number, done) = task.await?;
        (known, acknowledged) = (number, acknowledged + done);
    }
    ensure(acknowledged > 4, format_args!("only {acknowledged} changes were acknowledged"))
}
