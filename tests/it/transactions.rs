//! Transactions between sessions: what others see, when, and that a failed one never was.

use libtest_mimic::Trial;

use crate::trial::{Outcome, refused, same, trial};
use crate::warehouse::{Served, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("transactions::one_snapshot", one_snapshot),
        trial("transactions::rollback_leaves_nothing", rollback_leaves_nothing),
        trial("transactions::two_tables_one_commit", two_tables_one_commit),
        trial("transactions::hang_up_is_rollback", hang_up_is_rollback),
        trial("transactions::writers_at_once", writers_at_once),
        trial("transactions::same_key_at_once", same_key_at_once),
    ]
}

async fn one_snapshot() -> Outcome {
    let served = Served::start().await?;
    let (reader, writer) = (served.connect().await?, served.connect().await?);
    writer.batch_execute("CREATE TABLE a (n integer); CREATE TABLE b (n integer); INSERT INTO a VALUES (1)").await?;
    reader.batch_execute("BEGIN").await?;
    same("before", value(&reader, "SELECT count(*) FROM a").await?.as_str(), "1")?;
    writer
        .batch_execute("INSERT INTO a VALUES (2); INSERT INTO b VALUES (1); CREATE VIEW v AS SELECT n FROM a")
        .await?;
    same("the same table", value(&reader, "SELECT count(*) FROM a").await?.as_str(), "1")?;
    // A table first read after the other's commit is seen as of the snapshot too: one moment for all.
    same("another table", value(&reader, "SELECT count(*) FROM b").await?.as_str(), "0")?;
    refused(reader.simple_query("SELECT * FROM v").await, "42P01")?;
    reader.batch_execute("ROLLBACK").await?;
    same("afterwards", value(&reader, "SELECT count(*) FROM a").await?.as_str(), "2")?;
    same("afterwards", value(&reader, "SELECT count(*) FROM v").await?.as_str(), "2")?;

    // A table that was dropped meanwhile is still there for the snapshot.
    reader.batch_execute("BEGIN").await?;
    same("before", value(&reader, "SELECT count(*) FROM b").await?.as_str(), "1")?;
    writer.batch_execute("DROP TABLE b").await?;
    same("dropped", value(&reader, "SELECT count(*) FROM b").await?.as_str(), "1")?;
    reader.batch_execute("COMMIT").await?;
    refused(reader.simple_query("SELECT * FROM b").await, "42P01")?;
    drop((reader, writer));
    served.stop().await
}

async fn rollback_leaves_nothing() -> Outcome {
    let served = Served::start().await?;
    let (one, other) = (served.connect().await?, served.connect().await?);
    one.batch_execute("CREATE TABLE t (n integer); INSERT INTO t VALUES (1)").await?;
    one.batch_execute(
        "BEGIN; INSERT INTO t VALUES (2); CREATE TABLE u (n integer); INSERT INTO u VALUES (1); \
         CREATE SCHEMA s; CREATE VIEW s.v AS SELECT n FROM u; COMMENT ON TABLE t IS 'x'",
    )
    .await?;
    same("inside", value(&one, "SELECT sum(n) FROM t").await?.as_str(), "3")?;
    same("inside", value(&one, "SELECT count(*) FROM s.v").await?.as_str(), "1")?;
    same("outside", value(&other, "SELECT sum(n) FROM t").await?.as_str(), "1")?;
    refused(other.simple_query("SELECT * FROM u").await, "42P01")?;
    one.batch_execute("ROLLBACK").await?;
    for client in [&one, &other] {
        same("afterwards", value(client, "SELECT sum(n) FROM t").await?.as_str(), "1")?;
        refused(client.simple_query("SELECT * FROM u").await, "42P01")?;
        refused(client.simple_query("SELECT * FROM s.v").await, "42P01")?;
    }
    // The names are free.
    one.batch_execute("CREATE SCHEMA s; CREATE TABLE u (other text)").await?;
    drop((one, other));
    served.stop().await
}

