//! PostgreSQL types: which one an Arrow field is shown as, and which Arrow field a client's type is taken as.
//!
//! Every Arrow type has a home. Field metadata decides only between types that share an Arrow type
//! (`uuid` and `text` are both strings); metadata that does not fit the values is ignored, because the
//! planner may carry a column's metadata over to an expression of another type.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use catalog::types::PG_TYPE;
use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

/// Metadata key of `pg_catalog` columns that hold object identifiers; the value names the alias (`regclass`…).
const OID_ALIAS: &str = "pg.oid_alias";
/// Metadata key of `pg_catalog` columns of the one-byte type `"char"`.
const ONE_CHAR: &str = "pg.char";

/// Object identifiers of PostgreSQL's built-in types.
pub(crate) mod oid {
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const CHAR: u32 = 18;
    pub(crate) const NAME: u32 = 19;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT2VECTOR: u32 = 22;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const TEXT: u32 = 25;
    pub(crate) const OID: u32 = 26;
    pub(crate) const OIDVECTOR: u32 = 30;
    pub(crate) const JSON: u32 = 114;
    pub(crate) const FLOAT4: u32 = 700;
    pub(crate) const FLOAT8: u32 = 701;
    pub(crate) const UNKNOWN: u32 = 705;
    pub(crate) const BPCHAR: u32 = 1042;
    pub(crate) const VARCHAR: u32 = 1043;
    pub(crate) const DATE: u32 = 1082;
    pub(crate) const TIME: u32 = 1083;
    pub(crate) const TIMESTAMP: u32 = 1114;
    pub(crate) const TIMESTAMPTZ: u32 = 1184;
    pub(crate) const INTERVAL: u32 = 1186;
    pub(crate) const NUMERIC: u32 = 1700;
    pub(crate) const RECORD: u32 = 2249;
    pub(crate) const UUID: u32 = 2950;
    pub(crate) const JSONB: u32 = 3802;
}

/// A built-in type: its identifier, its array's, its name as `format_type` prints it, and its length in bytes.
struct Builtin {
    oid: u32,
    array: u32,
    name: &'static str,
    len: i16,
}

const fn builtin(oid: u32, array: u32, name: &'static str, len: i16) -> Builtin {
    Builtin { oid, array, name, len }
}

const BUILTINS: [Builtin; 36] = [
    builtin(oid::BOOL, 1000, "boolean", 1),
    builtin(oid::BYTEA, 1001, "bytea", -1),
    builtin(oid::CHAR, 1002, "\"char\"", 1),
    builtin(oid::NAME, 1003, "name", 64),
    builtin(oid::INT8, 1016, "bigint", 8),
    builtin(oid::INT2, 1005, "smallint", 2),
    builtin(oid::INT4, 1007, "integer", 4),
    builtin(oid::TEXT, 1009, "text", -1),
    builtin(oid::OID, 1028, "oid", 4),
    builtin(oid::JSON, 199, "json", -1),
    builtin(oid::FLOAT4, 1021, "real", 4),
    builtin(oid::FLOAT8, 1022, "double precision", 8),
    builtin(oid::BPCHAR, 1014, "bpchar", -1),
    builtin(oid::VARCHAR, 1015, "character varying", -1),
    builtin(oid::DATE, 1182, "date", 4),
    builtin(oid::TIME, 1183, "time without time zone", 8),
    builtin(oid::TIMESTAMP, 1115, "timestamp without time zone", 8),
    builtin(oid::TIMESTAMPTZ, 1185, "timestamp with time zone", 8),
    builtin(oid::INTERVAL, 1187, "interval", 16),
    builtin(oid::NUMERIC, 1231, "numeric", -1),
    builtin(oid::RECORD, 2287, "record", -1),
    builtin(oid::UUID, 2951, "uuid", 16),
    builtin(oid::JSONB, 3807, "jsonb", -1),
    builtin(oid::INT2VECTOR, 1006, "int2vector", -1),
    builtin(oid::OIDVECTOR, 1013, "oidvector", -1),
    builtin(24, 1008, "regproc", 4),
    builtin(2202, 2207, "regprocedure", 4),
    builtin(2203, 2208, "regoper", 4),
    builtin(2204, 2209, "regoperator", 4),
    builtin(2205, 2210, "regclass", 4),
    builtin(2206, 2211, "regtype", 4),
    builtin(3734, 3735, "regconfig", 4),
    builtin(3769, 3770, "regdictionary", 4),
    builtin(4089, 4090, "regnamespace", 4),
    builtin(4096, 4097, "regrole", 4),
    builtin(4191, 4192, "regcollation", 4),
];

