//! `pg_index` and `pg_indexes`: the index that a primary key is in PostgreSQL.
//!
//! Here the key is kept by how the table is laid out. What clients want of the index is the same: which columns are
//! the key.

use catalog::objects::TableDef;
use datafusion::common::Result;

use super::names::quoted;
use super::pg_constraint::key_numbers;
use super::rows::{Datum, Rows};
use super::table::Wanted;
use super::{PgCatalog, oids, pg_attribute};

pub(super) fn fill(catalog: &PgCatalog, wanted: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "indexrelid",
        "indrelid",
        "indnatts",
        "indnkeyatts",
        "indisunique",
        "indisprimary",
        "indimmediate",
        "indisvalid",
        "indisready",
        "indislive",
        "indkey",
        "indcollation",
        "indclass",
        "indoption",
    ])?;
    for table in keyed(catalog) {
        let index = oids::primary_key_index(table.id);
        if !wanted.wants("indrelid", table.id) || !wanted.wants("indexrelid", index) {
            continue;
        }
        let count = i64::try_from(table.primary_key.len()).unwrap_or_default();
        let types: Vec<u32> = table
            .primary_key
            .iter()
            .filter_map(|name| table.columns.iter().find(|column| column.name == *name))
            .map(|column| pg_attribute::column_type(column).0)
            .collect();
        out.push([
            index.into(),
            table.id.into(),
            count.into(),
            count.into(),
            true.into(),
            true.into(),
            true.into(),
            true.into(),
            true.into(),
            true.into(),
            Datum::ints(key_numbers(table)),
            Datum::ints(types.iter().map(|oid| pg_attribute::collation(*oid).into())),
            Datum::ints(types.iter().map(|oid| operator_class(*oid))),
            Datum::ints(types.iter().map(|_| 0)),
        ])?;
    }
    Ok(())
}

pub(super) fn fill_indexes(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["schemaname", "tablename", "indexname", "indexdef"])?;
    for table in keyed(catalog) {
        let name = format!("{}_pkey", table.name);
        out.push([table.schema.as_str().into(), table.name.as_str().into(), name.into(), definition(table).into()])?;
    }
    Ok(())
}

fn keyed(catalog: &PgCatalog) -> impl Iterator<Item = &std::sync::Arc<TableDef>> {
    catalog.view.objects().tables().filter(|table| !table.primary_key.is_empty())
}

/// The statement that would make the index.
pub(crate) fn definition(table: &TableDef) -> String {
    let name = quoted(&format!("{}_pkey", table.name));
    let table_name = format!("{}.{}", quoted(&table.schema), quoted(&table.name));
    format!("CREATE UNIQUE INDEX {name} ON {table_name} USING btree ({})", key_columns(table))
}

/// The key's columns as SQL lists them.
pub(crate) fn key_columns(table: &TableDef) -> String {
    table.primary_key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// The default operator class for a type, by which PostgreSQL would sort its index.
fn operator_class(kind: u32) -> i64 {
    let number = |value: &Datum<'_>| if let Datum::Int(n) = value { *n } else { 0 };
    // `character varying` is sorted as text is.
    let kind = if kind == crate::values::pg_type::oid::VARCHAR { crate::values::pg_type::oid::TEXT } else { kind };
    let classes = super::builtin::rows("pg_opclass").unwrap_or_default();
    let class = classes.iter().find(|row| number(&row[6]) == i64::from(kind) && matches!(row[7], Datum::Bool(true)));
    class.map_or(0, |row| number(&row[0]))
}
