//! What a new definition makes of a table's rows: read by the old one, written by the new one, committed together.

use std::ops::ControlFlow;
use std::sync::Arc;

use catalog::objects::{Change, Relation, TableDef};
use catalog::table::{TableState, Written};
use catalog::types::PgType;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, ident, lit};
use datafusion::prelude::Expr;
use datafusion::sql::sqlparser::ast::{self, Ident, SelectItem, SetExpr, visit_expressions};
use futures::TryStreamExt;

use super::access_after;
use super::views::{self, Reader, Reshaped};
use crate::engine::{Planner, assignment, parse_view};
use crate::error::{Error, Result, SqlState};
use crate::pg_catalog::names::quoted;
use crate::session::Session;
use crate::statement::drop::describe;
use crate::statement::table;

/// The statement's name in the table's log.
const OPERATION: &str = "ALTER TABLE";

/// Where the values of a column come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A column, as it is.
    Old(String),
    /// A column, brought to the new type.
    Converted(String),
    /// An expression over the old columns.
    Given(Box<ast::Expr>),
    /// There are none.
    Null,
}

/// A change of a table's columns.
pub(super) struct Reshaping {
    pub(super) new: TableDef,
    /// One for each of the new columns.
    pub(super) sources: Vec<Source>,
    /// Columns that were not there before, or not by that name.
    pub(super) gained: Vec<String>,
    /// The column that has a new name, and that name.
    pub(super) renamed: Option<(String, String)>,
    pub(super) dropped: Vec<String>,
    /// Columns that may have held nulls and must not any more.
    pub(super) not_null: Vec<(String, Source)>,
    /// Whether the files have to be written anew.
    pub(super) rewrites: bool,
    /// Whether two rows may come to have the same key.
    pub(super) checks_keys: bool,
}

/// Stages all of it. `planner` sees the table as it was.
///
/// # Errors
/// 23502, 23505, 2BP01, and what the new values meet; what was staged is the caller's to undo.
pub(super) async fn apply(
    session: &mut Session,
    planner: &Planner,
    readers: &[Reader],
    old: &Arc<TableDef>,
    reshaping: Reshaping,
) -> Result<()> {
    let zone: Arc<str> = session.settings().time_zone().into();
    let state = planner.relations().view().table(old.id).await?;
    // Planned even where there are no rows, so that what is wrong with it is told.
    let plan = match reshaping.rewrites {
        true => Some(rows(planner, old, &reshaping, &zone).await?),
        false => None,
    };
    stage(session, readers, old, &reshaping).await?;

    let committed = session.work()?.view().committed(old.id).await?.map(|state| state.version);
    let filled = state.files.iter().any(|file| file.rows != Some(0));
    let new = &reshaping.new;
    match plan {
        Some(plan) if filled => {
            let physical = planner.physical(&plan).await?;
            let engine = Arc::clone(session.engine());
            let written = engine.write(new, physical, planner.state().task_ctx(), None).await;
            let written = written.map_err(|e| nulls(e, new))?;
            let files = state.files.as_ref().clone();
            session.work()?.change_rows(new.id, files, written.clone(), OPERATION, committed);
            if reshaping.checks_keys && !new.primary_key.is_empty() {
                check_keys(session, new, &written).await?;
            }
        }
        _ => {
            if reshaping.rewrites && !state.files.is_empty() {
                let files = state.files.as_ref().clone();
                session.work()?.change_rows(new.id, files, Written::default(), OPERATION, committed);
            }
            for (name, source) in &reshaping.not_null {
                let held = match source {
                    Source::Old(old) => filled && holds_null(session, planner, &state, old).await?,
                    _ => filled,
                };
                if held {
                    return Err(contains_nulls(name, new));
                }
            }
        }
    }
    if let (Some(version), true) = (committed, reshaping.rewrites || !reshaping.not_null.is_empty()) {
        session.work()?.rely_on_rows(new.id, version);
    }
    Ok(())
}

