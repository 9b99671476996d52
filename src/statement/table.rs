//! CREATE TABLE, from columns or from a query, and what every statement that fills a table shares.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::Transaction;
use catalog::objects::{Change, ColumnDef, Privileges, Relation, SYSTEM_SCHEMA, TableDef};
use catalog::table::{Layout, Progress, TableState, Written};
use catalog::types::PgType;
use chrono::Utc;
use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::Schema;
use datafusion::datasource::provider_as_source;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{JoinType, LogicalPlan, LogicalPlanBuilder, ident, lit};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::Expr;
use datafusion::sql::sqlparser::ast;

use super::ast::{Column, CreateTable, OnCommit, fold};
use super::{Kind, QualifiedName, parse};
use crate::engine::types::{BARE_NUMERIC, storable};
use crate::engine::{Engine, Planner, named, suggest};
use crate::error::{Error, Result, SqlState, nearest};
use crate::privileges::PG_TEMP;
use crate::session::{Execution, Session};

/// Runs CREATE TABLE.
pub(super) async fn create(session: &mut Session, create: &CreateTable) -> Result<Execution> {
    let tag = if create.as_query.is_some() { "CREATE TABLE AS" } else { "CREATE TABLE" };
    // A query is planned, and its relations are checked, before the place of the table is.
    let schema = match &create.as_query {
        _ if create.temporary.is_some() => session.temporary_schema_for(create.name.schema.as_deref())?,
        None => creation_schema(session, &create.name)?,
        Some(_) => schema_for(session, &create.name)?,
    };
    if session.work()?.objects().lookup(&schema, &create.name.name).is_some() {
        if create.if_not_exists {
            session.notice(format!("relation \"{}\" already exists, skipping", create.name.name));
            return Ok(Execution::done(tag));
        }
        return Err(Error::new(SqlState::DUPLICATE_TABLE, format!("relation \"{}\" already exists", create.name.name)));
    }
    let planner = session.planner()?;
    let mut filled = None;
    let mut def = match &create.as_query {
        Some(query) => {
            // PostgreSQL, too, asks for no privilege where no row is read.
            let plan = if create.with_no_data {
                planner.described(query, &[]).await?
            } else {
                planner.query(query, &[]).await?
            };
            session.rights()?.check_schema(&schema, Privileges::CREATE)?;
            let names = column_names(&create.column_names, &plan.columns)?;
            let logical = named(plan.logical, names.iter().map(String::as_str))?;
            let columns = logical.schema().as_arrow().clone();
            filled = Some(logical);
            definition(session.work()?, schema, create.name.name.clone(), &columns)?
        }
        None => {
            let mut def = definition(session.work()?, schema, create.name.name.clone(), &Schema::empty())?;
            def.columns = columns(session, &planner, create)?;
            def
        }
    };
    set_layout(&mut def, create)?;
    session.work()?.change(Change::PutTable(def.clone()))?;
    session.on_commit(def.id, create.temporary.unwrap_or(OnCommit::PreserveRows));
    let Some(plan) = filled else { return Ok(Execution::done(tag)) };
    let rows = if create.with_no_data {
        0
    } else {
        let planner = session.planner()?;
        let plan = assigned(session, plan, &def)?;
        let written = write(session, &planner, &def, plan, None).await?;
        let rows = written.written.rows;
        session.work()?.append(def.id, written.written, Vec::new(), written.checked_at);
        rows
    };
    Ok(Execution::done(if create.with_no_data { "CREATE TABLE AS".to_owned() } else { format!("SELECT {rows}") }))
}

/// A table of these columns that does not exist yet, not keyed, not partitioned.
pub(crate) fn definition(work: &Transaction, schema: String, name: String, columns: &Schema) -> Result<TableDef> {
    let objects = work.objects();
    if objects.schema(&schema).is_none() {
        return Err(Error::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist")));
    }
    let id = work.allocate_id();
    // The folder tells people what is in it. It is never used twice: files of a dropped table may still be read.
    let readable = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' }).collect()
    };
    let mut path = format!("{}/{}", readable(&schema), readable(&name));
    if objects.is_path_used(&path) {
        path = format!("{path}-{id}");
    }
    let mut defs = Vec::with_capacity(columns.fields().len());
    for field in columns.fields() {
        let pg = PgType::from_arrow(field)?;
        defs.push(ColumnDef {
            number: 0,
            name: field.name().clone(),
            pg_type: pg.to_string(),
            not_null: false,
            default: None,
            comment: None,
        });
    }
    Ok(TableDef {
        id,
        schema,
        name,
        path,
        columns: defs,
        primary_key: Vec::new(),
        partition_by: None,
        options: BTreeMap::new(),
        comment: None,
        numbered: 0,
        created_at: Utc::now(),
    })
}

