//! Looking back: every state that a warehouse was in is found again, by version and by instant, until what it needs is
//! removed; and nobody sees by looking back what he may not see.

use std::time::Duration;

use libtest_mimic::Trial;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::process::Server;
use crate::trial::{Outcome, ensure, full, refused, same, trial};
use crate::warehouse::{Served, Warehouse, address, connect_with, rows, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("past::every_state_is_found_again", every_state_is_found_again),
        trial("past::what_is_removed_is_told", what_is_removed_is_told),
        trial("past::privileges", privileges),
        trial("past::settings", settings),
        trial("past::readme", readme),
        trial("past::restore_beside_writers", restore_beside_writers),
    ]
}

const TABLES: [&str; 2] = ["k", "u"];

/// What a table held at one moment.
struct State {
    table: &'static str,
    version: i64,
    instant: String,
    rows: String,
}

/// All rows of a relation as one text.
async fn content(client: &Client, relation: &str) -> Outcome<String> {
    let sql = format!(
        "SELECT coalesce(string_agg(id::text || ':' || coalesce(v, '-'), ',' ORDER BY id, v), '') FROM {relation}"
    );
    value(client, &sql).await
}

async fn version(client: &Client, table: &str) -> Outcome<i64> {
    let sql = format!("SELECT max(version) FROM audience.table_history('{table}')");
    Ok(value(client, &sql).await?.parse().map_err(|e| format!("{sql}: {e}"))?)
}

/// One random change of one table or of both.
async fn step(client: &Client, rng: &mut StdRng) -> Outcome {
    let table = TABLES[rng.random_range(0..TABLES.len())];
    let id = rng.random_range(0..30);
    let text: u16 = rng.random();
    let sql = match rng.random_range(0..10) {
        0..=2 if table == "k" => format!(
            "INSERT INTO k SELECT g, 'i{text}' FROM generate_series({id}, {}) AS s(g) ON CONFLICT (id) DO NOTHING",
            id + 5
        ),
        0..=2 => format!("INSERT INTO u SELECT g, 'i{text}' FROM generate_series({id}, {}) AS s(g)", id + 2),
        3..=4 => format!("UPDATE {table} SET v = 'u{text}' WHERE id % 3 = {}", id % 3),
        5..=6 => format!("DELETE FROM {table} WHERE id BETWEEN {id} AND {}", id + 3),
        7 => format!("BEGIN; DELETE FROM u WHERE id = {id}; UPDATE k SET v = NULL WHERE id = {id}; COMMIT"),
        8 if id < 4 => format!("TRUNCATE {table}"),
        8 => format!("CALL audience.maintain('{table}')"),
        _ => {
            let newest = version(client, table).await?;
            let chosen = rng.random_range(0..=newest);
            let expected = content(client, &format!("table_at('{table}', {chosen})")).await?;
            client.batch_execute(&format!("CALL audience.restore('{table}', {chosen})")).await?;
            return same("restored", content(client, table).await?, expected);
        }
    };
    Ok(client.batch_execute(&sql).await?)
}

async fn check(client: &Client, state: &State) -> Outcome {
    let State { table, version, instant, rows } = state;
    let what = format!("{table} at {version}");
    same(&what, content(client, &format!("table_at('{table}', {version})")).await?, rows.clone())?;
    client.batch_execute(&format!("SET audience.as_of = '{instant}'")).await?;
    same(&format!("{what}, {instant}"), content(client, table).await?, rows.clone())?;
    client.batch_execute("RESET audience.as_of").await?;
    Ok(())
}

/// Random changes, every state written down; each is found again by the same process and by others.
async fn every_state_is_found_again() -> Outcome {
    let (steps, seeds) = if full() { (200, 5) } else { (45, 1) };
    for seed in 0..seeds {
        let mut rng = StdRng::seed_from_u64(seed);
        let folder = TempDir::new()?;
        let mut server = Server::start(folder.path())?;
        let mut client = server.connect().await?;
        client
            .batch_execute(
                "CREATE TABLE k (id integer PRIMARY KEY, v text) WITH (buckets = 3); CREATE TABLE u (id integer, v text)",
            )
            .await?;
        let mut states: Vec<State> = Vec::new();
        for number in 0..steps {
            step(&client, &mut rng).await?;
            for table in TABLES {
                let (version, rows) = (version(&client, table).await?, content(&client, table).await?);
                states.push(State { table, version, instant: value(&client, "SELECT now()").await?, rows });
            }
            check(&client, &states[rng.random_range(0..states.len())]).await?;
            if number % 20 == 13 {
                drop(client);
                server.kill()?;
                server = Server::start(folder.path())?;
                client = server.connect().await?;
            }
        }
        for state in &states {
            check(&client, state).await?;
        }
        // Versions that nobody wrote down are there as well, and say so.
        let unread = "SELECT count(*) FROM audience.table_history('k') WHERE NOT readable OR transaction IS NULL";
        same("not readable", value(&client, unread).await?.as_str(), "0")?;
    }
    Ok(())
}

