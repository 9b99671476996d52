//! Constant options of aggregates and scalars, within their bounds.

use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue};

use crate::InvalidArgument;

/// A number from `low` to `high`.
///
/// # Errors
/// If it is NULL, NaN, not a number or out of bounds.
pub(super) fn number(function: &str, name: &str, value: &ScalarValue, low: f64, high: f64) -> Result<f64> {
    match value.cast_to(&DataType::Float64) {
        Ok(ScalarValue::Float64(Some(number))) if (low..=high).contains(&number) => Ok(number),
        _ if high.is_infinite() => {
            Err(InvalidArgument::error(format!("{function}: {name} has to be a number of at least {low}, not {value}")))
        }
        _ => Err(InvalidArgument::error(format!(
            "{function}: {name} has to be a number from {low} to {high}, not {value}"
        ))),
    }
}

/// A whole number from `low` to `high`.
///
/// # Errors
/// If it is NULL, not a whole number or out of bounds.
pub(super) fn whole(function: &str, name: &str, value: &ScalarValue, low: i64, high: i64) -> Result<i64> {
    match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(Some(number))) if (low..=high).contains(&number) => Ok(number),
        _ => Err(InvalidArgument::error(format!(
            "{function}: {name} has to be a whole number from {low} to {high}, not {value}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold() {
        assert_eq!(number("f", "share", &ScalarValue::Int64(Some(1)), 0.0, 1.0).unwrap(), 1.0);
        assert!(number("f", "share", &ScalarValue::Float64(Some(f64::NAN)), 0.0, 1.0).is_err());
        assert!(number("f", "share", &ScalarValue::Null, 0.0, f64::INFINITY).is_err());
        assert!(whole("f", "k", &ScalarValue::Int64(Some(0)), 1, 9).unwrap_err().to_string().contains("from 1 to 9"));
    }
}
