//! Cursors of SQL through the wire: what clients are told of them, the names they share with portals, memory and time.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::process::Server;
use crate::raw::{BINARY, Message, Raw, TEXT, bind, close, describe, execute, first, kinds, parse, query, sync};
use crate::trial::{Outcome, ensure, refused, same, trial};
use crate::warehouse::{Served, value};

/// Five million rows of about 250 bytes.
const WIDE: &str = "SELECT x, repeat('x', 200) AS pad, 'row ' || x AS label FROM generate_series(1, 5000000) AS a (x)";
/// Work without an end that returns nothing meanwhile.
const ENDLESS: &str = "SELECT a.x FROM generate_series(1, 1000000) AS a (x) \
                       CROSS JOIN generate_series(1, 1000000) AS b (y) WHERE (a.x * 7 + b.y * 13) % 1000003 = -1";

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("cursors::tags_and_descriptions", tags_and_descriptions),
        trial("cursors::one_space_of_names", one_space_of_names),
        trial("cursors::as_portals", as_portals),
        trial("cursors::parameters_and_formats", parameters_and_formats),
        trial("cursors::limits_of_time", limits_of_time),
        trial("cursors::snapshot", snapshot),
        trial("cursors::memory", memory),
    ]
}

fn tags(messages: &[Message]) -> Vec<String> {
    messages.iter().filter(|message| message.kind == 'C').map(Message::text).collect()
}

fn state(messages: &[Message]) -> Outcome<String> {
    Ok(first(messages, 'E')?.fields().remove(&'C').unwrap_or_default())
}

fn texts(messages: &[Message]) -> Vec<String> {
    let rows = messages.iter().filter(|message| message.kind == 'D').map(Message::values);
    let text = |value: &Option<Vec<u8>>| String::from_utf8_lossy(value.as_deref().unwrap_or(b"NULL")).into_owned();
    rows.map(|values| values.iter().map(text).collect::<Vec<_>>().join(" ")).collect()
}

async fn tags_and_descriptions() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    let script = "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT g AS n, 'x' AS t FROM generate_series(1, 5) AS s (g); \
                  FETCH 3 FROM c; MOVE 1 IN c; FETCH ALL FROM c; FETCH c; MOVE BACKWARD ALL IN c; \
                  CLOSE c; CLOSE ALL; COMMIT";
    let answer = raw.ask(&[query(script)]).await?;
    let wanted = [
        "BEGIN",
        "DECLARE CURSOR",
        "FETCH 3",
        "MOVE 1",
        "FETCH 1",
        "FETCH 0",
        "MOVE 5",
        "CLOSE CURSOR",
        "CLOSE CURSOR ALL",
        "COMMIT",
    ];
    same("tags", tags(&answer), wanted.map(str::to_owned).to_vec())?;
    same("kinds", kinds(&answer), "CCTDDDCCTDCTCCCCCZ".to_owned())?;

    // FETCH is described as the cursor's columns, which may not be those it was prepared with.
    raw.ask(&[query("BEGIN; DECLARE c CURSOR FOR SELECT 1::bigint AS n")]).await?;
    let answer = raw.ask(&[parse("f", "FETCH c", &[]), describe('S', "f"), sync()]).await?;
    same("statement", first(&answer, 'T')?.columns(), vec![("n".to_owned(), 20)])?;
    raw.ask(&[query("CLOSE c; DECLARE c CURSOR FOR SELECT 'a'::text AS word, 2::integer AS two")]).await?;
    let answer = raw.ask(&[bind("", "f", TEXT, &[], TEXT), describe('P', ""), execute("", 0), sync()]).await?;
    same("portal", first(&answer, 'T')?.columns(), vec![("word".to_owned(), 25), ("two".to_owned(), 23)])?;
    same("rows", texts(&answer), vec!["a 2".to_owned()])?;
    // MOVE and a cursor that is not there return nothing.
    for sql in ["MOVE c", "FETCH missing"] {
        let answer = raw.ask(&[parse("", sql, &[]), describe('S', ""), sync()]).await?;
        same(sql, kinds(&answer), "1tnZ".to_owned())?;
    }
    raw.ask(&[query("ROLLBACK")]).await?;
    drop(raw);
    served.stop().await
}