fn columns(session: &mut Session, planner: &Planner, create: &CreateTable) -> Result<Vec<ColumnDef>> {
    let mut columns: Vec<ColumnDef> = Vec::with_capacity(create.columns.len());
    for given in &create.columns {
        let column = column(session, planner, given)?;
        if columns.iter().any(|c| c.name == column.name) {
            let message = format!("column \"{}\" specified more than once", column.name);
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, message));
        }
        columns.push(column);
    }
    if columns.is_empty() {
        return Err(Error::unsupported("a table without columns"));
    }
    Ok(columns)
}

/// A column as it is declared.
pub(super) fn column(session: &mut Session, planner: &Planner, column: &Column) -> Result<ColumnDef> {
    let name = fold(&column.name);
    let pg = storable(&column.data_type)?;
    tell_of_numeric(session, &name, &column.data_type);
    if let Some(default) = &column.default {
        check_default(planner, default)?;
    }
    Ok(ColumnDef {
        number: 0,
        not_null: column.not_null,
        pg_type: pg.to_string(),
        default: column.default.as_ref().map(ToString::to_string),
        comment: None,
        name,
    })
}

/// Says how numbers of a column declared as bare `numeric` are stored.
pub(super) fn tell_of_numeric(session: &mut Session, column: &str, data_type: &ast::DataType) {
    let bare = matches!(
        data_type,
        ast::DataType::Numeric(ast::ExactNumberInfo::None) | ast::DataType::Decimal(ast::ExactNumberInfo::None)
    );
    if bare {
        session.notice(format!("column \"{column}\" of type numeric is stored as {BARE_NUMERIC}"));
    }
}

/// Plans a default, so that a bad one is refused where it is declared and not at the first INSERT.
pub(super) fn check_default(planner: &Planner, default: &ast::Expr) -> Result<()> {
    match planner.expression(default.clone()) {
        Ok(value) if !value.any_column_refs() => Ok(()),
        Err(e) if e.sqlstate != SqlState::UNDEFINED_COLUMN => Err(e),
        _ => {
            let message = "cannot use column reference in DEFAULT expression";
            Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message))
        }
    }
}

fn set_layout(def: &mut TableDef, create: &CreateTable) -> Result<()> {
    for key in &create.primary_key {
        let name = fold(key);
        if def.primary_key.contains(&name) {
            let message = format!("column \"{name}\" appears twice in primary key constraint");
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, message));
        }
        match def.columns.iter_mut().find(|c| c.name == name) {
            Some(column) => column.not_null = true,
            None => {
                let message = format!("column \"{name}\" named in key does not exist");
                return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
            }
        }
        def.primary_key.push(name);
    }
    def.partition_by = create.partition_by.as_ref().map(fold);
    if let Some(column) = &def.partition_by {
        if !def.columns.iter().any(|c| c.name == *column) {
            let message = format!("column \"{column}\" named in partition key does not exist");
            return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
        }
    }
    for (name, value) in &create.options {
        if def.options.insert(name.clone(), value.clone()).is_some() {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("parameter \"{name}\" specified more than once"),
            ));
        }
    }
    Layout::of(def).map_err(|e| misspelt_option(Error::from(e)))?;
    Ok(())
}

/// The error for an option that does not exist, with the one that is meant: the catalog names those it knows.
fn misspelt_option(error: Error) -> Error {
    if !error.message.starts_with("unrecognized table option") {
        return error;
    }
    let mut quoted = error.message.split('"').skip(1).step_by(2);
    let close = quoted.next().and_then(|wanted| nearest(wanted, quoted)).map(str::to_owned);
    match close {
        Some(close) => error.with_hint(format!("perhaps you meant \"{close}\"")),
        None => error,
    }
}

/// The names of a query's columns after `given` has renamed the first ones.
pub(super) fn column_names(given: &[ast::Ident], columns: &Schema) -> Result<Vec<String>> {
    if given.len() > columns.fields().len() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "too many column names were specified"));
    }
    let mut names: Vec<String> = given.iter().map(fold).collect();
    names.extend(columns.fields().iter().skip(given.len()).map(|f| f.name().clone()));
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once")));
        }
    }
    Ok(names)
}

