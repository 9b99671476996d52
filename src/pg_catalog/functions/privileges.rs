//! `has_table_privilege` and its kin: what a role may do. The superuser, the one role there is, may do everything.

use datafusion::common::Result;

use super::catalog_function::{Body, Entry, Row};
use crate::pg_catalog::{PgCatalog, Reg};

const fn entry(
    name: &'static str,
    arguments: (usize, usize),
    body: fn(&PgCatalog, &Row<'_>) -> Result<Option<bool>>,
) -> Entry {
    Entry { name, arguments, strict: arguments.0, returns: "bool", body: Body::Bool(body) }
}

pub(super) const LIST: &[Entry] = &[
    entry("has_table_privilege", (2, 3), relation),
    entry("has_any_column_privilege", (2, 3), relation),
    entry("has_column_privilege", (3, 4), yes),
    entry("has_schema_privilege", (2, 3), schema),
    entry("has_database_privilege", (2, 3), yes),
    entry("has_function_privilege", (2, 3), yes),
    entry("has_sequence_privilege", (2, 3), yes),
    entry("has_language_privilege", (2, 3), yes),
    entry("has_tablespace_privilege", (2, 3), yes),
    entry("has_type_privilege", (2, 3), yes),
    entry("has_server_privilege", (2, 3), yes),
    entry("has_foreign_data_wrapper_privilege", (2, 3), yes),
    entry("pg_has_role", (2, 3), yes),
];

fn yes(_: &PgCatalog, _: &Row<'_>) -> Result<Option<bool>> {
    Ok(Some(true))
}

/// Nothing can be done with what is not there: NULL for a number, an error for a name.
fn relation(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<bool>> {
    let oid = row.oid(catalog, row.len() - 2, Reg::Class)?;
    Ok(oid.and_then(|oid| crate::pg_catalog::names::class_parts(catalog, oid)).map(|_| true))
}

fn schema(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<bool>> {
    let oid = row.oid(catalog, row.len() - 2, Reg::Namespace)?;
    Ok(oid.filter(|oid| catalog.schemas().any(|(known, _)| known == *oid)).map(|_| true))
}
