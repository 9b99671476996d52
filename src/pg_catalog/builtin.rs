//! What every PostgreSQL 15 has: the columns of its catalogs, and the rows about built-in things.
//!
//! The files beside this one are written by `tests/peers/builtin_catalog.py` from a PostgreSQL 15.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use catalog::types::PG_TYPE;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::rows::Datum;

/// A catalog or view of `pg_catalog` or `information_schema`.
#[derive(Debug)]
pub(crate) struct SystemRelation {
    /// Its number in PostgreSQL.
    pub(crate) oid: u32,
    /// Its schema.
    pub(crate) schema: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// `r` or `v`.
    pub(crate) kind: &'static str,
    /// Its columns.
    pub(crate) columns: Vec<SystemColumn>,
}

/// A column of one.
#[derive(Debug)]
pub(crate) struct SystemColumn {
    pub(crate) name: &'static str,
    /// The internal name of its type (`int4`, `_text`).
    pub(crate) type_name: &'static str,
    pub(crate) not_null: bool,
}

impl SystemRelation {
    /// Its columns as Arrow fields.
    pub(crate) fn schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|column| field(column.name, column.type_name, !column.not_null));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// All of them, by schema and name.
pub(crate) static RELATIONS: LazyLock<Vec<SystemRelation>> = LazyLock::new(|| {
    let relation = |line: &'static str| {
        let mut parts = line.split('\t');
        let mut next = || parts.next().unwrap_or_default();
        let (oid, schema, name, kind, columns) = (next(), next(), next(), next(), next());
        let column = |text: &'static str| {
            let (name, type_name) = text.split_once(':').unwrap_or((text, "text"));
            SystemColumn { name, type_name: type_name.trim_end_matches('!'), not_null: type_name.ends_with('!') }
        };
        SystemRelation {
            oid: oid.parse().unwrap_or_default(),
            schema,
            name,
            kind,
            columns: columns.split(' ').map(column).collect(),
        }
    };
    include_str!("builtin/relations.tsv").lines().map(relation).collect()
});

static BY_NAME: LazyLock<HashMap<(&'static str, &'static str), &'static SystemRelation>> =
    LazyLock::new(|| RELATIONS.iter().map(|relation| ((relation.schema, relation.name), relation)).collect());

/// The catalog or view of that name.
pub(crate) fn relation(schema: &str, name: &str) -> Option<&'static SystemRelation> {
    BY_NAME.get(&(schema, name)).copied()
}

/// The files of rows by catalog.
const FILES: [(&str, &str); 10] = [
    ("pg_aggregate", include_str!("builtin/pg_aggregate.tsv")),
    ("pg_am", include_str!("builtin/pg_am.tsv")),
    ("pg_cast", include_str!("builtin/pg_cast.tsv")),
    ("pg_collation", include_str!("builtin/pg_collation.tsv")),
    ("pg_language", include_str!("builtin/pg_language.tsv")),
    ("pg_opclass", include_str!("builtin/pg_opclass.tsv")),
    ("pg_operator", include_str!("builtin/pg_operator.tsv")),
    ("pg_opfamily", include_str!("builtin/pg_opfamily.tsv")),
    ("pg_type", include_str!("builtin/pg_type.tsv")),
    ("pg_description", include_str!("builtin/pg_description.tsv")),
];

/// A catalog's rows about built-in things, read once; `None` if it has none.
pub(crate) fn rows(name: &str) -> Option<&'static [Vec<Datum<'static>>]> {
    static READ: LazyLock<HashMap<&'static str, Vec<Vec<Datum<'static>>>>> = LazyLock::new(|| {
        let read = |(name, text): (&'static str, &'static str)| {
            let types: Vec<DataType> = relation("pg_catalog", name)
                .map(|relation| relation.schema().fields().iter().map(|f| f.data_type().clone()).collect())
                .unwrap_or_default();
            let row = |line: &'static str| line.split('\t').zip(&types).map(|(text, kind)| value(text, kind)).collect();
            (name, text.lines().map(row).collect())
        };
        FILES.into_iter().map(read).collect()
    });
    READ.get(name).map(Vec::as_slice)
}

