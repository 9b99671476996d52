//! COPY message by message: both ways in both protocols, clients that give up or vanish, faults in the middle.

use std::time::Duration;

use bytes::Bytes;
use libtest_mimic::Trial;

use audiencedb::Execution;

use crate::raw::{BINARY, Message, Raw, TEXT, bind, execute, first, framed, kinds, parse, query, sync};
use crate::trial::{Fault, Outcome, ensure, same, trial};
use crate::warehouse::{Served, Warehouse};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("copy::both_ways", both_ways),
        trial("copy::a_message_a_row", a_message_a_row),
        trial("copy::among_other_statements", among_other_statements),
        trial("copy::client_gives_up", client_gives_up),
        trial("copy::fault_in_the_middle", fault_in_the_middle),
        trial("copy::extended", extended),
        trial("copy::foreign_messages", foreign_messages),
        trial("copy::client_vanishes", client_vanishes),
        trial("copy::silent_client", silent_client),
        trial("copy::in_a_block", in_a_block),
        trial("copy::keys", keys),
        trial("copy::embedded", embedded),
    ]
}

fn data(bytes: &[u8]) -> Vec<u8> {
    framed(Some('d'), bytes)
}

fn done() -> Vec<u8> {
    framed(Some('c'), &[])
}

fn fail(reason: &str) -> Vec<u8> {
    framed(Some('f'), &[reason.as_bytes(), &[0]].concat())
}

/// A server, and a connection to it with a table `t`.
async fn table() -> Outcome<(Served, Raw)> {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    let answer = raw.ask(&[query("CREATE TABLE t (id integer NOT NULL, name text DEFAULT 'nobody')")]).await?;
    same("created", kinds(&answer).as_str(), "CZ")?;
    Ok((served, raw))
}

/// Begins a COPY up to the server's CopyInResponse.
async fn begin(raw: &mut Raw, sql: &str) -> Outcome<Message> {
    raw.send(&query(sql)).await?;
    let answer = raw.next().await?;
    ensure(answer.kind == 'G', format_args!("{sql} was answered with {answer:?}"))?;
    Ok(answer)
}

async fn one(raw: &mut Raw, sql: &str) -> Outcome<String> {
    let answer = raw.ask(&[query(sql)]).await?;
    let values = first(&answer, 'D')?.values();
    let value = values.into_iter().next().flatten();
    value.map(|value| String::from_utf8_lossy(&value).into_owned()).ok_or_else(|| Fault::from("no value"))
}

fn error(answer: &[Message], sqlstate: &str, message: &str) -> Outcome {
    let fields = first(answer, 'E')?.fields();
    let found = (fields[&'C'].as_str(), fields[&'M'].as_str());
    same("error", found, (sqlstate, message))
}

async fn both_ways() -> Outcome {
    let (served, mut raw) = table().await?;
    let response = begin(&mut raw, "COPY t (name, id) FROM STDIN").await?;
    same("text, two columns", response.body, vec![0, 0, 2, 0, 0, 0, 0])?;
    // Cut in the middle of everything.
    let answer = raw.ask(&[data(b"a"), data(b"da\\"), data(b"tx\t1\n\\N\t2"), data(b"\n"), done()]).await?;
    same("answer", kinds(&answer).as_str(), "CZ")?;
    same("tag", first(&answer, 'C')?.text().as_str(), "COPY 2")?;
    begin(&mut raw, "COPY t (id) FROM STDIN CSV HEADER").await?;
    raw.ask(&[data(b"anything\n3\n"), done()]).await?;
    let answer = raw.ask(&[query("COPY (SELECT id, name FROM t ORDER BY id) TO STDOUT")]).await?;
    same("answer", kinds(&answer).as_str(), "HdddcCZ")?;
    same("announced", first(&answer, 'H')?.body.clone(), vec![0, 0, 2, 0, 0, 0, 0])?;
    let sent: Vec<u8> = answer.iter().filter(|m| m.kind == 'd').flat_map(|m| m.body.clone()).collect();
    same("data", String::from_utf8_lossy(&sent).as_ref(), "1\tada\\tx\n2\t\\N\n3\tnobody\n")?;
    same("tag", first(&answer, 'C')?.text().as_str(), "COPY 3")?;
    drop(raw);
    served.stop().await
}