async fn two_tables_one_commit() -> Outcome {
    let served = Served::start().await?;
    let (writer, reader) = (served.connect().await?, served.connect().await?);
    writer.batch_execute("CREATE TABLE a (n integer); CREATE TABLE b (n integer)").await?;
    let port = served.port;
    // A reader that looks all the time must never find one table ahead of the other.
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let watching = tokio::spawn(async move {
        let mut looks = 0;
        while stopped.try_recv().is_err() {
            let sql = "SELECT (SELECT count(*) FROM a) - (SELECT count(*) FROM b)";
            same("difference", value(&reader, sql).await?.as_str(), "0")?;
            looks += 1;
        }
        Outcome::Ok(looks)
    });
    for n in 0..20 {
        writer.batch_execute(&format!("BEGIN; INSERT INTO a VALUES ({n}); INSERT INTO b VALUES ({n}); COMMIT")).await?;
    }
    let _ = stop.send(());
    let looks: i32 = watching.await??;
    crate::trial::ensure(looks > 0, "the reader never looked")?;
    let fresh = crate::warehouse::connect(port).await?;
    same("a", value(&fresh, "SELECT count(*) FROM a").await?.as_str(), "20")?;
    same("b", value(&fresh, "SELECT count(*) FROM b").await?.as_str(), "20")?;
    drop((fresh, writer));
    served.stop().await
}

async fn hang_up_is_rollback() -> Outcome {
    let served = Served::start().await?;
    let other = served.connect().await?;
    other.batch_execute("CREATE TABLE t (n integer)").await?;
    let leaver = served.connect().await?;
    leaver.batch_execute("BEGIN; INSERT INTO t VALUES (1)").await?;
    drop(leaver);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    same("rows", value(&other, "SELECT count(*) FROM t").await?.as_str(), "0")?;
    // Nothing it held stands in the way.
    other.batch_execute("INSERT INTO t VALUES (2)").await?;
    other.batch_execute("DROP TABLE t").await?;
    drop(other);
    served.stop().await
}

/// Appends of many sessions all arrive, once each.
async fn writers_at_once() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE t (writer integer, n integer)").await?;
    let port = served.port;
    let writers = (0..8).map(|writer| async move {
        let client = crate::warehouse::connect(port).await?;
        for n in 0..5 {
            client.batch_execute(&format!("INSERT INTO t VALUES ({writer}, {n})")).await?;
        }
        Outcome::Ok(())
    });
    futures::future::try_join_all(writers).await?;
    same("rows", value(&client, "SELECT count(*) FROM t").await?.as_str(), "40")?;
    same("pairs", value(&client, "SELECT count(*) FROM (SELECT DISTINCT writer, n FROM t) p").await?.as_str(), "40")?;
    drop(client);
    served.stop().await
}

/// Of two sessions that insert the same key one wins, and the loser hears of it.
async fn same_key_at_once() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE t (id integer PRIMARY KEY, who integer)").await?;
    let port = served.port;
    let attempts = (0..6).map(|who| async move {
        let client = crate::warehouse::connect(port).await?;
        let mut won = 0;
        for id in 0..5 {
            match client.batch_execute(&format!("INSERT INTO t VALUES ({id}, {who})")).await {
                Ok(()) => won += 1,
                Err(error) => {
                    let state = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
                    crate::trial::ensure(state == "23505" || state == "40001", format_args!("unexpected {error:?}"))?;
                }
            }
        }
        Outcome::Ok(won)
    });
    let won: i32 = futures::future::try_join_all(attempts).await?.into_iter().sum();
    same("rows", value(&client, "SELECT count(*) FROM t").await?, won.to_string())?;
    same("keys", value(&client, "SELECT count(DISTINCT id) FROM t").await?, won.to_string())?;

    // The same between open transactions.
    let (one, other) = (served.connect().await?, served.connect().await?);
    one.batch_execute("BEGIN; INSERT INTO t VALUES (100, 1)").await?;
    other.batch_execute("INSERT INTO t VALUES (100, 2)").await?;
    let outcome = one.batch_execute("COMMIT").await;
    crate::trial::ensure(outcome.is_err(), "both sessions inserted key 100")?;
    same("winner", value(&other, "SELECT who FROM t WHERE id = 100").await?.as_str(), "2")?;
    drop((client, one, other));
    served.stop().await
}
