//! The wire protocol: prepared statements, portals, errors and their places, pipelining, sessions that never meet.

use std::time::Duration;

use libtest_mimic::Trial;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::types::Type;

use crate::raw::{Raw, TEXT, bind, close, describe, execute, first, framed, kinds, parse, query, sync};
use crate::trial::{Outcome, ensure, refused, same, trial};
use crate::warehouse::{Served, address, rows, try_connect, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("wire::greeting", greeting),
        trial("wire::encryption_is_declined", encryption_is_declined),
        trial("wire::unknown_names", unknown_names),
        trial("wire::prepared", prepared),
        trial("wire::prepared_sees_today", prepared_sees_today),
        trial("wire::portals", portals),
        trial("wire::any_max_rows", any_max_rows),
        trial("wire::nothing_runs_on_describe", nothing_runs_on_describe),
        trial("wire::tags", tags),
        trial("wire::positions", positions),
        trial("wire::pipelining", pipelining),
        trial("wire::empty", empty),
        trial("wire::several_statements", several_statements),
        trial("wire::failed_block", failed_block),
        trial("wire::names_of_statements", names_of_statements),
        trial("wire::broken_messages", broken_messages),
        trial("wire::settings_never_meet", settings_never_meet),
        trial("wire::many_clients", many_clients),
    ]
}

async fn greeting() -> Outcome {
    let served = Served::start().await?;
    let settings = [("application_name", "a test"), ("options", "-c statement_timeout=4321")];
    let mut raw = Raw::connect(served.port, &settings).await?;
    let reported = |name: &str| raw.parameters.get(name).cloned().unwrap_or_default();
    ensure(
        reported("server_version").starts_with("15."),
        format_args!("server_version {}", reported("server_version")),
    )?;
    same("server_encoding", reported("server_encoding"), "UTF8")?;
    same("client_encoding", reported("client_encoding"), "UTF8")?;
    same("standard_conforming_strings", reported("standard_conforming_strings"), "on")?;
    same("integer_datetimes", reported("integer_datetimes"), "on")?;
    same("DateStyle", reported("DateStyle"), "ISO, MDY")?;
    same("application_name", reported("application_name"), "a test")?;
    ensure(raw.parameters.contains_key("TimeZone"), "TimeZone was not reported")?;

    let answer = raw.ask(&[query("SHOW statement_timeout")]).await?;
    same("option", first(&answer, 'D')?.values(), vec![Some(b"4321ms".to_vec())])?;

    // A change is reported before the client is told that the statement is done.
    let answer = raw.ask(&[query("SET TimeZone TO 'Asia/Tokyo'")]).await?;
    ensure(["SCZ", "CSZ"].contains(&kinds(&answer).as_str()), format_args!("answer {}", kinds(&answer)))?;
    let report = first(&answer, 'S')?.body.clone();
    ensure(report.starts_with(b"TimeZone\0Asia/Tokyo"), format_args!("reported {report:?}"))?;
    drop(raw);
    served.stop().await
}

async fn encryption_is_declined() -> Outcome {
    let served = Served::start().await?;
    for code in [80_877_103_i32, 80_877_104] {
        let mut stream = TcpStream::connect(("127.0.0.1", served.port)).await?;
        stream.write_all(&framed(None, &code.to_be_bytes())).await?;
        same("answer", stream.read_u8().await?, b'N')?;
    }
    served.stop().await
}

async fn unknown_names() -> Outcome {
    let served = Served::start().await?;
    let message = refused(try_connect(address(served.port).dbname("nowhere")).await.map(drop), "3D000")?;
    ensure(message.contains("nowhere"), format_args!("does not name the database: {message}"))?;
    let message = refused(try_connect(address(served.port).user("nobody")).await.map(drop), "28000")?;
    ensure(message.contains("nobody"), format_args!("does not name the role: {message}"))?;
    // The one database has a second name, which tools try first.
    let client = try_connect(address(served.port).dbname("postgres")).await?;
    same("answer", value(&client, "SELECT 1").await?.as_str(), "1")?;
    drop(client);
    served.stop().await
}

