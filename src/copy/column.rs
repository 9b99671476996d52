//! One column of a COPY FROM: fields go in, an array of the column's type comes out.
//!
//! Fields are read by the input functions of `values::decode`, as parameters are. The plain spellings that files are
//! full of (`123`, `12.50`, `2026-01-31 10:00:00`) have short cuts here, which give the same values.

use std::sync::Arc;

use catalog::types::PgType;
use datafusion::arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder,
    Int16Builder, Int32Builder, Int64Builder, StringViewBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, i256};
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;

use super::encoding;
use super::json::Kind;
use crate::engine::assigned_text;
use crate::error::{Error, Result, SqlState};
use crate::values::decode;
use crate::values::encode::{Zone, calendar};
use crate::values::pg_type;

/// A column being filled.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) not_null: bool,
    pg: PgType,
    /// The type's identifier, by which its input function is found.
    oid: u32,
    field: Field,
    zone: Zone,
    values: Values,
}

enum Values {
    Boolean(BooleanBuilder),
    SmallInt(Int16Builder),
    Integer(Int32Builder),
    BigInt(Int64Builder),
    Real(Float32Builder),
    Double(Float64Builder),
    Numeric(Decimal128Builder),
    Text(StringViewBuilder),
    Bytea(BinaryViewBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Array(Vec<ScalarValue>),
}

impl Column {
    /// An empty column of type `pg`; a timestamptz without offset is in `zone`.
    ///
    /// # Errors
    /// 0A000 for a composite type, which has no input form here.
    pub(super) fn new(name: &str, pg: PgType, not_null: bool, zone: Zone) -> Result<Self> {
        let values = match &pg {
            PgType::Boolean => Values::Boolean(BooleanBuilder::new()),
            PgType::SmallInt => Values::SmallInt(Int16Builder::new()),
            PgType::Integer => Values::Integer(Int32Builder::new()),
            PgType::BigInt => Values::BigInt(Int64Builder::new()),
            PgType::Real => Values::Real(Float32Builder::new()),
            PgType::Double => Values::Double(Float64Builder::new()),
            PgType::Numeric(..) => Values::Numeric(Decimal128Builder::new().with_data_type(pg.arrow())),
            PgType::Text | PgType::Varchar(_) | PgType::Char(_) | PgType::Uuid | PgType::Json | PgType::Jsonb => {
                Values::Text(StringViewBuilder::new())
            }
            PgType::Bytea => Values::Bytea(BinaryViewBuilder::new()),
            PgType::Date => Values::Date(Date32Builder::new()),
            PgType::Time => Values::Time(Time64MicrosecondBuilder::new()),
            PgType::Timestamp => Values::Timestamp(TimestampMicrosecondBuilder::new()),
            PgType::Timestamptz => Values::Timestamp(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            PgType::Array(_) => Values::Array(Vec::new()),
            PgType::Row(_) => {
                return Err(Error::unsupported(format!("COPY into column \"{name}\" of a composite type")));
            }
        };
        let field = pg.field(name, true);
        let oid = pg_type::PgType::of(&field).oid;
        Ok(Self { name: name.to_owned(), not_null, pg, oid, field, zone, values })
    }

    /// What a JSON value is read as.
    pub(super) fn kind(&self) -> Kind {
        match self.pg {
            PgType::Json | PgType::Jsonb => Kind::Json,
            PgType::Array(_) => Kind::Array,
            _ => Kind::Plain,
        }
    }

    /// Appends null.
    pub(super) fn push_null(&mut self) -> Result<()> {
        match &mut self.values {
            Values::Boolean(values) => values.append_null(),
            Values::SmallInt(values) => values.append_null(),
            Values::Integer(values) => values.append_null(),
            Values::BigInt(values) => values.append_null(),
            Values::Real(values) => values.append_null(),
            Values::Double(values) => values.append_null(),
            Values::Numeric(values) => values.append_null(),
            Values::Text(values) => values.append_null(),
            Values::Bytea(values) => values.append_null(),
            Values::Date(values) => values.append_null(),
            Values::Time(values) => values.append_null(),
            Values::Timestamp(values) => values.append_null(),
            Values::Array(values) => values.push(ScalarValue::try_new_null(self.field.data_type())?),
        }
        Ok(())
    }

    /// Appends a value in its text form, which is known to be text.
    pub(super) fn push_text(&mut self, bytes: &[u8]) -> Result<()> {
        let quick = match &mut self.values {
            Values::SmallInt(values) => {
                whole(bytes).and_then(|value| i16::try_from(value).ok()).map(|value| values.append_value(value))
            }
            Values::Integer(values) => {
                whole(bytes).and_then(|value| i32::try_from(value).ok()).map(|value| values.append_value(value))
            }
            Values::BigInt(values) => whole(bytes).map(|value| values.append_value(value)),
            Values::Numeric(values) => {
                let PgType::Numeric(precision, scale) = self.pg else { return Err(mismatch(&self.pg)) };
                decimal(bytes, precision, scale).map(|value| values.append_value(value))
            }
            Values::Date(values) => match bytes.len() {
                10 => day(bytes).map(|days| values.append_value(days)),
                _ => None,
            },
            Values::Timestamp(values) => {
                let zone = (self.pg == PgType::Timestamptz).then_some(self.zone);
                moment(bytes, zone).map(|micros| values.append_value(micros))
            }
            Values::Text(values) => {
                let text = std::str::from_utf8(bytes).map_err(|_| encoding::not_utf8(bytes))?;
                match self.pg {
                    PgType::Text | PgType::Varchar(None) => values.append_value(text),
                    // Bytes are at least as many as characters.
                    PgType::Varchar(Some(longest)) if text.len() <= longest as usize => values.append_value(text),
                    _ => values.append_value(assigned_text(&self.pg, text)?),
                }
                Some(())
            }
            _ => None,
        };
        if quick.is_some() {
            return Ok(());
        }
        let value = decode::decode(Some(bytes), false, self.oid, &self.field, self.zone)?;
        self.push(value)
    }

    /// Appends a value in its binary form.
    pub(super) fn push_binary(&mut self, bytes: &[u8]) -> Result<()> {
        let value = decode::decode(Some(bytes), true, self.oid, &self.field, self.zone)?;
        self.push(value)
    }

    fn push(&mut self, value: ScalarValue) -> Result<()> {
        match (&mut self.values, value) {
            (Values::Boolean(values), ScalarValue::Boolean(value)) => values.append_option(value),
            (Values::SmallInt(values), ScalarValue::Int16(value)) => values.append_option(value),
            (Values::Integer(values), ScalarValue::Int32(value)) => values.append_option(value),
            (Values::BigInt(values), ScalarValue::Int64(value)) => values.append_option(value),
            (Values::Real(values), ScalarValue::Float32(value)) => values.append_option(value),
            (Values::Double(values), ScalarValue::Float64(value)) => values.append_option(value),
            (Values::Numeric(values), ScalarValue::Decimal128(Some(value), _, scale)) => {
                values.append_value(fitted(i256::from_i128(value), scale, &self.pg)?);
            }
            (Values::Numeric(values), ScalarValue::Decimal256(Some(value), _, scale)) => {
                values.append_value(fitted(value, scale, &self.pg)?);
            }
            (Values::Text(values), ScalarValue::Utf8View(Some(text))) => match self.pg {
                PgType::Text | PgType::Varchar(None) => values.append_value(text),
                _ => values.append_value(assigned_text(&self.pg, &text)?),
            },
            (Values::Bytea(values), ScalarValue::BinaryView(Some(bytes))) => values.append_value(bytes),
            (Values::Date(values), ScalarValue::Date32(value)) => values.append_option(value),
            (Values::Time(values), ScalarValue::Time64Microsecond(value)) => values.append_option(value),
            (Values::Timestamp(values), ScalarValue::TimestampMicrosecond(value, _)) => values.append_option(value),
            (Values::Array(values), value @ ScalarValue::List(_)) => {
                if dimensions(&value.data_type()) > dimensions(self.field.data_type()) {
                    return Err(Error::unsupported("storing an array of several dimensions"));
                }
                values.push(value.cast_to(self.field.data_type())?);
            }
            _ => return Err(mismatch(&self.pg)),
        }
        Ok(())
    }

    /// The values so far, as an array of the column's type; the column is empty again.
    pub(super) fn take(&mut self) -> Result<ArrayRef> {
        Ok(match &mut self.values {
            Values::Boolean(values) => Arc::new(values.finish()),
            Values::SmallInt(values) => Arc::new(values.finish()),
            Values::Integer(values) => Arc::new(values.finish()),
            Values::BigInt(values) => Arc::new(values.finish()),
            Values::Real(values) => Arc::new(values.finish()),
            Values::Double(values) => Arc::new(values.finish()),
            Values::Numeric(values) => Arc::new(values.finish()),
            Values::Text(values) => Arc::new(values.finish()),
            Values::Bytea(values) => Arc::new(values.finish()),
            Values::Date(values) => Arc::new(values.finish()),
            Values::Time(values) => Arc::new(values.finish()),
            Values::Timestamp(values) => Arc::new(values.finish()),
            Values::Array(values) => {
                let array = ScalarValue::iter_to_array(std::mem::take(values))?;
                cast(&array, self.field.data_type()).map_err(DataFusionError::from)?
            }
        })
    }
}

/// How deep lists are nested.
fn dimensions(data_type: &DataType) -> usize {
    match data_type {
        DataType::List(item) => 1 + dimensions(item.data_type()),
        _ => 0,
    }
}

fn mismatch(pg: &PgType) -> Error {
    Error::internal(format!("a value of another type was read for a column of type {pg}"))
}

/// Up to eighteen digits with an optional minus.
fn whole(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0i64;
    for digit in digits {
        value = value * 10 + i64::from(digit.wrapping_sub(b'0'));
        if !digit.is_ascii_digit() {
            return None;
        }
    }
    Some(if negative { -value } else { value })
}

/// `[-]digits[.digits]` that need no rounding.
fn decimal(bytes: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 36 {
        return None;
    }
    let mut value = 0i128;
    let mut fraction: Option<i8> = None;
    let mut any = false;
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + i128::from(byte - b'0');
                any = true;
                if let Some(digits) = &mut fraction {
                    *digits += 1;
                }
            }
            b'.' if fraction.is_none() => fraction = Some(0),
            _ => return None,
        }
    }
    let missing = u32::try_from(scale.checked_sub(fraction.unwrap_or(0))?).ok()?;
    let value = value.checked_mul(10i128.checked_pow(missing)?)?;
    let fits = any && value < 10i128.checked_pow(precision.into())?;
    fits.then_some(if negative { -value } else { value })
}

