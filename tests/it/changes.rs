//! Rows that change, many writers at once, and kill -9 in the middle: each writer keeps a model of what it was told.
//!
//! Every writer has rows of its own in tables that all share. After a kill what was acknowledged is there exactly, and
//! the one statement or transaction that was under way is there as a whole or not at all. Seeds are fixed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::SinkExt;
use libtest_mimic::Trial;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::process::Server;
use crate::trial::{Fault, Outcome, ensure, full, refused, same, trial};
use crate::warehouse::{Served, connect, rows, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("changes::conflict_matrix", conflict_matrix),
        trial("changes::statements_wait_for_each_other", statements_wait_for_each_other),
        trial("changes::large_and_small", large_and_small),
        trial("durability::changes", killed),
    ]
}

/// What two transactions do to one table, and whether the one that commits last may.
async fn conflict_matrix() -> Outcome {
    // Rows 1 and 2 are in one file of a table without a key, row 3 in a file of its own.
    let inserts = "INSERT INTO t VALUES (9)";
    let (deletes, deletes_near, deletes_far) =
        ("DELETE FROM t WHERE n = 1", "DELETE FROM t WHERE n = 2", "DELETE FROM t WHERE n = 3");
    let (updates, updates_far) = ("UPDATE t SET n = 11 WHERE n = 1", "UPDATE t SET n = 33 WHERE n = 3");
    let (merges, truncates) =
        ("MERGE INTO t USING (VALUES (1)) AS s (n) ON t.n = s.n WHEN MATCHED THEN DELETE", "TRUNCATE t");
    let cells: [(&str, &str, bool, &str); 17] = [
        (inserts, inserts, true, "1,2,3,9,9"),
        (inserts, deletes, true, "2,3,9"),
        (inserts, updates, true, "2,3,9,11"),
        (inserts, merges, true, "2,3,9"),
        (inserts, truncates, true, "9"),
        (deletes, inserts, true, "2,3,9"),
        (deletes, deletes, false, "2,3"),
        (deletes, deletes_near, false, "2,3"),
        (deletes, deletes_far, true, "2"),
        (deletes, updates, false, "2,3"),
        (deletes, updates_far, true, "2,33"),
        (deletes, truncates, false, "2,3"),
        (updates, merges, false, "2,3,11"),
        (updates_far, deletes, true, "2,33"),
        (merges, updates, false, "2,3"),
        (truncates, inserts, true, "9"),
        (truncates, deletes_far, false, ""),
    ];
    let served = Served::start().await?;
    let (first, second) = (served.connect().await?, served.connect().await?);
    for (winner, loser, may, left) in cells {
        first.batch_execute("DROP TABLE IF EXISTS t; CREATE TABLE t (n integer)").await?;
        first.batch_execute("INSERT INTO t VALUES (1), (2)").await?;
        first.batch_execute("INSERT INTO t VALUES (3)").await?;
        for client in [&first, &second] {
            client.batch_execute("BEGIN").await?;
            same("before", value(client, "SELECT count(*) FROM t").await?, "3")?;
        }
        first.batch_execute(winner).await?;
        second.batch_execute(loser).await?;
        first.batch_execute("COMMIT").await?;
        let what = format!("{winner}; then {loser}");
        match second.batch_execute("COMMIT").await {
            Ok(()) => ensure(may, format_args!("{what}: was committed"))?,
            Err(e) if may => return Err(Fault::from(format!("{what}: {e:?}"))),
            failed => drop(refused(failed, "40001")?),
        }
        let now = value(&first, "SELECT coalesce(string_agg(n::text, ',' ORDER BY n), '') FROM t").await?;
        same(&what, now.as_str(), left)?;
    }

    // Maintenance moves rows and changes none: whoever appends or changes goes on.
    first.batch_execute("DROP TABLE t; CREATE TABLE t (n integer)").await?;
    for n in 0..20 {
        first.batch_execute(&format!("INSERT INTO t VALUES ({n})")).await?;
    }
    second.batch_execute("BEGIN; INSERT INTO t VALUES (100)").await?;
    first.batch_execute("CALL audience.maintain('t')").await?;
    second.batch_execute("COMMIT").await?;
    same("appended", value(&first, "SELECT count(*) FROM t").await?, "21")
}

