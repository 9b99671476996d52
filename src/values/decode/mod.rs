//! Parameter values: what Bind carries, text or binary, as scalars.
//!
//! A value becomes a scalar of the type the client sent, never of the type the statement needs: `1.5` for
//! an integer column stays 1.5, and the planner decides what that means. Nothing is cut, rounded or guessed
//! beyond what PostgreSQL's own input functions do.

mod array;
mod bytea;
mod datetime;
mod interval;
mod number;
mod numeric;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;

use crate::error::{Error, Result, SqlState};
use crate::values::encode::{Zone, uuid};
use crate::values::pg_type::{PgType, arrow_of, element_of, name_of, oid};

/// Decodes the value of one parameter.
///
/// `oid` is the type the client declared, else the one that was announced to it; 0 and 705 stand for the
/// type of `target`, the parameter as the plan knows it. `zone` is the session's time zone, which a
/// timestamptz without offset is in. `None` is a NULL of that type.
///
/// Errors: text that is not of the type 22P02 (dates and times 22007), bytes that are not 22P03, values that do
/// not fit 22003 or 22008, a type without a home here 0A000.
pub(crate) fn decode(bytes: Option<&[u8]>, binary: bool, oid: u32, target: &Field, zone: Zone) -> Result<ScalarValue> {
    let oid = if matches!(oid, 0 | oid::UNKNOWN) { PgType::of(target).oid } else { oid };
    let Some(bytes) = bytes else {
        return null(oid, target);
    };
    match element_of(oid) {
        Some(element) => array::decode(bytes, binary, oid, element, zone),
        None => scalar(bytes, binary, oid, zone),
    }
}

/// The text of a timestamptz as a scalar; without an offset it is a time in `zone`.
pub(crate) fn instant(text: &str, zone: Zone) -> Result<ScalarValue> {
    datetime::timestamptz(text.as_bytes(), false, zone)
}

/// NULL of the client's type; a NULL loses nothing in the plan's own type where the client's says less.
fn null(oid: u32, target: &Field) -> Result<ScalarValue> {
    let same = PgType::of(target).oid == oid && !target.data_type().is_null();
    let data_type = match arrow_of(oid) {
        Some(client) if !same => client.data_type().clone(),
        _ => target.data_type().clone(),
    };
    null_of(&data_type)
}

fn null_of(data_type: &DataType) -> Result<ScalarValue> {
    ScalarValue::try_new_null(data_type).map_err(|error| Error::internal(format!("a NULL of {data_type}: {error}")))
}

/// Decodes a value that is no array.
fn scalar(bytes: &[u8], binary: bool, oid: u32, zone: Zone) -> Result<ScalarValue> {
    match oid {
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR => {
            Ok(ScalarValue::Utf8View(Some(text(bytes)?.to_string())))
        }
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID => number::integer(bytes, binary, oid),
        oid::FLOAT4 => number::real(bytes, binary),
        oid::FLOAT8 => number::double(bytes, binary),
        oid::NUMERIC => Ok(numeric::decode(bytes, binary)?.scalar()),
        oid::BOOL => boolean(bytes, binary),
        oid::BYTEA if binary => Ok(ScalarValue::BinaryView(Some(bytes.to_vec()))),
        oid::BYTEA => Ok(ScalarValue::BinaryView(Some(bytea::parse(text(bytes)?)?))),
        oid::DATE => datetime::date(bytes, binary),
        oid::TIME => datetime::time(bytes, binary),
        oid::TIMESTAMP => datetime::timestamp(bytes, binary),
        oid::TIMESTAMPTZ => datetime::timestamptz(bytes, binary, zone),
        oid::INTERVAL => interval::decode(bytes, binary),
        oid::UUID => identifier(bytes, binary),
        oid::JSON => json(bytes),
        oid::JSONB if binary => match bytes {
            [1, rest @ ..] => json(rest),
            [version, ..] => Err(Error::unsupported(format!("jsonb version {version}"))),
            [] => Err(invalid_bytes(oid)),
        },
        oid::JSONB => json(bytes),
        _ => Err(Error::unsupported(format!("a parameter of type {}", name_of(oid)))
            .with_hint("leave the parameter's type unspecified, or cast it in the statement")),
    }
}

/// The value as text: UTF-8 without the zero byte that no PostgreSQL text can hold.
fn text(bytes: &[u8]) -> Result<&str> {
    let invalid = |byte: u8| {
        let message = format!("invalid byte sequence for encoding \"UTF8\": 0x{byte:02x}");
        Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
    };
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => Err(invalid(0)),
        Ok(text) => Ok(text),
        Err(error) => Err(invalid(bytes.get(error.valid_up_to()).copied().unwrap_or(0))),
    }
}

/// A binary value of exactly `N` bytes.
fn fixed<const N: usize>(bytes: &[u8], oid: u32) -> Result<[u8; N]> {
    <[u8; N]>::try_from(bytes).map_err(|_| invalid_bytes(oid))
}

/// Removes the white space that PostgreSQL allows round numbers and the like.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b')
}

fn invalid_bytes(oid: u32) -> Error {
    let message = format!("incorrect binary data format for type {}", name_of(oid));
    Error::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
}

fn invalid_text(oid: u32, text: &str) -> Error {
    let message = format!("invalid input syntax for type {}: \"{text}\"", name_of(oid));
    let sqlstate = match oid {
        oid::DATE | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::INTERVAL => SqlState::INVALID_DATETIME_FORMAT,
        _ => SqlState::INVALID_TEXT_REPRESENTATION,
    };
    Error::new(sqlstate, message)
}

/// Any unique beginning of true, false, yes, no, on, off; 1 and 0.
fn boolean(bytes: &[u8], binary: bool) -> Result<ScalarValue> {
    if binary {
        let [byte] = fixed(bytes, oid::BOOL)?;
        return Ok(ScalarValue::Boolean(Some(byte != 0)));
    }
    let given = text(bytes)?;
    let word = trimmed(given).to_ascii_lowercase();
    let begins = |whole: &str, least: usize| word.len() >= least && whole.starts_with(&word);
    let value = if word == "1" || begins("true", 1) || begins("yes", 1) || begins("on", 2) {
        true
    } else if word == "0" || begins("false", 1) || begins("no", 1) || begins("off", 2) {
        false
    } else {
        return Err(invalid_text(oid::BOOL, given));
    };
    Ok(ScalarValue::Boolean(Some(value)))
}

/// A uuid in its canonical text form.
fn identifier(bytes: &[u8], binary: bool) -> Result<ScalarValue> {
    let value = if binary {
        fixed::<16>(bytes, oid::UUID)?
    } else {
        let given = text(bytes)?;
        uuid::parse(given.as_bytes()).ok_or_else(|| invalid_text(oid::UUID, given))?
    };
    let canonical = uuid::print(&value);
    Ok(ScalarValue::Utf8View(Some(String::from_utf8_lossy(&canonical).into_owned())))
}

/// JSON as it was written, checked.
fn json(bytes: &[u8]) -> Result<ScalarValue> {
    let given = text(bytes)?;
    serde_json::from_str::<serde::de::IgnoredAny>(given).map_err(|error| {
        Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
            .with_detail(error.to_string())
    })?;
    Ok(ScalarValue::Utf8View(Some(given.to_string())))
}

#[cfg(test)]
mod tests;
