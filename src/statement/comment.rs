//! COMMENT ON TABLE, VIEW, COLUMN, SCHEMA.

use std::sync::Arc;

use catalog::objects::{Change, ColumnDef, Relation, SchemaDef, TableDef, ViewDef};

use super::ast::{CommentTarget, QualifiedName};
use super::table::find;
use crate::error::{Error, Result, SqlState};
use crate::session::{Execution, Session};

/// Runs COMMENT ON; `None` takes the comment away.
pub(super) fn run(session: &mut Session, target: &CommentTarget, comment: Option<&str>) -> Result<Execution> {
    let comment = comment.map(str::to_owned);
    let change = match target {
        CommentTarget::Schema(name) => match session.work()?.objects().schema(name) {
            Some(schema) => {
                let schema = Arc::clone(schema);
                session.rights()?.check_owner(schema.id, "schema", name)?;
                Change::PutSchema(SchemaDef { comment, ..(*schema).clone() })
            }
            None => return Err(Error::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))),
        },
        CommentTarget::Table(name) => match own(session, name)? {
            Relation::Table(table) => Change::PutTable(TableDef { comment, ..(*table).clone() }),
            Relation::View(_) => {
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a table", name.name)));
            }
        },
        CommentTarget::View(name) => match own(session, name)? {
            Relation::View(view) => Change::PutView(ViewDef { comment, ..(*view).clone() }),
            Relation::Table(_) => {
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a view", name.name)));
            }
        },
        CommentTarget::Column { relation, column } => {
            let set = |columns: &mut Vec<ColumnDef>| match columns.iter_mut().find(|c| c.name == *column) {
                Some(found) => {
                    found.comment = comment;
                    Ok(())
                }
                None => {
                    let message = format!("column \"{column}\" of relation \"{}\" does not exist", relation.name);
                    Err(Error::new(SqlState::UNDEFINED_COLUMN, message))
                }
            };
            match own_column(session, relation)? {
                Relation::Table(table) => {
                    let mut table = (*table).clone();
                    set(&mut table.columns)?;
                    Change::PutTable(table)
                }
                Relation::View(view) => {
                    let mut view = (*view).clone();
                    set(&mut view.columns)?;
                    Change::PutView(view)
                }
            }
        }
    };
    session.work()?.change(change)?;
    Ok(Execution::done("COMMENT"))
}

/// The relation of that name, if it may be commented on.
fn own(session: &mut Session, name: &QualifiedName) -> Result<Relation> {
    let relation = find(session, name)?;
    session.rights()?.check_relation_owner(&relation)?;
    Ok(relation)
}

/// The relation of a column, if it may be commented on.
fn own_column(session: &mut Session, name: &QualifiedName) -> Result<Relation> {
    let relation = find(session, name)?;
    session.rights()?.check_owner(relation.id(), "relation", relation.name())?;
    Ok(relation)
}