async fn prepared() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE t (id bigint, name text)").await?;
    let insert = client.prepare("INSERT INTO t VALUES ($1, $2)").await?;
    same("parameters", insert.params(), &[Type::INT8, Type::TEXT][..])?;
    same("columns", insert.columns().len(), 0)?;
    for (id, name) in [(1_i64, Some("one")), (2, None), (3, Some(""))] {
        same("inserted", client.execute(&insert, &[&id, &name]).await?, 1)?;
    }
    let select = client.prepare("SELECT id, name FROM t WHERE id >= $1 ORDER BY id").await?;
    let columns: Vec<(&str, Type)> = select.columns().iter().map(|c| (c.name(), c.type_().clone())).collect();
    same("columns", columns, vec![("id", Type::INT8), ("name", Type::TEXT)])?;
    for (from, want) in [(1_i64, 3), (2, 2), (9, 0)] {
        same("rows", client.query(&select, &[&from]).await?.len(), want)?;
    }
    let row = client.query_one(&select, &[&3_i64]).await?;
    same("empty text", row.get::<_, Option<String>>(1), Some(String::new()))?;
    let rows = client.query(&select, &[&2_i64]).await?;
    same("null", rows[0].get::<_, Option<String>>(1), None::<String>)?;
    // Values of one bind do not stay for the next.
    let both = client.query_one("SELECT $1::text, $2::integer", &[&"x", &None::<i32>]).await?;
    same("text", both.get::<_, &str>(0), "x")?;
    same("null", both.get::<_, Option<i32>>(1), None::<i32>)?;
    drop(client);
    served.stop().await
}

/// A prepared statement reads the table as it is when it runs, and says so when its columns changed.
async fn prepared_sees_today() -> Outcome {
    let served = Served::start().await?;
    let (one, other) = (served.connect().await?, served.connect().await?);
    one.batch_execute("CREATE TABLE t (id bigint)").await?;
    let select = one.prepare("SELECT * FROM t").await?;
    same("rows", one.query(&select, &[]).await?.len(), 0)?;
    other.batch_execute("INSERT INTO t VALUES (1), (2)").await?;
    same("rows", one.query(&select, &[]).await?.len(), 2)?;
    other.batch_execute("DROP TABLE t; CREATE TABLE t (id text)").await?;
    let message = refused(one.query(&select, &[]).await, "0A000")?;
    ensure(message.contains("cached plan must not change result type"), &message)?;
    same("afterwards", one.query("SELECT * FROM t", &[]).await?.len(), 0)?;
    other.batch_execute("DROP TABLE t").await?;
    refused(one.query(&select, &[]).await, "42P01")?;
    drop((one, other));
    served.stop().await
}

async fn portals() -> Outcome {
    let served = Served::start().await?;
    let mut client = served.connect().await?;
    let block = client.transaction().await?;
    let numbers = "SELECT n FROM generate_series(1, 10) AS g (n) ORDER BY n";
    let statement = block.prepare(numbers).await?;
    let (a, b) = (block.bind(&statement, &[]).await?, block.bind(&statement, &[]).await?);
    let mut got: Vec<i64> = Vec::new();
    let mut sizes = Vec::new();
    for _ in 0..4 {
        let rows = block.query_portal(&a, 4).await?;
        sizes.push(rows.len());
        got.extend(rows.iter().map(integer));
        // The other portal has a place of its own.
        let others = block.query_portal(&b, 1).await?;
        same("other portal", others.iter().map(integer).collect::<Vec<_>>(), vec![sizes.len() as i64])?;
    }
    same("sizes", sizes, vec![4, 4, 2, 0])?;
    same("rows", got, (1..=10).collect::<Vec<i64>>())?;
    block.commit().await?;
    drop(client);

    // Suspended, resumed, complete; and gone with its transaction.
    let mut raw = Raw::connect(served.port, &[]).await?;
    raw.ask(&[query("BEGIN")]).await?;
    let answer = raw.ask(&[parse("", numbers, &[]), bind("p", "", TEXT, &[], TEXT), execute("p", 7), sync()]).await?;
    same("first", kinds(&answer), format!("12{}sZ", "D".repeat(7)))?;
    let answer = raw.ask(&[execute("p", 7), sync()]).await?;
    same("second", kinds(&answer), "DDDCZ".to_owned())?;
    same("tag", first(&answer, 'C')?.text(), "SELECT 3".to_owned())?;
    raw.ask(&[query("COMMIT")]).await?;
    let answer = raw.ask(&[execute("p", 1), sync()]).await?;
    same("sqlstate", first(&answer, 'E')?.fields().remove(&'C'), Some("34000".to_owned()))?;
    drop(raw);
    served.stop().await
}

