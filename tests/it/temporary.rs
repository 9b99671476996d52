//! Temporary tables: how long they live, whatever ends their session, and that sessions do not get in each other's way.

use std::time::{Duration, Instant};

use audiencedb::{Engine, EngineOptions};
use libtest_mimic::Trial;
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::process::Server;
use crate::trial::{Fault, Outcome, ensure, refused, same, trial};
use crate::warehouse::{Served, value};

/// What is left of temporary tables, in all sessions: schemas, tables, views.
const LEFT: &str = "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pg\\_temp\\_%') \
                    + (SELECT count(*) FROM pg_class WHERE relpersistence = 't')";

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("temporary::gone_with_their_session", gone_with_their_session),
        trial("temporary::gone_after_a_kill", gone_after_a_kill),
        trial("temporary::gone_after_a_stop", gone_after_a_stop),
        trial("temporary::many_sessions_at_once", many_sessions_at_once),
        trial("temporary::not_for_others", not_for_others),
    ]
}

async fn nothing_left(client: &Client) -> Outcome {
    let start = Instant::now();
    while value(client, LEFT).await? != "0" {
        ensure(start.elapsed() < Duration::from_secs(10), "temporary tables outlive their session")?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn some(client: &Client) -> Outcome {
    client
        .batch_execute(
            "CREATE TEMP TABLE a AS SELECT g AS n FROM generate_series(1, 1000) AS s (g); \
             CREATE TEMP TABLE k (n integer PRIMARY KEY); INSERT INTO k SELECT n FROM a; \
             CREATE TEMP VIEW v AS SELECT n FROM a; CREATE TEMP VIEW w AS SELECT n FROM v",
        )
        .await?;
    same("rows", value(client, "SELECT count(*) FROM w").await?.as_str(), "1000")?;
    same("there", value(client, LEFT).await?.as_str(), "6")
}

async fn gone_with_their_session() -> Outcome {
    let served = Served::start().await?;
    let other = served.connect().await?;
    let client = served.connect().await?;
    some(&client).await?;
    drop(client);
    nothing_left(&other).await?;
    // In the middle of a transaction that drops them, too.
    let client = served.connect().await?;
    some(&client).await?;
    client.batch_execute("BEGIN; DROP TABLE a CASCADE; CREATE TEMP TABLE b (n integer)").await?;
    drop(client);
    nothing_left(&other).await?;
    drop(other);
    served.stop().await
}

async fn gone_after_a_kill() -> Outcome {
    let folder = TempDir::new()?;
    for _ in 0..3 {
        let server = Server::start(folder.path())?;
        let client = server.connect().await?;
        same("left", value(&client, LEFT).await?.as_str(), "0")?;
        some(&client).await?;
        server.kill()?;
    }
    let server = Server::start(folder.path())?;
    same("left", value(&server.connect().await?, LEFT).await?.as_str(), "0")
}

async fn gone_after_a_stop() -> Outcome {
    let folder = TempDir::new()?;
    let open = || Engine::open(EngineOptions::new(folder.path().to_string_lossy()));
    let engine = open().await?;
    let mut session = engine.session("postgres", "audience")?;
    session.run("CREATE TEMP TABLE a AS SELECT 1 AS n", async |_, _| Ok(())).await?;
    engine.close().await?;
    drop((session, engine));
    let engine = open().await?;
    let mut session = engine.session("postgres", "audience")?;
    let mut left = Vec::new();
    session
        .run(LEFT, async |session, execution| {
            if let audiencedb::Execution::Rows(mut rows) = execution {
                while let Some(batch) = futures::StreamExt::next(&mut rows).await {
                    left.extend(audiencedb::format_batch(&batch?, session)?.concat());
                }
            }
            Ok(())
        })
        .await?;
    same("left", left, vec![Some("0".to_owned())])?;
    Ok(engine.close().await?)
}

async fn many_sessions_at_once() -> Outcome {
    let served = Served::start().await?;
    let work = (0..12).map(|number| {
        let connecting = served.connect();
        async move {
            let client = connecting.await?;
            for round in 0..4 {
                client
                    .batch_execute(&format!(
                        "BEGIN; CREATE TEMP TABLE t ON COMMIT DROP AS SELECT {number} AS n; \
                         CREATE TEMP TABLE kept{round} AS SELECT n FROM t; INSERT INTO kept{round} VALUES ({round}); \
                         COMMIT"
                    ))
                    .await?;
                let sum = value(&client, &format!("SELECT sum(n) FROM kept{round}")).await?;
                same("sum", sum, (number + round).to_string())?;
            }
            Ok::<_, Fault>(client)
        }
    });
    let clients = futures::future::try_join_all(work).await?;
    let other = served.connect().await?;
    same(
        "schemas",
        value(&other, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pg\\_temp%'").await?.as_str(),
        "12",
    )?;
    drop(clients);
    nothing_left(&other).await?;
    drop(other);
    served.stop().await
}

async fn not_for_others() -> Outcome {
    let served = Served::start().await?;
    let (client, other) = (served.connect().await?, served.connect().await?);
    some(&client).await?;
    let schema = value(&client, "SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()").await?;
    same("first", value(&client, "SELECT current_schemas(true)").await?, format!("{{{schema},pg_catalog,public}}"))?;
    same("own", value(&client, &format!("SELECT count(*) FROM {schema}.a")).await?.as_str(), "1000")?;
    for sql in ["SELECT * FROM {}.a", "INSERT INTO {}.a VALUES (1)", "DROP TABLE {}.a", "CREATE TABLE {}.b (n integer)"]
    {
        refused(other.simple_query(&sql.replace("{}", &schema)).await, "0A000")?;
    }
    refused(other.simple_query(&format!("CREATE TEMP TABLE {schema}.b (n integer)")).await, "42P16")?;
    let others = "SELECT count(*) FROM pg_namespace WHERE pg_is_other_temp_schema(oid)";
    same("others", value(&other, others).await?.as_str(), "1")?;
    same("own", value(&client, others).await?.as_str(), "0")?;
    let listed = "SELECT count(*) FROM information_schema.tables WHERE table_type = 'LOCAL TEMPORARY'";
    same("listed", value(&client, listed).await?.as_str(), "4")?;
    same("listed", value(&other, listed).await?.as_str(), "0")?;
    drop((client, other));
    served.stop().await
}