async fn a_message_a_row() -> Outcome {
    let (served, mut raw) = table().await?;
    let messages = |answer: &[Message]| -> Vec<Vec<u8>> {
        answer.iter().filter(|m| m.kind == 'd').map(|m| m.body.clone()).collect()
    };
    let answer = raw.ask(&[query("COPY (VALUES (1::integer), (2::integer)) TO STDOUT (FORMAT binary)")]).await?;
    same("announced", first(&answer, 'H')?.body.clone(), vec![1, 0, 1, 0, 1])?;
    let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    let row = |n: u8| vec![0, 1, 0, 0, 0, 4, 0, 0, 0, n];
    same("rows", messages(&answer), vec![[header.clone(), row(1)].concat(), row(2), vec![0xff, 0xff]])?;
    let answer = raw.ask(&[query("COPY t TO STDOUT (FORMAT binary)")]).await?;
    same("no rows", messages(&answer), vec![[header, vec![0xff, 0xff]].concat()])?;
    let answer = raw.ask(&[query("COPY t TO STDOUT (FORMAT csv, HEADER)")]).await?;
    same("header", messages(&answer), vec![b"id,name\n".to_vec()])?;
    let answer = raw.ask(&[query("COPY t TO STDOUT")]).await?;
    same("nothing", kinds(&answer).as_str(), "HcCZ")?;
    drop(raw);
    served.stop().await
}

async fn among_other_statements() -> Outcome {
    let (served, mut raw) = table().await?;
    begin(&mut raw, "COPY t FROM STDIN; SELECT count(*) FROM t; COPY t FROM STDIN; COPY t TO STDOUT").await?;
    raw.send(&[data(b"1\tx\n"), done()].concat()).await?;
    let answer = raw.until('G').await?;
    same("first part", kinds(&answer).as_str(), "CTDCG")?;
    same("its own rows", first(&answer, 'D')?.values(), vec![Some(b"1".to_vec())])?;
    let answer = raw.ask(&[data(b"2\ty\n"), done()]).await?;
    same("second part", kinds(&answer).as_str(), "CHddcCZ")?;
    // All of a message is one transaction.
    begin(&mut raw, "COPY t FROM STDIN; SELECT 1 / 0").await?;
    let answer = raw.ask(&[data(b"3\tz\n"), done()]).await?;
    ensure(kinds(&answer).ends_with("EZ"), format_args!("answer {}", kinds(&answer)))?;
    same("rolled back", one(&mut raw, "SELECT count(*) FROM t").await?.as_str(), "2")?;
    drop(raw);
    served.stop().await
}

async fn client_gives_up() -> Outcome {
    let (served, mut raw) = table().await?;
    begin(&mut raw, "COPY t FROM STDIN").await?;
    let answer = raw.ask(&[data(b"1\tx\n2\t"), fail("lost interest")]).await?;
    same("answer", kinds(&answer).as_str(), "EZ")?;
    error(&answer, "57014", "COPY from stdin failed: lost interest")?;
    same("nothing stays", one(&mut raw, "SELECT count(*) FROM t").await?.as_str(), "0")?;
    raw.ask(&[query("BEGIN")]).await?;
    begin(&mut raw, "COPY t FROM STDIN").await?;
    let answer = raw.ask(&[fail("again")]).await?;
    same("block failed", answer[answer.len() - 1].body.clone(), b"E".to_vec())?;
    drop(raw);
    served.stop().await
}

async fn fault_in_the_middle() -> Outcome {
    let (served, mut raw) = table().await?;
    begin(&mut raw, "COPY t FROM STDIN").await?;
    // Enough that it is read before the end is there.
    let mut rows = b"1\tx\nabc\ty\n".to_vec();
    rows.extend(b"2\tzzzzzzzzzzzzzzzz\n".repeat(50_000));
    raw.send(&data(&rows)).await?;
    let answer = raw.until('Z').await?;
    same("told at once", kinds(&answer).as_str(), "EZ")?;
    error(&answer, "22P02", "invalid input syntax for type integer: \"abc\"")?;
    same("where", first(&answer, 'E')?.fields()[&'W'].as_str(), "COPY t, line 2, column id: \"abc\"")?;
    // What the client had under way is passed over.
    let answer = raw.ask(&[data(b"3\tx\n"), done(), query("SELECT count(*) FROM t")]).await?;
    same("and goes on", first(&answer, 'D')?.values(), vec![Some(b"0".to_vec())])?;
    begin(&mut raw, "COPY t FROM STDIN").await?;
    let answer = raw.ask(&[data(b"\\N\tx\n"), done()]).await?;
    error(&answer, "23502", "null value in column \"id\" of relation \"t\" violates not-null constraint")?;
    same("where", first(&answer, 'E')?.fields()[&'W'].as_str(), "COPY t, line 1: \"\\N\tx\"")?;
    drop(raw);
    served.stop().await
}