fn integer(row: &tokio_postgres::Row) -> i64 {
    row.try_get::<_, i64>(0).unwrap_or_else(|_| i64::from(row.get::<_, i32>(0)))
}

/// Zero and less mean all; the largest number asks for no memory in advance.
async fn any_max_rows() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    for max_rows in [0, -1, i32::MIN, i32::MAX] {
        let sql = "SELECT n FROM generate_series(1, 5) AS g (n)";
        let answer =
            raw.ask(&[parse("", sql, &[]), bind("", "", TEXT, &[], TEXT), execute("", max_rows), sync()]).await?;
        same(&format!("max_rows {max_rows}"), kinds(&answer), "12DDDDDCZ".to_owned())?;
    }
    drop(raw);
    served.stop().await
}

async fn nothing_runs_on_describe() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE t (id bigint)").await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    for sql in ["INSERT INTO t VALUES (1)", "DROP TABLE t", "CREATE TABLE u (a integer)"] {
        let answer = raw
            .ask(&[
                parse("s", sql, &[]),
                describe('S', "s"),
                bind("", "s", TEXT, &[], TEXT),
                describe('P', ""),
                close('S', "s"),
                sync(),
            ])
            .await?;
        same(sql, kinds(&answer), "1tn2n3Z".to_owned())?;
    }
    client.batch_execute("EXPLAIN INSERT INTO t VALUES (1)").await?;
    same("rows", value(&client, "SELECT count(*) FROM t").await?.as_str(), "0")?;
    refused(client.simple_query("SELECT * FROM u").await, "42P01")?;
    drop((raw, client));
    served.stop().await
}

async fn tags() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    for (sql, tag) in [
        ("CREATE TABLE t (id integer, name text)", "CREATE TABLE"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT 0 2"),
        ("SELECT * FROM t", "SELECT 2"),
        ("SELECT * FROM t WHERE id > 5", "SELECT 0"),
        ("VALUES (1), (2)", "SELECT 2"),
        ("CREATE TABLE u AS SELECT * FROM t", "SELECT 2"),
        ("CREATE VIEW v AS SELECT * FROM t", "CREATE VIEW"),
        ("CREATE OR REPLACE VIEW v AS SELECT * FROM t", "CREATE VIEW"),
        ("CREATE SCHEMA s", "CREATE SCHEMA"),
        ("COMMENT ON TABLE t IS 'x'", "COMMENT"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("SET application_name = 'x'", "SET"),
        ("SHOW application_name", "SHOW"),
        ("RESET application_name", "RESET"),
        ("BEGIN", "BEGIN"),
        ("COMMIT", "COMMIT"),
        ("START TRANSACTION", "START TRANSACTION"),
        ("ROLLBACK", "ROLLBACK"),
        ("DROP VIEW v", "DROP VIEW"),
        ("DROP SCHEMA s", "DROP SCHEMA"),
        ("DROP TABLE t, u", "DROP TABLE"),
    ] {
        // The same over both protocols, one after the other where that makes sense.
        let answer = if sql.len() % 2 == 0 {
            raw.ask(&[query(sql)]).await?
        } else {
            raw.ask(&[parse("", sql, &[]), bind("", "", TEXT, &[], TEXT), execute("", 0), sync()]).await?
        };
        if let Some(error) = answer.iter().find(|m| m.kind == 'E') {
            return Err(format!("{sql}: {:?}", error.fields()).into());
        }
        same(sql, first(&answer, 'C')?.text(), tag.to_owned())?;
    }
    drop(raw);
    served.stop().await
}

/// Errors point into the text that the client sent, in characters, in both protocols and in later statements.
async fn positions() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    for (sql, sqlstate, position) in [
        ("SELECT missing", "42703", 8),
        ("SELECT 'größe', missing", "42703", 17),
        ("SELECT * FROM missing", "42P01", 15),
        ("SELECT 1 +", "42601", 11),
        ("SELECT\n  1,\n  nope(2)", "42883", 15),
    ] {
        for (protocol, result) in
            [("simple", client.simple_query(sql).await.map(drop)), ("extended", client.query(sql, &[]).await.map(drop))]
        {
            let error = result.err().ok_or(format!("{sql} succeeded"))?;
            let db = error.as_db_error().ok_or("no database error")?;
            same(sql, db.code().code(), sqlstate)?;
            same(&format!("{protocol}: {sql}"), db.position(), Some(&ErrorPosition::Original(position)))?;
        }
    }
    let error = client.simple_query("SELECT 1; SELECT missing").await.err().ok_or("succeeded")?;
    let position = error.as_db_error().and_then(|db| db.position());
    same("second statement", position, Some(&ErrorPosition::Original(18)))?;
    drop(client);
    served.stop().await
}

