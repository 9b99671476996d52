//! What functions of this library share: the types that parameters take, and for scalars a constant for constants.

use datafusion_common::arrow::array::ArrayRef;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

/// What a parameter takes, and what it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Any number, as a double.
    Number,
    /// An integer, as a bigint.
    Integer,
    /// Text, as a view.
    Text,
    /// Bytes, as a view.
    Bytes,
    /// A boolean.
    Boolean,
    /// A boolean, or 1 and 0 as doubles.
    Label,
    /// A list of integers.
    Integers,
    /// A list of numbers or booleans, as doubles.
    Vector,
}

impl Taken {
    /// The type that a given one is coerced to.
    pub(crate) fn coerced(self, given: &DataType) -> Option<DataType> {
        match (self, given) {
            (Self::Number, given) if given.is_numeric() || given.is_null() => Some(DataType::Float64),
            (Self::Integer, given) if given.is_integer() || given.is_null() => Some(DataType::Int64),
            (Self::Text, given) if given.is_string() || given.is_null() => Some(DataType::Utf8View),
            (Self::Bytes, given) if given.is_binary() || given.is_null() => Some(DataType::BinaryView),
            (Self::Boolean, DataType::Boolean | DataType::Null) => Some(DataType::Boolean),
            (Self::Label, DataType::Boolean) => Some(DataType::Boolean),
            (Self::Label, given) => Self::Number.coerced(given),
            (Self::Vector, given) => {
                let known = |item: &DataType| item.is_numeric() || matches!(item, DataType::Boolean | DataType::Null);
                let taken = given.is_null() || element(given).is_some_and(known);
                taken.then(|| DataType::new_list(DataType::Float64, true))
            }
            (Self::Integers, DataType::Null) => Some(DataType::new_list(DataType::Int64, true)),
            (Self::Integers, given) => {
                let known = element(given).is_some_and(|item| item.is_integer() || item.is_null());
                known.then(|| DataType::new_list(DataType::Int64, true))
            }
            _ => None,
        }
    }

    fn described(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Integer => "an integer",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Boolean => "a boolean",
            Self::Label => "a boolean, or as 0 and 1",
            Self::Integers => "an array of integers",
            Self::Vector => "an array of numbers or booleans",
        }
    }
}

/// The type of a list's elements.
pub(crate) fn element(given: &DataType) -> Option<&DataType> {
    match given {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            Some(field.data_type())
        }
        _ => None,
    }
}

/// The types of a call's arguments for parameters, of which the last ones may be missing.
///
/// # Errors
/// If there are too few or too many, or one is not what its parameter takes.
pub(crate) fn coerce(
    function: &str,
    given: &[DataType],
    parameters: &[(&str, Taken)],
    required: usize,
) -> Result<Vec<DataType>> {
    if !(required..=parameters.len()).contains(&given.len()) {
        let names: Vec<&str> = parameters.iter().map(|(name, _)| *name).collect();
        return plan_err!("{function} takes {}", names.join(", "));
    }
    let coerced = parameters.iter().zip(given).map(|((name, taken), given)| match taken.coerced(given) {
        Some(coerced) => Ok(coerced),
        None => plan_err!("{function} takes {name} as {}, not as {given}", taken.described()),
    });
    coerced.collect()
}

/// Calls a kernel on the columns of a call; constants alone make one row, and a constant.
pub(crate) fn evaluate(
    args: &ScalarFunctionArgs,
    kernel: impl FnOnce(&[ArrayRef]) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    evaluate_some(args, &args.args, kernel)
}

/// The same on some of a call's arguments, where others are options that were read before.
pub(crate) fn evaluate_some(
    args: &ScalarFunctionArgs,
    some: &[ColumnarValue],
    kernel: impl FnOnce(&[ArrayRef]) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let rows = if is_constant(some) { 1 } else { args.number_rows };
    let columns = some.iter().map(|value| value.to_array(rows)).collect::<Result<Vec<_>>>()?;
    constant_for_constants(some, kernel(&columns)?)
}

/// The rows of a call: one if all arguments are constants.
pub(crate) fn row_count(args: &ScalarFunctionArgs) -> usize {
    if is_constant(&args.args) { 1 } else { args.number_rows }
}

/// Whether all arguments are constants.
fn is_constant(args: &[ColumnarValue]) -> bool {
    args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)))
}

/// The result of a call: the only row of `result` as a constant if all arguments are.
pub(crate) fn constant_for_constants(args: &[ColumnarValue], result: ArrayRef) -> Result<ColumnarValue> {
    if is_constant(args) {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
    }
    Ok(ColumnarValue::Array(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_say_what_they_take() {
        let parameters = [("x", Taken::Number), ("text", Taken::Text)];
        let of = |given: &[DataType]| coerce("f", given, &parameters, 1);
        assert_eq!(of(&[DataType::Decimal128(10, 2)]).unwrap(), [DataType::Float64]);
        assert_eq!(of(&[DataType::Null, DataType::Utf8]).unwrap(), [DataType::Float64, DataType::Utf8View]);
        assert!(of(&[DataType::Utf8]).unwrap_err().to_string().contains("f takes x as a number, not as Utf8"));
        assert!(of(&[]).unwrap_err().to_string().contains("f takes x, text"));
    }
}