async fn one_space_of_names() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    raw.ask(&[query("BEGIN; DECLARE c CURSOR FOR SELECT 1")]).await?;
    raw.ask(&[query("SAVEPOINT s"), parse("one", "SELECT 1", &[]), sync()]).await?;
    raw.until('Z').await?;
    let answer = raw.ask(&[bind("c", "one", TEXT, &[], TEXT), sync()]).await?;
    same("a portal named like a cursor", state(&answer)?.as_str(), "42P03")?;
    raw.ask(&[query("ROLLBACK TO s")]).await?;
    let answer = raw.ask(&[bind("p", "one", TEXT, &[], TEXT), sync()]).await?;
    same("a portal", kinds(&answer), "2Z".to_owned())?;
    let listed = raw.ask(&[query("SELECT name, statement FROM pg_cursors ORDER BY name")]).await?;
    same("listed", texts(&listed), vec!["c DECLARE c CURSOR FOR SELECT 1".to_owned(), "p SELECT 1".to_owned()])?;
    let answer = raw.ask(&[query("DECLARE p CURSOR FOR SELECT 1")]).await?;
    same("a cursor named like a portal", state(&answer)?.as_str(), "42P03")?;
    raw.ask(&[query("ROLLBACK TO s")]).await?;
    // SQL closes portals, too.
    raw.ask(&[bind("p", "one", TEXT, &[], TEXT), sync()]).await?;
    let answer = raw.ask(&[query("CLOSE p")]).await?;
    same("closed", tags(&answer), vec!["CLOSE CURSOR".to_owned()])?;
    let answer = raw.ask(&[execute("p", 0), sync()]).await?;
    same("executed", state(&answer)?.as_str(), "34000")?;
    raw.ask(&[query("ROLLBACK TO s"), bind("p", "one", TEXT, &[], TEXT), sync()]).await?;
    raw.until('Z').await?;
    raw.ask(&[query("CLOSE ALL")]).await?;
    let answer = raw.ask(&[query("SELECT count(*) FROM pg_cursors")]).await?;
    same("left", texts(&answer), vec!["0".to_owned()])?;
    let answer = raw.ask(&[execute("p", 0), sync()]).await?;
    same("executed", state(&answer)?.as_str(), "34000")?;
    raw.ask(&[query("ROLLBACK")]).await?;
    drop(raw);
    served.stop().await
}

/// A cursor of DECLARE as the protocol's messages see it.
async fn as_portals() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    raw.ask(&[query("BEGIN; DECLARE c CURSOR FOR SELECT g AS n FROM generate_series(1, 5) AS s (g)")]).await?;
    let answer = raw.ask(&[describe('P', "c"), execute("c", 2), execute("c", 2), sync()]).await?;
    same("two and two", kinds(&answer), "TDDsDDsZ".to_owned())?;
    same("columns", first(&answer, 'T')?.columns(), vec![("n".to_owned(), 20)])?;
    let answer = raw.ask(&[query("FETCH 1 FROM c")]).await?;
    same("the fifth", texts(&answer), vec!["5".to_owned()])?;
    let answer = raw.ask(&[execute("c", 2), sync()]).await?;
    same("the end", tags(&answer), vec!["SELECT 0".to_owned()])?;
    let answer = raw.ask(&[close('P', "c"), sync()]).await?;
    same("closed", kinds(&answer), "3Z".to_owned())?;
    let answer = raw.ask(&[query("FETCH c")]).await?;
    same("gone", state(&answer)?.as_str(), "34000")?;
    raw.ask(&[query("ROLLBACK")]).await?;
    // A FETCH that a row limit suspends has the cursor no longer than its rows last.
    raw.ask(&[query("BEGIN; DECLARE c CURSOR FOR SELECT g AS n FROM generate_series(1, 5) AS s (g)")]).await?;
    let answer = raw
        .ask(&[parse("", "FETCH 3 FROM c", &[]), bind("part", "", TEXT, &[], TEXT), execute("part", 3), sync()])
        .await?;
    same("suspended", kinds(&answer), "12DDDsZ".to_owned())?;
    let answer = raw.ask(&[query("FETCH c")]).await?;
    same("the next", texts(&answer), vec!["4".to_owned()])?;
    raw.ask(&[query("ROLLBACK")]).await?;
    drop(raw);
    served.stop().await
}

async fn parameters_and_formats() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    raw.ask(&[query("BEGIN")]).await?;
    let declare = "DECLARE c CURSOR FOR SELECT g AS n FROM generate_series(1, 9) AS s (g) WHERE g > $1";
    let answer = raw
        .ask(&[
            parse("", declare, &[]),
            describe('S', ""),
            bind("", "", TEXT, &[Some(b"7")], TEXT),
            execute("", 0),
            sync(),
        ])
        .await?;
    same("declared", kinds(&answer), "1tn2CZ".to_owned())?;
    same("parameters", first(&answer, 't')?.parameter_types(), vec![20])?;
    let fetch = |format| [parse("", "FETCH c", &[]), bind("", "", TEXT, &[], format), execute("", 0), sync()];
    let answer = raw.ask(&fetch(BINARY)).await?;
    same("binary", first(&answer, 'D')?.values(), vec![Some(8_i64.to_be_bytes().to_vec())])?;
    same("text", texts(&raw.ask(&fetch(TEXT)).await?), vec!["9".to_owned()])?;
    // Who does not choose gets what the cursor was declared with.
    raw.ask(&[query("DECLARE b BINARY CURSOR FOR SELECT 258::integer AS n")]).await?;
    let answer = raw.ask(&[query("FETCH b")]).await?;
    same("binary cursor", first(&answer, 'D')?.values(), vec![Some(258_i32.to_be_bytes().to_vec())])?;
    ensure(first(&answer, 'T')?.body.ends_with(&[0, 1]), "its columns are announced as text")?;
    raw.ask(&[query("ROLLBACK")]).await?;
    drop(raw);
    served.stop().await
}

