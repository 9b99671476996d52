//! What the scalars over a model and features share.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, Float64Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::features::{Vectors, vector_type};
use super::model::{Models, coerced};

/// The types of a model and features.
///
/// # Errors
/// If they are others.
pub(super) fn score_types(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [model, features] => Ok(vec![coerced(function, model)?, vector_type(function, features)?]),
        _ => plan_err!("{function} takes a model and features"),
    }
}

/// A number for every row from the score by its model, NULL where the model or the features are.
///
/// # Errors
/// If the features do not fit the model, or as `check` says of the model's kind.
pub(super) fn scores(
    function: &str,
    args: &ScalarFunctionArgs,
    check: fn(&str) -> Result<()>,
    finish: fn(f64) -> f64,
) -> Result<ColumnarValue> {
    let [model, features] = args.args.as_slice() else {
        return plan_err!("{function} takes a model and features");
    };
    let constant = |value: &ColumnarValue| matches!(value, ColumnarValue::Scalar(_));
    let all_constant = constant(model) && constant(features);
    let rows = if all_constant { 1 } else { args.number_rows };
    let mut models = Models::new(function, &one(model, rows)?, constant(model))?;
    let features = features.to_array(rows)?;
    let vectors = Vectors::new(function, &features)?;
    let result = (0..rows)
        .map(|row| {
            let Some(features) = vectors.get(row) else { return Ok(None) };
            let Some(kind) = models.kind(row) else { return Ok(None) };
            check(kind)?;
            if !models.load(function, row)? {
                return Ok(None);
            }
            models.score(function, features).map(finish).map(Some)
        })
        .collect::<Result<Float64Array>>()?;
    returned(Arc::new(result), all_constant)
}

/// The rows of an argument, a single one of a constant.
pub(super) fn one(value: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    match value {
        ColumnarValue::Scalar(scalar) => scalar.to_array(),
        ColumnarValue::Array(_) => value.to_array(rows),
    }
}

/// A result as what it has to be: one value if all arguments are constants.
pub(super) fn returned(result: ArrayRef, constant: bool) -> Result<ColumnarValue> {
    Ok(if constant {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)
    } else {
        ColumnarValue::Array(result)
    })
}