const NOTHING_KEPT: &str = "CALL audience.maintain(retain => interval '0 seconds')";

async fn what_is_removed_is_told() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE k (id integer PRIMARY KEY, v text) WITH (buckets = 1)").await?;
    client.batch_execute("INSERT INTO k VALUES (1, 'one'), (2, 'two')").await?;
    let instant = value(&client, "SELECT now()").await?;
    client.batch_execute("UPDATE k SET v = 'changed'").await?;
    client.batch_execute("CALL audience.restore('k', 1)").await?;
    client.batch_execute("DELETE FROM k WHERE id = 2").await?;
    client.batch_execute("CALL audience.restore('k', 1)").await?;
    // The files of the newest version were removed twice and are there again.
    tokio::time::sleep(Duration::from_millis(50)).await;
    rows(&client, NOTHING_KEPT).await?;
    same("restored", content(&client, "k").await?.as_str(), "1:one,2:two")?;
    same("version 1", content(&client, "table_at('k', 1)").await?.as_str(), "1:one,2:two")?;
    let told = refused(client.simple_query("SELECT * FROM table_at('k', 2)").await, "72000")?;
    ensure(told.contains("version 2 of table \"k\" can't be read any more"), &told)?;
    refused(client.batch_execute("CALL audience.restore('k', 2)").await, "72000")?;
    same("after it", content(&client, "k").await?.as_str(), "1:one,2:two")?;
    let readable =
        "SELECT string_agg(version::text, ',' ORDER BY version) FROM audience.table_history('k') WHERE readable";
    same("readable", value(&client, readable).await?.as_str(), "0,1,3,5")?;

    // A reader of an earlier version keeps its files.
    client.batch_execute("UPDATE k SET v = 'last'").await?;
    let reader = served.connect().await?;
    reader.batch_execute(&format!("SET audience.as_of = '{instant}'")).await?;
    same("as of", content(&reader, "k").await?.as_str(), "1:one,2:two")?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    rows(&client, NOTHING_KEPT).await?;
    // Gone: read as it is now, and the user is told.
    same("as it is", content(&reader, "k").await?.as_str(), "1:last,2:last")?;
    drop((client, reader));
    served.stop().await?;

    let warehouse = Warehouse::open().await?;
    let mut session = warehouse.engine.session("postgres", "audience")?;
    let run = "CREATE TABLE t (id integer); SET audience.as_of = '2020-01-01'";
    for statement in run.split(';') {
        session.run(statement, async |_, _| Ok(())).await?;
    }
    session.take_notices();
    session.run("SELECT a.id FROM t AS a, t AS b", async |_, _| Ok(())).await?;
    let notices: Vec<String> = session.take_notices().into_iter().map(|notice| notice.message).collect();
    same("notices", notices.len(), 1)?;
    ensure(notices[0].starts_with("table \"t\" is read as it is now"), &notices[0])?;
    drop(session);
    warehouse.close().await
}

async fn privileges() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    for sql in [
        "CREATE ROLE ana LOGIN PASSWORD 'ana'",
        "CREATE TABLE t (id integer, mail text, city text)",
        "INSERT INTO t VALUES (1, 'a@example.com', 'Oslo')",
        "GRANT SELECT (id, city) ON t TO ana",
    ] {
        client.batch_execute(sql).await?;
    }
    let instant = value(&client, "SELECT now()").await?;
    let mut config = address(served.port);
    let ana = connect_with(config.user("ana").password("ana")).await?;
    same("granted", value(&ana, "SELECT city FROM table_at('t', 1)").await?.as_str(), "Oslo")?;
    refused(ana.simple_query("SELECT mail FROM table_at('t', 1)").await, "42501")?;
    refused(ana.simple_query("SELECT * FROM table_at('t', 1)").await, "42501")?;
    same("history", value(&ana, "SELECT count(*) FROM audience.table_history('t')").await?.as_str(), "2")?;
    refused(ana.batch_execute("CALL audience.restore('t', 0)").await, "42501")?;
    // Another column of the old name is granted; the old one is not.
    client.batch_execute("ALTER TABLE t DROP COLUMN mail").await?;
    client.batch_execute("ALTER TABLE t RENAME COLUMN city TO town").await?;
    client.batch_execute("ALTER TABLE t ADD COLUMN mail text").await?;
    client.batch_execute("GRANT SELECT (mail) ON t TO ana").await?;
    same("renamed", value(&ana, "SELECT city FROM table_at('t', 1)").await?.as_str(), "Oslo")?;
    refused(ana.simple_query("SELECT mail FROM table_at('t', 1)").await, "42501")?;
    ana.batch_execute(&format!("SET audience.as_of = '{instant}'")).await?;
    let seen = rows(&ana, "SELECT id, town, mail IS NULL FROM t").await?;
    same("as of", seen, vec![vec!["1".to_owned(), "Oslo".to_owned(), "t".to_owned()]])?;
    // What was granted then and is not now is not now.
    client.batch_execute("REVOKE ALL ON t FROM ana; REVOKE SELECT (id, town, mail) ON t FROM ana").await?;
    refused(ana.simple_query("SELECT id FROM t").await, "42501")?;
    ana.batch_execute("RESET audience.as_of").await?;
    refused(ana.simple_query("SELECT id FROM table_at('t', 1)").await, "42501")?;
    refused(ana.simple_query("SELECT * FROM audience.table_history('t')").await, "42501")?;
    drop((client, ana));
    served.stop().await
}