/// Several requests without waiting: answers in order; an error skips to the next Sync and no further.
async fn pipelining() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    raw.ask(&[query("CREATE TABLE t (id integer)")]).await?;
    let one = |sql: &str| [parse("", sql, &[]), bind("", "", TEXT, &[], TEXT), execute("", 0)].concat();
    raw.send(
        &[
            one("SELECT 1"),
            one("SELECT 2"),
            sync(),
            one("INSERT INTO t VALUES (1)"),
            one("SELECT 1 / 0"),
            one("SELECT 3"),
            sync(),
            one("SELECT 4"),
            sync(),
        ]
        .concat(),
    )
    .await?;
    same("first", kinds(&raw.until('Z').await?), "12DC12DCZ".to_owned())?;
    let second = kinds(&raw.until('Z').await?);
    // Whether the division fails while it is planned, bound or run is the server's business.
    ensure(
        second.starts_with("12C") && second.ends_with("EZ") && !second.contains('D'),
        format_args!("second: {second}"),
    )?;
    let third = raw.until('Z').await?;
    same("third", kinds(&third), "12DCZ".to_owned())?;
    same("value", first(&third, 'D')?.values(), vec![Some(b"4".to_vec())])?;
    // What lies between two Syncs is one transaction, so the insert went with the error.
    let answer = raw.ask(&[query("SELECT count(*) FROM t")]).await?;
    same("rows", first(&answer, 'D')?.values(), vec![Some(b"0".to_vec())])?;
    drop(raw);

    // A driver that pipelines by itself.
    let client = served.connect().await?;
    let (a, b, c) = tokio::join!(
        client.query_one("SELECT 1", &[]),
        client.query("SELECT 1 / 0", &[]),
        client.query_one("SELECT 3", &[])
    );
    same("a", integer(&a?), 1)?;
    refused(b, "22012")?;
    same("c", integer(&c?), 3)?;
    drop(client);
    served.stop().await
}

async fn empty() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    for sql in ["", " ", ";", ";;", "-- only a comment", "/* so is this */ ;"] {
        same(sql, kinds(&raw.ask(&[query(sql)]).await?), "IZ".to_owned())?;
    }
    let answer = raw
        .ask(&[parse("", "", &[]), describe('S', ""), bind("", "", TEXT, &[], TEXT), execute("", 0), sync()])
        .await?;
    same("extended", kinds(&answer), "1tn2IZ".to_owned())?;
    // No column is a column count of zero, not no row.
    let answer = raw.ask(&[query("SELECT 1 WHERE false")]).await?;
    same("no rows", kinds(&answer), "TCZ".to_owned())?;
    drop(raw);
    served.stop().await
}

