//! CALL: which procedures there are, and how arguments find their parameters.
//!
//! A procedure's arguments are expressions without columns, given by place or by name and cast to the parameter's
//! type. What it has to tell comes back as rows, of most procedures one, as from OUT parameters.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::physical_plan::collect;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{self, SelectItem, SetExpr};

use super::ast::Call;
use super::{Kind, erase, maintain, parse, query, restore};
use crate::engine::cast;
use crate::error::{Error, Result, SqlState};
use crate::session::{Execution, Prepared, Rows, Running, Session};

/// A procedure as its callers know it.
struct Procedure {
    schema: &'static str,
    name: &'static str,
    /// Names and types, without one as it comes; all of them may be left out.
    parameters: &'static [(&'static str, Option<ast::DataType>)],
    /// What it answers with.
    columns: fn() -> SchemaRef,
    runs: Runs,
}

/// What a procedure does.
#[derive(Clone, Copy)]
enum Runs {
    Maintain,
    Restore,
    Erase,
    VerifyErasure,
}

const INTERVAL: ast::DataType = ast::DataType::Interval { fields: None, precision: None };

/// All there are, in schema `audience`.
const PROCEDURES: [Procedure; 4] = [MAINTAIN, RESTORE, ERASE, VERIFY_ERASURE];

const MAINTAIN: Procedure = Procedure {
    schema: "audience",
    name: "maintain",
    parameters: &[
        ("table_name", Some(ast::DataType::Text)),
        ("dry_run", Some(ast::DataType::Boolean)),
        ("retain", Some(INTERVAL)),
        ("retain_log", Some(INTERVAL)),
    ],
    columns: || numbers(&maintain::COLUMNS),
    runs: Runs::Maintain,
};

const ERASE: Procedure = Procedure {
    schema: "audience",
    name: "erase",
    parameters: &[
        ("key", None),
        ("dry_run", Some(ast::DataType::Boolean)),
        ("grace", Some(INTERVAL)),
        ("column_name", Some(ast::DataType::Text)),
    ],
    columns: erase::columns,
    runs: Runs::Erase,
};

const VERIFY_ERASURE: Procedure = Procedure {
    schema: "audience",
    name: "verify_erasure",
    parameters: &[("key", None), ("erasure", Some(ast::DataType::Text)), ("column_name", Some(ast::DataType::Text))],
    columns: erase::found_columns,
    runs: Runs::VerifyErasure,
};

const RESTORE: Procedure = Procedure {
    schema: "audience",
    name: "restore",
    parameters: &[("table_name", Some(ast::DataType::Text)), ("version", Some(ast::DataType::BigInt(None)))],
    columns: || numbers(&restore::COLUMNS),
    runs: Runs::Restore,
};

/// The columns of an answer in numbers.
fn numbers(names: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(names.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect::<Vec<Field>>()))
}

/// An answer of one row of numbers.
fn counts(schema: &SchemaRef, answer: impl IntoIterator<Item = Option<i64>>) -> Result<RecordBatch> {
    let arrays = answer.into_iter().map(|count| Arc::new(Int64Array::from(vec![count])) as ArrayRef).collect();
    Ok(RecordBatch::try_new(Arc::clone(schema), arrays).map_err(DataFusionError::from)?)
}

/// The columns of its answer.
pub(super) fn columns(call: &Call) -> Result<SchemaRef> {
    let (procedure, _) = resolve(call)?;
    Ok((procedure.columns)())
}

/// The types of the parameters `$1`, `$2` among its arguments.
pub(super) async fn parameters(
    session: &mut Session,
    call: &Call,
    declared: &[Option<FieldRef>],
) -> Result<Vec<FieldRef>> {
    let (_, arguments) = resolve(call)?;
    Ok(query::describe(session, &arguments, declared).await?.0)
}

