//! SQL type names and their homes: `ast::DataType` to a storable type, or to the Arrow field of a cast.

use std::sync::Arc;

use catalog::types::PgType;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit};
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType as SqlType, ExactNumberInfo, TimezoneInfo,
};

use crate::error::{Error, Result, SqlState, no_type};
use crate::pg_catalog::{Reg, builtin};

/// `numeric` without precision: DESIGN's choice, told to the user by a notice where a column is declared so.
pub(crate) const BARE_NUMERIC: PgType = PgType::Numeric(38, 9);

/// The storable type that a SQL type names.
///
/// # Errors
/// 0A000 for a type that PostgreSQL has and tables here can't store, 42704 for one that does not exist.
pub(crate) fn storable(sql: &SqlType) -> Result<PgType> {
    let length = |length: &Option<CharacterLength>| match length {
        None => Ok(None),
        Some(CharacterLength::IntegerLength { length, .. }) => {
            u32::try_from(*length).ok().filter(|n| (1..=10_485_760).contains(n)).map(Some).ok_or_else(|| {
                Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("length {length} of a character type must be between 1 and 10485760"),
                )
            })
        }
        Some(CharacterLength::Max) => Err(Error::unsupported("a character type of length MAX")),
    };
    Ok(match sql {
        SqlType::Boolean | SqlType::Bool => PgType::Boolean,
        SqlType::SmallInt(None) | SqlType::Int2(None) => PgType::SmallInt,
        SqlType::Integer(None) | SqlType::Int(None) | SqlType::Int4(None) => PgType::Integer,
        SqlType::BigInt(None) | SqlType::Int8(None) => PgType::BigInt,
        SqlType::Real | SqlType::Float4 => PgType::Real,
        SqlType::DoublePrecision | SqlType::Float8 | SqlType::Double(ExactNumberInfo::None) => PgType::Double,
        SqlType::Float(ExactNumberInfo::None) => PgType::Double,
        SqlType::Float(ExactNumberInfo::Precision(1..=24)) => PgType::Real,
        SqlType::Float(ExactNumberInfo::Precision(25..=53)) => PgType::Double,
        SqlType::Numeric(info) | SqlType::Decimal(info) | SqlType::Dec(info) => numeric(info)?,
        SqlType::Text => PgType::Text,
        SqlType::Varchar(n) | SqlType::CharacterVarying(n) | SqlType::CharVarying(n) => PgType::Varchar(length(n)?),
        SqlType::Char(n) | SqlType::Character(n) => PgType::Char(length(n)?.unwrap_or(1)),
        SqlType::Bytea => PgType::Bytea,
        SqlType::Date => PgType::Date,
        SqlType::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            micros(precision, PgType::Time)?
        }
        SqlType::Timestamp(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            micros(precision, PgType::Timestamp)?
        }
        SqlType::Timestamp(precision, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => {
            micros(precision, PgType::Timestamptz)?
        }
        SqlType::Uuid => PgType::Uuid,
        SqlType::JSON => PgType::Json,
        SqlType::JSONB => PgType::Jsonb,
        SqlType::Array(ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::AngleBracket(element)) => {
            PgType::Array(Box::new(storable(element)?))
        }
        SqlType::Interval { .. } => {
            return Err(Error::unsupported("a column of type interval")
                .with_hint("store seconds as numeric, or the two timestamps"));
        }
        SqlType::Time(..) => return Err(Error::unsupported("a column of type time with time zone")),
        SqlType::Custom(name, _) if name.to_string().ends_with("serial") => {
            return Err(Error::unsupported(format!("type {name}")).with_hint("use bigint and give the ids yourself"));
        }
        other => {
            return Err(no_type(&other.to_string().to_lowercase()));
        }
    })
}

fn numeric(info: &ExactNumberInfo) -> Result<PgType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Ok(BARE_NUMERIC),
        ExactNumberInfo::Precision(p) => (*p, 0),
        ExactNumberInfo::PrecisionAndScale(p, s) => (*p, *s),
    };
    if precision == 0 || precision > 1000 {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("NUMERIC precision {precision} must be between 1 and 1000"),
        ));
    }
    if precision > 38 {
        return Err(
            Error::unsupported(format!("numeric of {precision} digits")).with_hint("at most 38 digits can be stored")
        );
    }
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(p), Ok(s)) if s >= 0 && i64::from(s) <= precision as i64 => Ok(PgType::Numeric(p, s)),
        _ => Err(Error::unsupported(format!("numeric scale {scale} outside of 0 to the precision"))),
    }
}

/// Times are kept in microseconds; a coarser precision would have to round and is refused rather than ignored.
fn micros(precision: &Option<u64>, pg: PgType) -> Result<PgType> {
    match precision {
        None | Some(6) => Ok(pg),
        Some(p) => Err(Error::unsupported(format!("precision {p} of {pg}"))
            .with_hint("leave the precision out, times have microseconds")),
    }
}

/// The types of casts and typed literals, for DataFusion's SQL planner.
#[derive(Debug)]
pub(crate) struct CastTypes {
    /// The session's zone: text cast to timestamptz is read in it.
    pub(crate) time_zone: Arc<str>,
}

impl TypePlanner for CastTypes {
    fn plan_type_field(&self, sql: &SqlType) -> PlanResult<Option<FieldRef>> {
        let field = match sql {
            SqlType::Interval { .. } => Field::new("", DataType::Interval(IntervalUnit::MonthDayNano), true),
            SqlType::Regclass => builtin::field("", "regclass", true),
            SqlType::Custom(name, arguments) if arguments.is_empty() => {
                match name.to_string().to_lowercase().as_str() {
                    "name" | "pg_catalog.name" | "pg_catalog.text" => Field::new("", DataType::Utf8View, true),
                    "oid" | "pg_catalog.oid" => builtin::field("", "oid", true),
                    "\"char\"" | "pg_catalog.\"char\"" => builtin::field("", "char", true),
                    other => match builtin_type(other) {
                        Some(field) => field,
                        None => return Ok(None),
                    },
                }
            }
            _ => match storable(sql) {
                Ok(pg) => in_zone(&pg.field("", true), &self.time_zone),
                // Not storable is not the same as not castable: DataFusion knows more types.
                Err(_) => return Ok(None),
            },
        };
        Ok(Some(Arc::new(field)))
    }
}

/// A type that is named with the schema of built-in types, or that only object identifiers have.
fn builtin_type(name: &str) -> Option<Field> {
    let bare = name.strip_prefix("pg_catalog.").unwrap_or(name);
    if Reg::named(bare).is_some() {
        return Some(builtin::field("", bare, true));
    }
    let known = ["int2", "int4", "int8", "bool", "float4", "float8"].contains(&bare);
    let known = known || matches!(bare, "int2[]" | "int4[]" | "int8[]" | "text[]" | "oid[]" | "name[]");
    let internal = bare.strip_suffix("[]").map(|element| format!("_{element}"));
    known.then(|| builtin::field("", internal.as_deref().unwrap_or(bare), true))
}

/// A field of type timestamptz as a session in `zone` sees it; other fields as they are.
pub(crate) fn in_zone(field: &Field, zone: &Arc<str>) -> Field {
    match field.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            field.clone().with_data_type(DataType::Timestamp(*unit, Some(Arc::clone(zone))))
        }
        DataType::List(element) => field.clone().with_data_type(DataType::List(Arc::new(in_zone(element, zone)))),
        _ => field.clone(),
    }
}