/// Given with the connection, changed under a prepared statement.
async fn settings() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE k (id integer PRIMARY KEY, v text); INSERT INTO k VALUES (1, 'one')").await?;
    let first = value(&client, "SELECT now()").await?;
    client.batch_execute("UPDATE k SET v = 'two'").await?;
    let mut config = address(served.port);
    let back = connect_with(config.options(&format!("-c audience.as_of={}", first.replace(' ', "T")))).await?;
    same("option", value(&back, "SELECT v FROM k").await?.as_str(), "one")?;
    let prepared = back.prepare("SELECT v FROM k WHERE id = $1").await?;
    same("prepared", back.query_one(&prepared, &[&1_i32]).await?.get::<_, String>(0).as_str(), "one")?;
    back.batch_execute("SET audience.as_of = ''").await?;
    same("now", back.query_one(&prepared, &[&1_i32]).await?.get::<_, String>(0).as_str(), "two")?;
    back.batch_execute("RESET audience.as_of").await?;
    same("again", back.query_one(&prepared, &[&1_i32]).await?.get::<_, String>(0).as_str(), "one")?;
    let told = refused(back.batch_execute("DELETE FROM k").await, "25006")?;
    ensure(told.contains("audience.as_of"), &told)?;
    drop((client, back));
    served.stop().await
}

async fn restore_beside_writers() -> Outcome {
    let served = Served::start().await?;
    let (client, other) = (served.connect().await?, served.connect().await?);
    client.batch_execute("CREATE TABLE k (id integer PRIMARY KEY, v text)").await?;
    client.batch_execute("INSERT INTO k VALUES (1, 'one')").await?;
    // An explicit transaction that somebody overtakes.
    client.batch_execute("BEGIN").await?;
    client.batch_execute("CALL audience.restore('k', 0)").await?;
    same("staged", value(&client, "SELECT count(*) FROM k").await?.as_str(), "0")?;
    other.batch_execute("INSERT INTO k VALUES (2, 'two')").await?;
    refused(client.batch_execute("COMMIT").await, "40001")?;
    same("both", content(&other, "k").await?.as_str(), "1:one,2:two")?;
    // Statements of their own wait for each other.
    let writer = tokio::spawn(async move {
        for id in 10..30 {
            other.batch_execute(&format!("INSERT INTO k VALUES ({id}, 'w') ON CONFLICT (id) DO NOTHING")).await?;
        }
        Outcome::Ok(other)
    });
    for _ in 0..10 {
        client.batch_execute("CALL audience.restore('k', 1)").await?;
    }
    let other = writer.await??;
    let left = value(&other, "SELECT count(*) FROM k WHERE id < 10").await?;
    same("rows of the version", left.as_str(), "1")?;
    drop((client, other));
    served.stop().await
}

/// The README's section, statement by statement, on its tables.
async fn readme() -> Outcome {
    let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md"))?;
    let section = text.split("\n### Looking back\n").nth(1).ok_or("the README has no section on looking back")?;
    let section = section.split("\n## ").next().unwrap_or(section);
    let sql = section.split("```sql\n").nth(1).and_then(|rest| rest.split("```").next()).ok_or("no SQL in it")?;
    let tables = text.split("```sql\n").find(|block| block.starts_with("CREATE TABLE profiles")).ok_or("no tables")?;
    let table = tables.split(';').next().ok_or("no table")?;
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute(table).await?;
    client.batch_execute("INSERT INTO profiles VALUES ('p1', 'ada@example.com', 'Oslo')").await?;
    client.batch_execute("DELETE FROM profiles").await?;
    let mut answers = Vec::new();
    let sql: Vec<&str> = sql.lines().map(|line| line.split("--").next().unwrap_or(line)).collect();
    for statement in sql.join("\n").split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        answers.push(rows(&client, statement).await?);
    }
    same("found", answers[4].clone(), vec![vec!["p1".to_owned(), "ada@example.com".to_owned(), "NULL".to_owned()]])?;
    same("restored", value(&client, "SELECT email FROM profiles").await?.as_str(), "ada@example.com")?;
    drop(client);
    served.stop().await
}
