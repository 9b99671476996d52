//! `has_table_privilege` and its kin: what a role may do.
//!
//! Each is asked of the current role, or of the one that stands before the other arguments, by name or by number.

use catalog::objects::access::PUBLIC;
use catalog::objects::{ObjectId, Privileges};
use datafusion::common::Result;

use super::catalog_function::{Body, Entry, Row};
use crate::error::{Error, SqlState};
use crate::pg_catalog::{DATABASE, PgCatalog, Reg, names, oids};
use crate::privileges::ask;

const fn entry(
    name: &'static str,
    arguments: (usize, usize),
    body: fn(&PgCatalog, &Row<'_>) -> Result<Option<bool>>,
) -> Entry {
    Entry { name, arguments, strict: arguments.0, returns: "bool", body: Body::Bool(body) }
}

pub(super) const LIST: &[Entry] = &[
    entry("has_table_privilege", (2, 3), table),
    entry("has_any_column_privilege", (2, 3), any_column),
    entry("has_column_privilege", (3, 4), column),
    entry("has_schema_privilege", (2, 3), schema),
    entry("has_database_privilege", (2, 3), database),
    entry("has_function_privilege", (2, 3), function),
    entry("has_sequence_privilege", (2, 3), absent),
    entry("has_language_privilege", (2, 3), usage),
    entry("has_tablespace_privilege", (2, 3), absent),
    entry("has_type_privilege", (2, 3), usage),
    entry("has_server_privilege", (2, 3), absent),
    entry("has_foreign_data_wrapper_privilege", (2, 3), absent),
    entry("pg_has_role", (2, 3), role),
];

/// The role that is asked about, where `own` arguments follow it.
///
/// # Errors
/// 42704 for a name that no role has.
fn asked(catalog: &PgCatalog, row: &Row<'_>, own: usize) -> Result<ObjectId> {
    if row.len() == own {
        return Ok(catalog.rights.role());
    }
    match row.text(0) {
        Some("public") => Ok(PUBLIC),
        Some(name) => Ok(named(catalog, name)?),
        None => Ok(row.oid(catalog, 0, Reg::Role)?.unwrap_or(ObjectId::MAX)),
    }
}

/// The role of that name, which is taken as it stands: no quotes, no folding.
fn named(catalog: &PgCatalog, name: &str) -> Result<ObjectId, Error> {
    let role = catalog.view.objects().role(name).map(|role| role.id);
    role.ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")))
}

/// The list of privileges, the last of the arguments.
fn list<'a>(row: &Row<'a>) -> &'a str {
    row.text(row.len() - 1).unwrap_or_default()
}

/// The relation at a place; `None` if its number is that of none.
fn relation(catalog: &PgCatalog, row: &Row<'_>, place: usize) -> Result<Option<u32>> {
    let oid = row.oid(catalog, place, Reg::Class)?;
    Ok(oid.filter(|oid| names::class_parts(catalog, *oid).is_some()))
}

/// Whether it is one of the system's own, or follows from a table: they are there for everyone to read.
fn is_system(catalog: &PgCatalog, oid: u32) -> bool {
    catalog.relation(oid).is_none()
}

fn on_system(role: ObjectId, catalog: &PgCatalog, list: &str) -> Result<Option<bool>> {
    let reads = list.split(',').any(|word| word.trim().eq_ignore_ascii_case("SELECT"));
    ask::on_public(list, Privileges::OF_TABLE)?;
    Ok(Some(reads || catalog.rights.of(role).is_superuser()))
}

