//! `pg_constraint`: primary keys.

use catalog::objects::TableDef;
use datafusion::common::Result;

use super::rows::{Datum, Rows};
use super::table::Wanted;
use super::{PgCatalog, oids};

pub(super) fn fill(catalog: &PgCatalog, wanted: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "oid",
        "conname",
        "connamespace",
        "contype",
        "convalidated",
        "conrelid",
        "conindid",
        "confupdtype",
        "confdeltype",
        "confmatchtype",
        "conislocal",
        "connoinherit",
        "conkey",
    ])?;
    let keyed = catalog.view.objects().tables().filter(|table| !table.primary_key.is_empty());
    for table in keyed.filter(|table| wanted.wants("conrelid", table.id)) {
        out.push([
            oids::primary_key(table.id).into(),
            format!("{}_pkey", table.name).into(),
            catalog.schema_oid(&table.schema).unwrap_or_default().into(),
            "p".into(),
            true.into(),
            table.id.into(),
            oids::primary_key_index(table.id).into(),
            " ".into(),
            " ".into(),
            " ".into(),
            true.into(),
            true.into(),
            Datum::ints(key_numbers(table)),
        ])?;
    }
    Ok(())
}

/// The numbers of a primary key's columns.
pub(crate) fn key_numbers(table: &TableDef) -> Vec<i64> {
    let number = |name: &String| table.columns.iter().position(|column| column.name == *name);
    table.primary_key.iter().filter_map(number).filter_map(|i| i64::try_from(i + 1).ok()).collect()
}