/// Types without an Arrow home that a client may still name; for error messages only.
const FOREIGN: [(u32, &str); 15] = [
    (28, "xid"),
    (142, "xml"),
    (600, "point"),
    (650, "cidr"),
    (774, "macaddr8"),
    (829, "macaddr"),
    (869, "inet"),
    (790, "money"),
    (1266, "time with time zone"),
    (1560, "bit"),
    (1562, "bit varying"),
    (3904, "int4range"),
    (3910, "tstzrange"),
    (3614, "tsvector"),
    (3615, "tsquery"),
];

fn find(oid: u32) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|known| known.oid == oid)
}

/// True for `oid` and the `reg…` types: four-byte unsigned object identifiers.
pub(crate) fn is_object_identifier(oid: u32) -> bool {
    oid == oid::OID || find(oid).is_some_and(|known| known.name.starts_with("reg"))
}

/// The element type of an array type; `None` if `oid` is not an array.
pub(crate) fn element_of(oid: u32) -> Option<u32> {
    BUILTINS.iter().find(|known| known.array == oid).map(|known| known.oid)
}

/// The array type over an element type. An array's array is itself: dimensions are no part of the type.
fn array_of(oid: u32) -> u32 {
    array_type(oid).unwrap_or(oid)
}

/// The array type over a scalar type; `None` if there is no such scalar type.
pub(crate) fn array_type(oid: u32) -> Option<u32> {
    find(oid).map(|known| known.array)
}

/// The Arrow field a client's type is taken as: the type its parameters are planned with and decoded to.
///
/// `None` for 0 and 705 (the client leaves the type open) and for types that have no Arrow home.
pub(crate) fn arrow_of(oid: u32) -> Option<Field> {
    if let Some(element) = element_of(oid) {
        let item = arrow_of(element)?;
        let declared = item.metadata().get(PG_TYPE).map(|name| format!("{name}[]"));
        let item = Field::new_list_field(item.data_type().clone(), true).with_metadata(item.metadata().clone());
        return Some(declare(DataType::List(Arc::new(item)), declared));
    }
    let data_type = match oid {
        oid::BOOL => DataType::Boolean,
        oid::INT2 => DataType::Int16,
        oid::INT4 => DataType::Int32,
        oid::INT8 | oid::OID => DataType::Int64,
        oid::FLOAT4 => DataType::Float32,
        oid::FLOAT8 => DataType::Float64,
        // What a bare `numeric` is in a table; a parameter's value keeps its own scale.
        oid::NUMERIC => DataType::Decimal128(38, 9),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR | oid::UUID | oid::JSON | oid::JSONB => {
            DataType::Utf8View
        }
        oid::BYTEA => DataType::BinaryView,
        oid::DATE => DataType::Date32,
        oid::TIME => DataType::Time64(TimeUnit::Microsecond),
        oid::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        oid::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        oid::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        _ => return None,
    };
    let says_itself = PgType::of_type(&data_type, None).oid == oid;
    let declared = if says_itself { None } else { find(oid).map(|known| known.name.to_string()) };
    Some(declare(data_type, declared))
}

fn declare(data_type: DataType, declared: Option<String>) -> Field {
    let metadata: HashMap<String, String> = declared.into_iter().map(|name| (PG_TYPE.to_string(), name)).collect();
    Field::new("", data_type, true).with_metadata(metadata)
}

/// A PostgreSQL type as RowDescription and ParameterDescription name it. Displays as `format_type` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PgType {
    /// Object identifier.
    pub(crate) oid: u32,
    /// Bytes of a value, -1 when it varies.
    pub(crate) len: i16,
    /// Modifier: `n + 4` for `varchar(n)`, precision and scale for `numeric`, -1 when there is none.
    pub(crate) typmod: i32,
}

impl PgType {
    /// The type that `field` is shown as.
    pub(crate) fn of(field: &Field) -> PgType {
        Self::of_values(field.data_type(), field)
    }

    /// The type that values of `data_type` are shown as in a column declared by `field`.
    pub(crate) fn of_values(data_type: &DataType, field: &Field) -> PgType {
        Self::of_type(data_type, declared(field))
    }

    /// The type of an array's elements; the type itself if it is not an array.
    pub(crate) fn element(self) -> PgType {
        match self.oid {
            oid::INT2VECTOR => return PgType::plain(oid::INT2),
            oid::OIDVECTOR => return PgType::plain(oid::OID),
            _ => {}
        }
        element_of(self.oid).map_or(self, |element| PgType { typmod: self.typmod, ..PgType::plain(element) })
    }