/// FETCH, MOVE and the COMMIT that keeps a cursor end with statement_timeout, and leave nothing.
async fn limits_of_time() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE t (n integer); SET statement_timeout = '300ms'").await?;
    for last in ["FETCH c", "MOVE ALL IN c", "COMMIT"] {
        let hold = if last == "COMMIT" { "WITH HOLD" } else { "" };
        client.batch_execute("BEGIN; INSERT INTO t VALUES (1)").await?;
        client.batch_execute(&format!("DECLARE c CURSOR {hold} FOR {ENDLESS}")).await?;
        let start = Instant::now();
        refused(client.simple_query(last).await, "57014")?;
        ensure(start.elapsed() < Duration::from_secs(3), format_args!("{last} took {:?}", start.elapsed()))?;
        client.batch_execute("ROLLBACK").await?;
        same(last, value(&client, "SELECT count(*) FROM t").await?.as_str(), "0")?;
        same(last, value(&client, "SELECT count(*) FROM pg_cursors").await?.as_str(), "0")?;
    }
    // One that was cut off says so afterwards.
    client.batch_execute(&format!("BEGIN; DECLARE c CURSOR FOR {ENDLESS}; SAVEPOINT s")).await?;
    refused(client.simple_query("FETCH c").await, "57014")?;
    client.batch_execute("ROLLBACK TO s").await?;
    refused(client.simple_query("FETCH c").await, "55000")?;
    client.batch_execute("ROLLBACK").await?;
    drop(client);
    served.stop().await
}

/// A cursor reads what there was when it was declared, whoever changes it, and however long it takes.
async fn snapshot() -> Outcome {
    let served = Served::start().await?;
    let (one, other) = (served.connect().await?, served.connect().await?);
    one.batch_execute(
        "CREATE TABLE t (n integer PRIMARY KEY); INSERT INTO t SELECT g FROM generate_series(1, 20000) AS s (g)",
    )
    .await?;
    one.batch_execute(
        "BEGIN; DECLARE c CURSOR FOR SELECT n FROM t ORDER BY n; DECLARE h CURSOR WITH HOLD FOR SELECT n FROM t",
    )
    .await?;
    same("first", value(&one, "FETCH c").await?.as_str(), "1")?;
    other.batch_execute("DELETE FROM t WHERE n > 1; UPDATE t SET n = 7; TRUNCATE t; DROP TABLE t").await?;
    same("all", one.simple_query("FETCH ALL FROM c").await?.len(), 19_999 + 2)?;
    one.batch_execute("COMMIT").await?;
    same("held", one.simple_query("FETCH ALL FROM h").await?.len(), 20_000 + 2)?;
    drop((one, other));
    served.stop().await
}

/// The first rows come at once, and neither going back nor outliving the transaction takes memory for all rows.
async fn memory() -> Outcome {
    let folder = TempDir::new()?;
    let server = Server::start(folder.path())?;
    let mut raw = Raw::connect(server.port, &[]).await?;
    raw.ask(&[query("SELECT x, repeat('x', 200) FROM generate_series(1, 50000) AS a (x)")]).await?;
    server.forget_peak()?;
    let before = server.memory()?;
    raw.ask(&[query(&format!("BEGIN; DECLARE c SCROLL CURSOR WITH HOLD FOR {WIDE}"))]).await?;
    let start = Instant::now();
    let first = texts(&raw.ask(&[query("FETCH 10 FROM c")]).await?);
    same("rows", first.len(), 10)?;
    ensure(start.elapsed() < Duration::from_secs(1), format_args!("the first rows took {:?}", start.elapsed()))?;
    let answer = raw.ask(&[query("COMMIT")]).await?;
    same("kept", tags(&answer), vec!["COMMIT".to_owned()])?;
    let answer =
        raw.ask(&[query("MOVE ALL IN c; MOVE BACKWARD ALL IN c; MOVE LAST IN c; MOVE ABSOLUTE -4000000 IN c")]).await?;
    same("all", tags(&answer), ["MOVE 4999990", "MOVE 5000000", "MOVE 1", "MOVE 1"].map(str::to_owned).to_vec())?;
    for (fetch, row) in [("FETCH ABSOLUTE 7 FROM c", 7), ("FETCH PRIOR FROM c", 6)] {
        same(fetch, texts(&raw.ask(&[query(fetch)]).await?), vec![first[row - 1].clone()])?;
    }
    let grown = server.peak()?.saturating_sub(before);
    ensure(grown < 300 << 20, format_args!("memory grew by {} MiB", grown >> 20))?;
    Ok(())
}
