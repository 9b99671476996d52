//! `information_schema`: the standard's views over the same facts as `pg_catalog`, with PostgreSQL's columns.
//!
//! Views about things that no warehouse has (triggers, domains, sequences) are there and empty; views that would say
//! something else than the truth if they were empty are not there.

mod columns;
mod constraints;
mod privileges;
mod relations;
mod routines;

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result;

use crate::pg_catalog::rows::{Datum, Rows};
use crate::pg_catalog::table::{self, CatalogTable, Wanted};
use crate::pg_catalog::{DATABASE, Fill, PgCatalog, builtin};

/// The schema's name.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// Views of which a warehouse has no rows.
const EMPTY: [&str; 31] = [
    "attributes",
    "check_constraint_routine_usage",
    "column_column_usage",
    "column_domain_usage",
    "column_options",
    "domain_constraints",
    "domain_udt_usage",
    "domains",
    "foreign_data_wrapper_options",
    "foreign_data_wrappers",
    "foreign_server_options",
    "foreign_servers",
    "foreign_table_options",
    "foreign_tables",
    "referential_constraints",
    "role_udt_grants",
    "role_usage_grants",
    "routine_column_usage",
    "routine_routine_usage",
    "routine_sequence_usage",
    "routine_table_usage",
    "sequences",
    "sql_parts",
    "transforms",
    "triggered_update_columns",
    "triggers",
    "udt_privileges",
    "user_defined_types",
    "user_mapping_options",
    "user_mappings",
    "view_routine_usage",
];

/// The view of that name.
pub(crate) fn view(catalog: &Arc<PgCatalog>, name: &str) -> Option<Arc<dyn TableProvider>> {
    let relation = builtin::relation(INFORMATION_SCHEMA, name)?;
    let fill: Fill = match name {
        "administrable_role_authorizations" => privileges::fill_administrable_roles,
        "applicable_roles" => privileges::fill_applicable_roles,
        "character_sets" => fill_character_sets,
        "check_constraints" => constraints::fill_checks,
        "column_privileges" => privileges::fill_column_privileges,
        "columns" => columns::fill,
        "constraint_column_usage" => constraints::fill_column_usage,
        "constraint_table_usage" => constraints::fill_table_usage,
        "element_types" => columns::fill_elements,
        "enabled_roles" => privileges::fill_enabled_roles,
        "information_schema_catalog_name" => fill_catalog_name,
        "key_column_usage" => constraints::fill_key_columns,
        "parameters" => routines::fill_parameters,
        "role_column_grants" => privileges::fill_role_column_grants,
        "role_table_grants" => privileges::fill_role_table_grants,
        "routines" => routines::fill,
        "schemata" => relations::fill_schemata,
        "table_constraints" => constraints::fill,
        "table_privileges" => privileges::fill_table_privileges,
        "tables" => relations::fill_tables,
        "view_table_usage" => relations::fill_view_tables,
        "views" => relations::fill_views,
        _ if EMPTY.contains(&name) => return Some(table::nothing(relation, false)),
        _ => return None,
    };
    Some(Arc::new(CatalogTable::new(Arc::clone(catalog), relation, fill, false)))
}

fn fill_catalog_name(_: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    rows.columns(["catalog_name"])?.push([DATABASE.into()])
}

fn fill_character_sets(_: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out =
        rows.columns(["character_set_name", "character_repertoire", "form_of_use", "default_collate_name"])?;
    out.push(["UTF8".into(), "UCS".into(), "UTF8".into(), "C".into()])
}

/// `YES` or `NO`.
fn yes_or_no(value: bool) -> Datum<'static> {
    if value { "YES".into() } else { "NO".into() }
}