/// A query string of several statements is one transaction; the answers before an error are sent.
async fn several_statements() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    raw.ask(&[query("CREATE TABLE t (id integer)")]).await?;
    let answer = raw.ask(&[query("INSERT INTO t VALUES (1); SELECT 1; SELECT count(*) FROM t")]).await?;
    same("all", kinds(&answer), "CTDCTDCZ".to_owned())?;
    let answer =
        raw.ask(&[query("INSERT INTO t VALUES (2); SELECT 1; SELECT 1 / 0; INSERT INTO t VALUES (3)")]).await?;
    let got = kinds(&answer);
    ensure(got.starts_with("CTDC") && got.ends_with("EZ"), format_args!("until the error: {got}"))?;
    let answer = raw.ask(&[query("SELECT count(*) FROM t")]).await?;
    same("rows", first(&answer, 'D')?.values(), vec![Some(b"1".to_vec())])?;
    // A syntax error anywhere stops the whole text before anything runs.
    let answer = raw.ask(&[query("INSERT INTO t VALUES (4); SELEC 1")]).await?;
    same("nothing ran", kinds(&answer), "EZ".to_owned())?;
    // An explicit block inside ends what came before it.
    raw.ask(&[query("BEGIN; INSERT INTO t VALUES (5); COMMIT; SELECT 1 / 0")]).await?;
    let answer = raw.ask(&[query("SELECT count(*) FROM t")]).await?;
    same("rows", first(&answer, 'D')?.values(), vec![Some(b"2".to_vec())])?;
    drop(raw);
    served.stop().await
}

/// ReadyForQuery says where the transaction stands.
async fn failed_block() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    for (sql, status) in [
        ("SELECT 1", b'I'),
        ("BEGIN", b'T'),
        ("SELECT 1", b'T'),
        ("SELECT nonsense", b'E'),
        ("SELECT 1", b'E'),
        ("ROLLBACK", b'I'),
    ] {
        let answer = raw.ask(&[query(sql)]).await?;
        same(sql, first(&answer, 'Z')?.body.clone(), vec![status])?;
    }
    // A COMMIT of a failed block answers ROLLBACK, and so it was.
    raw.ask(&[query("BEGIN")]).await?;
    raw.ask(&[query("SELECT nonsense")]).await?;
    let answer = raw.ask(&[query("COMMIT")]).await?;
    same("tag", first(&answer, 'C')?.text(), "ROLLBACK".to_owned())?;
    // An error in Parse or Bind fails the block as well.
    raw.ask(&[query("BEGIN")]).await?;
    let answer = raw.ask(&[bind("", "never made", TEXT, &[], TEXT), sync()]).await?;
    same("sqlstate", first(&answer, 'E')?.fields().remove(&'C'), Some("26000".to_owned()))?;
    same("status", first(&answer, 'Z')?.body.clone(), vec![b'E'])?;
    raw.ask(&[query("ROLLBACK")]).await?;
    // Ending nothing is a warning.
    let answer = raw.ask(&[query("ROLLBACK")]).await?;
    same("notice", kinds(&answer), "NCZ".to_owned())?;
    same("sqlstate", first(&answer, 'N')?.fields().remove(&'C'), Some("25P01".to_owned()))?;
    drop(raw);
    served.stop().await
}

async fn names_of_statements() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    let state =
        |messages: &[crate::raw::Message]| first(messages, 'E').map(|m| m.fields().remove(&'C').unwrap_or_default());
    raw.ask(&[parse("s", "SELECT 1", &[]), sync()]).await?;
    let answer = raw.ask(&[parse("s", "SELECT 2", &[]), sync()]).await?;
    same("taken", state(&answer)?.as_str(), "42P05")?;
    // The unnamed one is replaced, a closed name is free, and closing what is not there is fine.
    for name in ["", "s"] {
        let answer =
            raw.ask(&[close('S', name), parse(name, "SELECT 2", &[]), close('S', "never made"), sync()]).await?;
        same(name, kinds(&answer), "313Z".to_owned())?;
    }
    let answer = raw.ask(&[execute("never made", 0), sync()]).await?;
    same("portal", state(&answer)?.as_str(), "34000")?;
    let answer = raw.ask(&[parse("", "SELECT 1; SELECT 2", &[]), sync()]).await?;
    same("two statements", state(&answer)?.as_str(), "42601")?;
    let answer = raw.ask(&[bind("", "s", TEXT, &[Some(b"1")], TEXT), sync()]).await?;
    same("one value too many", state(&answer)?.as_str(), "08P01")?;
    drop(raw);
    served.stop().await
}