/// Stages the definition, the privileges on its columns, and the queries of views; checks that these mean what they did.
async fn stage(session: &mut Session, readers: &[Reader], old: &Arc<TableDef>, reshaping: &Reshaping) -> Result<()> {
    let objects = Arc::clone(session.work()?.objects());
    let renamed = reshaping.renamed.as_ref().map(|(from, to)| (from.as_str(), to.as_str()));
    let before = Relation::Table(Arc::clone(old));
    let reshaped =
        Reshaped { before: &before, schema: &old.schema, name: &old.name, gained: reshaping.gained.clone(), renamed };
    let access = access_after(&objects.access(old.id), |name| match renamed {
        Some((from, to)) if from == name => Some(to.to_owned()),
        _ => (!reshaping.dropped.iter().any(|dropped| dropped == name)).then(|| name.to_owned()),
    });
    let mut changes = vec![Change::PutTable(reshaping.new.clone())];
    changes.extend(access.map(Change::PutAccess));
    for reader in readers {
        changes.extend(reshaped.kept(&objects, reader)?.map(Change::PutView));
    }
    session.work()?.change_together(changes)?;
    let known = readers.iter().filter(|reader| reader.sound).map(|reader| reader.view.id);
    let what = match renamed {
        Some((from, _)) => format!("rename column {from} of {}", describe(&before)),
        None => format!("alter {}", describe(&before)),
    };
    views::check(session, &known.collect::<Vec<_>>(), &what).await
}

/// The table's rows as its new definition has them.
async fn rows(planner: &Planner, old: &TableDef, reshaping: &Reshaping, zone: &Arc<str>) -> Result<LogicalPlan> {
    let mut query = parse_view(&format!("SELECT 1 FROM {}.{}", quoted(&old.schema), quoted(&old.name)))?;
    let mut items = Vec::with_capacity(reshaping.sources.len());
    for (column, source) in reshaping.new.columns.iter().zip(&reshaping.sources) {
        let expr = match source {
            Source::Old(name) | Source::Converted(name) => ast::Expr::Identifier(Ident::with_quote('"', name.as_str())),
            Source::Given(expression) => ast::Expr::Nested(expression.clone()),
            Source::Null => ast::Expr::Value(ast::Value::Null.into()),
        };
        items.push(SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', column.name.as_str()) });
    }
    match query.body.as_mut() {
        SetExpr::Select(select) => select.projection = items,
        _ => return Err(Error::internal("a query is no SELECT any more")),
    }
    let plan = planner.described(&query, &[]).await?.logical;
    if !plan.get_parameter_names()?.is_empty() {
        return Err(Error::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
    }
    let mut columns = Vec::with_capacity(reshaping.sources.len());
    let given = plan.schema().columns();
    for ((column, source), value) in reshaping.new.columns.iter().zip(&reshaping.sources).zip(given) {
        let pg: PgType = column.pg_type.parse()?;
        let value = Expr::Column(value);
        columns.push(match source {
            Source::Old(_) => value.alias(&column.name),
            _ => assignment(value, &pg, zone).alias(&column.name),
        });
    }
    Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
}

/// That an expression of USING needs nothing but its row.
pub(super) fn check_transform(expression: &ast::Expr) -> Result<()> {
    let found = visit_expressions(expression, |part| match part {
        ast::Expr::Subquery(_) | ast::Expr::Exists { .. } | ast::Expr::InSubquery { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    match found {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "cannot use subquery in transform expression"))
        }
    }
}

/// Whether a column of the table as it was holds a null.
async fn holds_null(session: &mut Session, planner: &Planner, state: &Arc<TableState>, column: &str) -> Result<bool> {
    let source = provider_as_source(planner.relations().scan(Arc::clone(state))?);
    let plan = LogicalPlanBuilder::scan("rows", source, None)?
        .filter(ident(column).is_null())?
        .project(vec![lit(1).alias("found")])?
        .limit(0, Some(1))?
        .build()?;
    let physical = planner.physical(&plan).await?;
    let mut found = session.engine().stream(physical, planner.state().task_ctx())?;
    while let Some(batch) = found.try_next().await? {
        if batch.num_rows() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// That no key is there twice.
async fn check_keys(session: &mut Session, new: &TableDef, written: &Written) -> Result<()> {
    let planner = session.planner()?;
    let all = planner.relations().view().table(new.id).await?;
    let none = Arc::new(all.without(&all.files));
    table::check_new_keys(&planner, new, written, none).await.map_err(|mut error| {
        if error.sqlstate == SqlState::UNIQUE_VIOLATION {
            error.message = format!("could not create unique index \"{}_pkey\"", new.name);
            error.detail = error.detail.map(|detail| detail.replace(" already exists.", " is duplicated."));
        }
        error
    })
}

/// The error of a writer that met a null, as that of a table that held one.
fn nulls(error: Error, new: &TableDef) -> Error {
    if error.sqlstate != SqlState::NOT_NULL_VIOLATION {
        return error;
    }
    let column = error.message.split('"').nth(1).map(str::to_owned);
    column.map_or(error, |column| contains_nulls(&column, new))
}

fn contains_nulls(column: &str, table: &TableDef) -> Error {
    let message = format!("column \"{column}\" of relation \"{}\" contains null values", table.name);
    Error::new(SqlState::NOT_NULL_VIOLATION, message)
}
