//! Sessions as others see and end them, time limits on what they hold, and what a connection starts with.

use std::time::Duration;

use audiencedb::{Execution, Session};
use libtest_mimic::Trial;

use crate::raw::{Message, Raw, TEXT, bind, execute, first, kinds, parse, query, sync};
use crate::trial::{Fault, Outcome, ensure, refused, same, trial};
use crate::warehouse::{Served, Warehouse, address, connect_with, rows, value};

/// A statement that ends only when it is ended.
const SLEEP: &str = "SELECT pg_sleep(600)";

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("sessions::activity", activity),
        trial("sessions::cancel_backend", cancel_backend),
        trial("sessions::terminate_backend", terminate_backend),
        trial("sessions::terminate_oneself", terminate_oneself),
        trial("sessions::terminate_in_process", terminate_in_process),
        trial("sessions::idle_in_transaction", idle_in_transaction),
        trial("sessions::idle", idle),
        trial("sessions::lock_timeout", lock_timeout),
        trial("sessions::suspended_portals_have_time", suspended_portals_have_time),
        trial("sessions::prepared_both_ways", prepared_both_ways),
        trial("sessions::startup_is_the_default", startup_is_the_default),
        trial("sessions::discard_all", discard_all),
    ]
}

/// Waits until a query has this value.
async fn until(client: &tokio_postgres::Client, sql: &str, wanted: &str) -> Outcome {
    for _ in 0..500 {
        if value(client, sql).await? == wanted {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(Fault::from(format!("never {wanted}: {sql}")))
}

async fn activity() -> Outcome {
    let served = Served::start().await?;
    let watcher = served.connect().await?;
    let other = connect_with(address(served.port).application_name("a shop")).await?;
    let of = |what: &str| format!("SELECT {what} FROM pg_stat_activity WHERE application_name = 'a shop'");
    same("state", value(&watcher, &of("state")).await?.as_str(), "idle")?;
    same("address", value(&watcher, &of("client_addr")).await?.as_str(), "127.0.0.1")?;
    same("waits", value(&watcher, &of("wait_event_type || wait_event")).await?.as_str(), "ClientClientRead")?;
    same("transaction", value(&watcher, &of("xact_start IS NULL")).await?.as_str(), "t")?;
    other.batch_execute("BEGIN; SELECT 1").await?;
    same("state", value(&watcher, &of("state || ': ' || query")).await?.as_str(), "idle in transaction: SELECT 1")?;
    same("transaction", value(&watcher, &of("xact_start < now()")).await?.as_str(), "t")?;
    refused(other.batch_execute("SELECT 1 / 0").await, "22012")?;
    same("state", value(&watcher, &of("state")).await?.as_str(), "idle in transaction (aborted)")?;
    other.batch_execute("ROLLBACK").await?;
    let running = tokio::spawn(async move { other.batch_execute(SLEEP).await });
    until(&watcher, &of("state || ': ' || query"), &format!("active: {SLEEP}")).await?;
    value(&watcher, &of("pg_cancel_backend(pid)")).await?;
    refused(running.await?, "57014")?;
    until(&watcher, "SELECT count(*) FROM pg_stat_activity", "1").await?;
    drop(watcher);
    served.stop().await
}

async fn cancel_backend() -> Outcome {
    let served = Served::start().await?;
    let (one, other) = (served.connect().await?, served.connect().await?);
    let pid = value(&other, "SELECT pg_backend_pid()").await?;
    // Nothing runs: nothing happens, then or later.
    same("idle", value(&one, &format!("SELECT pg_cancel_backend({pid})")).await?.as_str(), "t")?;
    same("afterwards", value(&other, "SELECT 1").await?.as_str(), "1")?;
    let running = tokio::spawn(async move {
        let outcome = other.batch_execute(SLEEP).await;
        (other, outcome)
    });
    until(&one, &format!("SELECT state FROM pg_stat_activity WHERE pid = {pid}"), "active").await?;
    same("busy", value(&one, &format!("SELECT pg_cancel_backend({pid})")).await?.as_str(), "t")?;
    let (other, outcome) = running.await?;
    refused(outcome, "57014")?;
    same("afterwards", value(&other, "SELECT 1").await?.as_str(), "1")?;
    drop((one, other));
    served.stop().await
}

async fn terminate_backend() -> Outcome {
    let served = Served::start().await?;
    let one = served.connect().await?;
    one.batch_execute("CREATE TABLE t (n integer)").await?;
    // A client that waits, in a transaction: told at once, its work undone.
    let mut raw = Raw::connect(served.port, &[]).await?;
    raw.ask(&[query("BEGIN; INSERT INTO t VALUES (1)")]).await?;
    let answer = raw.ask(&[query("SELECT pg_backend_pid()")]).await?;
    let pid = String::from_utf8_lossy(first(&answer, 'D')?.values()[0].as_deref().unwrap_or_default()).into_owned();
    same("found", value(&one, &format!("SELECT pg_terminate_backend({pid}, 5000)")).await?.as_str(), "t")?;
    same(
        "listed",
        value(&one, &format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")).await?.as_str(),
        "0",
    )?;
    farewell(&mut raw).await?;
    same("rows", value(&one, "SELECT count(*) FROM t").await?.as_str(), "0")?;
    // One that runs a statement.
    let mut raw = Raw::connect(served.port, &[("application_name", "busy")]).await?;
    raw.send(&query(SLEEP)).await?;
    let busy = "FROM pg_stat_activity WHERE application_name = 'busy'";
    until(&one, &format!("SELECT state {busy}"), "active").await?;
    same("found", value(&one, &format!("SELECT pg_terminate_backend(pid) {busy}")).await?.as_str(), "t")?;
    farewell(&mut raw).await?;
    until(&one, &format!("SELECT count(*) {busy}"), "0").await?;
    refused(one.simple_query("SELECT pg_terminate_backend(1, -1)").await, "22003")?;
    drop(one);
    served.stop().await
}

/// FATAL 57P01 and nothing more, but for the columns of what was running.
async fn farewell(raw: &mut Raw) -> Outcome {
    let mut message = raw.next().await?;
    if message.kind == 'T' {
        message = raw.next().await?;
    }
    fatal(&message, "57P01")?;
    ensure(raw.next().await.is_err(), "the connection stays open")
}

fn fatal(message: &Message, code: &str) -> Outcome {
    same("kind", message.kind, 'E')?;
    let fields = message.fields();
    same("severity", fields.get(&'S').map(String::as_str), Some("FATAL"))?;
    same("code", fields.get(&'C').map(String::as_str), Some(code))
}

async fn terminate_oneself() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    raw.send(&query("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(600)")).await?;
    farewell(&mut raw).await?;
    served.stop().await
}

/// Runs a statement of a session in this process to its end.
async fn run(session: &mut Session, sql: &str) -> audiencedb::Result<()> {
    session
        .run(sql, async |_, execution| {
            if let Execution::Rows(mut rows) = execution {
                while let Some(batch) = futures::StreamExt::next(&mut rows).await {
                    batch?;
                }
            }
            Ok(())
        })
        .await
}

async fn terminate_in_process() -> Outcome {
    let warehouse = Warehouse::open().await?;
    let mut one = warehouse.engine.session("postgres", "audience")?;
    let mut other = warehouse.engine.session("postgres", "audience")?;
    let pid = other.pid();
    run(&mut other, "BEGIN; CREATE TABLE t (n integer)").await?;
    run(&mut one, &format!("SELECT pg_terminate_backend({pid})")).await?;
    let error = run(&mut other, "SELECT 1").await.err().ok_or("it goes on")?;
    same("code", error.sqlstate.0, "57P01")?;
    drop(other);
    let error = run(&mut one, "SELECT * FROM t").await.err().ok_or("the table is there")?;
    same("code", error.sqlstate.0, "42P01")?;
    drop(one);
    warehouse.close().await
}

async fn idle_in_transaction() -> Outcome {
    let served = Served::start().await?;
    let one = served.connect().await?;
    one.batch_execute("CREATE TABLE t (n integer)").await?;
    let mut raw = Raw::connect(served.port, &[("idle_in_transaction_session_timeout", "300ms")]).await?;
    // Outside of a transaction it may wait, and a statement may take its time inside of one.
    tokio::time::sleep(Duration::from_millis(600)).await;
    raw.ask(&[query("BEGIN; INSERT INTO t VALUES (1)")]).await?;
    same("busy", kinds(&raw.ask(&[query("SELECT pg_sleep(0.6)")]).await?).as_str(), "TDCZ")?;
    fatal(&raw.next().await?, "25P03")?;
    until(&one, "SELECT count(*) FROM pg_stat_activity", "1").await?;
    same("rows", value(&one, "SELECT count(*) FROM t").await?.as_str(), "0")?;
    drop(one);
    served.stop().await
}

async fn idle() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    raw.ask(&[query("SET idle_session_timeout = 300; BEGIN")]).await?;
    tokio::time::sleep(Duration::from_millis(600)).await;
    raw.ask(&[query("COMMIT")]).await?;
    fatal(&raw.next().await?, "57P05")?;
    served.stop().await
}

async fn lock_timeout() -> Outcome {
    let served = Served::start().await?;
    let (holder, waiter) = (served.connect().await?, served.connect().await?);
    holder.batch_execute("CREATE TABLE t (n integer PRIMARY KEY)").await?;
    waiter.batch_execute("SET lock_timeout = '200ms'").await?;
    let pid = value(&holder, "SELECT pg_backend_pid()").await?;
    let holding = tokio::spawn(async move {
        let outcome = holder.batch_execute("INSERT INTO t SELECT 1 WHERE pg_sleep(600) IS NOT NULL").await;
        (holder, outcome)
    });
    // A statement that runs has its lock before it reads its rows; one that waits is seen to.
    let holds = format!("SELECT state || ': ' || coalesce(wait_event, '') FROM pg_stat_activity WHERE pid = {pid}");
    until(&waiter, &holds, "active: ").await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    refused(waiter.batch_execute("INSERT INTO t VALUES (2)").await, "55P03")?;
    value(&waiter, &format!("SELECT pg_cancel_backend({pid})")).await?;
    let (holder, outcome) = holding.await?;
    refused(outcome, "57014")?;
    waiter.batch_execute("INSERT INTO t VALUES (2)").await?;
    same("rows", value(&holder, "SELECT count(*) FROM t").await?.as_str(), "1")?;
    drop((holder, waiter));
    served.stop().await
}

/// statement_timeout counts while a portal runs, for each Execute anew, and not while the client holds it.
async fn suspended_portals_have_time() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    raw.ask(&[query("BEGIN; SET statement_timeout = '1s'")]).await?;
    let numbers = "SELECT n FROM generate_series(1, 100000) AS g (n)";
    let parts = [parse("", numbers, &[]), bind("p", "", TEXT, &[], TEXT), execute("p", 1), sync()];
    same("first", kinds(&raw.ask(&parts).await?).as_str(), "12DsZ")?;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        same("next", kinds(&raw.ask(&[execute("p", 1), sync()]).await?).as_str(), "DsZ")?;
    }
    // Cancelled by another session, it is the portal that goes on now which ends.
    let other = [parse("", "SELECT pg_sleep(600)", &[]), bind("q", "", TEXT, &[], TEXT), execute("q", 0), sync()];
    let answer = raw.ask(&other).await?;
    same("code", first(&answer, 'E')?.fields().get(&'C').map(String::as_str), Some("57014"))?;
    served.stop().await
}