async fn extended() -> Outcome {
    let (served, mut raw) = table().await?;
    let start = [parse("", "COPY t FROM STDIN", &[]), bind("", "", TEXT, &[], TEXT), execute("", 0), sync()];
    // The Sync that drivers send along means nothing while data is expected.
    raw.send(&start.concat()).await?;
    let answer = raw.until('G').await?;
    same("started", kinds(&answer).as_str(), "12G")?;
    let answer = raw.ask(&[data(b"1\tx\n"), done(), sync()]).await?;
    same("ended", kinds(&answer).as_str(), "CZ")?;
    raw.send(&start.concat()).await?;
    raw.until('G').await?;
    let answer = raw.ask(&[data(b"x\tx\n"), done(), parse("", "SELECT 1", &[]), sync()]).await?;
    same("skipped up to Sync", kinds(&answer).as_str(), "EZ")?;
    let out = [
        parse("", "COPY t TO STDOUT (FORMAT csv)", &[]),
        bind("", "", TEXT, &[], BINARY),
        framed(Some('D'), b"P\0"),
        execute("", 0),
        sync(),
    ];
    let answer = raw.ask(&out).await?;
    same("out", kinds(&answer).as_str(), "12nHdcCZ")?;
    same("row", first(&answer, 'd')?.body.clone(), b"1,x\n".to_vec())?;
    drop(raw);
    served.stop().await
}

async fn foreign_messages() -> Outcome {
    let (served, mut raw) = table().await?;
    begin(&mut raw, "COPY t FROM STDIN").await?;
    let answer = raw.ask(&[data(b"1\tx\n"), query("SELECT 1")]).await?;
    same("answer", kinds(&answer).as_str(), "EZ")?;
    error(&answer, "08P01", "unexpected message type 0x51 during COPY from stdin")?;
    same("nothing stays", one(&mut raw, "SELECT count(*) FROM t").await?.as_str(), "0")?;
    drop(raw);
    served.stop().await
}

async fn client_vanishes() -> Outcome {
    let (served, mut raw) = table().await?;
    raw.ask(&[query("CREATE TABLE keyed (id integer PRIMARY KEY)")]).await?;
    for sql in ["COPY t FROM STDIN", "COPY keyed FROM STDIN"] {
        let mut other = Raw::connect(served.port, &[]).await?;
        begin(&mut other, sql).await?;
        other.send(&data(b"1\n2\n")).await?;
        drop(other);
    }
    // The lock on the keyed table goes with who held it.
    let insert = [query("INSERT INTO keyed VALUES (1)")];
    let answer = tokio::time::timeout(Duration::from_secs(30), raw.ask(&insert)).await??;
    same("inserted", kinds(&answer).as_str(), "CZ")?;
    same("nothing else", one(&mut raw, "SELECT count(*) FROM keyed").await?.as_str(), "1")?;
    same("nothing", one(&mut raw, "SELECT count(*) FROM t").await?.as_str(), "0")?;
    drop(raw);
    served.stop().await
}