/// A decimal of `scale` as one of the column's, rounded half away from zero.
fn fitted(value: i256, scale: i8, pg: &PgType) -> Result<i128> {
    let PgType::Numeric(precision, wanted) = *pg else { return Err(mismatch(pg)) };
    let ten = i256::from_i128(10);
    let scaled = if scale <= wanted {
        value.checked_mul(ten.wrapping_pow(u32::from(wanted.abs_diff(scale))))
    } else {
        let unit = ten.wrapping_pow(u32::from(scale.abs_diff(wanted)));
        let (whole, rest) = (value.wrapping_div(unit), value.wrapping_rem(unit));
        // Twice the rest may not fit, half of the unit does.
        let half = unit.wrapping_div(i256::from_i128(2));
        let away = if rest >= half {
            i256::ONE
        } else if rest <= half.wrapping_neg() {
            i256::MINUS_ONE
        } else {
            i256::ZERO
        };
        Some(whole.wrapping_add(away))
    };
    let limit = 10i128.pow(precision.into());
    scaled.and_then(i256::to_i128).filter(|value| value.unsigned_abs() < limit.unsigned_abs()).ok_or_else(|| {
        let digits = precision.saturating_sub(wanted.unsigned_abs());
        let most = if digits == 0 { "1".to_owned() } else { format!("10^{digits}") };
        Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").with_detail(format!(
            "A field with precision {precision}, scale {wanted} must round to an absolute value less than {most}."
        ))
    })
}

