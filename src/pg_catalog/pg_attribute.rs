//! `pg_attribute` and `pg_attrdef`: columns and their defaults.

use std::collections::HashMap;
use std::sync::LazyLock;

use catalog::objects::ColumnDef;
use datafusion::common::Result;

use super::rows::{Datum, Rows};
use super::table::Wanted;
use super::{PgCatalog, builtin, oids, roles};
use crate::values::pg_type::{PgType, oid_of};

/// How values of a type are kept, where PostgreSQL tells it again for every column.
struct Storage {
    len: i64,
    by_value: bool,
    align: &'static str,
    storage: &'static str,
    collation: u32,
    is_array: bool,
}

static STORAGE: LazyLock<HashMap<u32, Storage>> = LazyLock::new(|| {
    let number = |value: &Datum<'_>| if let Datum::Int(n) = value { *n } else { 0 };
    let text = |value: &'static Datum<'static>| if let Datum::Text(text) = value { text.as_ref() } else { "" };
    let mut types = HashMap::new();
    for row in builtin::rows("pg_type").unwrap_or_default() {
        let storage = Storage {
            len: number(&row[4]),
            by_value: matches!(row[5], Datum::Bool(true)),
            align: text(&row[22]),
            storage: text(&row[23]),
            collation: u32::try_from(number(&row[28])).unwrap_or_default(),
            is_array: text(&row[7]) == "A",
        };
        types.insert(u32::try_from(number(&row[0])).unwrap_or_default(), storage);
    }
    types
});

/// The number and modifier of a column's type.
pub(crate) fn column_type(column: &ColumnDef) -> (u32, i32) {
    match column.pg_type.parse::<catalog::types::PgType>() {
        Ok(pg) => {
            let shown = PgType::of(&pg.field("", true));
            (shown.oid, shown.typmod)
        }
        // A view's column may have a type that no table stores.
        Err(_) => (oid_of(&column.pg_type).unwrap_or(crate::values::pg_type::oid::TEXT), -1),
    }
}

pub(super) fn fill(catalog: &PgCatalog, wanted: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "attrelid",
        "attname",
        "atttypid",
        "attstattarget",
        "attlen",
        "attnum",
        "attndims",
        "attcacheoff",
        "atttypmod",
        "attbyval",
        "attalign",
        "attstorage",
        "attnotnull",
        "atthasdef",
        "attislocal",
        "attcollation",
        "attacl",
    ])?;
    let mut push =
        |relation: u32, attnum: usize, name: &str, (kind, typmod): (u32, i32), not_null: bool, has_default| {
            let storage = STORAGE.get(&kind);
            out.push([
                relation.into(),
                name.into(),
                kind.into(),
                (-1).into(),
                storage.map_or(-1, |s| s.len).into(),
                i64::try_from(attnum).unwrap_or_default().into(),
                i64::from(storage.is_some_and(|s| s.is_array)).into(),
                (-1).into(),
                typmod.into(),
                storage.is_some_and(|s| s.by_value).into(),
                storage.map_or("i", |s| s.align).into(),
                storage.map_or("x", |s| s.storage).into(),
                not_null.into(),
                Datum::Bool(has_default),
                true.into(),
                storage.map_or(0, |s| s.collation).into(),
                roles::column_acl(catalog, relation, name),
            ])
        };
    let objects = catalog.view.objects();
    // Asked of one relation, as clients do for each they describe, the others are not looked at.
    let wants = |id: u32| wanted.wants("attrelid", id);
    let one = wanted.only("attrelid").filter(|ids| ids.len() == 1).and_then(|ids| ids.iter().next().copied());
    let one = one.and_then(|id| u32::try_from(id).ok());
    let tables: Box<dyn Iterator<Item = _>> = match one {
        Some(id) => Box::new(objects.table(oids::owner(id).unwrap_or(id)).into_iter()),
        None => Box::new(objects.tables()),
    };
    for table in tables {
        let index = oids::primary_key_index(table.id);
        if wants(table.id) {
            for (i, column) in table.columns.iter().enumerate() {
                push(table.id, i + 1, &column.name, column_type(column), column.not_null, column.default.is_some())?;
            }
        }
        if !table.primary_key.is_empty() && wants(index) {
            for (i, name) in table.primary_key.iter().enumerate() {
                let column = table.columns.iter().find(|column| column.name == *name);
                push(index, i + 1, name, column.map_or((0, -1), column_type), false, false)?;
            }
        }
    }
    let views: Box<dyn Iterator<Item = _>> = match one {
        Some(id) => Box::new(objects.view(id).into_iter()),
        None => Box::new(objects.views()),
    };
    for view in views.filter(|view| wants(view.id)) {
        for (i, column) in view.columns.iter().enumerate() {
            push(view.id, i + 1, &column.name, column_type(column), false, false)?;
        }
    }
    for relation in builtin::RELATIONS.iter().filter(|relation| wants(relation.oid)) {
        for (i, column) in relation.columns.iter().enumerate() {
            let kind = builtin::type_oid(column.type_name);
            push(relation.oid, i + 1, column.name, (kind, -1), column.not_null, false)?;
        }
    }
    Ok(())
}

/// `adbin` is PostgreSQL's inner form of an expression; here it is the SQL text, which `pg_get_expr` hands on.
pub(super) fn fill_defaults(catalog: &PgCatalog, wanted: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["oid", "adrelid", "adnum", "adbin"])?;
    for table in catalog.view.objects().tables().filter(|table| wanted.wants("adrelid", table.id)) {
        for (i, column) in table.columns.iter().enumerate() {
            let Some(default) = &column.default else { continue };
            let attnum = i64::try_from(i + 1).unwrap_or_default();
            let oid = oids::default(table.id, i + 1);
            out.push([oid.into(), table.id.into(), attnum.into(), default.as_str().into()])?;
        }
    }
    Ok(())
}

/// The collation of a type's values, 0 for what has none.
pub(crate) fn collation(kind: u32) -> u32 {
    STORAGE.get(&kind).map_or(0, |storage| storage.collation)
}
