//! GRANT and REVOKE of privileges on tables, views, columns, schemas and the database.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::objects::access::{DATABASE, PUBLIC};
use catalog::objects::{AccessDef, Change, ColumnDef, ObjectId, Privileges, Relation};

use super::access_ast::{GrantStatement, GrantTarget, RoleSpec};
use super::role;
use super::table::find;
use crate::error::{Error, Result, SqlState};
use crate::privileges::acl::{Alteration, best_grantor, effective, grant, held, held_on_column, revoke};
use crate::privileges::denied;
use crate::session::{Execution, Session};

/// An object whose list is changed.
struct Object {
    id: ObjectId,
    kind: &'static str,
    name: String,
    /// All privileges that it has.
    all: Privileges,
    /// Its columns, of a table or view.
    columns: Vec<String>,
}

/// Runs GRANT or REVOKE.
///
/// # Errors
/// 42501 without any privilege on the object; 0LP01 for what can't be granted; 2BP01 for a REVOKE that would take what
/// others hold by it, without CASCADE.
pub(super) fn run(session: &mut Session, statement: &GrantStatement) -> Result<Execution> {
    if let Some(spec) = &statement.granted_by {
        if role::find(session, spec)?.id != session.rights()?.role() {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "grantor must be current user"));
        }
    }
    let mut grantees = Vec::with_capacity(statement.grantees.len());
    for spec in &statement.grantees {
        grantees.push(match spec {
            RoleSpec::Public => PUBLIC,
            spec => role::find(session, spec)?.id,
        });
    }
    let objects = objects(session, &statement.target)?;
    for object in &objects {
        check_kinds(statement, object)?;
    }
    for object in objects {
        alter(session, statement, &grantees, &object)?;
    }
    Ok(Execution::done(if statement.grant { "GRANT" } else { "REVOKE" }))
}

fn objects(session: &mut Session, target: &GrantTarget) -> Result<Vec<Object>> {
    let mut found = Vec::new();
    match target {
        GrantTarget::Tables(names) => {
            for name in names {
                found.push(relation(find(session, name)?));
            }
        }
        GrantTarget::AllTables(schemas) => {
            for name in schemas {
                check_schema_exists(session, name)?;
                session.rights()?.check_schema(name, Privileges::USAGE)?;
                found.extend(session.work()?.objects().relations(name).cloned().map(relation));
            }
        }
        GrantTarget::Schemas(names) => {
            for name in names {
                let id = check_schema_exists(session, name)?;
                found.push(Object {
                    id,
                    kind: "schema",
                    name: name.clone(),
                    all: Privileges::OF_SCHEMA,
                    columns: Vec::new(),
                });
            }
        }
        GrantTarget::Databases(names) => {
            for name in names {
                if name != crate::engine::DATABASE {
                    let message = format!("database \"{name}\" does not exist");
                    return Err(Error::new(SqlState::INVALID_CATALOG_NAME, message)
                        .with_hint("there is one database, \"audience\""));
                }
                let (name, all) = (name.clone(), Privileges::OF_DATABASE);
                found.push(Object { id: DATABASE, kind: "database", name, all, columns: Vec::new() });
            }
        }
    }
    Ok(found)
}

