//! The bytes of a key's values, independent of the Arrow type that carries them.

use datafusion_common::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, LargeStringArray, StringArray,
    StringViewArray,
};
use datafusion_common::arrow::compute::{CastOptions, cast_with_options};
use datafusion_common::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion_common::{Result, ScalarValue};

use crate::InvalidArgument;

/// One column of a key.
pub(super) enum KeyBytes {
    Null,
    Boolean(BooleanArray),
    Integer(Int64Array),
    Float(Float64Array),
    Decimal(Decimal128Array, i8),
    Utf8(StringArray),
    LargeUtf8(LargeStringArray),
    Utf8View(StringViewArray),
}

/// Whether values of this type have bytes.
pub(super) fn is_key_type(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Date32
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_key_type(value),
        DataType::RunEndEncoded(_, value) => is_key_type(value.data_type()),
        _ => false,
    }
}

impl KeyBytes {
    /// Reads a column; [`InvalidArgument`] for a type that is no key type.
    pub(super) fn new(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Int64 => Self::Integer(array.as_primitive::<Int64Type>().clone()),
            DataType::Date32 => Self::Integer(array.as_primitive::<Date32Type>().unary(i64::from)),
            DataType::Time64(TimeUnit::Microsecond) => {
                Self::Integer(array.as_primitive::<Time64MicrosecondType>().unary(|micros| micros))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Integer(array.as_primitive::<TimestampMicrosecondType>().unary(|micros| micros))
            }
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>().clone()),
            DataType::Decimal128(_, scale) => Self::Decimal(array.as_primitive::<Decimal128Type>().clone(), *scale),
            DataType::Utf8 => Self::Utf8(array.as_string::<i32>().clone()),
            DataType::LargeUtf8 => Self::LargeUtf8(array.as_string::<i64>().clone()),
            DataType::Utf8View => Self::Utf8View(array.as_string_view().clone()),
            // The others become one of those.
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => Self::converted(array, &DataType::Int64)?,
            DataType::Float32 => Self::converted(array, &DataType::Float64)?,
            DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
                Self::converted(array, &DataType::Decimal128(*precision, *scale))?
            }
            DataType::Time32(_) | DataType::Time64(_) => {
                Self::converted(array, &DataType::Time64(TimeUnit::Microsecond))?
            }
            DataType::Timestamp(_, zone) => {
                Self::converted(array, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?
            }
            DataType::Dictionary(_, value) => Self::converted(array, value)?,
            DataType::RunEndEncoded(_, value) => Self::converted(array, value.data_type())?,
            other => {
                return Err(InvalidArgument::error(format!(
                    "audience_bucket does not take a key of type {other}, cast it to text"
                )));
            }
        })
    }

    /// A value that does not fit is an error, not NULL.
    fn converted(array: &ArrayRef, to: &DataType) -> Result<Self> {
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        Self::new(&cast_with_options(array, to, &strict)?)
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean(array) => array.is_null(row),
            Self::Integer(array) => array.is_null(row),
            Self::Float(array) => array.is_null(row),
            Self::Decimal(array, _) => array.is_null(row),
            Self::Utf8(array) => array.is_null(row),
            Self::LargeUtf8(array) => array.is_null(row),
            Self::Utf8View(array) => array.is_null(row),
        }
    }

    /// Appends the bytes of a value that is not NULL.
    pub(super) fn append(&self, row: usize, bytes: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Null => {}
            Self::Boolean(array) => bytes.push(u8::from(array.value(row))),
            Self::Integer(array) => bytes.extend(array.value(row).to_le_bytes()),
            Self::Float(array) => bytes.extend(one_form(array.value(row)).to_le_bytes()),
            Self::Decimal(array, scale) => {
                let (digits, places) = shortest(array.value(row), *scale)?;
                bytes.extend(digits.to_le_bytes());
                bytes.push(places);
            }
            Self::Utf8(array) => bytes.extend(array.value(row).as_bytes()),
            Self::LargeUtf8(array) => bytes.extend(array.value(row).as_bytes()),
            Self::Utf8View(array) => bytes.extend(array.value(row).as_bytes()),
        }
        Ok(())
    }
}

/// Equal numbers have equal bits: one zero, one NaN.
fn one_form(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else if value == 0.0 {
        0.0
    } else {
        value
    }
}

/// The same number with as few decimal places as it needs, none of them negative.
fn shortest(digits: i128, scale: i8) -> Result<(i128, u8)> {
    let mut digits = digits;
    let mut places = match u8::try_from(scale) {
        Ok(places) => places,
        Err(_) => {
            let zeros = 10_i128.checked_pow(u32::from(scale.unsigned_abs()));
            digits = zeros.and_then(|zeros| digits.checked_mul(zeros)).ok_or_else(|| {
                let value = ScalarValue::Decimal128(Some(digits), 38, scale);
                InvalidArgument::error(format!("audience_bucket does not take a key of more than 38 digits: {value}"))
            })?;
            0
        }
    };
    while places > 0 && digits % 10 == 0 {
        digits /= 10;
        places -= 1;
    }
    Ok((digits, places))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        assert_eq!(shortest(1500, 3).unwrap(), (15, 1));
        assert_eq!(shortest(-4200, 2).unwrap(), (-42, 0));
        assert_eq!(shortest(0, 5).unwrap(), (0, 0));
        assert_eq!(shortest(42, -2).unwrap(), (4200, 0));
        assert!(shortest(i128::MAX, -1).is_err());
        assert_eq!(one_form(-0.0).to_bits(), 0);
        assert_eq!(one_form(-f64::NAN).to_bits(), f64::NAN.to_bits());
    }
}