async fn silent_client() -> Outcome {
    let (served, mut raw) = table().await?;
    raw.ask(&[query("SET statement_timeout = '200ms'")]).await?;
    begin(&mut raw, "COPY t FROM STDIN").await?;
    raw.send(&data(b"1\tx\n")).await?;
    let answer = raw.until('Z').await?;
    error(&answer, "57014", "canceling statement due to statement timeout")?;
    raw.ask(&[query("SET statement_timeout = 0")]).await?;
    same("nothing stays", one(&mut raw, "SELECT count(*) FROM t").await?.as_str(), "0")?;
    // A cancel request finds a COPY that waits.
    let client = served.connect().await?;
    let cancel = client.cancel_token();
    let waiting = client.copy_in::<_, Bytes>("COPY t FROM STDIN").await?;
    // The driver sends a Sync at once, which only a COPY that has begun to read passes over.
    tokio::time::sleep(Duration::from_millis(500)).await;
    cancel.cancel_query(tokio_postgres::NoTls).await?;
    // The request has left; when it arrives is not told.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let outcome = Box::pin(waiting).as_mut().finish().await;
    let state = outcome.err().and_then(|e| e.code().map(|code| code.code().to_owned()));
    same("cancelled", state.as_deref(), Some("57014"))?;
    client.simple_query("SELECT 1").await?;
    drop((raw, client));
    served.stop().await
}

async fn in_a_block() -> Outcome {
    let (served, mut raw) = table().await?;
    let mut other = Raw::connect(served.port, &[]).await?;
    raw.ask(&[query("BEGIN")]).await?;
    begin(&mut raw, "COPY t FROM STDIN").await?;
    raw.ask(&[data(b"1\tx\n"), done()]).await?;
    same("seen by itself", one(&mut raw, "SELECT count(*) FROM t").await?.as_str(), "1")?;
    same("not by others", one(&mut other, "SELECT count(*) FROM t").await?.as_str(), "0")?;
    raw.ask(&[query("ROLLBACK")]).await?;
    same("rolled back", one(&mut raw, "SELECT count(*) FROM t").await?.as_str(), "0")?;
    raw.ask(&[query("BEGIN; SELECT 1 / 0")]).await?;
    let answer = raw.ask(&[query("COPY t FROM STDIN")]).await?;
    same("refused in a failed block", kinds(&answer).as_str(), "EZ")?;
    same("sqlstate", first(&answer, 'E')?.fields()[&'C'].as_str(), "25P02")?;
    let answer = raw.ask(&[query("ROLLBACK")]).await?;
    same("ended", kinds(&answer).as_str(), "CZ")?;
    drop((raw, other));
    served.stop().await
}

async fn keys() -> Outcome {
    let (served, mut raw) = table().await?;
    raw.ask(&[query("CREATE TABLE keyed (id integer PRIMARY KEY, name text)")]).await?;
    for (rows, state) in
        [(&b"1\ta\n2\tb\n"[..], None), (b"3\tc\n2\td\n", Some("23505")), (b"4\ta\n4\tb\n", Some("23505"))]
    {
        begin(&mut raw, "COPY keyed FROM STDIN").await?;
        let answer = raw.ask(&[data(rows), done()]).await?;
        let found = first(&answer, 'E').ok().map(|error| error.fields()[&'C'].clone());
        same("state", found.as_deref(), state)?;
    }
    same("rows", one(&mut raw, "SELECT count(*) FROM keyed").await?.as_str(), "2")?;
    drop(raw);
    served.stop().await
}

/// The same without a server: a caller of the library feeds and reads it, or lets go of it.
async fn embedded() -> Outcome {
    let warehouse = Warehouse::open().await?;
    let mut session = warehouse.engine.session("postgres", "audience")?;
    session.run("CREATE TABLE t (id integer PRIMARY KEY)", async |_, _| Ok(())).await?;
    for ends in [false, true] {
        session
            .run("COPY t FROM STDIN", async |session, execution| {
                let Execution::CopyIn(mut copy) = execution else { return Ok(()) };
                copy.write(Bytes::from_static(b"1\n2\n")).await?;
                if ends {
                    session.finish_copy(copy).await?;
                }
                Ok(())
            })
            .await?;
    }
    let mut text = Vec::new();
    session
        .run("COPY (SELECT id FROM t ORDER BY id) TO STDOUT", async |_, execution| {
            let Execution::CopyOut(mut copy) = execution else { return Ok(()) };
            while let Some(piece) = copy.next().await {
                text.extend_from_slice(&piece?);
            }
            Ok(())
        })
        .await?;
    same("rows", String::from_utf8_lossy(&text).as_ref(), "1\n2\n")?;
    drop(session);
    warehouse.close().await
}