/// The columns of a plan, in order, cast to those of a table made from it.
fn assigned(session: &mut Session, plan: LogicalPlan, def: &TableDef) -> Result<LogicalPlan> {
    let zone: Arc<str> = session.settings().time_zone().into();
    let mut expressions = Vec::with_capacity(def.columns.len());
    for (column, source) in def.columns.iter().zip(plan.schema().columns()) {
        let pg: PgType = column.pg_type.parse()?;
        expressions.push(crate::engine::assignment(Expr::Column(source), &pg, &zone).alias(&column.name));
    }
    Ok(LogicalPlanBuilder::from(plan).project(expressions)?.build()?)
}

/// The schema in which a new object of that name is made.
///
/// # Errors
/// 3F000 if there is none, 42501 if nothing may be made there.
pub(crate) fn creation_schema(session: &mut Session, name: &QualifiedName) -> Result<String> {
    let schema = schema_for(session, name)?;
    session.rights()?.check_schema(&schema, Privileges::CREATE)?;
    Ok(schema)
}

/// [`creation_schema`] before its privileges are checked; never the engine's own.
fn schema_for(session: &mut Session, name: &QualifiedName) -> Result<String> {
    let schema = match &name.schema {
        Some(schema) if schema == PG_TEMP => session.temporary_schema_for(Some(schema)),
        Some(schema) if session.work()?.objects().schema(schema).is_some() => Ok(schema.clone()),
        Some(schema) => Err(no_schema(session, schema)?),
        None => session.creation_schema(),
    }?;
    if schema == SYSTEM_SCHEMA {
        return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied for schema {schema}")));
    }
    Ok(schema)
}

/// Refuses to let users change a table of the engine's own.
pub(crate) fn writable(def: &TableDef) -> Result<()> {
    if def.schema == SYSTEM_SCHEMA {
        let message = format!("permission denied for table {}", def.name);
        return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
            .with_hint("schema audience holds what the engine keeps of what it did"));
    }
    Ok(())
}

/// The table or view of that name, by the search path if it has no schema.
///
/// # Errors
/// 42P01 if there is none, 42501 if its schema may not be looked into.
pub(super) fn find(session: &mut Session, name: &QualifiedName) -> Result<Relation> {
    if let Some(relation) = find_if_exists(session, name)? {
        return Ok(relation);
    }
    let path = match &name.schema {
        Some(schema) => vec![schema.clone()],
        None => session.search_path()?,
    };
    let error = Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"));
    Err(match suggest::relation(&session.rights()?, name.schema.as_deref(), &name.name, &path) {
        Some(hint) => error.with_hint(hint),
        None => error,
    })
}

/// The error for a schema that does not exist.
pub(super) fn no_schema(session: &mut Session, name: &str) -> Result<Error> {
    let error = Error::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"));
    Ok(match suggest::schema(&session.rights()?, name) {
        Some(hint) => error.with_hint(hint),
        None => error,
    })
}

/// [`find`] where there may be none.
pub(super) fn find_if_exists(session: &mut Session, name: &QualifiedName) -> Result<Option<Relation>> {
    let path = match &name.schema {
        Some(schema) => {
            let rights = session.rights()?;
            let schema = rights.schema_named(schema);
            rights.check_schema(schema, Privileges::USAGE)?;
            vec![schema.to_owned()]
        }
        None => session.search_path()?,
    };
    let objects = session.work()?.objects();
    Ok(path.iter().find_map(|schema| objects.lookup(schema, &name.name)))
}

/// A column default as a syntax tree again.
pub(crate) fn default_expression(default: &str) -> Result<ast::Expr> {
    let mut statements = parse(&format!("SELECT {default}"))?;
    if let Some(Kind::Query(query)) = statements.pop().map(|s| s.kind) {
        if let ast::SetExpr::Select(select) = *query.body {
            if let Some(ast::SelectItem::UnnamedExpr(expression)) = select.projection.into_iter().next() {
                return Ok(expression);
            }
        }
    }
    Err(Error::internal("a stored default is not an expression"))
}

/// Files written for a table, and against which of its versions their keys were found to be new.
pub(crate) struct Checked {
    pub(crate) written: Written,
    pub(crate) checked_at: Option<i64>,
}

/// Writes the rows of a plan as files of a table and checks that their keys are new.
///
/// # Errors
/// 23502, 23505 and what the plan meets; then the files are gone.
pub(crate) async fn write(
    session: &mut Session,
    planner: &Planner,
    def: &TableDef,
    plan: LogicalPlan,
    progress: Option<Progress>,
) -> Result<Checked> {
    let physical = planner.physical(&plan).await?;
    write_physical(session, planner, def, physical, progress).await
}

