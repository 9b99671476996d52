//! `pg_table_is_visible` and its kin: whether a name is found without its schema.

use super::catalog_function::{Body, Entry, Row};
use crate::pg_catalog::names::class_parts;
use crate::pg_catalog::{PgCatalog, Reg};

const fn entry(name: &'static str, body: Body) -> Entry {
    Entry { name, arguments: (1, 1), strict: 1, returns: "bool", body }
}

pub(super) const LIST: &[Entry] = &[
    entry("pg_table_is_visible", Body::Bool(table)),
    entry("pg_function_is_visible", Body::Bool(built_in)),
    entry("pg_type_is_visible", Body::Bool(built_in)),
    entry("pg_operator_is_visible", Body::Bool(built_in)),
    entry("pg_opclass_is_visible", Body::Bool(built_in)),
    entry("pg_opfamily_is_visible", Body::Bool(built_in)),
    entry("pg_collation_is_visible", Body::Bool(built_in)),
    entry("pg_conversion_is_visible", Body::Bool(built_in)),
    entry("pg_statistics_obj_is_visible", Body::Bool(built_in)),
    entry("pg_ts_config_is_visible", Body::Bool(built_in)),
    entry("pg_ts_dict_is_visible", Body::Bool(built_in)),
    entry("pg_ts_parser_is_visible", Body::Bool(built_in)),
    entry("pg_ts_template_is_visible", Body::Bool(built_in)),
];

fn table(catalog: &PgCatalog, row: &Row<'_>) -> datafusion::common::Result<Option<bool>> {
    let Some(oid) = row.oid(catalog, 0, Reg::Class)? else { return Ok(None) };
    Ok(class_parts(catalog, oid).map(|(schema, name)| catalog.is_visible(&schema, &name)))
}

/// All others are built in; the few types of `information_schema` are not found without their schema.
fn built_in(_: &PgCatalog, row: &Row<'_>) -> datafusion::common::Result<Option<bool>> {
    const FIRST_OF_INFORMATION_SCHEMA: i64 = 13_000;
    const FIRST_HASHED: i64 = 1 << 30;
    Ok(row.int(0).map(|oid| oid < FIRST_OF_INFORMATION_SCHEMA || oid >= FIRST_HASHED))
}