fn table(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<bool>> {
    let role = asked(catalog, row, 2)?;
    let Some(oid) = relation(catalog, row, row.len() - 2)? else { return Ok(None) };
    if is_system(catalog, oid) {
        return on_system(role, catalog, list(row));
    }
    Ok(Some(ask::on_object(catalog.view.objects(), role, oid, list(row), Privileges::OF_TABLE)?))
}

fn any_column(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<bool>> {
    let role = asked(catalog, row, 2)?;
    let Some(oid) = relation(catalog, row, row.len() - 2)? else { return Ok(None) };
    if is_system(catalog, oid) {
        return on_system(role, catalog, list(row));
    }
    Ok(Some(ask::on_any_column(catalog.view.objects(), role, oid, list(row))?))
}

fn column(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<bool>> {
    let role = asked(catalog, row, 3)?;
    let Some(oid) = relation(catalog, row, row.len() - 3)? else { return Ok(None) };
    let Some(relation) = catalog.relation(oid) else { return on_system(role, catalog, list(row)) };
    let columns = match &relation {
        catalog::objects::Relation::Table(table) => &table.columns,
        catalog::objects::Relation::View(view) => &view.columns,
    };
    let place = row.len() - 2;
    let found = match row.text(place) {
        Some(name) => match columns.iter().find(|column| column.name == name) {
            Some(column) => column,
            None => {
                let message = format!("column \"{name}\" of relation \"{}\" does not exist", relation.name());
                return Err(Error::new(SqlState::UNDEFINED_COLUMN, message).into());
            }
        },
        None => {
            let number = row.int(place).and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
            match number.checked_sub(1).and_then(|index| columns.get(index)) {
                Some(column) => column,
                None => return Ok(None),
            }
        }
    };
    Ok(Some(ask::on_column(catalog.view.objects(), role, oid, &found.name, list(row))?))
}

fn schema(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<bool>> {
    let role = asked(catalog, row, 2)?;
    let oid = row.oid(catalog, row.len() - 2, Reg::Namespace)?;
    let Some(oid) = oid.filter(|oid| catalog.schemas().any(|(known, _)| known == *oid)) else { return Ok(None) };
    if [oids::PG_CATALOG, oids::INFORMATION_SCHEMA].contains(&oid) {
        ask::on_public(list(row), Privileges::OF_SCHEMA)?;
        let looks = list(row).split(',').any(|word| word.trim().eq_ignore_ascii_case("USAGE"));
        return Ok(Some(looks || catalog.rights.of(role).is_superuser()));
    }
    Ok(Some(ask::on_object(catalog.view.objects(), role, oid, list(row), Privileges::OF_SCHEMA)?))
}

fn database(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<bool>> {
    let role = asked(catalog, row, 2)?;
    match row.text(row.len() - 2) {
        Some(DATABASE) => {}
        Some(name) => {
            let message = format!("database \"{name}\" does not exist");
            return Err(Error::new(SqlState::INVALID_CATALOG_NAME, message).into());
        }
        None if row.int(row.len() - 2) == Some(i64::from(oids::DATABASE)) => {}
        None => return Ok(None),
    }
    Ok(Some(ask::on_object(catalog.view.objects(), role, oids::DATABASE, list(row), Privileges::OF_DATABASE)?))
}

/// Everyone may call every function.
fn function(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<bool>> {
    asked(catalog, row, 2)?;
    row.oid(catalog, row.len() - 2, Reg::Procedure)?;
    Ok(Some(ask::on_public(list(row), Privileges::EXECUTE)?))
}

/// Everyone may use what is built in.
fn usage(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<bool>> {
    asked(catalog, row, 2)?;
    Ok(Some(ask::on_public(list(row), Privileges::USAGE)?))
}

/// There are no such objects: whoever asks by a number gets no answer, as for one that was dropped.
fn absent(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<bool>> {
    asked(catalog, row, 2)?;
    match row.text(row.len() - 2) {
        Some(name) => {
            let message = format!("\"{name}\" does not exist");
            Err(Error::new(SqlState::UNDEFINED_OBJECT, message).into())
        }
        None => Ok(None),
    }
}

fn role(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<bool>> {
    let asked = match row.len() {
        2 => catalog.rights.role(),
        _ => match row.text(0) {
            Some(name) => named(catalog, name)?,
            None => row.oid(catalog, 0, Reg::Role)?.unwrap_or(ObjectId::MAX),
        },
    };
    let place = row.len() - 2;
    let other = match row.text(place) {
        Some(name) => named(catalog, name)?,
        None => row.oid(catalog, place, Reg::Role)?.unwrap_or(ObjectId::MAX),
    };
    Ok(Some(ask::on_role(catalog.view.objects(), asked, other, list(row))?))
}