/// [`write`] for rows that are planned to the end.
pub(super) async fn write_physical(
    session: &mut Session,
    planner: &Planner,
    def: &TableDef,
    physical: Arc<dyn ExecutionPlan>,
    progress: Option<Progress>,
) -> Result<Checked> {
    write_rows(&Arc::clone(session.engine()), planner, def, physical, progress).await
}

/// [`write`] for rows that are planned to the end, without a session: its keyed table has to be locked before.
pub(super) async fn write_rows(
    engine: &Engine,
    planner: &Planner,
    def: &TableDef,
    physical: Arc<dyn ExecutionPlan>,
    progress: Option<Progress>,
) -> Result<Checked> {
    writable(def)?;
    let warehouse = engine.warehouse();
    let written = engine.write(def, physical, planner.state().task_ctx(), progress).await?;
    if def.primary_key.is_empty() || written.rows == 0 {
        return Ok(Checked { written, checked_at: None });
    }
    match check_keys(planner, def, &written).await {
        Ok(checked_at) => Ok(Checked { written, checked_at }),
        Err(e) => {
            warehouse.discard(def, &written).await;
            Err(e)
        }
    }
}

/// That no key is twice in the new rows or already in the table. Returns the table version looked at.
async fn check_keys(planner: &Planner, def: &TableDef, written: &Written) -> Result<Option<i64>> {
    let view = planner.relations().view();
    let existing = view.table(def.id).await?;
    let committed = view.committed(def.id).await?;
    check_new_keys(planner, def, written, existing).await?;
    Ok(committed.map(|state| state.version))
}

/// That no key is twice in rows just written, or among those of `others`.
///
/// # Errors
/// 23505.
pub(super) async fn check_new_keys(
    planner: &Planner,
    def: &TableDef,
    written: &Written,
    others: Arc<TableState>,
) -> Result<()> {
    let keys: Vec<Expr> = def.primary_key.iter().map(ident).collect();
    let scan = |name: &str, state| -> Result<LogicalPlanBuilder> {
        let source = provider_as_source(planner.relations().scan(state)?);
        Ok(LogicalPlanBuilder::scan(name, source, None)?.project(keys.clone())?)
    };
    let new = planner.relations().view().only(def.id, written)?;
    let twice = scan("new", Arc::clone(&new))?
        .aggregate(keys.clone(), vec![count(lit(1)).alias("rows")])?
        .filter(ident("rows").gt(lit(1)))?
        .project(keys.clone())?
        .limit(0, Some(1))?
        .build()?;
    refuse(planner, def, &twice).await?;
    let others = Arc::new(others.in_cuts_of(written));
    if others.files.is_empty() {
        return Ok(());
    }
    let on: Vec<datafusion::common::Column> =
        def.primary_key.iter().map(|k| datafusion::common::Column::from_name(k.as_str())).collect();
    let again = scan("old", others)?
        .join(scan("new", new)?.build()?, JoinType::LeftSemi, (on.clone(), on), None)?
        .limit(0, Some(1))?
        .build()?;
    refuse(planner, def, &again).await
}

/// 23505 if the plan, which yields keys, yields one.
async fn refuse(planner: &Planner, def: &TableDef, duplicates: &LogicalPlan) -> Result<()> {
    let physical = planner.physical(duplicates).await?;
    let batches = collect(physical, planner.state().task_ctx()).await?;
    let Some(batch) = batches.iter().find(|b| b.num_rows() > 0) else { return Ok(()) };
    Err(duplicate_key(def, batch, 0)?)
}

/// 23505 for the key in one row of `keys`.
pub(crate) fn duplicate_key(def: &TableDef, keys: &RecordBatch, row: usize) -> Result<Error> {
    let message = format!("duplicate key value violates unique constraint \"{}_pkey\"", def.name);
    Ok(Error::new(SqlState::UNIQUE_VIOLATION, message).with_detail(format!(
        "Key ({})=({}) already exists.",
        def.primary_key.join(", "),
        key_text(keys, row)?
    )))
}

fn key_text(batch: &RecordBatch, row: usize) -> Result<String> {
    let text = |array: &ArrayRef| -> Result<String> {
        let text = datafusion::arrow::util::display::array_value_to_string(array, row)
            .map_err(datafusion::error::DataFusionError::from)?;
        Ok(if array.is_null(row) { "null".to_owned() } else { text })
    };
    Ok(batch.columns().iter().map(text).collect::<Result<Vec<_>>>()?.join(", "))
}
