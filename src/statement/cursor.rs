//! DECLARE, FETCH, MOVE and CLOSE.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::scalar::ScalarValue;
use tokio_util::sync::CancellationToken;

use super::cursor_ast::{Declare, Direction, Fetch};
use super::query;
use crate::error::{Error, Result, SqlState};
use crate::session::cursors::Cursor;
use crate::session::{Execution, Prepared, Rows, Running, Session};

/// Runs DECLARE: the query is planned against what the transaction sees now, and begins with the first FETCH.
pub(super) async fn declare(
    session: &mut Session,
    declare: &Declare,
    prepared: &Prepared,
    params: Vec<ScalarValue>,
) -> Result<Execution> {
    if session.autocommits() && !declare.hold {
        let message = "DECLARE CURSOR can only be used in transaction blocks";
        return Err(Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message)
            .with_hint("begin a transaction, or declare the cursor WITH HOLD"));
    }
    session.cursors().check_free(&declare.name)?;
    let planner = session.planner()?;
    let plan = planner.query(&declare.query, &query::known(prepared)).await?;
    let logical = query::bind(plan.logical, params)?;
    // Ends with the cursor, not with this statement.
    let rows = query::stream(session, &planner, logical, CancellationToken::new()).await?;
    let runtime = Arc::clone(planner.state().runtime_env());
    let statement = Arc::clone(&prepared.statement.text);
    let cursor = Cursor::new(declare, statement, plan.columns, Box::pin(rows), runtime);
    session.cursors().open(cursor)?;
    Ok(Execution::done("DECLARE CURSOR"))
}

/// The columns that FETCH returns; a name that does not exist is found out when it runs.
pub(super) fn columns(session: &Session, fetch: &Fetch) -> Option<SchemaRef> {
    let cursor = session.cursors().get(&fetch.name).ok()?;
    (!fetch.moves).then(|| Arc::clone(&cursor.columns))
}

/// Runs FETCH or MOVE.
pub(super) async fn fetch(session: &Session, fetch: &Fetch, running: Running) -> Result<Execution> {
    let cursor = session.cursors().get(&fetch.name)?;
    if fetch.moves {
        let passed = cursor.pass(fetch.direction).await?;
        return Ok(Execution::done(format!("MOVE {passed}")));
    }
    Ok(Execution::Rows(rows(session, &cursor, fetch.direction, running)?))
}

/// The rows of FETCH.
pub(crate) fn rows(session: &Session, cursor: &Cursor, direction: Direction, running: Running) -> Result<Rows> {
    let columns = Arc::clone(&cursor.columns);
    let mut rows = Rows::new("FETCH", columns, cursor.fetch(direction)?, running, session.failure_flag());
    rows.binary = cursor.binary;
    Ok(rows)
}

/// Runs CLOSE; `None` is ALL.
pub(super) fn close(session: &Session, name: Option<&str>) -> Result<Execution> {
    match name {
        Some(name) => session.cursors().close(name).map(|()| Execution::done("CLOSE CURSOR")),
        None => {
            session.cursors().close_all();
            Ok(Execution::done("CLOSE CURSOR ALL"))
        }
    }
}
