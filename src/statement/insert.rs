//! INSERT of rows or of a query: sorted into files, keys checked to be new, staged for commit.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::objects::{ColumnDef, Privileges, Relation, TableDef, is_temporary};
use catalog::types::PgType;
use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::compute::{cast as arrow_cast, concat};
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::prelude::Expr;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{self, SetExpr, TableObject, Value};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use futures::TryStreamExt;

use super::{QualifiedName, query, table};
use crate::engine::{Plan, Planner, assignment, cast, parameters as plan_parameters, required};
use crate::error::{Error, Result, SqlState, nearest};
use crate::session::{Execution, Prepared, Session};

/// INSERTs of more rows, or of more bytes, have a commit of their own.
const MOST_GROUPED_ROWS: usize = 10_000;
const MOST_GROUPED_BYTES: usize = 8 << 20;

/// The types of an INSERT's parameters: of a bare `$n` in VALUES or a select list, its column's.
pub(super) async fn parameters(
    session: &mut Session,
    insert: &ast::Insert,
    declared: &[Option<FieldRef>],
) -> Result<Vec<FieldRef>> {
    let def = target(session, insert)?;
    let planner = session.planner()?;
    let declared = declared_by_columns(&def, insert, declared)?;
    let Some(plan) = source(&planner, &def, insert, &declared).await? else { return Ok(Vec::new()) };
    plan_parameters(&plan.logical, &declared)
}

/// Runs it.
pub(super) async fn run(
    session: &mut Session,
    insert: &ast::Insert,
    prepared: &Prepared,
    params: Vec<ScalarValue>,
) -> Result<Execution> {
    let mut def = target(session, insert)?;
    if session.autocommits() && groupable(insert, &def)? {
        return run_grouped(session, insert, def, prepared, params).await;
    }
    if !def.primary_key.is_empty() {
        session.lock_table(def.id).await?;
        def = target(session, insert)?;
    }
    let planner = session.planner()?;
    let plan = plan(session, &planner, &def, insert, &query::known(prepared), params).await?;
    let written = table::write(session, &planner, &def, plan, None).await?;
    let rows = written.written.rows;
    session.work()?.append(def.id, written.written, Vec::new(), written.checked_at);
    Ok(Execution::done(format!("INSERT 0 {rows}")))
}

/// Whether it is one of those that are committed together: rows as they stand in the statement, and not many.
fn groupable(insert: &ast::Insert, def: &TableDef) -> Result<bool> {
    // Their transactions may leave no rows.
    if is_temporary(&def.schema) {
        return Ok(false);
    }
    let rows = match insert.source.as_ref().map(|query| query.body.as_ref()) {
        None => 1,
        Some(SetExpr::Values(values)) => values.rows.len(),
        Some(_) => return Ok(false),
    };
    for name in &def.primary_key {
        let column = def.columns.iter().find(|c| c.name == *name);
        // Floats that are equal can differ in their bits.
        if let Some(PgType::Real | PgType::Double) = column.map(|c| c.pg_type.parse()).transpose()? {
            return Ok(false);
        }
    }
    Ok(rows <= MOST_GROUPED_ROWS)
}

/// Makes the rows and leaves them with the session, to be committed with those of others.
async fn run_grouped(
    session: &mut Session,
    insert: &ast::Insert,
    def: Arc<TableDef>,
    prepared: &Prepared,
    params: Vec<ScalarValue>,
) -> Result<Execution> {
    let planner = session.planner()?;
    let plan = plan(session, &planner, &def, insert, &query::known(prepared), params).await?;
    let batches: Vec<RecordBatch> = match planner.constant_rows(&plan)? {
        Some(batch) => vec![batch],
        None => {
            let physical = planner.physical(&plan).await?;
            session.engine().stream(physical, planner.state().task_ctx())?.try_collect().await?
        }
    };
    // One form for all sessions, whatever zone they read instants in.
    let schema = Arc::new(catalog::table::schema(&def)?);
    let mut columns = Vec::with_capacity(schema.fields().len());
    let mut fields = Vec::with_capacity(schema.fields().len());
    for (place, (column, field)) in def.columns.iter().zip(schema.fields()).enumerate() {
        let arrays: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(place).as_ref()).collect();
        let array = concat(&arrays).and_then(|array| arrow_cast(&array, field.data_type()));
        let array = array.map_err(DataFusionError::from)?;
        if column.not_null && array.logical_null_count() > 0 {
            let (table, column) = (def.name.clone(), column.name.clone());
            return Err(catalog::Error::NotNull { table, column }.into());
        }
        columns.push(array);
        fields.push(field.as_ref().clone().with_nullable(true));
    }
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(DataFusionError::from)?;
    let count = rows.num_rows();
    if rows.get_array_memory_size() > MOST_GROUPED_BYTES {
        if !def.primary_key.is_empty() {
            session.lock_table(def.id).await?;
        }
        let planner = session.planner()?;
        let source = MemorySourceConfig::try_new_exec(&[vec![rows.clone()]], rows.schema(), None)?;
        let written = table::write_physical(session, &planner, &def, source, None).await?;
        session.work()?.append(def.id, written.written, Vec::new(), written.checked_at);
    } else {
        session.group_rows(def, rows);
    }
    Ok(Execution::done(format!("INSERT 0 {count}")))
}