    /// Whether it is one of the two types of arrays that catalogs print without braces.
    pub(crate) fn is_vector(self) -> bool {
        matches!(self.oid, oid::INT2VECTOR | oid::OIDVECTOR)
    }

    fn plain(oid: u32) -> PgType {
        PgType { oid, len: find(oid).map_or(-1, |known| known.len), typmod: -1 }
    }

    fn array(self) -> PgType {
        PgType { oid: array_of(self.oid), len: -1, typmod: self.typmod }
    }

    fn of_type(data_type: &DataType, declared: Option<&str>) -> PgType {
        let (name, typmod) = declared.map_or((oid::UNKNOWN, -1), parse);
        // The declared type where it is one of those the Arrow type may stand for.
        let either = |default: u32, allowed: &[u32]| {
            if allowed.contains(&name) { PgType { typmod, ..PgType::plain(name) } } else { PgType::plain(default) }
        };
        let integer = |default: u32| PgType::plain(if is_object_identifier(name) { name } else { default });
        match data_type {
            DataType::Null => PgType::plain(oid::TEXT),
            DataType::Boolean => PgType::plain(oid::BOOL),
            DataType::Int8 | DataType::UInt8 | DataType::Int16 => PgType::plain(oid::INT2),
            DataType::UInt16 => PgType::plain(oid::INT4),
            DataType::Int32 => integer(oid::INT4),
            DataType::UInt32 | DataType::Int64 => integer(oid::INT8),
            DataType::UInt64 => PgType::plain(oid::NUMERIC),
            DataType::Float16 | DataType::Float32 => PgType::plain(oid::FLOAT4),
            DataType::Float64 => PgType::plain(oid::FLOAT8),
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale) => {
                // The scale takes eleven bits, in two's complement.
                let scale = i32::from(*scale) & 0x7ff;
                PgType { typmod: ((i32::from(*precision) << 16) | scale) + 4, ..PgType::plain(oid::NUMERIC) }
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                either(oid::TEXT, &[oid::VARCHAR, oid::BPCHAR, oid::NAME, oid::CHAR, oid::UUID, oid::JSON, oid::JSONB])
            }
            DataType::FixedSizeBinary(16) => either(oid::BYTEA, &[oid::UUID]),
            DataType::FixedSizeBinary(_) | DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                PgType::plain(oid::BYTEA)
            }
            DataType::Date32 | DataType::Date64 => PgType::plain(oid::DATE),
            DataType::Time32(_) | DataType::Time64(_) => either(oid::TIME, &[oid::TIME]),
            DataType::Timestamp(_, None) => either(oid::TIMESTAMP, &[oid::TIMESTAMP]),
            DataType::Timestamp(_, Some(_)) => either(oid::TIMESTAMPTZ, &[oid::TIMESTAMPTZ]),
            DataType::Interval(_) | DataType::Duration(_) => PgType::plain(oid::INTERVAL),
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::LargeListView(item)
            | DataType::FixedSizeList(item, _) => {
                if matches!(name, oid::INT2VECTOR | oid::OIDVECTOR) {
                    return PgType::plain(name);
                }
                let declared = declared.map(|name| name.trim_end_matches("[]")).or_else(|| self::declared(item));
                PgType::of_type(item.data_type(), declared).array()
            }
            DataType::Struct(_) => PgType::plain(oid::RECORD),
            DataType::Map(_, _) | DataType::Union(_, _) => PgType::plain(oid::JSONB),
            DataType::Dictionary(_, values) => PgType::of_type(values, declared),
            DataType::RunEndEncoded(_, values) => {
                PgType::of_type(values.data_type(), declared.or_else(|| self::declared(values)))
            }
        }
    }
}

impl fmt::Display for PgType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(element) = element_of(self.oid) {
            return write!(f, "{}[]", PgType { oid: element, ..*self });
        }
        match find(self.oid) {
            Some(known) => f.write_str(known.name),
            None => match FOREIGN.iter().find(|(oid, _)| *oid == self.oid) {
                Some((_, name)) => f.write_str(name),
                None => write!(f, "OID {}", self.oid),
            },
        }
    }
}

/// The name of a type for messages; identifiers that are not built in appear as a number.
pub(crate) fn name_of(oid: u32) -> String {
    PgType::plain(oid).to_string()
}

/// The type of that name, as `format_type` prints it.
pub(crate) fn oid_of(name: &str) -> Option<u32> {
    let (oid, _) = parse(name.trim());
    (oid != oid::UNKNOWN).then_some(oid)
}

