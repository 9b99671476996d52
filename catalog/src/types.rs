//! PostgreSQL types of stored columns and their homes in Arrow and Delta.
//!
//! A column is declared with a PostgreSQL type, read as one Arrow type and stored as one Delta type. Where the
//! Arrow type alone does not say which PostgreSQL type it came from (`uuid` and `text` are both strings), the
//! Arrow field carries the metadata key [`PG_TYPE`] with the type as PostgreSQL's `format_type` prints it. Arrays
//! and rows carry it on their element fields.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// Field metadata key that holds the declared PostgreSQL type.
pub const PG_TYPE: &str = "pg_type";

/// A PostgreSQL type that a table can store.
///
/// `Display` prints it as PostgreSQL's `format_type`, [`FromStr`] reads that text back; the pair is how
/// definitions are persisted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PgType {
    /// `boolean`
    Boolean,
    /// `smallint`
    SmallInt,
    /// `integer`
    Integer,
    /// `bigint`
    BigInt,
    /// `real`
    Real,
    /// `double precision`
    Double,
    /// `numeric(precision, scale)`, at most 38 digits.
    Numeric(u8, i8),
    /// `text`
    Text,
    /// `character varying(n)`; `None` is unlimited.
    Varchar(Option<u32>),
    /// `character(n)`
    Char(u32),
    /// `bytea`
    Bytea,
    /// `date`
    Date,
    /// `time without time zone`, microseconds.
    Time,
    /// `timestamp without time zone`, microseconds.
    Timestamp,
    /// `timestamp with time zone`, microseconds, stored in UTC.
    Timestamptz,
    /// `uuid`, stored as its text.
    Uuid,
    /// `json`, stored as its text.
    Json,
    /// `jsonb`, stored as text.
    Jsonb,
    /// An array of any of these.
    Array(Box<PgType>),
    /// A composite value: field names and types.
    Row(Vec<(String, PgType)>),
}

