//! What window functions share: their types, and arguments that are the same for all rows.

use std::sync::{Arc, LazyLock};

use datafusion_common::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray,
};
use datafusion_common::arrow::datatypes::{DataType, Schema, TimestampMicrosecondType};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::ColumnarValue;
use datafusion_expr::function::PartitionEvaluatorArgs;

use crate::InvalidArgument;
use crate::arguments::{DURATION, duration};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A row without columns, which constants are evaluated over; made once, since a window asks for each partition.
static ONE_ROW: LazyLock<RecordBatch> = LazyLock::new(|| {
    let one_row = RecordBatchOptions::new().with_row_count(Some(1));
    RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &one_row)
        .unwrap_or_else(|_| RecordBatch::new_empty(Arc::new(Schema::empty())))
});

/// The type that a condition is coerced to.
///
/// # Errors
/// If it is not boolean.
pub(crate) fn condition_type(function: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Boolean | DataType::Null => Ok(DataType::Boolean),
        other => plan_err!("{function} takes a condition as boolean, not as {other}"),
    }
}

/// The type that a time-out is coerced to: seconds as bigint, or an interval.
///
/// # Errors
/// If it is neither.
pub(crate) fn timeout_type(function: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Interval(_) | DataType::Null => Ok(DURATION),
        seconds if seconds.is_integer() => Ok(DataType::Int64),
        other => plan_err!("{function} takes an interval or a number of seconds, not {other}"),
    }
}

/// The microseconds of a time-out that was coerced to [`timeout_type`].
///
/// # Errors
/// If it is NULL, negative or an interval with months.
pub(crate) fn timeout(function: &str, name: &str, value: &ScalarValue) -> Result<u64> {
    let micros = match value {
        ScalarValue::Int64(Some(seconds)) => seconds.saturating_mul(MICROS_PER_SECOND),
        other => duration(function, name, other)?,
    };
    u64::try_from(micros).map_err(|_| InvalidArgument::error(format!("{function}: {name} must not be negative")))
}

/// The value of an argument that has to be the same for all rows.
///
/// # Errors
/// If it depends on a row.
pub(crate) fn constant(function: &str, name: &str, args: &PartitionEvaluatorArgs, place: usize) -> Result<ScalarValue> {
    let Some(expression) = args.input_exprs().get(place) else {
        return plan_err!("{function} needs {name}");
    };
    let not_constant = || InvalidArgument::error(format!("{function}: {name} has to be a constant"));
    match expression.evaluate(&ONE_ROW).map_err(|_| not_constant())? {
        ColumnarValue::Scalar(value) => Ok(value),
        ColumnarValue::Array(_) => Err(not_constant()),
    }
}

/// The instants of a column that was coerced to an instant's type, as they come.
///
/// # Errors
/// If there are none.
pub(crate) fn instants<'a>(function: &str, values: &'a [ArrayRef]) -> Result<&'a TimestampMicrosecondArray> {
    match values.first().and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>()) {
        Some(instants) => Ok(instants),
        None => plan_err!("{function} needs a timestamp"),
    }
}

/// The conditions in a column.
///
/// # Errors
/// If there are none.
pub(crate) fn conditions<'a>(function: &str, values: &'a [ArrayRef], place: usize) -> Result<&'a BooleanArray> {
    match values.get(place).and_then(|array| array.as_boolean_opt()) {
        Some(conditions) => Ok(conditions),
        None => plan_err!("{function} needs a condition"),
    }
}

/// Whether a condition holds: unknown does not.
pub(crate) fn holds(conditions: &BooleanArray, row: usize) -> bool {
    conditions.is_valid(row) && conditions.value(row)
}
