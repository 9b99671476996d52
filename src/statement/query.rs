//! SELECT, VALUES, TABLE, WITH: planned against the session's snapshot and streamed.

use datafusion::arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::ParamValues;
use datafusion::logical_expr::LogicalPlan;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::Query;
use futures::{Stream, StreamExt};
use std::sync::Arc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::engine::{Planner, Relations, interruptible, parameters, same_columns};
use crate::error::{Error, Result, SqlState};
use crate::session::{Execution, Prepared, Rows, Running, Session};

/// Parameters and columns.
pub(super) async fn describe(
    session: &mut Session,
    query: &Query,
    declared: &[Option<FieldRef>],
) -> Result<(Vec<FieldRef>, Option<SchemaRef>)> {
    let plan = session.planner()?.described(query, declared).await?;
    let params = parameters(&plan.logical, declared)?;
    // A parameter whose type was inferred can decide the type of a column: planned again, with all types known.
    if params.len() > declared.iter().flatten().count() {
        let known: Vec<Option<FieldRef>> = params.iter().cloned().map(Some).collect();
        let plan = session.planner()?.described(query, &known).await?;
        return Ok((params, Some(plan.columns)));
    }
    Ok((params, Some(plan.columns)))
}

/// Starts the query; rows come as they are asked for.
pub(super) async fn run(
    session: &mut Session,
    query: &Query,
    prepared: &Prepared,
    params: Vec<ScalarValue>,
    running: Running,
) -> Result<Execution> {
    let planner = session.planner()?;
    let plan = planner.query(query, &known(prepared)).await?;
    if prepared.columns.as_ref().is_some_and(|columns| !same_columns(columns, &plan.columns)) {
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "cached plan must not change result type"));
    }
    let logical = bind(plan.logical, params)?;
    Ok(Execution::Rows(start(session, &planner, "SELECT", logical, plan.columns, running).await?))
}

/// Starts a plan; its rows, and what they need while they are read. `ended` ends work that nobody waits for.
pub(super) async fn stream(
    session: &Session,
    planner: &Planner,
    logical: LogicalPlan,
    ended: CancellationToken,
) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + 'static + use<>> {
    let physical = interruptible(planner.physical(&logical).await?, &ended)?;
    let stream = session.engine().stream(physical, planner.state().task_ctx())?;
    // Dropped with the rows, whether they were read to the end or not.
    let end = ended.drop_guard();
    // As long as rows come, the files they come from must not be removed.
    let read = Arc::clone(planner.relations());
    Ok(stream.map(move |batch| {
        let _: (&DropGuard, &Relations) = (&end, &read);
        batch.map_err(Error::from)
    }))
}

/// Starts a plan whose rows are announced as `columns`.
pub(super) async fn start(
    session: &Session,
    planner: &Planner,
    command: &'static str,
    logical: LogicalPlan,
    columns: SchemaRef,
    running: Running,
) -> Result<Rows> {
    let stream = stream(session, planner, logical, running.ended().clone()).await?;
    Ok(Rows::new(command, columns, stream, running, session.failure_flag()))
}

/// The types of a prepared statement's parameters, all known by now.
pub(super) fn known(prepared: &Prepared) -> Vec<Option<FieldRef>> {
    prepared.params.iter().map(|field| Some(Arc::new(field.clone()))).collect()
}

/// Puts values in the place of parameters.
pub(super) fn bind(plan: LogicalPlan, params: Vec<ScalarValue>) -> Result<LogicalPlan> {
    if params.is_empty() {
        return Ok(plan);
    }
    Ok(plan.replace_params_with_values(&ParamValues::from(params))?)
}