/// PREPARE and the protocol's statements are the same ones.
async fn prepared_both_ways() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    raw.ask(&[parse("by_protocol", "SELECT $1::integer + 1", &[]), sync()]).await?;
    let answer = raw.ask(&[query("EXECUTE by_protocol(41)")]).await?;
    same("value", first(&answer, 'D')?.values()[0].as_deref(), Some(&b"42"[..]))?;
    raw.ask(&[query("PREPARE by_sql (integer) AS SELECT $1 * 2::integer")]).await?;
    let answer = raw.ask(&[bind("", "by_sql", TEXT, &[Some(b"21")], TEXT), execute("", 0), sync()]).await?;
    same("kinds", kinds(&answer).as_str(), "2DCZ")?;
    same("value", first(&answer, 'D')?.values()[0].as_deref(), Some(&b"42"[..]))?;
    let code = |answer: &[Message]| first(answer, 'E').map(|e| e.fields().get(&'C').cloned().unwrap_or_default());
    same("taken", code(&raw.ask(&[parse("by_sql", "SELECT 1", &[]), sync()]).await?)?.as_str(), "42P05")?;
    same("taken", code(&raw.ask(&[query("PREPARE by_protocol AS SELECT 1")]).await?)?.as_str(), "42P05")?;
    let list = "SELECT string_agg(name || from_sql::text || custom_plans::text, ' ' ORDER BY name) FROM pg_prepared_statements";
    let answer = raw.ask(&[query(list)]).await?;
    same("list", first(&answer, 'D')?.values()[0].as_deref(), Some(&b"by_protocolfalse1 by_sqltrue1"[..]))?;
    // EXECUTE by the protocol, announced with the columns of what it executes.
    let parts = [
        parse("", "EXECUTE by_sql(4)", &[]),
        crate::raw::describe('S', ""),
        bind("", "", TEXT, &[], TEXT),
        execute("", 0),
        sync(),
    ];
    let answer = raw.ask(&parts).await?;
    same("kinds", kinds(&answer).as_str(), "1tT2DCZ")?;
    same("type", first(&answer, 'T')?.columns()[0].1, 23)?;
    raw.ask(&[query("DEALLOCATE by_protocol")]).await?;
    same(
        "gone",
        code(&raw.ask(&[bind("", "by_protocol", TEXT, &[Some(b"1")], TEXT), sync()]).await?)?.as_str(),
        "26000",
    )?;
    raw.ask(&[crate::raw::close('S', "by_sql"), sync()]).await?;
    same("gone", code(&raw.ask(&[query("EXECUTE by_sql(1)")]).await?)?.as_str(), "26000")?;
    served.stop().await
}

