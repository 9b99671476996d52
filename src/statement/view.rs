//! CREATE [OR REPLACE] VIEW: planned once to know its columns and what it reads, kept as text.

use std::sync::Arc;

use catalog::objects::{Change, ColumnDef, ObjectId, Objects, Relation, ViewDef, is_temporary};
use catalog::types::PgType;
use chrono::Utc;
use datafusion::arrow::datatypes::Schema;

use super::ast::CreateView;
use super::table::{column_names, creation_schema};
use crate::error::{Error, Result, SqlState, type_name};
use crate::session::{Execution, Session};

/// Runs CREATE VIEW.
pub(super) async fn create(session: &mut Session, create: &CreateView) -> Result<Execution> {
    let plan = session.planner()?.described(&create.query, &[]).await?;
    let mut temporary = create.temporary;
    let objects = Arc::clone(session.work()?.objects());
    let reads_temporary = plan.reads.iter().any(|id| {
        let table = objects.table(*id).map(|table| &table.schema);
        table.or_else(|| objects.view(*id).map(|view| &view.schema)).is_some_and(|schema| is_temporary(schema))
    });
    if reads_temporary && !temporary {
        session.notice(format!("view \"{}\" will be a temporary view", create.name.name));
        temporary = true;
    }
    let schema = match temporary {
        true => session.temporary_schema_for(create.name.schema.as_deref())?,
        false => creation_schema(session, &create.name)?,
    };
    let existing = match session.work()?.objects().lookup(&schema, &create.name.name) {
        None => None,
        Some(Relation::Table(_)) if create.or_replace => {
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a view", create.name.name)));
        }
        Some(Relation::View(view)) if create.or_replace => Some(view),
        Some(_) => {
            let message = format!("relation \"{}\" already exists", create.name.name);
            return Err(Error::new(SqlState::DUPLICATE_TABLE, message));
        }
    };
    if !plan.logical.get_parameter_names()?.is_empty() {
        return Err(Error::new(SqlState::UNDEFINED_PARAMETER, "a view cannot have parameters"));
    }
    let names = column_names(&create.columns, &plan.columns)?;
    let columns = columns(&names, &plan.columns);
    if let Some(existing) = &existing {
        session.rights()?.check_owner(existing.id, "view", &existing.name)?;
        check_replacement(existing, &columns)?;
        check_recursion(session.work()?.objects(), existing, &plan.reads)?;
    }
    let search_path = if is_temporary(&schema) { session.search_path()? } else { session.permanent_path()? };
    let work = session.work()?;
    let view = ViewDef {
        id: existing.as_ref().map_or_else(|| work.allocate_id(), |view| view.id),
        schema,
        name: create.name.name.clone(),
        sql: create.query_text.clone(),
        columns,
        depends_on: plan.reads,
        search_path,
        comment: existing.as_ref().and_then(|view| view.comment.clone()),
        created_at: existing.as_ref().map_or_else(Utc::now, |view| view.created_at),
    };
    work.change(Change::PutView(view))?;
    Ok(Execution::done("CREATE VIEW"))
}

/// A view's columns. Its types may be ones that no table stores (an interval), so they are kept by PostgreSQL's name.
pub(super) fn columns(names: &[String], columns: &Schema) -> Vec<ColumnDef> {
    let column = |(name, field): (&String, &_)| ColumnDef {
        number: 0,
        name: name.clone(),
        pg_type: PgType::from_arrow(field).map_or_else(|_| type_name(field), |pg| pg.to_string()),
        not_null: false,
        default: None,
        comment: None,
    };
    names.iter().zip(columns.fields().iter().map(AsRef::as_ref)).map(column).collect()
}

/// PostgreSQL's rule: a replacement keeps the columns there are and may add more behind them.
fn check_replacement(existing: &ViewDef, columns: &[ColumnDef]) -> Result<()> {
    let refuse = |message: String| {
        Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message)
            .with_hint("drop the view first, or give it another name"))
    };
    if columns.len() < existing.columns.len() {
        return refuse("cannot drop columns from view".to_owned());
    }
    for (old, new) in existing.columns.iter().zip(columns) {
        if old.name != new.name {
            return refuse(format!("cannot change name of view column \"{}\" to \"{}\"", old.name, new.name));
        }
        if old.pg_type != new.pg_type {
            return refuse(format!(
                "cannot change data type of view column \"{}\" from {} to {}",
                old.name, old.pg_type, new.pg_type
            ));
        }
    }
    Ok(())
}

/// A view must not come to read itself.
fn check_recursion(objects: &Objects, view: &ViewDef, reads: &[ObjectId]) -> Result<()> {
    let readers = objects.dependents(view.id);
    if reads.contains(&view.id) || readers.iter().any(|reader| reads.contains(&reader.id)) {
        let message = format!("infinite recursion detected in rules for relation \"{}\"", view.name);
        return Err(Error::new(SqlState::INVALID_OBJECT_DEFINITION, message));
    }
    Ok(())
}