/// The table that is inserted into.
pub(super) fn target(session: &mut Session, insert: &ast::Insert) -> Result<Arc<TableDef>> {
    let TableObject::TableName(name) = &insert.table else {
        return Err(Error::unsupported("INSERT into anything but a table"));
    };
    let name = QualifiedName::try_from(name)?;
    match table::find(session, &name)? {
        Relation::Table(def) => {
            table::writable(&def)?;
            Ok(def)
        }
        Relation::View(view) => Err(Error::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("cannot insert into view \"{}\"", view.name),
        )),
    }
}

/// The plan of the rows to insert: all of the table's columns in order, cast to their types.
pub(super) async fn plan(
    session: &mut Session,
    planner: &Planner,
    def: &TableDef,
    insert: &ast::Insert,
    known: &[Option<FieldRef>],
    params: Vec<ScalarValue>,
) -> Result<LogicalPlan> {
    let zone: Arc<str> = session.settings().time_zone().into();
    let targets = targets(def, insert)?;
    let source = source(planner, def, insert, known).await?;
    let given_for = source.as_ref().map_or(0, |plan| plan.columns.fields().len());
    let columns = targets.iter().take(given_for).map(|&target| def.columns[target].name.as_str());
    session.rights()?.check_relation(&Relation::Table(Arc::new(def.clone())), Privileges::INSERT, columns)?;
    let rows = match source {
        Some(plan) => {
            plan.check()?;
            query::bind(plan.logical, params)?
        }
        None => LogicalPlanBuilder::empty(true).build()?,
    };
    let given = rows.schema().columns();
    let has_source = insert.source.is_some();
    if has_source && given.len() > targets.len() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "INSERT has more expressions than target columns"));
    }
    if has_source && given.len() < targets.len() && !insert.columns.is_empty() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "INSERT has more target columns than expressions"));
    }
    let mut expressions = Vec::with_capacity(def.columns.len());
    for (index, column) in def.columns.iter().enumerate() {
        let pg: PgType = column.pg_type.parse()?;
        let position = targets.iter().position(|&t| t == index).filter(|&p| has_source && p < given.len());
        let value = match (position, &column.default) {
            (Some(position), _) => Expr::Column(given[position].clone()),
            (None, Some(default)) => planner.expression(table::default_expression(default)?)?,
            (None, None) => lit(ScalarValue::Null),
        };
        let mut value = assignment(value, &pg, &zone);
        // Of rows that come as they are the writer asks.
        if column.not_null && insert.on.is_some() {
            value = required(value, &def.name, &column.name);
        }
        expressions.push(value.alias(&column.name));
    }
    Ok(LogicalPlanBuilder::from(rows).project(expressions)?.build()?)
}

/// The positions of the columns that values are given for, in the order they are given.
fn targets(def: &TableDef, insert: &ast::Insert) -> Result<Vec<usize>> {
    if insert.columns.is_empty() {
        return Ok((0..def.columns.len()).collect());
    }
    let mut targets = Vec::with_capacity(insert.columns.len());
    for name in &insert.columns {
        let name = QualifiedName::try_from(name)?.name;
        let Some(index) = def.columns.iter().position(|c| c.name == name) else {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", def.name);
            let error = Error::new(SqlState::UNDEFINED_COLUMN, message);
            return Err(match nearest(&name, def.columns.iter().map(|c| c.name.as_str())) {
                Some(close) => error.with_hint(format!("perhaps you meant \"{close}\"")),
                None => error,
            });
        };
        if targets.contains(&index) {
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once")));
        }
        targets.push(index);
    }
    Ok(targets)
}