/// Runs it.
pub(super) async fn run(
    session: &mut Session,
    call: &Call,
    prepared: &Prepared,
    params: Vec<ScalarValue>,
    running: Running,
) -> Result<Execution> {
    let (procedure, arguments) = resolve(call)?;
    if !matches!(procedure.runs, Runs::Restore) && !session.autocommits() {
        let message = format!("{} cannot run inside a transaction block", call.procedure);
        return Err(Error::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
    }
    let values = evaluate(session, &arguments, prepared, params).await?;
    let schema = (procedure.columns)();
    let batch = match procedure.runs {
        Runs::Maintain => counts(&schema, maintain::run(session, &values).await?.map(Some))?,
        Runs::Restore => counts(&schema, restore::run(session, &values).await?)?,
        Runs::Erase => Box::pin(erase::run(session, &values, &running)).await?,
        Runs::VerifyErasure => Box::pin(erase::verify(session, &values)).await?,
    };
    let stream = futures::stream::iter([Ok(batch)]);
    Ok(Execution::Rows(Rows::new("CALL", schema, stream, running, session.failure_flag())))
}

/// The procedure, and a query whose columns are its arguments in the order and types of its parameters.
fn resolve(call: &Call) -> Result<(Procedure, ast::Query)> {
    let unknown = || {
        let arguments: Vec<String> = call.arguments.iter().map(described).collect();
        let message = format!("procedure {}({}) does not exist", call.procedure, arguments.join(", "));
        Error::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
            "No procedure matches the given name and argument types. You might need to add explicit type casts.",
        )
    };
    let named = |procedure: &Procedure| {
        call.procedure.name == procedure.name && call.procedure.schema.as_deref() == Some(procedure.schema)
    };
    let procedure = PROCEDURES.into_iter().find(named).ok_or_else(unknown)?;
    let mut values = vec![None; procedure.parameters.len()];
    for (place, (name, value)) in call.arguments.iter().enumerate() {
        let place = match name {
            Some(name) => procedure.parameters.iter().position(|(parameter, _)| parameter == name),
            None => Some(place).filter(|place| *place < values.len()),
        };
        let place = place.filter(|place| values[*place].is_none()).ok_or_else(unknown)?;
        values[place] = Some(value.clone());
    }
    let null = || ast::Expr::Value(ast::Value::Null.into());
    let items = values.into_iter().zip(procedure.parameters).map(|(value, (_, data_type))| {
        let value = value.unwrap_or_else(null);
        SelectItem::UnnamedExpr(match data_type {
            Some(data_type) => cast(value, data_type.clone()),
            None => value,
        })
    });
    let mut query = match parse("SELECT 1")?.pop().map(|statement| statement.kind) {
        Some(Kind::Query(query)) => *query,
        _ => return Err(Error::internal("a query of arguments is not a query")),
    };
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = items.collect();
    }
    Ok((procedure, query))
}

/// An argument as errors show it: its name, and as much of its type as can be seen.
fn described((name, value): &(Option<String>, ast::Expr)) -> String {
    let data_type = match value {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::Number(digits, _) if digits.parse::<i32>().is_ok() => "integer",
            ast::Value::Number(..) => "numeric",
            ast::Value::Boolean(_) => "boolean",
            _ => "unknown",
        },
        _ => "unknown",
    };
    match name {
        Some(name) => format!("{name} => {data_type}"),
        None => data_type.to_owned(),
    }
}

async fn evaluate(
    session: &mut Session,
    arguments: &ast::Query,
    prepared: &Prepared,
    params: Vec<ScalarValue>,
) -> Result<Vec<ScalarValue>> {
    let planner = session.planner()?;
    let plan = planner.query(arguments, &query::known(prepared)).await?;
    let physical = planner.physical(&query::bind(plan.logical, params)?).await?;
    let batches = collect(physical, planner.state().task_ctx()).await?;
    let row = batches.iter().find(|batch| batch.num_rows() > 0);
    let row = row.ok_or_else(|| Error::internal("arguments without a value"))?;
    Ok(row.columns().iter().map(|array| ScalarValue::try_from_array(array, 0)).collect::<Result<_, _>>()?)
}
