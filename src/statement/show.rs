//! SHOW of settings, tables and functions.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;

use super::ast::ShowTarget;
use super::{Kind, parse, query, text_columns};
use crate::error::{Error, Result};
use crate::session::{Execution, Prepared, Rows, Running, Session};

/// The columns of its result.
pub(super) async fn columns(session: &mut Session, target: &ShowTarget) -> Result<SchemaRef> {
    match target {
        ShowTarget::All => Ok(text_columns(&["name", "setting", "description"])),
        ShowTarget::Setting(name) => Ok(text_columns(&[&session.settings().display_name(name)?])),
        ShowTarget::Tables | ShowTarget::Functions { .. } => {
            let (_, columns) = query::describe(session, &catalog_query(target)?, &[]).await?;
            columns.ok_or_else(|| Error::internal("a query of the catalog has no columns"))
        }
    }
}

/// Runs SHOW.
pub(super) async fn run(session: &mut Session, target: &ShowTarget, running: Running) -> Result<Execution> {
    let values: Vec<Vec<String>> = match target {
        ShowTarget::All => session
            .settings()
            .show_all()
            .map(|(name, value, text)| vec![name.to_owned(), value, text.to_owned()])
            .collect(),
        ShowTarget::Setting(name) => vec![vec![session.settings().get(name)?]],
        ShowTarget::Tables | ShowTarget::Functions { .. } => {
            let query = catalog_query(target)?;
            let columns = Some(columns(session, target).await?);
            let statement = parse("SELECT 1")?.pop().ok_or_else(|| Error::internal("no statement"))?;
            let prepared = Prepared { params: Vec::new(), columns, statement: Arc::new(statement) };
            return query::run(session, &query, &prepared, Vec::new(), running).await;
        }
    };
    let schema = columns(session, target).await?;
    let column =
        |index: usize| Arc::new(StringArray::from_iter_values(values.iter().map(|row| &row[index]))) as ArrayRef;
    let arrays = (0..schema.fields().len()).map(column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(DataFusionError::from)?;
    let stream = futures::stream::iter([Ok(batch)]);
    Ok(Execution::Rows(Rows::new("SHOW", schema, stream, running, session.failure_flag())))
}

/// SHOW TABLES and SHOW FUNCTIONS as the queries they stand for.
fn catalog_query(target: &ShowTarget) -> Result<datafusion::sql::sqlparser::ast::Query> {
    let sql = match target {
        ShowTarget::Functions { like } => {
            let filter = like.as_ref().map(|like| format!("AND p.proname LIKE '{}'", like.replace('\'', "''")));
            format!(
                "SELECT DISTINCT p.proname::text AS function_name, \
                 CASE WHEN p.proretset THEN 'TABLE' WHEN p.prokind = 'a' THEN 'AGGREGATE' \
                 WHEN p.prokind = 'w' THEN 'WINDOW' ELSE 'SCALAR' END AS function_type, \
                 pg_catalog.pg_get_function_result(p.oid) AS returns, \
                 p.proname || '(' || pg_catalog.pg_get_function_arguments(p.oid) || ')' AS syntax, \
                 pg_catalog.obj_description(p.oid, 'pg_proc') AS description FROM pg_catalog.pg_proc p \
                 WHERE p.prorettype <> 2275 {} ORDER BY 1, 4",
                filter.unwrap_or_default()
            )
        }
        _ => "SELECT table_schema AS schema, table_name AS name, table_type AS type FROM information_schema.tables \
              WHERE table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY 1, 2"
            .to_owned(),
    };
    match parse(&sql)?.pop().map(|statement| statement.kind) {
        Some(Kind::Query(query)) => Ok(*query),
        _ => Err(Error::internal("a query of the catalog is not a query")),
    }
}