/// RESET, RESET ALL and DISCARD ALL come back to what the connection started with.
async fn startup_is_the_default() -> Outcome {
    let served = Served::start().await?;
    let settings = [
        ("DateStyle", "German"),
        ("options", "-c statement_timeout=7s -c shop.tenant=north"),
        ("TimeZone", "Asia/Tokyo"),
    ];
    let mut raw = Raw::connect(served.port, &settings).await?;
    same("reported", raw.parameters.get("DateStyle").map(String::as_str), Some("German, DMY"))?;
    for back in
        ["RESET ALL", "DISCARD ALL", "RESET DateStyle; RESET timezone; RESET statement_timeout; RESET shop.tenant"]
    {
        let answer = raw
            .ask(&[query(
                "SET DateStyle = ISO; SET TIME ZONE 'UTC'; SET statement_timeout = 9000; SET shop.tenant = 'x'",
            )])
            .await?;
        ensure(reports(&answer, "DateStyle", "ISO, DMY") && reports(&answer, "TimeZone", "UTC"), "not reported")?;
        let answer = raw.ask(&[query(back)]).await?;
        ensure(reports(&answer, "DateStyle", "German, DMY"), format_args!("{back}: {answer:?}"))?;
        ensure(reports(&answer, "TimeZone", "Asia/Tokyo"), format_args!("{back}: {answer:?}"))?;
        let shown = "SELECT current_setting('statement_timeout') || current_setting('shop.tenant') || \
                     (SELECT source || reset_val FROM pg_settings WHERE name = 'statement_timeout')";
        let answer = raw.ask(&[query(shown)]).await?;
        same(back, first(&answer, 'D')?.values()[0].as_deref(), Some(&b"7snorthclient7000"[..]))?;
    }
    served.stop().await
}