fn two(bytes: &[u8]) -> Option<u32> {
    match bytes {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(u32::from(a - b'0') * 10 + u32::from(b - b'0')),
        _ => None,
    }
}

/// `YYYY-MM-DD`, days since 1970.
fn day(bytes: &[u8]) -> Option<i32> {
    let [c1, c2, y1, y2, b'-', m1, m2, b'-', d1, d2] = bytes else { return None };
    let year = i64::from(two(&[*c1, *c2])? * 100 + two(&[*y1, *y2])?);
    let (month, day) = (two(&[*m1, *m2])?, two(&[*d1, *d2])?);
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > calendar::days_in_month(year, month) {
        return None;
    }
    i32::try_from(calendar::days(year, month, day)).ok()
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff]` with `+HH[:MM]` or `Z` behind it if `session` says that zones matter.
fn moment(bytes: &[u8], session: Option<Zone>) -> Option<i64> {
    let (date, rest) = bytes.split_at_checked(10)?;
    let days = i64::from(day(date)?);
    let [b' ' | b'T', h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = rest else { return None };
    let (hours, minutes, seconds) = (two(&[*h1, *h2])?, two(&[*m1, *m2])?, two(&[*s1, *s2])?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let mut micros = 0;
    let mut rest = rest;
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=6).contains(&digits) {
            return None;
        }
        let value = fraction[..digits].iter().fold(0i64, |value, digit| value * 10 + i64::from(digit - b'0'));
        micros = value * 10i64.pow(6 - digits as u32);
        rest = &fraction[digits..];
    }
    let local = days * 86_400 + i64::from(hours * 3600 + minutes * 60 + seconds);
    let east = match (session, rest) {
        (None, []) => 0,
        (Some(zone), []) => i64::from(zone.east_at_local(local)),
        (Some(_), [b'Z']) => 0,
        (Some(_), [sign @ (b'+' | b'-'), h1, h2, minutes @ ..]) => {
            let hours = two(&[*h1, *h2]).filter(|hours| *hours <= 15)?;
            let minutes = match minutes {
                [] => 0,
                [b':', m1, m2] => two(&[*m1, *m2]).filter(|minutes| *minutes <= 59)?,
                _ => return None,
            };
            let east = i64::from(hours * 3600 + minutes * 60);
            if *sign == b'-' { -east } else { east }
        }
        _ => return None,
    };
    (local - east).checked_mul(1_000_000)?.checked_add(micros)
}
