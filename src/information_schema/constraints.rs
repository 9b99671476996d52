//! `table_constraints`, `key_column_usage` and what belongs to them: primary keys, and NOT NULL, which the standard
//! takes for a check.

use catalog::objects::TableDef;
use datafusion::common::Result;

use super::yes_or_no;
use crate::pg_catalog::rows::{Datum, Rows};
use crate::pg_catalog::table::Wanted;
use crate::pg_catalog::{DATABASE, PgCatalog};

fn key(table: &TableDef) -> Option<String> {
    (!table.primary_key.is_empty()).then(|| format!("{}_pkey", table.name))
}

/// The names of NOT NULL constraints, as PostgreSQL makes them up, each with its column.
fn not_nulls(catalog: &PgCatalog, table: &TableDef) -> Vec<(String, String)> {
    let schema = catalog.schema_oid(&table.schema).unwrap_or_default();
    let columns = table.columns.iter().enumerate().filter(|(_, column)| column.not_null);
    columns.map(|(i, column)| (format!("{schema}_{}_{}_not_null", table.id, i + 1), column.name.clone())).collect()
}

pub(super) fn fill(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
        "table_catalog",
        "table_schema",
        "table_name",
        "constraint_type",
        "is_deferrable",
        "initially_deferred",
        "enforced",
    ])?;
    for table in catalog.view.objects().tables() {
        let keys = key(table).into_iter().map(|name| (name, "PRIMARY KEY"));
        let checks = not_nulls(catalog, table).into_iter().map(|(name, _)| (name, "CHECK"));
        for (name, kind) in keys.chain(checks) {
            out.push([
                DATABASE.into(),
                table.schema.as_str().into(),
                name.into(),
                DATABASE.into(),
                table.schema.as_str().into(),
                table.name.as_str().into(),
                kind.into(),
                yes_or_no(false),
                yes_or_no(false),
                yes_or_no(true),
            ])?;
        }
    }
    Ok(())
}

pub(super) fn fill_checks(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["constraint_catalog", "constraint_schema", "constraint_name", "check_clause"])?;
    for table in catalog.view.objects().tables() {
        for (name, column) in not_nulls(catalog, table) {
            let clause = format!("{column} IS NOT NULL");
            out.push([DATABASE.into(), table.schema.as_str().into(), name.into(), clause.into()])?;
        }
    }
    Ok(())
}

pub(super) fn fill_key_columns(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
    ])?;
    for table in catalog.view.objects().tables() {
        let Some(name) = key(table) else { continue };
        for (i, column) in table.primary_key.iter().enumerate() {
            out.push([
                DATABASE.into(),
                table.schema.as_str().into(),
                name.as_str().into(),
                DATABASE.into(),
                table.schema.as_str().into(),
                table.name.as_str().into(),
                column.as_str().into(),
                Datum::Int(i64::try_from(i + 1).unwrap_or_default()),
            ])?;
        }
    }
    Ok(())
}

pub(super) fn fill_column_usage(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
    ])?;
    for table in catalog.view.objects().tables() {
        let Some(name) = key(table) else { continue };
        for column in &table.primary_key {
            out.push([
                DATABASE.into(),
                table.schema.as_str().into(),
                table.name.as_str().into(),
                column.as_str().into(),
                DATABASE.into(),
                table.schema.as_str().into(),
                name.as_str().into(),
            ])?;
        }
    }
    Ok(())
}

pub(super) fn fill_table_usage(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "table_catalog",
        "table_schema",
        "table_name",
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
    ])?;
    for table in catalog.view.objects().tables() {
        let Some(name) = key(table) else { continue };
        let schema = table.schema.as_str();
        let table = table.name.as_str();
        out.push([DATABASE.into(), schema.into(), table.into(), DATABASE.into(), schema.into(), name.into()])?;
    }
    Ok(())
}