impl PgType {
    /// The type a column gets when a table is made from Arrow data (`CREATE TABLE AS`, `audiencedb load`).
    ///
    /// Widths that PostgreSQL lacks go to the next wider type. Intervals, durations, maps and unions cannot be
    /// stored: [`Error::Unsupported`].
    pub fn from_arrow(field: &Field) -> Result<Self> {
        if let Some(declared) = field.metadata().get(PG_TYPE) {
            if let Ok(pg) = declared.parse() {
                return Ok(pg);
            }
        }
        let unstorable = |what: &str, advice: &str| {
            Err(Error::Unsupported(format!(
                "column \"{}\" has a type that tables cannot store ({what}): {advice}",
                field.name()
            )))
        };
        Ok(match field.data_type() {
            DataType::Boolean => Self::Boolean,
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => Self::SmallInt,
            DataType::Int32 | DataType::UInt16 => Self::Integer,
            DataType::Int64 | DataType::UInt32 => Self::BigInt,
            DataType::UInt64 => Self::Numeric(20, 0),
            DataType::Float16 | DataType::Float32 => Self::Real,
            DataType::Float64 => Self::Double,
            DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) if *s >= 0 => {
                Self::Numeric(*p, *s)
            }
            DataType::Decimal256(p, s) if *p <= 38 && *s >= 0 => Self::Numeric(*p, *s),
            DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Self::Bytea
            }
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(_)) => Self::Timestamptz,
            DataType::List(f)
            | DataType::LargeList(f)
            | DataType::ListView(f)
            | DataType::LargeListView(f)
            | DataType::FixedSizeList(f, _) => Self::Array(Box::new(Self::from_arrow(f)?)),
            DataType::Struct(fields) => {
                let fields = fields.iter().map(|f| Ok((f.name().clone(), Self::from_arrow(f)?)));
                Self::Row(fields.collect::<Result<_>>()?)
            }
            DataType::Dictionary(_, value) => {
                Self::from_arrow(&Field::new(field.name(), value.as_ref().clone(), true))?
            }
            DataType::RunEndEncoded(_, value) => Self::from_arrow(value)?,
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
                return unstorable(
                    "numeric of more than 38 digits or with a negative scale",
                    "cast it to numeric(38, s)",
                );
            }
            DataType::Interval(_) | DataType::Duration(_) => {
                return unstorable("interval", "store seconds as numeric, or the two timestamps");
            }
            other => return unstorable(&other.to_string(), "cast it to text or to separate columns"),
        })
    }

    /// The Arrow type under which a column of this type is read.
    pub fn arrow(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::SmallInt => DataType::Int16,
            Self::Integer => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Real => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Numeric(p, s) => DataType::Decimal128(*p, *s),
            Self::Text | Self::Varchar(_) | Self::Char(_) | Self::Uuid | Self::Json | Self::Jsonb => DataType::Utf8View,
            Self::Bytea => DataType::BinaryView,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Array(element) => DataType::List(Arc::new(element.field("element", true))),
            Self::Row(fields) => {
                DataType::Struct(fields.iter().map(|(name, pg)| pg.field(name, true)).collect::<Fields>())
            }
        }
    }

    /// The Arrow type that is written to Parquet: the one whose Parquet form matches [`PgType::delta`].
    pub fn stored(&self) -> DataType {
        match self {
            Self::Text | Self::Varchar(_) | Self::Char(_) | Self::Uuid | Self::Json | Self::Jsonb => DataType::Utf8,
            Self::Bytea => DataType::Binary,
            Self::Time => DataType::Int64,
            // Delta's `timestamp` is an instant. A timestamp without time zone is stored as if it were UTC, since
            // `timestamp_ntz` would force reader version 3 on everybody.
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Array(element) => DataType::List(Arc::new(Field::new("element", element.stored(), true))),
            Self::Row(fields) => DataType::Struct(
                fields.iter().map(|(name, pg)| Field::new(name, pg.stored(), true)).collect::<Fields>(),
            ),
            other => other.arrow(),
        }
    }

    /// The Arrow field under which a column of this type is read, with its PostgreSQL type in the metadata where
    /// the Arrow type does not say it.
    pub fn field(&self, name: &str, nullable: bool) -> Field {
        let field = Field::new(name, self.arrow(), nullable);
        match self {
            Self::Varchar(_) | Self::Char(_) | Self::Uuid | Self::Json | Self::Jsonb => {
                field.with_metadata(HashMap::from([(PG_TYPE.to_owned(), self.to_string())]))
            }
            _ => field,
        }
    }

    /// The type in Delta's schema JSON.
    pub fn delta(&self) -> Value {
        match self {
            Self::Boolean => json!("boolean"),
            Self::SmallInt => json!("short"),
            Self::Integer => json!("integer"),
            Self::BigInt | Self::Time => json!("long"),
            Self::Real => json!("float"),
            Self::Double => json!("double"),
            Self::Numeric(p, s) => json!(format!("decimal({p},{s})")),
            Self::Text | Self::Varchar(_) | Self::Char(_) | Self::Uuid | Self::Json | Self::Jsonb => json!("string"),
            Self::Bytea => json!("binary"),
            Self::Date => json!("date"),
            Self::Timestamp | Self::Timestamptz => json!("timestamp"),
            Self::Array(element) => json!({"type": "array", "elementType": element.delta(), "containsNull": true}),
            Self::Row(fields) => {
                let fields: Vec<Value> = fields.iter().map(|(name, pg)| pg.delta_field(name, true)).collect();
                json!({"type": "struct", "fields": fields})
            }
        }
    }

    /// One column of Delta's schema JSON, the declared type kept in its metadata.
    pub fn delta_field(&self, name: &str, nullable: bool) -> Value {
        json!({"name": name, "type": self.delta(), "nullable": nullable, "metadata": {PG_TYPE: self.to_string()}})
    }

    /// Whether minimum and maximum of such a column may stand in the table's log. Text may hold personal data,
    /// so it stays out unless the column is part of the table's layout.
    pub fn ranges_are_public(&self) -> bool {
        match self {
            Self::SmallInt | Self::Integer | Self::BigInt | Self::Real | Self::Double | Self::Numeric(..) => true,
            Self::Date | Self::Timestamp | Self::Timestamptz => true,
            _ => false,
        }
    }

    /// Whether rows can be ordered and bucketed by such a column, so that it can be part of a key or clustering.
    pub fn is_sortable(&self) -> bool {
        !matches!(self, Self::Array(_) | Self::Row(_) | Self::Json | Self::Jsonb | Self::Bytea)
    }
}

impl fmt::Display for PgType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::SmallInt => f.write_str("smallint"),
            Self::Integer => f.write_str("integer"),
            Self::BigInt => f.write_str("bigint"),
            Self::Real => f.write_str("real"),
            Self::Double => f.write_str("double precision"),
            Self::Numeric(p, s) => write!(f, "numeric({p},{s})"),
            Self::Text => f.write_str("text"),
            Self::Varchar(None) => f.write_str("character varying"),
            Self::Varchar(Some(n)) => write!(f, "character varying({n})"),
            Self::Char(n) => write!(f, "character({n})"),
            Self::Bytea => f.write_str("bytea"),
            Self::Date => f.write_str("date"),
            Self::Time => f.write_str("time without time zone"),
            Self::Timestamp => f.write_str("timestamp without time zone"),
            Self::Timestamptz => f.write_str("timestamp with time zone"),
            Self::Uuid => f.write_str("uuid"),
            Self::Json => f.write_str("json"),
            Self::Jsonb => f.write_str("jsonb"),
            Self::Array(element) => write!(f, "{element}[]"),
            Self::Row(fields) => {
                f.write_str("row(")?;
                for (i, (name, pg)) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}\"{}\" {pg}", name.replace('"', "\"\""))?;
                }
                f.write_str(")")
            }
        }
    }
}

