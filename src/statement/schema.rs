//! CREATE SCHEMA.

use catalog::objects::{Change, Privileges, SchemaDef};

use super::access_ast::RoleSpec;
use super::role;
use crate::error::{Error, Result, SqlState};
use crate::session::{Execution, Session};

/// Schemas that are not the user's to make: the engine's own.
const RESERVED: [&str; 4] = ["information_schema", "audience", "cron", "_audiencedb"];

/// Runs CREATE SCHEMA.
pub(super) fn create(
    session: &mut Session,
    name: &str,
    if_not_exists: bool,
    owner: Option<&RoleSpec>,
) -> Result<Execution> {
    let rights = session.rights()?;
    rights.check_database(Privileges::CREATE)?;
    let owner = match owner {
        Some(spec) => {
            let owner = role::find(session, spec)?;
            role::check_member(&rights, &owner)?;
            owner.id
        }
        None => rights.role(),
    };
    check_name(name)?;
    if session.work()?.objects().schema(name).is_some() {
        if if_not_exists {
            session.notice(format!("schema \"{name}\" already exists, skipping"));
            return Ok(Execution::done("CREATE SCHEMA"));
        }
        return Err(Error::new(SqlState::DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists")));
    }
    let work = session.work()?;
    let schema = SchemaDef { id: work.allocate_id(), name: name.to_owned(), comment: None };
    work.set_owner(owner);
    work.change(Change::PutSchema(schema))?;
    Ok(Execution::done("CREATE SCHEMA"))
}

/// That a schema may be called so.
///
/// # Errors
/// 42939.
pub(super) fn check_name(name: &str) -> Result<()> {
    if name.starts_with("pg_") || RESERVED.contains(&name) {
        let message = format!("unacceptable schema name \"{name}\"");
        return Err(Error::new(SqlState::RESERVED_NAME, message)
            .with_detail("The prefix \"pg_\" and the names of the engine's own schemas are reserved."));
    }
    Ok(())
}