fn reports(answer: &[Message], name: &str, value: &str) -> bool {
    let wanted = format!("{name}\0{value}\0");
    answer.iter().any(|message| message.kind == 'S' && message.body == wanted.as_bytes())
}

/// Statements and portals go; in a block it is refused.
async fn discard_all() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    raw.ask(&[parse("s", "SELECT 1", &[]), sync()]).await?;
    raw.ask(&[query("DISCARD ALL")]).await?;
    let answer = raw.ask(&[bind("", "s", TEXT, &[], TEXT), sync()]).await?;
    same("code", first(&answer, 'E')?.fields().get(&'C').map(String::as_str), Some("26000"))?;
    raw.ask(&[query("BEGIN")]).await?;
    let numbers = "SELECT n FROM generate_series(1, 100) AS g (n)";
    raw.ask(&[parse("", numbers, &[]), bind("p", "", TEXT, &[], TEXT), execute("p", 1), sync()]).await?;
    raw.ask(&[query("CLOSE ALL")]).await?;
    let answer = raw.ask(&[execute("p", 1), sync()]).await?;
    same("code", first(&answer, 'E')?.fields().get(&'C').map(String::as_str), Some("34000"))?;
    raw.ask(&[query("ROLLBACK")]).await?;
    raw.ask(&[query("BEGIN")]).await?;
    let answer = raw.ask(&[query("DISCARD ALL")]).await?;
    same("code", first(&answer, 'E')?.fields().get(&'C').map(String::as_str), Some("25001"))?;
    drop(raw);
    let client = served.connect().await?;
    same("lists", rows(&client, "SELECT name FROM pg_prepared_statements").await?.len(), 0)?;
    drop(client);
    served.stop().await
}