/// What a field's metadata says about its PostgreSQL type.
fn declared(field: &Field) -> Option<&str> {
    let metadata = field.metadata();
    if let Some(name) = metadata.get(PG_TYPE).or_else(|| metadata.get(OID_ALIAS)) {
        return Some(name);
    }
    if metadata.contains_key(ONE_CHAR) {
        return Some("\"char\"");
    }
    match field.extension_type_name() {
        Some("arrow.uuid") => Some("uuid"),
        Some("arrow.json") => Some("jsonb"),
        _ => None,
    }
}

/// Reads a type as `format_type` prints it: its identifier (`UNKNOWN` if it is none of ours) and modifier.
fn parse(declared: &str) -> (u32, i32) {
    let (name, modifier) = match (declared.find('('), declared.find(')')) {
        // `timestamp(3) without time zone`: the modifier stands inside the name.
        (Some(open), Some(close)) if open < close => {
            ([&declared[..open], &declared[close + 1..]].concat(), declared[open + 1..close].trim().parse::<i32>().ok())
        }
        _ => (declared.to_string(), None),
    };
    // Without a length the type is spelt `bpchar`, with one `character(n)`.
    let name = if name == "character" { "bpchar" } else { name.as_str() };
    let oid = BUILTINS.iter().find(|known| known.name == name).map_or(oid::UNKNOWN, |known| known.oid);
    let typmod = match (oid, modifier) {
        (oid::VARCHAR | oid::BPCHAR, Some(length)) => length.saturating_add(4),
        (oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ, Some(digits)) => digits,
        _ => -1,
    };
    (oid, typmod)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(data_type: DataType, declared: &str) -> (u32, i16, i32) {
        let declared = Some(declared.to_string()).filter(|name| !name.is_empty());
        let shown = PgType::of(&declare(data_type, declared));
        (shown.oid, shown.len, shown.typmod)
    }

    #[test]
    fn metadata_decides_where_the_arrow_type_is_shared() {
        assert_eq!(shown(DataType::Utf8View, ""), (25, -1, -1));
        assert_eq!(shown(DataType::Utf8View, "character varying(20)"), (1043, -1, 24));
        assert_eq!(shown(DataType::Utf8, "character(3)"), (1042, -1, 7));
        assert_eq!(shown(DataType::LargeUtf8, "uuid"), (2950, 16, -1));
        assert_eq!(shown(DataType::Int32, "regclass"), (2205, 4, -1));
        assert_eq!(shown(DataType::Timestamp(TimeUnit::Microsecond, None), "timestamp(3) without time zone").2, 3);
    }

    #[test]
    fn metadata_that_does_not_fit_is_ignored() {
        assert_eq!(shown(DataType::Int32, "uuid"), (23, 4, -1));
        assert_eq!(shown(DataType::Utf8, "numeric(10,2)"), (25, -1, -1));
    }

    #[test]
    fn numeric_modifier_is_precision_and_scale() {
        assert_eq!(shown(DataType::Decimal128(10, 2), "").2, 655_366);
        // numeric(2,-3), as pg_attribute.atttypmod shows it.
        assert_eq!(shown(DataType::Decimal32(2, -3), "").2, 133_121);
    }

    #[test]
    fn lists_of_any_depth_share_one_array_type() {
        let list = |item: DataType| DataType::List(Arc::new(Field::new_list_field(item, true)));
        assert_eq!(shown(list(DataType::Int32), "").0, 1007);
        assert_eq!(shown(list(list(DataType::Int32)), "").0, 1007);
        assert_eq!(shown(list(DataType::Utf8View), "uuid[]").0, 2951);
        assert_eq!(shown(list(DataType::Struct(Default::default())), "").0, 2287);
    }

    #[test]
    fn a_client_type_comes_back_as_itself() {
        for known in BUILTINS.iter().filter(|known| arrow_of(known.oid).is_some()) {
            let scalar = arrow_of(known.oid).map(|field| PgType::of(&field).oid);
            let array = arrow_of(known.array).map(|field| PgType::of(&field).oid);
            assert_eq!((scalar, array), (Some(known.oid), Some(known.array)), "{}", known.name);
        }
        assert!([0, oid::UNKNOWN, oid::RECORD, 869].into_iter().all(|oid| arrow_of(oid).is_none()));
    }

    #[test]
    fn names_are_those_of_format_type() {
        assert_eq!(name_of(1231), "numeric[]");
        assert_eq!(name_of(790), "money");
        assert_eq!(name_of(99_999), "OID 99999");
    }
}