impl FromStr for PgType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown =
            || Error::Corrupt { object: "column type".to_owned(), message: format!("unknown type \"{text}\"") };
        if let Some(element) = text.strip_suffix("[]") {
            return Ok(Self::Array(Box::new(element.parse()?)));
        }
        if let Some(fields) = text.strip_prefix("row(").and_then(|t| t.strip_suffix(')')) {
            return Ok(Self::Row(parse_row(fields).ok_or_else(unknown)??));
        }
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => (name, rest.strip_suffix(')').ok_or_else(unknown)?),
            None => (text, ""),
        };
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| unknown());
        Ok(match (name, arguments) {
            ("boolean", "") => Self::Boolean,
            ("smallint", "") => Self::SmallInt,
            ("integer", "") => Self::Integer,
            ("bigint", "") => Self::BigInt,
            ("real", "") => Self::Real,
            ("double precision", "") => Self::Double,
            ("text", "") => Self::Text,
            ("character varying", "") => Self::Varchar(None),
            ("character varying", n) => Self::Varchar(Some(number(n)?)),
            ("character", n) => Self::Char(number(n)?),
            ("bytea", "") => Self::Bytea,
            ("date", "") => Self::Date,
            ("time without time zone", "") => Self::Time,
            ("timestamp without time zone", "") => Self::Timestamp,
            ("timestamp with time zone", "") => Self::Timestamptz,
            ("uuid", "") => Self::Uuid,
            ("json", "") => Self::Json,
            ("jsonb", "") => Self::Jsonb,
            ("numeric", arguments) => {
                let (p, s) = arguments.split_once(',').ok_or_else(unknown)?;
                let p = p.trim().parse().map_err(|_| unknown())?;
                Self::Numeric(p, s.trim().parse().map_err(|_| unknown())?)
            }
            _ => return Err(unknown()),
        })
    }
}

/// The fields of `row(…)`: `"name" type, "name" type`, types possibly rows themselves. `None`: not of that form.
fn parse_row(text: &str) -> Option<Result<Vec<(String, PgType)>>> {
    let mut fields = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let mut name = String::new();
        let mut chars = rest.strip_prefix('"')?.char_indices().peekable();
        let end = loop {
            match chars.next()? {
                (_, '"') if chars.next_if(|(_, c)| *c == '"').is_some() => name.push('"'),
                (i, '"') => break i,
                (_, c) => name.push(c),
            }
        };
        let after = rest[end + 2..].trim_start();
        let (mut depth, mut quoted, mut length) = (0, false, after.len());
        for (i, c) in after.char_indices() {
            match c {
                '"' => quoted = !quoted,
                '(' if !quoted => depth += 1,
                ')' if !quoted => depth -= 1,
                ',' if !quoted && depth == 0 => {
                    length = i;
                    break;
                }
                _ => {}
            }
        }
        match after[..length].trim().parse() {
            Ok(pg) => fields.push((name, pg)),
            Err(e) => return Some(Err(e)),
        }
        rest = after.get(length + 1..).unwrap_or("").trim_start();
    }
    Some(Ok(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_its_text() {
        let row = PgType::Row(vec![
            ("a \"b\", c".into(), PgType::Numeric(10, 2)),
            ("inner".into(), PgType::Row(vec![("x".into(), PgType::Array(Box::new(PgType::Uuid)))])),
        ]);
        let scalars = [
            PgType::Boolean,
            PgType::Varchar(Some(20)),
            PgType::Varchar(None),
            PgType::Char(3),
            PgType::Time,
            PgType::Timestamp,
        ];
        for pg in scalars.into_iter().chain([PgType::Timestamptz, PgType::Array(Box::new(row.clone())), row]) {
            assert_eq!(pg.to_string().parse::<PgType>().unwrap(), pg, "{pg}");
        }
        assert!("money".parse::<PgType>().is_err());
    }

    #[test]
    fn arrow_alone_or_metadata_gives_the_type_back() {
        let all =
            [PgType::Boolean, PgType::Uuid, PgType::Json, PgType::Varchar(Some(3)), PgType::Time, PgType::Timestamp];
        for pg in
            all.into_iter().chain([PgType::Timestamptz, PgType::Array(Box::new(PgType::Uuid)), PgType::Numeric(38, 9)])
        {
            assert_eq!(PgType::from_arrow(&pg.field("c", true)).unwrap(), pg, "{pg}");
        }
    }
}