/// The rows as planned, not yet checked; `None` for DEFAULT VALUES. The word DEFAULT in a row becomes its column's default.
async fn source(
    planner: &Planner,
    def: &TableDef,
    insert: &ast::Insert,
    declared: &[Option<FieldRef>],
) -> Result<Option<Plan>> {
    let Some(query) = &insert.source else { return Ok(None) };
    let mut query = query.as_ref().clone();
    if let SetExpr::Values(values) = query.body.as_mut() {
        let targets = targets(def, insert)?;
        for row in &mut values.rows {
            for (expression, &target) in row.content.iter_mut().zip(&targets) {
                let null = ast::Expr::Value(Value::Null.into());
                *expression = given(std::mem::replace(expression, null), &def.columns[target])?;
            }
        }
    }
    Ok(Some(planner.described(&query, declared).await?))
}

/// A value as given for a column: the word DEFAULT is its default, and a literal takes its type, not that of its
/// neighbours in the rows above and below.
pub(super) fn given(value: ast::Expr, column: &ColumnDef) -> Result<ast::Expr> {
    if is_default(&value) {
        return default_of(column);
    }
    let is_text = matches!(&value, ast::Expr::Value(v) if matches!(v.value, Value::SingleQuotedString(_)));
    Ok(match literal_type(column) {
        Some(data_type) if is_text => cast(value, data_type),
        _ => value,
    })
}

/// The value of a column for which none is given.
pub(super) fn default_of(column: &ColumnDef) -> Result<ast::Expr> {
    match &column.default {
        Some(default) => table::default_expression(default),
        None => Ok(ast::Expr::Value(Value::Null.into())),
    }
}

/// The type to which a string literal is cast for a column; `None` where it stays text until it is assigned, so that
/// what is too long is refused and not cut.
fn literal_type(column: &ColumnDef) -> Option<ast::DataType> {
    match column.pg_type.parse::<PgType>().ok()? {
        PgType::Text
        | PgType::Varchar(_)
        | PgType::Char(_)
        | PgType::Uuid
        | PgType::Json
        | PgType::Jsonb
        | PgType::Row(_) => None,
        pg => Parser::new(&PostgreSqlDialect {}).try_with_sql(&pg.to_string()).ok()?.parse_data_type().ok(),
    }
}

fn is_default(expression: &ast::Expr) -> bool {
    matches!(expression, ast::Expr::Identifier(i) if i.quote_style.is_none() && i.value.eq_ignore_ascii_case("default"))
}

/// What the client declared, and for undeclared bare parameters the type of the column they are for.
pub(super) fn declared_by_columns(
    def: &TableDef,
    insert: &ast::Insert,
    declared: &[Option<FieldRef>],
) -> Result<Vec<Option<FieldRef>>> {
    let targets = targets(def, insert)?;
    let mut found: HashMap<usize, FieldRef> = HashMap::new();
    let mut note = |position: usize, expression: &ast::Expr| -> Result<()> {
        if let (ast::Expr::Value(value), Some(&target)) = (expression, targets.get(position)) {
            if let Value::Placeholder(name) = &value.value {
                if let Ok(number) = name.trim_start_matches('$').parse::<usize>() {
                    let pg: PgType = def.columns[target].pg_type.parse()?;
                    found.entry(number).or_insert(Arc::new(pg.field("", true)));
                }
            }
        }
        Ok(())
    };
    match insert.source.as_ref().map(|query| query.body.as_ref()) {
        Some(SetExpr::Values(values)) => {
            for row in &values.rows {
                for (position, expression) in row.content.iter().enumerate() {
                    note(position, expression)?;
                }
            }
        }
        Some(SetExpr::Select(select)) => {
            for (position, item) in select.projection.iter().enumerate() {
                if let ast::SelectItem::UnnamedExpr(expression)
                | ast::SelectItem::ExprWithAlias { expr: expression, .. } = item
                {
                    note(position, expression)?;
                }
            }
        }
        _ => {}
    }
    let count = found.keys().copied().max().unwrap_or(0).max(declared.len());
    Ok((1..=count).map(|n| declared.get(n - 1).cloned().flatten().or_else(|| found.get(&n).cloned())).collect())
}
