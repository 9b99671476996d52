//! `pg_class`: tables, views, the indexes of primary keys, and the catalogs themselves.
//!
//! A table that is partitioned by time is an ordinary table here (`r`): there are no partitions that one could name, and
//! tools look for them behind a `p`. How a table is laid out is in `reloptions`.

use std::sync::Arc;

use catalog::objects::{TableDef, is_temporary};
use datafusion::common::Result;

use super::rows::{Datum, Rows};
use super::table::Wanted;
use super::{PgCatalog, builtin, oids, roles};

pub(super) fn fill(catalog: &PgCatalog, wanted: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "oid",
        "relname",
        "relnamespace",
        "relowner",
        "relam",
        "relfilenode",
        "relpages",
        "reltuples",
        "relhasindex",
        "relpersistence",
        "relkind",
        "relnatts",
        "relhasrules",
        "relispopulated",
        "relreplident",
        "reloptions",
        "relisshared",
        "relacl",
    ])?;
    let mut push = |relation: Entry<'_>| {
        if !wanted.wants("oid", relation.oid) || !wanted.wants("relnamespace", relation.schema) {
            return Ok(());
        }
        out.push([
            relation.oid.into(),
            relation.name.into(),
            relation.schema.into(),
            relation.owner.into(),
            relation.access_method.into(),
            if relation.kind == "v" { 0_u32.into() } else { relation.oid.into() },
            relation.pages.into(),
            Datum::Float(relation.tuples),
            relation.has_index.into(),
            if relation.temporary { "t".into() } else { "p".into() },
            relation.kind.into(),
            i64::try_from(relation.columns).unwrap_or(i64::MAX).into(),
            (relation.kind == "v").into(),
            true.into(),
            if relation.kind == "r" { "d".into() } else { "n".into() },
            Datum::texts(relation.options),
            false.into(),
            if relation.oid < oids::primary_key_index(0) { roles::acl(catalog, relation.oid) } else { Datum::Null },
        ])
    };
    let objects = catalog.view.objects();
    for table in objects.tables() {
        let schema = catalog.schema_oid(&table.schema).unwrap_or_default();
        let sizes = wanted.sizes.get(&table.id);
        let owner = roles::owner(catalog, table.id);
        let keyed = !table.primary_key.is_empty();
        push(Entry {
            oid: table.id,
            name: &table.name,
            schema,
            owner,
            access_method: oids::HEAP,
            kind: "r",
            columns: table.columns.len(),
            pages: sizes.map_or(0, |sizes| sizes.pages()),
            // As PostgreSQL says it of a table about which it does not know yet.
            tuples: sizes.and_then(|sizes| sizes.rows).map_or(-1.0, |rows| rows as f64),
            has_index: keyed,
            options: options(table),
            temporary: is_temporary(&table.schema),
        })?;
        if keyed {
            push(Entry {
                oid: oids::primary_key_index(table.id),
                name: &format!("{}_pkey", table.name),
                schema,
                owner,
                access_method: oids::BTREE,
                kind: "i",
                columns: table.primary_key.len(),
                temporary: is_temporary(&table.schema),
                tuples: sizes.and_then(|sizes| sizes.rows).map_or(-1.0, |rows| rows as f64),
                ..Entry::default()
            })?;
        }
    }
    for view in objects.views() {
        push(Entry {
            oid: view.id,
            name: &view.name,
            schema: catalog.schema_oid(&view.schema).unwrap_or_default(),
            owner: roles::owner(catalog, view.id),
            kind: "v",
            columns: view.columns.len(),
            temporary: is_temporary(&view.schema),
            ..Entry::default()
        })?;
    }
    for relation in builtin::RELATIONS.iter() {
        push(Entry {
            oid: relation.oid,
            name: relation.name,
            schema: catalog.schema_oid(relation.schema).unwrap_or_default(),
            owner: oids::SUPERUSER,
            access_method: if relation.kind == "r" { oids::HEAP } else { 0 },
            kind: relation.kind,
            columns: relation.columns.len(),
            tuples: if relation.kind == "r" { -1.0 } else { 0.0 },
            ..Entry::default()
        })?;
    }
    Ok(())
}

#[derive(Default)]
struct Entry<'a> {
    oid: u32,
    name: &'a str,
    schema: u32,
    owner: u32,
    access_method: u32,
    kind: &'static str,
    columns: usize,
    pages: i64,
    tuples: f64,
    has_index: bool,
    options: Vec<String>,
    temporary: bool,
}

/// What `WITH (…)` said, and the column of PARTITION BY RANGE.
pub(crate) fn options(table: &Arc<TableDef>) -> Vec<String> {
    let given = table.options.iter().map(|(name, value)| format!("{name}={value}"));
    given.chain(table.partition_by.iter().map(|column| format!("partition_by={column}"))).collect()
}
