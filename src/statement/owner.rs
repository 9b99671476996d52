//! ALTER … OWNER TO.

use std::sync::Arc;

use catalog::objects::{Change, Privileges, Relation};

use super::access_ast::{Owned, OwnerStatement};
use super::role::{check_member, find, owned_by};
use super::table::find_if_exists;
use crate::error::{Error, Result, SqlState};
use crate::session::{Execution, Session};

/// Runs ALTER TABLE, VIEW, SCHEMA … OWNER TO.
///
/// # Errors
/// 42501 unless who asks owns the object, could take the new owner's role, and the new owner could make the object where
/// it is.
pub(super) fn run(session: &mut Session, statement: &OwnerStatement) -> Result<Execution> {
    let (name, is_view, tag) = match &statement.object {
        Owned::Schema(name) => return schema(session, name, statement),
        Owned::Table(name) => (name, false, "ALTER TABLE"),
        Owned::View(name) => (name, true, "ALTER VIEW"),
    };
    let relation = match find_if_exists(session, name)? {
        Some(Relation::Table(_)) if is_view => {
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a view", name.name)));
        }
        Some(relation) => relation,
        None if statement.if_exists => {
            session.notice(format!("relation \"{name}\" does not exist, skipping"));
            return Ok(Execution::done(tag));
        }
        None => {
            return Err(Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist")));
        }
    };
    let new = find(session, &statement.owner)?;
    let rights = session.rights()?;
    let access = rights.objects().access(relation.id());
    rights.check_relation_owner(&relation)?;
    if access.owner != new.id {
        if !rights.is_superuser() {
            check_member(&rights, &new)?;
            rights.of(new.id).check_schema(relation.schema(), Privileges::CREATE)?;
        }
        session.work()?.change(Change::PutAccess(owned_by(&access, new.id)))?;
    }
    Ok(Execution::done(tag))
}

fn schema(session: &mut Session, name: &str, statement: &OwnerStatement) -> Result<Execution> {
    let Some(schema) = session.work()?.objects().schema(name).map(Arc::clone) else {
        return Err(Error::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist")));
    };
    let new = find(session, &statement.owner)?;
    let rights = session.rights()?;
    let access = rights.objects().access(schema.id);
    if access.owner != new.id {
        rights.check_owner(schema.id, "schema", name)?;
        check_member(&rights, &new)?;
        rights.check_database(Privileges::CREATE)?;
        session.work()?.change(Change::PutAccess(owned_by(&access, new.id)))?;
    }
    Ok(Execution::done("ALTER SCHEMA"))
}
