//! Roles over restarts and between sessions: who may open a session, and that what was granted counts at once.

use audiencedb::{Engine, EngineOptions, Execution, Session};
use futures::StreamExt;
use libtest_mimic::Trial;

use crate::trial::{Outcome, same, trial};
use crate::warehouse::Warehouse;

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("roles::who_may_open_a_session", who_may_open_a_session),
        trial("roles::grants_survive_a_restart", grants_survive_a_restart),
        trial("roles::a_revoke_counts_for_open_sessions", a_revoke_counts_for_open_sessions),
        trial("roles::a_name_given_again_is_another_role", a_name_given_again_is_another_role),
    ]
}

/// Runs statements and counts their rows; the SQLSTATE if one fails.
async fn run(session: &mut Session, sql: &str) -> Result<usize, &'static str> {
    let mut rows = 0;
    let ran = session.run(sql, async |_, execution| {
        if let Execution::Rows(mut stream) = execution {
            while let Some(batch) = stream.next().await {
                rows += batch?.num_rows();
            }
        }
        Ok(())
    });
    match ran.await {
        Ok(()) => Ok(rows),
        Err(e) => Err(e.sqlstate.0),
    }
}

fn opened(engine: &std::sync::Arc<Engine>, user: &str) -> Result<(), &'static str> {
    engine.session(user, "audience").map(drop).map_err(|e| e.sqlstate.0)
}

async fn who_may_open_a_session() -> Outcome {
    let warehouse = Warehouse::open().await?;
    let mut root = warehouse.engine.session("postgres", "audience")?;
    same("nobody", opened(&warehouse.engine, "ana"), Err("28000"))?;
    run(&mut root, "CREATE ROLE ana").await?;
    same("may not log in", opened(&warehouse.engine, "ana"), Err("28000"))?;
    run(&mut root, "ALTER ROLE ana LOGIN").await?;
    same("may", opened(&warehouse.engine, "ana"), Ok(()))?;
    run(&mut root, "REVOKE CONNECT ON DATABASE audience FROM PUBLIC").await?;
    same("may not connect", opened(&warehouse.engine, "ana"), Err("42501"))?;
    run(&mut root, "GRANT CONNECT ON DATABASE audience TO ana").await?;
    same("may again", opened(&warehouse.engine, "ana"), Ok(()))?;
    // Nobody can lock everybody out.
    run(&mut root, "ALTER ROLE postgres NOLOGIN").await?;
    same("the way back", opened(&warehouse.engine, "postgres"), Ok(()))?;
    warehouse.close().await
}

async fn grants_survive_a_restart() -> Outcome {
    let warehouse = Warehouse::open().await?;
    let mut root = warehouse.engine.session("postgres", "audience")?;
    run(
        &mut root,
        "CREATE USER ana; CREATE TABLE t (a integer, b integer); INSERT INTO t VALUES (1, 2); GRANT SELECT (a) ON t TO ana",
    )
    .await?;
    drop(root);
    warehouse.engine.close().await?;

    let options = EngineOptions::new(warehouse.folder().to_string_lossy());
    let again = Engine::open(options).await?;
    let mut ana = again.session("ana", "audience")?;
    same("granted", run(&mut ana, "SELECT a FROM t").await, Ok(1))?;
    same("not granted", run(&mut ana, "SELECT b FROM t").await, Err("42501"))?;
    same("not granted", run(&mut ana, "INSERT INTO t VALUES (1, 2)").await, Err("42501"))?;
    again.close().await?;
    warehouse.close().await
}

async fn a_revoke_counts_for_open_sessions() -> Outcome {
    let warehouse = Warehouse::open().await?;
    let mut root = warehouse.engine.session("postgres", "audience")?;
    run(&mut root, "CREATE USER ana; CREATE TABLE t (a integer); GRANT SELECT ON t TO ana").await?;
    let mut ana = warehouse.engine.session("ana", "audience")?;
    let statement = ana.parse("SELECT a FROM t")?.remove(0);
    let prepared = ana.prepare(statement, &[]).await?;
    same("granted", ana.execute(&prepared, Vec::new()).await.is_ok(), true)?;
    run(&mut root, "REVOKE SELECT ON t FROM ana").await?;
    // Prepared before, and checked when it is run.
    same("revoked", ana.execute(&prepared, Vec::new()).await.map(drop).map_err(|e| e.sqlstate.0), Err("42501"))?;
    run(&mut root, "ALTER ROLE ana SUPERUSER").await?;
    same("superuser", ana.execute(&prepared, Vec::new()).await.is_ok(), true)?;
    warehouse.close().await
}

async fn a_name_given_again_is_another_role() -> Outcome {
    let warehouse = Warehouse::open().await?;
    let mut root = warehouse.engine.session("postgres", "audience")?;
    run(&mut root, "CREATE USER ana; CREATE TABLE t (a integer)").await?;
    let mut ana = warehouse.engine.session("ana", "audience")?;
    run(&mut root, "DROP ROLE ana; CREATE USER ana SUPERUSER").await?;
    same("the new role's rights are not the old one's", run(&mut ana, "SELECT a FROM t").await, Err("42501"))?;
    run(&mut root, "ALTER ROLE ana NOSUPERUSER; ALTER ROLE ana RENAME TO anna; GRANT SELECT ON t TO anna").await?;
    let mut anna = warehouse.engine.session("anna", "audience")?;
    run(&mut root, "ALTER ROLE anna RENAME TO hanna").await?;
    same("a new name takes nothing away", run(&mut anna, "SELECT a FROM t").await, Ok(0))?;
    warehouse.close().await
}