/// Statements that are their own transactions never fail because of each other.
async fn statements_wait_for_each_other() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE counters (id integer PRIMARY KEY, n integer)").await?;
    client.batch_execute("INSERT INTO counters SELECT i, 0 FROM generate_series(1, 40) AS s (i)").await?;
    let (clients, each) = (8, if full() { 200 } else { 15 });
    let mut tasks = Vec::new();
    for number in 0..clients {
        let client = served.connect().await?;
        tasks.push(tokio::spawn(async move {
            for turn in 0..each {
                let id = (number + turn) % 40 + 1;
                let sql = match turn % 3 {
                    0 => format!("UPDATE counters SET n = n + 1 WHERE id = {id}"),
                    1 => format!(
                        "INSERT INTO counters VALUES ({id}, 1) ON CONFLICT (id) DO UPDATE SET n = counters.n + 1"
                    ),
                    _ => format!(
                        "MERGE INTO counters c USING (VALUES ({id})) AS s (id) ON c.id = s.id \
                         WHEN MATCHED THEN UPDATE SET n = c.n + 1"
                    ),
                };
                client.batch_execute(&sql).await?;
            }
            Outcome::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    same("sum", value(&client, "SELECT sum(n) FROM counters").await?, (clients * each).to_string().as_str())
}

/// Changes of many rows over many files, against the same done by hand.
async fn large_and_small() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    let rows_in = if full() { 2_000_000 } else { 300_000 };
    client.batch_execute("CREATE TABLE big (id text PRIMARY KEY, n bigint, g integer)").await?;
    let fill = format!("INSERT INTO big SELECT 'k' || i, i, i % 10 FROM generate_series(1, {rows_in}) AS s (i)");
    client.batch_execute(&fill).await?;
    let figures = "SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || sum(n) || ' ' || sum(g) FROM big";
    let (all, odd) = (rows_in as u64, rows_in as u64 / 2);
    let sum = all * (all + 1) / 2;
    same("filled", value(&client, figures).await?, format!("{all} {all} {sum} {}", all / 10 * 45).as_str())?;

    same("updated", client.execute("UPDATE big SET g = 0 WHERE n % 2 = 1", &[]).await?, odd)?;
    same("after UPDATE", value(&client, figures).await?, format!("{all} {all} {sum} {}", all / 10 * 20).as_str())?;
    same("deleted", client.execute("DELETE FROM big WHERE g = 0 AND n % 2 = 1", &[]).await?, odd)?;
    let even = odd * (odd + 1);
    same("after DELETE", value(&client, figures).await?, format!("{odd} {odd} {even} {}", all / 10 * 20).as_str())?;
    let put = format!(
        "INSERT INTO big SELECT 'k' || i, -i, 1 FROM generate_series(1, {rows_in}) AS s (i) \
         ON CONFLICT (id) DO UPDATE SET n = big.n + 1 WHERE big.g = 2"
    );
    // New are the odd ones, changed a fifth of the even ones.
    same("upserted", client.execute(put.as_str(), &[]).await?, odd + all / 10)?;
    let odd_sum = odd * odd;
    let expected = format!("{all} {all} {} {}", even as i64 + (all / 10) as i64 - odd_sum as i64, all / 10 * 20 + odd);
    same("after ON CONFLICT", value(&client, figures).await?, expected.as_str())?;
    let single = client.query("SELECT n FROM big WHERE id = 'k2'", &[]).await?;
    same("one row", single.first().map(|row| row.get::<_, i64>(0)), Some(3))
}

/// Writers of one server.
const WRITERS: i32 = 6;

fn rounds() -> u64 {
    if full() { 500 } else { 20 }
}

/// One writer's rows: of `people` by key, and of `events` in order.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    people: BTreeMap<i32, i32>,
    events: Vec<i32>,
    /// Whether the writer's own table exists.
    table: bool,
}

struct Writer {
    number: i32,
    random: StdRng,
    /// What is certain.
    known: Model,
    /// What may be there instead.
    perhaps: Option<Model>,
    acknowledged: u64,
}

impl Writer {
    /// Works until the server goes away or time is up.
    async fn work(&mut self, port: u16, until: Instant) -> Outcome {
        let Ok(client) = connect(port).await else { return Ok(()) };
        while Instant::now() < until {
            if !self.step(&client).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One statement or transaction; false once the connection is lost.
    async fn step(&mut self, client: &Client) -> Outcome<bool> {
        let base = self.number * 1000;
        let mut next = self.known.clone();
        let (k, v) = (self.random.random_range(0..12), self.random.random_range(0..1000));
        let id = base + k;
        let event = self.known.events.last().copied().unwrap_or(0) + 1;
        let writer = self.number;
        let mut copied = None;
        let sql = match self.random.random_range(0..12) {
            0 if !next.people.contains_key(&k) => {
                next.people.insert(k, v);
                format!("INSERT INTO people VALUES ({id}, {writer}, {v})")
            }
            0..=2 => {
                next.people.insert(k, v);
                format!("INSERT INTO people VALUES ({id}, {writer}, {v}) ON CONFLICT (id) DO UPDATE SET v = excluded.v")
            }
            3 => {
                next.people.entry(k).and_modify(|old| *old += v);
                format!("UPDATE people SET v = v + {v} WHERE id = {id}")
            }
            4 => {
                next.people.remove(&k);
                format!("DELETE FROM people WHERE id = {id}")
            }
            5 => {
                next.people.values_mut().for_each(|old| *old += 1);
                next.people.entry(k).or_insert(v);
                format!(
                    "MERGE INTO people p USING (SELECT id FROM people WHERE writer = {writer} UNION SELECT {id}) AS s \
                     ON p.id = s.id WHEN MATCHED THEN UPDATE SET v = p.v + 1 \
                     WHEN NOT MATCHED THEN INSERT VALUES (s.id, {writer}, {v})"
                )
            }
            6 => {
                next.events.push(event);
                format!("INSERT INTO events VALUES ({writer}, {event})")
            }
            7 => {
                next.events.extend(event..event + 50);
                copied = Some(event..event + 50);
                "COPY events FROM STDIN".to_owned()
            }
            8 => {
                next.events.retain(|e| *e > event - 5);
                format!("DELETE FROM events WHERE writer = {writer} AND n <= {event} - 5")
            }
            9 => {
                next.people.insert(k, v);
                next.events.push(event);
                format!(
                    "BEGIN; DELETE FROM people WHERE id = {id}; INSERT INTO people VALUES ({id}, {writer}, {v}); \
                     INSERT INTO events VALUES ({writer}, {event}); COMMIT"
                )
            }
            10 => {
                next.table = !next.table;
                match next.table {
                    true => format!("CREATE TABLE own_{writer} AS SELECT {writer} AS w"),
                    false => format!("DROP TABLE own_{writer}"),
                }
            }
            _ if writer == 0 => "CALL audience.maintain('events')".to_owned(),
            _ => {
                next.people.clear();
                next.people.insert(k, v);
                format!(
                    "BEGIN; DELETE FROM people WHERE writer = {writer}; SAVEPOINT s; DELETE FROM events; \
                     ROLLBACK TO s; INSERT INTO people VALUES ({id}, {writer}, {v}); COMMIT"
                )
            }
        };
        let outcome = match copied {
            None => client.batch_execute(&sql).await,
            Some(numbers) => copy(client, &sql, writer, numbers).await,
        };
        match outcome {
            Ok(()) => {
                self.known = next;
                self.acknowledged += 1;
                Ok(true)
            }
            Err(e) => match e.as_db_error() {
                // Of explicit transactions one that is overtaken gives way.
                Some(db) if db.code().code() == "40001" && sql.starts_with("BEGIN") => {
                    Ok(client.batch_execute("ROLLBACK").await.is_ok())
                }
                Some(db) if db.code().code() != "57P01" => Err(Fault::from(format!("{sql}: {}", db.message()))),
                _ => {
                    self.perhaps = Some(next);
                    Ok(false)
                }
            },
        }
    }

    /// Holds what is there against what was told, and takes it for known.
    async fn check(&mut self, client: &Client) -> Outcome {
        let writer = self.number;
        let people = rows(client, &format!("SELECT id || ' ' || v FROM people WHERE writer = {writer}")).await?;
        let events = rows(client, &format!("SELECT n::text FROM events WHERE writer = {writer}")).await?;
        let tables = rows(client, &format!("SELECT 1 FROM pg_tables WHERE tablename = 'own_{writer}'")).await?;
        let mut found = Model { table: !tables.is_empty(), ..Model::default() };
        let number = |text: &str| text.parse::<i32>().map_err(|e| Fault::from(e.to_string()));
        for row in people {
            let (id, v) = row[0].split_once(' ').ok_or("two numbers")?;
            let twice = found.people.insert(number(id)? - writer * 1000, number(v)?).is_some();
            ensure(!twice, format_args!("the key {id} is there twice"))?;
        }
        for row in events {
            found.events.push(number(&row[0])?);
        }
        found.events.sort_unstable();
        let perhaps = self.perhaps.take();
        let right = found == self.known || perhaps.as_ref() == Some(&found);
        ensure(right, format_args!("writer {writer}: found {found:?}, expected {:?} or {perhaps:?}", self.known))?;
        self.known = found;
        Ok(())
    }
}

async fn copy(
    client: &Client,
    sql: &str,
    writer: i32,
    numbers: std::ops::Range<i32>,
) -> Result<(), tokio_postgres::Error> {
    let sink = client.copy_in(sql).await?;
    futures::pin_mut!(sink);
    let text: String = numbers.map(|n| format!("{writer}\t{n}\n")).collect();
    sink.send(bytes::Bytes::from(text)).await?;
    sink.finish().await.map(|_| ())
}

async fn killed() -> Outcome {
    let folder = TempDir::new()?;
    let mut random = StdRng::seed_from_u64(20_260_705);
    let server = Server::start(folder.path())?;
    let client = server.connect().await?;
    client
        .batch_execute("CREATE TABLE people (id integer PRIMARY KEY, writer integer, v integer) WITH (buckets = 2)")
        .await?;
    client.batch_execute("CREATE TABLE events (writer integer, n integer)").await?;
    server.kill()?;
    let mut writers: Vec<Writer> = (0..WRITERS)
        .map(|number| Writer {
            number,
            random: StdRng::seed_from_u64(number as u64),
            known: Model::default(),
            perhaps: None,
            acknowledged: 0,
        })
        .collect();
    for round in 0..rounds() {
        let server = Server::start(folder.path())?;
        let client = server.connect().await?;
        for writer in &mut writers {
            writer.check(&client).await.map_err(|e| format!("after kill {round}: {e}"))?;
        }
        let (port, until) = (server.port, Instant::now() + Duration::from_millis(random.random_range(50..1500)));
        let mut tasks = Vec::new();
        for mut writer in std::mem::take(&mut writers) {
            tasks.push(tokio::spawn(async move {
                let outcome = writer.work(port, until + Duration::from_secs(60)).await;
                (writer, outcome)
            }));
        }
        tokio::time::sleep_until(until.into()).await;
        server.kill()?;
        for task in tasks {
            let (writer, outcome) = task.await?;
            outcome.map_err(|e| format!("before kill {round}: {e}"))?;
            writers.push(writer);
        }
    }
    let acknowledged: u64 = writers.iter().map(|writer| writer.acknowledged).sum();
    ensure(acknowledged > 10 * rounds(), format_args!("only {acknowledged} statements were acknowledged"))
}
