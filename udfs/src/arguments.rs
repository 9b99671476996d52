//! What several functions take: instants, durations and constants, in the one form that kernels work with.

use std::sync::Arc;

use datafusion_common::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion_common::arrow::datatypes::{DataType, IntervalUnit, Schema, TimeUnit};
use datafusion_common::{Result, ScalarValue, not_impl_err, plan_err};
use datafusion_expr::ColumnarValue;
use datafusion_expr::function::AccumulatorArgs;

use crate::InvalidArgument;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The type that an instant is coerced to: microseconds, in the time zone that it has.
///
/// # Errors
/// If it is neither a date nor a timestamp.
pub(crate) fn instant_type(function: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Date32 | DataType::Date64 | DataType::Null => Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
        DataType::Timestamp(_, zone) => Ok(DataType::Timestamp(TimeUnit::Microsecond, zone.clone())),
        other => plan_err!("{function} takes a date or a timestamp, not {other}"),
    }
}

/// The type that a duration is coerced to.
pub(crate) const DURATION: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// The microseconds of a constant duration, where a day has 24 hours.
///
/// # Errors
/// If it is NULL, negative, or has months, which have no length.
pub(crate) fn duration(function: &str, name: &str, value: &ScalarValue) -> Result<i64> {
    let invalid = |what: &str| InvalidArgument::error(format!("{function}: {name} {what}"));
    match value {
        ScalarValue::IntervalMonthDayNano(Some(interval)) => {
            if interval.months != 0 {
                return Err(invalid("must not be given in months or years, which differ in length; give days"));
            }
            let micros = i64::from(interval.days) * MICROS_PER_DAY + interval.nanoseconds / 1000;
            if micros < 0 { Err(invalid("must not be negative")) } else { Ok(micros) }
        }
        value if value.is_null() => Err(invalid("must not be NULL")),
        other => Err(invalid(&format!("has to be an interval, not {}", other.data_type()))),
    }
}

/// The value of an aggregate's argument that has to be the same for all rows.
///
/// # Errors
/// If it depends on a row.
pub(crate) fn constant(function: &str, name: &str, args: &AccumulatorArgs, place: usize) -> Result<ScalarValue> {
    let row = row_without_columns()?;
    known(function, name, args.exprs.get(place).map(|expression| expression.evaluate(&row)))
}

/// What can be evaluated on it does not depend on a row.
pub(crate) fn row_without_columns() -> Result<RecordBatch> {
    let one_row = RecordBatchOptions::new().with_row_count(Some(1));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &one_row)?)
}

/// The value of an argument that was evaluated on a [`row_without_columns`].
///
/// # Errors
/// If there is no such argument, or it has no value there.
pub(crate) fn known(function: &str, name: &str, evaluated: Option<Result<ColumnarValue>>) -> Result<ScalarValue> {
    match evaluated {
        Some(Ok(ColumnarValue::Scalar(value))) => Ok(value),
        Some(_) => Err(InvalidArgument::error(format!("{function}: {name} has to be a constant"))),
        None => plan_err!("{function} needs {name}"),
    }
}

/// Refuses `DISTINCT`, and says `why` or what to do instead.
///
/// # Errors
/// With it: leaving out what is the same would give an aggregate that counts all rows a wrong result without a word.
pub(crate) fn refuse_distinct(function: &str, args: &AccumulatorArgs, why: &str) -> Result<()> {
    if args.is_distinct { not_impl_err!("{function} does not take DISTINCT: {why}") } else { Ok(()) }
}

/// A constant text.
///
/// # Errors
/// If it is NULL or not text.
pub(crate) fn text<'a>(function: &str, name: &str, value: &'a ScalarValue) -> Result<&'a str> {
    match value.try_as_str() {
        Some(Some(text)) => Ok(text),
        Some(None) => Err(InvalidArgument::error(format!("{function}: {name} must not be NULL"))),
        None => Err(InvalidArgument::error(format!("{function}: {name} has to be text"))),
    }
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::datatypes::IntervalMonthDayNano;

    use super::*;

    #[test]
    fn durations_have_a_length() {
        let of = |months, days, nanos| {
            let value = ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(months, days, nanos)));
            duration("f", "gap", &value)
        };
        assert_eq!(of(0, 1, 1_500).unwrap(), MICROS_PER_DAY + 1);
        assert!(of(1, 0, 0).unwrap_err().to_string().contains("months"));
        assert!(of(0, -1, 0).unwrap_err().to_string().contains("negative"));
        assert!(duration("f", "gap", &ScalarValue::Null).is_err());
    }
}
