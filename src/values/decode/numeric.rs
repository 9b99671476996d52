//! numeric: exact, with the scale the client wrote.

use datafusion::arrow::datatypes::i256;
use datafusion::common::ScalarValue;

use super::{invalid_bytes, invalid_text, text, trimmed};
use crate::error::{Error, Result, SqlState};
use crate::values::pg_type::oid;

/// Digits that a 256-bit decimal holds for certain.
const MOST_DIGITS: usize = 76;
/// Digits that a 128-bit decimal holds for certain.
const NARROW_DIGITS: u8 = 38;

/// A number as `value / 10^scale`, with at most 76 digits before and after the point together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numeric {
    value: i256,
    precision: u8,
    scale: u8,
}

impl Numeric {
    /// A decimal with its own precision and scale: 128 bits where they are enough.
    pub(super) fn scalar(self) -> ScalarValue {
        match self.value.to_i128() {
            Some(value) if self.precision <= NARROW_DIGITS => {
                ScalarValue::Decimal128(Some(value), self.precision, self.scale as i8)
            }
            _ => ScalarValue::Decimal256(Some(self.value), self.precision, self.scale as i8),
        }
    }

    /// From digits without a point, of which the last `scale` stand after it.
    fn new(negative: bool, digits: &str, scale: usize) -> Result<Self> {
        let digits = digits.trim_start_matches('0');
        let precision = digits.len().max(scale).max(1);
        if precision > MOST_DIGITS {
            let message = format!("a numeric of {precision} digits is out of range: at most {MOST_DIGITS} are kept");
            return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
        }
        let ten = i256::from_i128(10);
        // Within 76 digits nothing overflows.
        let magnitude = digits.bytes().fold(i256::ZERO, |sum, digit| {
            sum.wrapping_mul(ten).wrapping_add(i256::from_i128(i128::from(digit - b'0')))
        });
        let value = if negative { magnitude.wrapping_neg() } else { magnitude };
        Ok(Self { value, precision: precision as u8, scale: scale as u8 })
    }
}

/// The same numbers with one precision and scale, as an array needs them; `None` stays NULL.
pub(super) fn aligned(numbers: &[Option<Numeric>]) -> Result<Vec<ScalarValue>> {
    let known = || numbers.iter().flatten();
    let scale = known().map(|number| number.scale).max().unwrap_or(0);
    let whole = known().map(|number| number.precision - number.scale).max().unwrap_or(0);
    let precision = (whole + scale).max(1);
    if usize::from(precision) > MOST_DIGITS {
        let message = format!("the numerics of one array need {precision} digits: at most {MOST_DIGITS} are kept");
        return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
    }
    let ten = i256::from_i128(10);
    let values = numbers.iter().map(|number| {
        let value = number.map(|number| number.value.wrapping_mul(ten.wrapping_pow((scale - number.scale).into())));
        if precision <= NARROW_DIGITS {
            ScalarValue::Decimal128(value.map(i256::as_i128), precision, scale as i8)
        } else {
            ScalarValue::Decimal256(value, precision, scale as i8)
        }
    });
    Ok(values.collect())
}

/// Reads either form.
pub(super) fn decode(bytes: &[u8], binary: bool) -> Result<Numeric> {
    if binary { receive(bytes) } else { parse(text(bytes)?) }
}

fn not_finite(what: &str) -> Error {
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("numeric \"{what}\" has no place in a decimal"))
        .with_hint("send it as double precision")
}

/// `[+-]digits[.digits][e[+-]digits]`
fn parse(given: &str) -> Result<Numeric> {
    let invalid = || invalid_text(oid::NUMERIC, given);
    let number = trimmed(given);
    let (negative, unsigned) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    if ["nan", "inf", "infinity"].iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
        return Err(not_finite(number));
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    let exponent = match exponent {
        None => 0,
        Some(exponent) => {
            let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(invalid());
            }
            // An exponent beyond 32 bits is out of range like any other that is too large.
            let sign = if exponent.starts_with('-') { -1 } else { 1 };
            unsigned.parse::<i32>().map_or(i64::from(i32::MAX), i64::from) * sign
        }
    };
    let scale = fraction.len() as i64 - exponent;
    let zero = digits.bytes().all(|digit| digit == b'0');
    if scale >= 0 {
        return Numeric::new(negative, &digits, scale as usize);
    }
    let zeros = if zero { 0 } else { scale.unsigned_abs().min(MOST_DIGITS as u64 + 1) as usize };
    digits.push_str(&"0".repeat(zeros));
    Numeric::new(negative, &digits, 0)
}

/// Digits in base 10000: their number, the power of the first, sign, digits after the point, then the digits.
fn receive(bytes: &[u8]) -> Result<Numeric> {
    let invalid = || invalid_bytes(oid::NUMERIC);
    let words = bytes.chunks(2).map(|pair| <[u8; 2]>::try_from(pair).map(u16::from_be_bytes));
    let words = words.collect::<Result<Vec<u16>, _>>().map_err(|_| invalid())?;
    let [count, weight, sign, scale, groups @ ..] = words.as_slice() else {
        return Err(invalid());
    };
    let negative = match sign {
        0x0000 => false,
        0x4000 => true,
        0xc000 => return Err(not_finite("NaN")),
        0xd000 => return Err(not_finite("Infinity")),
        0xf000 => return Err(not_finite("-Infinity")),
        _ => return Err(invalid()),
    };
    if groups.len() != usize::from(*count) || groups.iter().any(|group| *group > 9999) || *scale > 0x3fff {
        return Err(invalid());
    }
    let scale = usize::from(*scale);
    let weight = i64::from(*weight as i16);
    let group = |place: i64| usize::try_from(place).ok().and_then(|place| groups.get(place)).copied().unwrap_or(0);
    let mut digits = String::new();
    if weight > MOST_DIGITS as i64 && !groups.is_empty() {
        let message = format!("a numeric of more than {MOST_DIGITS} digits is out of range");
        return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
    }
    for place in 0..=weight {
        digits.push_str(&format!("{:04}", group(place)));
    }
    let whole = digits.len();
    // Groups between the point and the first digit that was sent are below place 0, and zero.
    let mut place = weight + 1;
    while digits.len() - whole < scale.min(MOST_DIGITS + 4) {
        digits.push_str(&format!("{:04}", group(place)));
        place += 1;
    }
    digits.truncate(whole + scale);
    Numeric::new(negative, &digits, scale)
}