fn check_schema_exists(session: &mut Session, name: &str) -> Result<ObjectId> {
    let schema = session.work()?.objects().schema(name).map(|schema| schema.id);
    schema.ok_or_else(|| Error::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist")))
}

fn relation(relation: Relation) -> Object {
    let names = |columns: &[ColumnDef]| columns.iter().map(|column| column.name.clone()).collect();
    let columns = match &relation {
        Relation::Table(table) => names(&table.columns),
        Relation::View(view) => names(&view.columns),
    };
    let (id, name) = (relation.id(), relation.name().to_owned());
    // As in PostgreSQL, where GRANT ON TABLE takes views too.
    Object { id, kind: "table", name, all: Privileges::OF_TABLE, columns }
}

/// That the privileges are ones that such an object has.
fn check_kinds(statement: &GrantStatement, object: &Object) -> Result<()> {
    let invalid = |message: String| Err(Error::new(SqlState::INVALID_GRANT_OPERATION, message));
    for named in &statement.privileges {
        if !named.columns.is_empty() && object.all != Privileges::OF_TABLE {
            return invalid("column privileges are only valid for relations".to_owned());
        }
        let Some(privilege) = named.privilege else { continue };
        if !object.all.contains(privilege) {
            let kind = if object.all == Privileges::OF_TABLE { "relation" } else { object.kind };
            return invalid(format!("invalid privilege type {} for {kind}", privilege.word()));
        }
        if !named.columns.is_empty() && !Privileges::OF_COLUMN.contains(privilege) {
            return invalid(format!("invalid privilege type {} for column", privilege.word()));
        }
    }
    Ok(())
}

fn alter(session: &mut Session, statement: &GrantStatement, grantees: &[ObjectId], object: &Object) -> Result<()> {
    let mut whole = Privileges::NONE;
    let mut columns: BTreeMap<&str, Privileges> = BTreeMap::new();
    let mut add = |name, more: Privileges| {
        let known: &mut Privileges = columns.entry(name).or_default();
        *known = known.union(more);
    };
    for named in &statement.privileges {
        if named.columns.is_empty() {
            whole = whole.union(named.privilege.unwrap_or(object.all));
        }
        for column in &named.columns {
            let Some(known) = object.columns.iter().find(|known| *known == column) else {
                let message = format!("column \"{column}\" of relation \"{}\" does not exist", object.name);
                return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
            };
            add(known.as_str(), named.privilege.unwrap_or(Privileges::OF_COLUMN));
        }
    }
    let access = session.rights()?.objects().access(object.id);
    // What is revoked of a table is revoked of its columns, too.
    if !statement.grant {
        for column in access.columns.keys() {
            if let Some(known) = object.columns.iter().find(|known| *known == column) {
                add(known.as_str(), whole.intersection(Privileges::OF_COLUMN));
            }
        }
    }
    if !whole.is_empty() {
        alter_whole(session, statement, grantees, object, whole)?;
    }
    for (column, privileges) in columns {
        if !privileges.is_empty() {
            alter_column(session, statement, grantees, object, column, privileges)?;
        }
    }
    Ok(())
}

fn alter_whole(
    session: &mut Session,
    statement: &GrantStatement,
    grantees: &[ObjectId],
    object: &Object,
    wanted: Privileges,
) -> Result<()> {
    let rights = session.rights()?;
    let objects = Arc::clone(rights.objects());
    let access = objects.access(object.id);
    let (grantor, grantable) = best_grantor(&objects, rights.role(), &access, None, wanted);
    let held = held(&objects, grantor, object.id);
    if grantable.is_empty() && held.privileges.union(held.grantable).is_empty() {
        return Err(denied(object.kind, &object.name));
    }
    let all = statement.privileges.iter().any(|named| named.privilege.is_none());
    let privileges = allowed(session, statement, grantable, wanted, all, &format!("\"{}\"", object.name));
    let items = effective(&objects, &access);
    let change =
        Alteration { grantees, privileges, grant_option: statement.grant_option, grantor, owner: access.owner };
    let items = if statement.grant { grant(&items, change)? } else { revoke(&items, change, statement.cascade)? };
    session.work()?.change(Change::PutAccess(AccessDef { acl: Some(items), ..(*access).clone() }))?;
    Ok(())
}

fn alter_column(
    session: &mut Session,
    statement: &GrantStatement,
    grantees: &[ObjectId],
    object: &Object,
    column: &str,
    wanted: Privileges,
) -> Result<()> {
    let rights = session.rights()?;
    let objects = Arc::clone(rights.objects());
    let access = objects.access(object.id);
    let items = access.columns.get(column).cloned().unwrap_or_default();
    if !statement.grant && items.is_empty() {
        return Ok(());
    }
    let (grantor, grantable) = best_grantor(&objects, rights.role(), &access, Some(column), wanted);
    let (of_table, of_column) =
        (held(&objects, grantor, object.id), held_on_column(&objects, grantor, object.id, column));
    let held = of_table.privileges.union(of_table.grantable).intersection(Privileges::OF_COLUMN);
    if grantable.is_empty() && held.union(of_column.privileges).union(of_column.grantable).is_empty() {
        let message = format!("permission denied for column \"{column}\" of relation \"{}\"", object.name);
        return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    }
    let all = statement.privileges.iter().any(|named| named.privilege.is_none());
    let what = format!("column \"{column}\" of relation \"{}\"", object.name);
    let privileges = allowed(session, statement, grantable, wanted, all, &what);
    let change =
        Alteration { grantees, privileges, grant_option: statement.grant_option, grantor, owner: access.owner };
    let items = if statement.grant { grant(&items, change)? } else { revoke(&items, change, statement.cascade)? };
    let mut altered = (*access).clone();
    if items.is_empty() {
        altered.columns.remove(column);
    } else {
        altered.columns.insert(column.to_owned(), items);
    }
    session.work()?.change(Change::PutAccess(altered))?;
    Ok(())
}

/// Of what is wanted, what the grantor may grant or take back; a warning tells of the rest.
fn allowed(
    session: &mut Session,
    statement: &GrantStatement,
    grantable: Privileges,
    wanted: Privileges,
    all: bool,
    what: &str,
) -> Privileges {
    let (sqlstate, verb, done) = match statement.grant {
        true => (SqlState::PRIVILEGE_NOT_GRANTED, "were granted", "no privileges were granted"),
        false => (SqlState::PRIVILEGE_NOT_REVOKED, "could be revoked", "no privileges could be revoked"),
    };
    let allowed = wanted.intersection(grantable);
    if allowed.is_empty() {
        session.warning(sqlstate, format!("{done} for {what}"));
    } else if !all && allowed != wanted {
        session.warning(sqlstate, format!("not all privileges {verb} for {what}"));
    }
    allowed
}
