//! ALTER TABLE, VIEW and SCHEMA: checked, planned as one change of the catalog and of the rows, staged for commit.
//!
//! * `columns`: the actions of ALTER TABLE, and RENAME COLUMN
//! * `reshape`: what such a change makes of a table's rows
//! * `mentions`, `views`: the queries of views that read what is altered

mod columns;
mod mentions;
mod reshape;
mod views;

use std::sync::Arc;

use catalog::objects::{
    AccessDef, Change, ObjectId, Privileges, Relation, SYSTEM_SCHEMA, SchemaDef, TableDef, ViewDef, is_temporary,
};

use self::views::Reshaped;
use super::alter_ast::{Alter, AlterAction};
use super::ast::ObjectKind;
use super::{schema, table};
use crate::error::{Error, Result, SqlState};
use crate::privileges::PG_TEMP;
use crate::session::{Execution, Session};

/// Runs it.
pub(super) async fn run(session: &mut Session, alter: &Alter) -> Result<Execution> {
    let tag = tag(alter);
    if alter.kind == ObjectKind::Schema {
        if let AlterAction::RenameTo(to) = &alter.action {
            rename_schema(session, &alter.name.name, to).await?;
        }
        return Ok(Execution::done(tag));
    }
    let found = match table::find_if_exists(session, &alter.name)? {
        None if alter.if_exists => {
            session.notice(format!("relation \"{}\" does not exist, skipping", alter.name.name));
            return Ok(Execution::done(tag));
        }
        _ => table::find(session, &alter.name)?,
    };
    let relation = owned(session, alter, found.id())?;
    match &alter.action {
        AlterAction::Columns(actions) => columns::alter(session, &relation, actions).await?,
        AlterAction::RenameColumn { from, to } => columns::rename(session, &relation, from, to).await?,
        AlterAction::RenameTo(name) => {
            session.rights()?.check_schema(relation.schema(), Privileges::CREATE)?;
            if session.work()?.objects().lookup(relation.schema(), name).is_some() {
                return Err(Error::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists")));
            }
            relocate(session, &relation, relation.schema(), name).await?;
        }
        AlterAction::SetSchema(schema) => set_schema(session, &relation, schema).await?,
    }
    Ok(Execution::done(tag))
}

/// Its command tag.
pub(super) fn tag(alter: &Alter) -> &'static str {
    match alter.kind {
        ObjectKind::Table => "ALTER TABLE",
        ObjectKind::View => "ALTER VIEW",
        ObjectKind::Schema => "ALTER SCHEMA",
    }
}

/// The relation as it is now, if it is of the kind that was named and may be altered.
fn owned(session: &mut Session, alter: &Alter, id: ObjectId) -> Result<Relation> {
    let rights = session.rights()?;
    let objects = rights.objects();
    let table = || objects.table(id).cloned().map(Relation::Table);
    let relation = table()
        .or_else(|| objects.view(id).cloned().map(Relation::View))
        .ok_or_else(|| Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{}\" does not exist", alter.name)))?;
    rights.check_relation_owner(&relation)?;
    match (&relation, alter.kind) {
        (Relation::Table(def), ObjectKind::View) => {
            Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a view", def.name)))
        }
        (Relation::Table(def), _) => table::writable(def).map(|()| relation),
        (Relation::View(_), _) => Ok(relation),
    }
}

async fn set_schema(session: &mut Session, relation: &Relation, schema: &str) -> Result<()> {
    if session.work()?.objects().schema(schema).is_none() && schema != PG_TEMP {
        return Err(table::no_schema(session, schema)?);
    }
    if [schema, relation.schema()].into_iter().any(|schema| is_temporary(schema) || schema == PG_TEMP) {
        let message = "cannot move objects into or out of temporary schemas";
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    if schema == SYSTEM_SCHEMA {
        return Err(crate::privileges::denied("schema", schema));
    }
    session.rights()?.check_schema(schema, Privileges::CREATE)?;
    if relation.schema() == schema {
        return Ok(());
    }
    if session.work()?.objects().lookup(schema, relation.name()).is_some() {
        let message = format!("relation \"{}\" already exists in schema \"{schema}\"", relation.name());
        return Err(Error::new(SqlState::DUPLICATE_TABLE, message));
    }
    relocate(session, relation, schema, relation.name()).await
}

/// Gives a relation another name or schema. A table's folder stays where it is.
async fn relocate(session: &mut Session, relation: &Relation, schema: &str, name: &str) -> Result<()> {
    let readers = views::readers(session, relation.id()).await?;
    let objects = Arc::clone(session.work()?.objects());
    let reshaped = Reshaped { before: relation, schema, name, gained: Vec::new(), renamed: None };
    let (to_schema, to_name) = (schema.to_owned(), name.to_owned());
    let mut changes = vec![match relation {
        Relation::Table(def) => Change::PutTable(TableDef { schema: to_schema, name: to_name, ..def.as_ref().clone() }),
        Relation::View(def) => Change::PutView(ViewDef { schema: to_schema, name: to_name, ..def.as_ref().clone() }),
    }];
    for reader in &readers {
        changes.extend(reshaped.kept(&objects, reader)?.map(Change::PutView));
    }
    session.work()?.change_together(changes)?;
    let known = readers.iter().filter(|reader| reader.sound).map(|reader| reader.view.id);
    let what = format!("rename {} {}", relation.kind(), relation.name());
    views::check(session, &known.collect::<Vec<_>>(), &what).await
}

/// ALTER SCHEMA … RENAME TO.
async fn rename_schema(session: &mut Session, name: &str, to: &str) -> Result<()> {
    let Some(old) = session.work()?.objects().schema(name).cloned() else {
        return Err(table::no_schema(session, name)?);
    };
    let rights = session.rights()?;
    rights.check_owner(old.id, "schema", name)?;
    rights.check_database(Privileges::CREATE)?;
    if super::drop::BUILT_IN.contains(&name) || is_temporary(name) {
        return Err(Error::unsupported(format!("renaming schema \"{name}\"")));
    }
    let objects = Arc::clone(session.work()?.objects());
    if objects.schema(to).is_some() {
        return Err(Error::new(SqlState::DUPLICATE_SCHEMA, format!("schema \"{to}\" already exists")));
    }
    schema::check_name(to)?;
    let mut changes = vec![Change::PutSchema(SchemaDef { name: to.to_owned(), ..old.as_ref().clone() })];
    let tables = objects.tables().filter(|def| def.schema == name);
    changes.extend(tables.map(|def| Change::PutTable(TableDef { schema: to.to_owned(), ..def.as_ref().clone() })));
    let planner = session.planner()?;
    let mut known = Vec::new();
    for view in objects.views() {
        let renamed = views::with_schema(view, name, to)?;
        let looks_there = |path: &[String]| path.iter().any(|schema| schema == name || schema == to);
        if renamed != **view || looks_there(&view.search_path) {
            let plan = planner.view_query(view).await;
            known.extend(plan.is_ok_and(|plan| views::is_sound(view, &plan)).then_some(view.id));
        }
        if renamed != **view {
            changes.push(Change::PutView(renamed));
        }
    }
    session.work()?.change_together(changes)?;
    views::check(session, &known, &format!("rename schema {name}")).await
}

/// The access lists of a relation with other columns; `None` if they stay as they are.
fn access_after(access: &AccessDef, rename: impl Fn(&str) -> Option<String>) -> Option<AccessDef> {
    let columns = access.columns.iter().filter_map(|(name, items)| Some((rename(name)?, items.clone()))).collect();
    let after = AccessDef { columns, ..access.clone() };
    (after != *access).then_some(after)
}