/// A value as COPY writes it.
fn value(text: &'static str, data_type: &DataType) -> Datum<'static> {
    if text == "\\N" {
        return Datum::Null;
    }
    match data_type {
        DataType::Boolean => Datum::Bool(text == "t"),
        DataType::Int16 | DataType::Int32 | DataType::Int64 => text.parse().map_or(Datum::Null, Datum::Int),
        DataType::Float32 | DataType::Float64 => text.parse().map_or(Datum::Null, Datum::Float),
        DataType::List(item) => {
            let inner = text.trim_start_matches('{').trim_end_matches('}');
            let parts = inner.split([',', ' ']).filter(|part| !part.is_empty());
            Datum::List(parts.map(|part| value(part, item.data_type())).collect())
        }
        _ => Datum::Text(text.replace("\\\\", "\\").into()),
    }
}

/// A built-in function.
#[derive(Debug)]
pub(crate) struct BuiltinFunction {
    pub(crate) oid: u32,
    pub(crate) name: &'static str,
    pub(crate) variadic: u32,
    pub(crate) kind: &'static str,
    pub(crate) leakproof: bool,
    pub(crate) strict: bool,
    pub(crate) returns_set: bool,
    pub(crate) volatility: &'static str,
    pub(crate) parallel: &'static str,
    pub(crate) defaults: i64,
    pub(crate) returns: u32,
    pub(crate) arguments: Vec<u32>,
    pub(crate) all_arguments: Option<Vec<u32>>,
    pub(crate) modes: Option<Vec<&'static str>>,
    pub(crate) names: Option<Vec<&'static str>>,
}

/// The functions of PostgreSQL whose arguments and results are of types that the engine knows.
pub(crate) static FUNCTIONS: LazyLock<Vec<BuiltinFunction>> = LazyLock::new(|| {
    let list = |text: &'static str| -> Option<Vec<&'static str>> {
        let inner = text.strip_prefix('{')?.strip_suffix('}')?;
        Some(inner.split(',').map(|part| part.trim_matches('"')).collect())
    };
    let function = |line: &'static str| -> Option<BuiltinFunction> {
        let part: Vec<&'static str> = line.split('\t').collect();
        let [oid, name, _, _, variadic, kind, _, leakproof, strict, set, volatility, parallel, _, defaults, rest @ ..] =
            part.as_slice()
        else {
            return None;
        };
        let [returns, arguments, all, modes, names] = rest else { return None };
        Some(BuiltinFunction {
            oid: oid.parse().ok()?,
            name,
            variadic: variadic.parse().ok()?,
            kind,
            leakproof: *leakproof == "t",
            strict: *strict == "t",
            returns_set: *set == "t",
            volatility,
            parallel,
            defaults: defaults.parse().ok()?,
            returns: returns.parse().ok()?,
            arguments: arguments.split(' ').filter_map(|oid| oid.parse().ok()).collect(),
            all_arguments: list(all).map(|all| all.into_iter().filter_map(|oid| oid.parse().ok()).collect()),
            modes: list(modes),
            names: list(names),
        })
    };
    include_str!("builtin/pg_proc.tsv").lines().filter_map(function).collect()
});

/// The Arrow field of a catalog's column.
pub(crate) fn field(name: &str, type_name: &str, nullable: bool) -> Field {
    if let Some(element) = array_element(type_name) {
        let item = field("item", element, true);
        let declared = match type_name {
            "int2vector" | "oidvector" => Some(type_name.to_owned()),
            _ => item.metadata().get(PG_TYPE).map(|element| format!("{element}[]")),
        };
        let list = Field::new(name, DataType::List(Arc::new(item)), nullable);
        return declare(list, declared.as_deref());
    }
    let (data_type, declared) = match type_name {
        "bool" => (DataType::Boolean, None),
        "int2" => (DataType::Int16, None),
        "int4" | "cardinal_number" => (DataType::Int32, None),
        "int8" => (DataType::Int64, None),
        // Transaction numbers have no arithmetic in PostgreSQL either.
        "xid" | "xid8" | "cid" => (DataType::Int64, None),
        "float4" => (DataType::Float32, None),
        "float8" => (DataType::Float64, None),
        "oid" | "regproc" | "regprocedure" | "regtype" | "regclass" | "regrole" | "regnamespace" | "regcollation" => {
            (DataType::Int64, Some(type_name))
        }
        "timestamptz" | "time_stamp" => (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), None),
        "interval" => (DataType::Utf8View, None),
        "name" | "sql_identifier" => (DataType::Utf8View, Some("name")),
        "char" => (DataType::Utf8View, Some("\"char\"")),
        "character_data" | "yes_or_no" => (DataType::Utf8View, Some("character varying")),
        _ => (DataType::Utf8View, None),
    };
    declare(Field::new(name, data_type, nullable), declared)
}

fn array_element(type_name: &str) -> Option<&str> {
    match type_name {
        "int2vector" => Some("int2"),
        "oidvector" => Some("oid"),
        // Its elements are of the type of the column that it is about: shown as their text.
        "anyarray" => None,
        _ => type_name.strip_prefix('_'),
    }
}

fn declare(field: Field, declared: Option<&str>) -> Field {
    match declared {
        Some(declared) => field.with_metadata(HashMap::from([(PG_TYPE.to_owned(), declared.to_owned())])),
        None => field,
    }
}

/// The number of a built-in type by its internal name.
pub(crate) fn type_oid(type_name: &str) -> u32 {
    static BY_NAME: LazyLock<HashMap<String, u32>> = LazyLock::new(|| {
        let mut numbers = HashMap::new();
        for row in rows("pg_type").unwrap_or_default() {
            if let (Datum::Int(oid), Datum::Text(name)) = (&row[0], &row[1]) {
                numbers.insert(name.to_string(), u32::try_from(*oid).unwrap_or_default());
            }
        }
        numbers
    });
    BY_NAME.get(type_name).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_read_whole() {
        assert_eq!(FUNCTIONS.len(), include_str!("builtin/pg_proc.tsv").lines().count());
        let types = rows("pg_type").unwrap();
        assert!(types.iter().all(|row| row.len() == relation("pg_catalog", "pg_type").unwrap().columns.len()));
        assert_eq!((type_oid("int4"), type_oid("_text")), (23, 1009));
        for (name, text) in FILES {
            let width = relation("pg_catalog", name).unwrap().columns.len();
            assert!(text.lines().all(|line| line.split('\t').count() == width), "{name}");
        }
    }
}
