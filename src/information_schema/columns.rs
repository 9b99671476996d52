//! `columns` and `element_types`: what columns are, in the standard's words.

use catalog::objects::ColumnDef;
use datafusion::common::Result;

use super::yes_or_no;
use crate::pg_catalog::names::type_name;
use crate::pg_catalog::pg_attribute::column_type;
use crate::pg_catalog::rows::{Datum, Rows};
use crate::pg_catalog::table::Wanted;
use crate::pg_catalog::{DATABASE, PgCatalog, builtin};
use crate::values::pg_type::{element_of, oid};

/// What the standard says of a type, beside its name.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Described {
    length: Option<i64>,
    octets: Option<i64>,
    precision: Option<i64>,
    radix: Option<i64>,
    scale: Option<i64>,
    datetime: Option<i64>,
}

impl Described {
    pub(super) fn of(kind: u32, typmod: i32) -> Self {
        let number =
            |precision, radix, scale| Self { precision: Some(precision), radix: Some(radix), scale, ..Self::default() };
        let typmod = i64::from(typmod);
        match kind {
            oid::INT2 => number(16, 2, Some(0)),
            oid::INT4 => number(32, 2, Some(0)),
            oid::INT8 => number(64, 2, Some(0)),
            oid::FLOAT4 => number(24, 2, None),
            oid::FLOAT8 => number(53, 2, None),
            oid::NUMERIC if typmod >= 4 => number((typmod - 4) >> 16 & 0xffff, 10, Some((typmod - 4) & 0x7ff)),
            oid::NUMERIC => Self { radix: Some(10), ..Self::default() },
            // UTF8 has up to four bytes for a character.
            oid::VARCHAR | oid::BPCHAR if typmod > 4 => {
                Self { length: Some(typmod - 4), octets: Some((typmod - 4) * 4), ..Self::default() }
            }
            oid::TEXT | oid::VARCHAR | oid::BPCHAR => Self { octets: Some(1 << 30), ..Self::default() },
            oid::DATE => Self { datetime: Some(0), ..Self::default() },
            oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::INTERVAL => {
                Self { datetime: Some(if typmod >= 0 { typmod } else { 6 }), ..Self::default() }
            }
            _ => Self::default(),
        }
    }
}

/// A type's name as the standard has it: arrays are all `ARRAY`.
pub(super) fn standard_name(kind: u32) -> String {
    match kind {
        _ if element_of(kind).is_some() => "ARRAY".to_owned(),
        oid::BPCHAR => "character".to_owned(),
        _ => type_name(kind),
    }
}

/// A type's name within PostgreSQL.
pub(super) fn internal_name(kind: u32) -> String {
    let rows = builtin::rows("pg_type").unwrap_or_default();
    let row = rows.iter().find(|row| matches!(row[0], Datum::Int(number) if number == i64::from(kind)));
    match row.map(|row| &row[1]) {
        Some(Datum::Text(name)) => name.to_string(),
        _ => type_name(kind),
    }
}

struct Column<'a> {
    schema: &'a str,
    table: &'a str,
    name: &'a str,
    number: usize,
    default: Option<&'a str>,
    not_null: bool,
    kind: u32,
    typmod: i32,
    updatable: bool,
}

pub(super) fn fill(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
        "column_default",
        "is_nullable",
        "data_type",
        "character_maximum_length",
        "character_octet_length",
        "numeric_precision",
        "numeric_precision_radix",
        "numeric_scale",
        "datetime_precision",
        "udt_catalog",
        "udt_schema",
        "udt_name",
        "dtd_identifier",
        "is_self_referencing",
        "is_identity",
        "identity_cycle",
        "is_generated",
        "is_updatable",
    ])?;
    each(catalog, |column| {
        let described = Described::of(column.kind, column.typmod);
        let number = i64::try_from(column.number).unwrap_or_default();
        out.push([
            DATABASE.into(),
            column.schema.into(),
            column.table.into(),
            column.name.into(),
            number.into(),
            column.default.into(),
            yes_or_no(!column.not_null),
            standard_name(column.kind).into(),
            described.length.into(),
            described.octets.into(),
            described.precision.into(),
            described.radix.into(),
            described.scale.into(),
            described.datetime.into(),
            DATABASE.into(),
            "pg_catalog".into(),
            internal_name(column.kind).into(),
            number.to_string().into(),
            yes_or_no(false),
            yes_or_no(false),
            yes_or_no(false),
            "NEVER".into(),
            yes_or_no(column.updatable),
        ])
    })
}

pub(super) fn fill_elements(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "object_catalog",
        "object_schema",
        "object_name",
        "object_type",
        "collection_type_identifier",
        "data_type",
        "udt_catalog",
        "udt_schema",
        "udt_name",
        "dtd_identifier",
    ])?;
    each(catalog, |column| {
        let Some(element) = element_of(column.kind) else { return Ok(()) };
        out.push([
            DATABASE.into(),
            column.schema.into(),
            column.table.into(),
            "TABLE".into(),
            column.number.to_string().into(),
            standard_name(element).into(),
            DATABASE.into(),
            "pg_catalog".into(),
            internal_name(element).into(),
            format!("a{}", column.number).into(),
        ])
    })
}

fn each(catalog: &PgCatalog, mut take: impl FnMut(Column<'_>) -> Result<()>) -> Result<()> {
    let objects = catalog.view.objects();
    let mut own = |schema: &str, table: &str, columns: &[ColumnDef], updatable: bool| -> Result<()> {
        for (i, column) in columns.iter().enumerate() {
            let (kind, typmod) = column_type(column);
            take(Column {
                schema,
                table,
                name: &column.name,
                number: i + 1,
                default: column.default.as_deref(),
                not_null: column.not_null,
                kind,
                typmod,
                updatable,
            })?;
        }
        Ok(())
    };
    for table in objects.tables().filter(|table| catalog.rights.sees(table.id)) {
        own(&table.schema, &table.name, &table.columns, true)?;
    }
    for view in objects.views().filter(|view| catalog.rights.sees(view.id)) {
        own(&view.schema, &view.name, &view.columns, false)?;
    }
    for relation in builtin::RELATIONS.iter() {
        for (i, column) in relation.columns.iter().enumerate() {
            take(Column {
                schema: relation.schema,
                table: relation.name,
                name: column.name,
                number: i + 1,
                default: None,
                not_null: column.not_null,
                kind: builtin::type_oid(column.type_name),
                typmod: -1,
                updatable: false,
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_described_as_the_standard_does() {
        let described = Described::of(oid::NUMERIC, ((10 << 16) | 2) + 4);
        assert_eq!((described.precision, described.radix, described.scale), (Some(10), Some(10), Some(2)));
        let described = Described::of(oid::VARCHAR, 124);
        assert_eq!((described.length, described.octets), (Some(120), Some(480)));
        assert_eq!(Described::of(oid::BOOL, -1), Described::default());
        assert_eq!((standard_name(1009), internal_name(1009)), ("ARRAY".to_owned(), "_text".to_owned()));
    }
}
