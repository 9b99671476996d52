//! Integers, object identifiers and floating-point numbers.

use std::str::FromStr;

use datafusion::common::ScalarValue;

use super::{fixed, invalid_text, text, trimmed};
use crate::error::{Error, Result, SqlState};
use crate::values::pg_type::{name_of, oid};

/// smallint, integer, bigint or oid.
pub(super) fn integer(bytes: &[u8], binary: bool, oid: u32) -> Result<ScalarValue> {
    let value: i64 = if binary {
        match oid {
            oid::INT2 => i16::from_be_bytes(fixed(bytes, oid)?).into(),
            oid::INT4 => i32::from_be_bytes(fixed(bytes, oid)?).into(),
            oid::OID => u32::from_be_bytes(fixed(bytes, oid)?).into(),
            _ => i64::from_be_bytes(fixed(bytes, oid)?),
        }
    } else {
        whole(text(bytes)?, oid)?
    };
    let out_of_range = || out_of_range_for(value, oid);
    Ok(match oid {
        oid::INT2 => ScalarValue::Int16(Some(i16::try_from(value).map_err(|_| out_of_range())?)),
        oid::INT4 => ScalarValue::Int32(Some(i32::try_from(value).map_err(|_| out_of_range())?)),
        oid::OID => ScalarValue::Int64(Some(u32::try_from(value).map_err(|_| out_of_range())?.into())),
        _ => ScalarValue::Int64(Some(value)),
    })
}

/// Digits with an optional sign, white space round them.
fn whole(given: &str, oid: u32) -> Result<i64> {
    let number = trimmed(given);
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid_text(oid, given));
    }
    // Only digits are left, so that failing means too many of them.
    i64::from_str(number).map_err(|_| out_of_range_for(number, oid))
}

fn out_of_range_for(value: impl std::fmt::Display, oid: u32) -> Error {
    let message = format!("value \"{value}\" is out of range for type {}", name_of(oid));
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

/// real
pub(super) fn real(bytes: &[u8], binary: bool) -> Result<ScalarValue> {
    let value = if binary {
        f32::from_be_bytes(fixed(bytes, oid::FLOAT4)?)
    } else {
        let given = text(bytes)?;
        let value = f32::from_str(trimmed(given)).map_err(|_| invalid_text(oid::FLOAT4, given))?;
        within(value == 0.0, value.is_infinite(), given, oid::FLOAT4)?;
        value
    };
    Ok(ScalarValue::Float32(Some(value)))
}

/// double precision
pub(super) fn double(bytes: &[u8], binary: bool) -> Result<ScalarValue> {
    let value = if binary {
        f64::from_be_bytes(fixed(bytes, oid::FLOAT8)?)
    } else {
        let given = text(bytes)?;
        let value = f64::from_str(trimmed(given)).map_err(|_| invalid_text(oid::FLOAT8, given))?;
        within(value == 0.0, value.is_infinite(), given, oid::FLOAT8)?;
        value
    };
    Ok(ScalarValue::Float64(Some(value)))
}

/// Refuses a number that became infinite without being called so, or zero without being zero.
fn within(zero: bool, infinite: bool, given: &str, oid: u32) -> Result<()> {
    let number = trimmed(given).to_ascii_lowercase();
    let mantissa = number.split('e').next().unwrap_or_default();
    let overflow = infinite && !number.contains("inf");
    let underflow = zero && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    if overflow || underflow {
        let message = format!("\"{}\" is out of range for type {}", trimmed(given), name_of(oid));
        return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
    }
    Ok(())
}
