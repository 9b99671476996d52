//! What the scalars over a model and features share.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, Float64Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::features::{Vectors, vector_type};
use super::model::Models;
use crate::rows::{constant_for_constants, row_count};

/// The types of a model, by the `coerced` of its kind, and features.
///
/// # Errors
/// If they are others.
pub(super) fn score_types(
    function: &str,
    types: &[DataType],
    coerced: fn(&str, &DataType) -> Result<DataType>,
) -> Result<Vec<DataType>> {
    match types {
        [model, features] => Ok(vec![coerced(function, model)?, vector_type(function, features)?]),
        _ => plan_err!("{function} takes a model and features"),
    }
}

/// The first two arguments of a function that scores.
pub(super) struct Scored {
    pub(super) models: ArrayRef,
    /// Whether the model is a constant, whose only row is for all.
    pub(super) one_model: bool,
    pub(super) features: ArrayRef,
    pub(super) rows: usize,
}

impl Scored {
    /// # Errors
    /// If there are not two arguments.
    pub(super) fn new(function: &str, args: &ScalarFunctionArgs) -> Result<Self> {
        let [model, features, ..] = args.args.as_slice() else {
            return plan_err!("{function} takes a model and features");
        };
        let rows = row_count(args);
        let (models, one_model) = match model {
            ColumnarValue::Scalar(model) => (model.to_array()?, true),
            ColumnarValue::Array(_) => (model.to_array(rows)?, false),
        };
        Ok(Self { models, one_model, features: features.to_array(rows)?, rows })
    }
}

/// A number for every row from the score by its linear model, NULL where the model or the features are.
///
/// # Errors
/// If the features do not fit the model, or as `check` says of the model's kind.
pub(super) fn scores(
    function: &str,
    args: &ScalarFunctionArgs,
    check: fn(&str) -> Result<()>,
    finish: fn(f64) -> f64,
) -> Result<ColumnarValue> {
    let Scored { models, one_model, features, rows } = Scored::new(function, args)?;
    let mut models = Models::new(function, &models, one_model)?;
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
    constant_for_constants(&args.args, Arc::new(result))
}
