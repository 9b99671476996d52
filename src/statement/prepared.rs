//! PREPARE, EXECUTE and DEALLOCATE.

use std::sync::Arc;

use catalog::types::PgType;
use datafusion::arrow::datatypes::{DataType as ArrowType, Field, FieldRef, SchemaRef};
use datafusion::logical_expr::{Cast, LogicalPlanBuilder};
use datafusion::physical_plan::collect;
use datafusion::prelude::Expr;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{self, DataType, SelectItem, SetExpr};

use super::{Kind, Statement, describe, parse, run};
use crate::engine::assignment;
use crate::error::{Error, Result, SqlState, type_name};
use crate::session::prepared::Named;
use crate::session::{Execution, Prepared, Running, Session};

/// Runs PREPARE: plans the statement as far as its parameters and columns.
pub(super) async fn prepare(
    session: &mut Session,
    whole: &Statement,
    name: &str,
    types: &[Option<DataType>],
    kind: &Kind,
) -> Result<Execution> {
    session.statements().check_free(name)?;
    let planner = session.planner()?;
    let declared = types.iter().map(|t| t.as_ref().map(|t| planner.type_field(t)).transpose());
    let declared = declared.collect::<Result<Vec<Option<FieldRef>>>>()?;
    let (params, columns) = Box::pin(describe(session, kind, &declared)).await?;
    let plan = Prepared { params, columns, statement: Arc::new(whole.with_kind(kind.clone())) };
    session.statements().put(name.to_owned(), Named::from_sql(plan, Arc::clone(&whole.text)))?;
    Ok(Execution::done("PREPARE"))
}

/// The columns that EXECUTE returns; a name that does not exist is found out when it runs.
pub(super) fn columns(session: &Session, name: &str) -> Option<SchemaRef> {
    let named = session.statements().get(name).ok()?;
    named.plan.as_ref().and_then(|plan| plan.columns.clone())
}

/// Runs EXECUTE. Places in the statement's own text mean nothing to who sent EXECUTE.
pub(super) async fn execute(
    session: &mut Session,
    name: &str,
    arguments: &[ast::Expr],
    running: Running,
) -> Result<Execution> {
    let (named, params) = values(session, name, arguments).await?;
    let Some(plan) = &named.plan else { return Ok(Execution::done("")) };
    named.count();
    Box::pin(run(session, plan, params, running)).await.map_err(Error::placeless)
}

/// The statement of that name and the values that EXECUTE gives to its parameters.
pub(super) async fn values(
    session: &mut Session,
    name: &str,
    arguments: &[ast::Expr],
) -> Result<(Arc<Named>, Vec<ScalarValue>)> {
    let named = session.statements().get(name)?;
    let params = named.plan.as_ref().map_or(&[][..], |plan| &plan.params);
    if let Some(plan) = &named.plan {
        if matches!(plan.statement.kind, Kind::Prepare { .. } | Kind::Execute { .. })
            || super::transaction::is_one(&plan.statement.kind)
        {
            return Err(Error::unsupported(format!("EXECUTE of the prepared statement \"{name}\"")));
        }
    }
    if params.len() != arguments.len() {
        let message = format!("wrong number of parameters for prepared statement \"{name}\"");
        let detail = format!("Expected {} parameters but got {}.", params.len(), arguments.len());
        return Err(Error::new(SqlState::SYNTAX_ERROR, message).with_detail(detail));
    }
    if params.is_empty() {
        return Ok((named, Vec::new()));
    }
    let values = evaluate(session, params, arguments).await?;
    Ok((named, values))
}

/// The arguments, computed and converted to the parameters' types.
async fn evaluate(session: &mut Session, params: &[Field], arguments: &[ast::Expr]) -> Result<Vec<ScalarValue>> {
    let zone: Arc<str> = session.settings().time_zone().into();
    let planner = session.planner()?;
    let plan = planner.query(&select(arguments)?, &[]).await?;
    let columns = plan.logical.schema().columns();
    for (index, ((argument, column), param)) in arguments.iter().zip(plan.columns.fields()).zip(params).enumerate() {
        if !is_untyped(argument) && !is_assignable(column.data_type(), param.data_type()) {
            let (from, to) = (type_name(column), type_name(param));
            let message =
                format!("parameter ${} of type {from} cannot be coerced to the expected type {to}", index + 1);
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("You will need to rewrite or cast the expression."));
        }
    }
    let converted = columns.into_iter().zip(params).enumerate().map(|(index, (column, param))| {
        let value = Expr::Column(column);
        let converted = match PgType::from_arrow(param) {
            Ok(pg) => assignment(value, &pg, &zone),
            // An interval can be a parameter though no table can store it.
            Err(_) => Expr::Cast(Cast { expr: Box::new(value), field: Arc::new(param.clone()) }),
        };
        converted.alias(format!("${}", index + 1))
    });
    let converted = converted.collect::<Vec<_>>();
    let logical = LogicalPlanBuilder::from(plan.logical).project(converted)?.build()?;
    let physical = planner.physical(&logical).await?;
    let batches = collect(physical, planner.state().task_ctx()).await?;
    let row = batches.iter().find(|batch| batch.num_rows() > 0);
    let row = row.ok_or_else(|| Error::internal("the arguments of EXECUTE have no values"))?;
    let value = |index: usize| Ok(ScalarValue::try_from_array(row.column(index), 0)?);
    (0..params.len()).map(value).collect()
}

/// Whether an argument takes whatever type is asked for: a quoted literal, or NULL.
fn is_untyped(argument: &ast::Expr) -> bool {
    let ast::Expr::Value(value) = argument else { return false };
    !matches!(value.value, ast::Value::Boolean(_) | ast::Value::Number(..))
}

/// Whether PostgreSQL converts values of one type to the other where they are assigned: anything to text, and within a
/// family of types.
fn is_assignable(from: &ArrowType, to: &ArrowType) -> bool {
    let family = |t: &ArrowType| match t {
        t if t.is_numeric() => 1,
        t if t.is_temporal() => 2,
        ArrowType::Boolean => 3,
        t if t.is_nested() => 4,
        t if t.is_string() => 5,
        _ => 6,
    };
    from.is_null() || to.is_string() || family(from) == family(to)
}

/// `SELECT arguments…`
fn select(arguments: &[ast::Expr]) -> Result<ast::Query> {
    if let Some(Kind::Query(mut query)) = parse("SELECT 1")?.pop().map(|statement| statement.kind) {
        if let SetExpr::Select(select) = query.body.as_mut() {
            select.projection = arguments.iter().cloned().map(SelectItem::UnnamedExpr).collect();
            return Ok(*query);
        }
    }
    Err(Error::internal("a query is not a query"))
}

/// Runs DEALLOCATE; `None` is ALL.
pub(super) fn deallocate(session: &Session, name: Option<&str>) -> Result<Execution> {
    match name {
        Some(name) => session.statements().deallocate(name).map(|()| Execution::done("DEALLOCATE")),
        None => {
            session.statements().clear();
            Ok(Execution::done("DEALLOCATE ALL"))
        }
    }
}