/// A message that makes no sense ends its own connection and nothing else.
async fn broken_messages() -> Outcome {
    let served = Served::start().await?;
    let witness = served.connect().await?;
    let broken = [
        vec![b'Q', 0, 0, 0, 2],
        vec![b'Q', 0xff, 0xff, 0xff, 0xff],
        framed(Some('B'), &[0, 0, 0, 1, 0x7f]),
        framed(Some('P'), b"no end"),
        framed(Some('?'), b"what"),
        framed(Some('E'), &[0]),
    ];
    for bytes in broken {
        let mut raw = Raw::connect(served.port, &[]).await?;
        raw.send(&bytes).await?;
        // The server may have hung up by now, which is one of the two right answers.
        let _ = raw.send(&sync()).await;
        if let Ok(message) = tokio::time::timeout(Duration::from_secs(5), raw.next()).await? {
            same("kind", message.kind, 'E')?;
            let state = message.fields().remove(&'C').unwrap_or_default();
            ensure(["08P01", "26000"].contains(&state.as_str()), format_args!("SQLSTATE {state}"))?;
        }
        same("others", value(&witness, "SELECT 1").await?.as_str(), "1")?;
    }
    drop(witness);
    served.stop().await
}

async fn settings_never_meet() -> Outcome {
    let served = Served::start().await?;
    let zones = ["UTC", "Asia/Tokyo", "America/New_York", "Europe/Vienna"];
    let moment =
        ["2024-07-01 00:00:00+00", "2024-07-01 09:00:00+09", "2024-06-30 20:00:00-04", "2024-07-01 02:00:00+02"];
    let mut sessions = Vec::new();
    for zone in zones {
        let client = served.connect().await?;
        client.batch_execute(&format!("SET TimeZone TO '{zone}'; SET application_name TO '{zone}'")).await?;
        sessions.push(client);
    }
    // At the same time, over and over, in both protocols.
    let checks = sessions.iter().zip(zones).zip(moment).map(|((client, zone), moment)| async move {
        for _ in 0..50 {
            same("zone", value(client, "SHOW TimeZone").await?.as_str(), zone)?;
            same("name", value(client, "SELECT current_setting('application_name')").await?.as_str(), zone)?;
            same("moment", value(client, "SELECT timestamptz '2024-07-01 00:00:00+00'").await?.as_str(), moment)?;
            let row = client.query_one("SELECT (timestamptz '2024-07-01 00:00:00+00')::text", &[]).await?;
            same("moment as text", row.get::<_, &str>(0), moment)?;
        }
        Outcome::Ok(())
    });
    futures::future::try_join_all(checks).await?;
    // A new session starts from the defaults.
    let fresh = served.connect().await?;
    same("fresh", value(&fresh, "SHOW application_name").await?.as_str(), "")?;
    drop((fresh, sessions));
    served.stop().await
}

/// More clients than cores, all served, all answers right.
async fn many_clients() -> Outcome {
    let served = Served::start().await?;
    let port = served.port;
    let clients = (0..40_i64).map(|i| async move {
        let client = crate::warehouse::connect(port).await?;
        for k in 0..10_i64 {
            let row = client.query_one("SELECT $1::bigint * 1000 + $2::bigint", &[&i, &k]).await?;
            same("sum", row.get::<_, i64>(0), i * 1000 + k)?;
        }
        same("rows", rows(&client, "SELECT n FROM generate_series(1, 3) AS g (n)").await?.len(), 3)
    });
    futures::future::try_join_all(clients).await?;
    served.stop().await
}
