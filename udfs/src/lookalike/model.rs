//! A linear model as a SQL value: what the fits return, and what the scores read.

use std::sync::{Arc, LazyLock};

use datafusion_common::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, LargeListArray, ListArray, StringArray, StructArray,
};
use datafusion_common::arrow::buffer::OffsetBuffer;
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::StateFieldsArgs;
use datafusion_expr::utils::format_state_name;

use super::features::doubles;
use super::pairs::centred_dot;
use crate::InvalidArgument;

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("kind", DataType::Utf8, true),
        Field::new("intercept", DataType::Float64, true),
        Field::new("weights", doubles(), true),
        Field::new("means", doubles(), true),
        Field::new("scales", doubles(), true),
        Field::new("n", DataType::Int64, true),
        Field::new("positives", DataType::Int64, true),
    ])
});

/// The type of a linear model.
pub(super) fn model_type() -> DataType {
    DataType::Struct(FIELDS.clone())
}

/// The type that a model is coerced to.
///
/// # Errors
/// If it does not have the fields of one.
pub(super) fn coerced(function: &str, given: &DataType) -> Result<DataType> {
    as_fields(function, given, &FIELDS, "lda_fit, logreg_fit or traits_fit")
}

/// The struct of `wanted`, if that is what is given, or NULL.
///
/// # Errors
/// If it is not, with the `fits` that return one.
pub(super) fn as_fields(function: &str, given: &DataType, wanted: &Fields, fits: &str) -> Result<DataType> {
    let same =
        |fields: &Fields| fields.len() == wanted.len() && fields.iter().zip(wanted).all(|(a, b)| a.name() == b.name());
    match given {
        DataType::Null => Ok(DataType::Struct(wanted.clone())),
        DataType::Struct(fields) if same(fields) => Ok(DataType::Struct(wanted.clone())),
        other => plan_err!("{function} takes a model of {fits}, not {other}"),
    }
}

/// `intercept + sum of weight * (feature - mean) / scale`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LinearModel {
    pub(super) kind: &'static str,
    pub(super) intercept: f64,
    pub(super) weights: Vec<f64>,
    pub(super) means: Vec<f64>,
    pub(super) scales: Vec<f64>,
    pub(super) rows: u64,
    pub(super) positives: u64,
}

impl LinearModel {
    /// As a value of [`model_type`].
    ///
    /// # Errors
    /// None that a model can have.
    pub(super) fn into_scalar(self) -> Result<ScalarValue> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![self.kind])),
            Arc::new(Float64Array::from(vec![self.intercept])),
            Arc::new(list(self.weights)),
            Arc::new(list(self.means)),
            Arc::new(list(self.scales)),
            Arc::new(Int64Array::from(vec![self.rows as i64])),
            Arc::new(Int64Array::from(vec![self.positives as i64])),
        ];
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(FIELDS.clone(), columns, None)?)))
    }
}

/// A NULL in the place of a model.
pub(super) fn no_model() -> Result<ScalarValue> {
    ScalarValue::try_from(&model_type())
}

/// One list of doubles.
pub(super) fn list(values: Vec<f64>) -> ListArray {
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    let field = Field::new_list_field(DataType::Float64, true).into();
    ListArray::new(field, offsets, Arc::new(Float64Array::from(values)), None)
}

/// One list of doubles of any length, as part of an aggregate's state.
pub(super) fn state(values: Vec<f64>) -> ScalarValue {
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    let field = Field::new_list_field(DataType::Float64, true).into();
    ScalarValue::LargeList(Arc::new(LargeListArray::new(field, offsets, Arc::new(Float64Array::from(values)), None)))
}

/// The fields of an aggregate's state that is made of [`state`]s.
pub(super) fn state_fields<const N: usize>(args: &StateFieldsArgs, names: [&str; N]) -> Vec<FieldRef> {
    let list = DataType::LargeList(Field::new_list_field(DataType::Float64, true).into());
    names.map(|name| Field::new(format_state_name(args.name, name), list.clone(), true).into()).to_vec()
}

/// The lists of doubles in a column of states.
///
/// # Errors
/// If it is not one.
pub(super) fn states(array: &ArrayRef) -> Result<Vec<Vec<f64>>> {
    let Some(list) = array.as_list_opt::<i64>() else {
        return plan_err!("a state has to be a list");
    };
    let values = |row: Option<ArrayRef>| {
        row.and_then(|row| Some(row.as_primitive_opt::<Float64Type>()?.values().to_vec())).unwrap_or_default()
    };
    Ok(list.iter().map(values).collect())
}

/// Models by row, one of them laid out for scoring.
pub(super) struct Models {
    rows: StructArray,
    constant: bool,
    current: Option<usize>,
    intercept: f64,
    coefficients: Vec<f64>,
    means: Vec<f64>,
}

impl Models {
    /// From an array of [`model_type`]; a constant has one row for all.
    ///
    /// # Errors
    /// If it is of another type.
    pub(super) fn new(function: &str, array: &ArrayRef, constant: bool) -> Result<Self> {
        match array.as_struct_opt() {
            Some(rows) if rows.num_columns() == FIELDS.len() => Ok(Self {
                rows: rows.clone(),
                constant,
                current: None,
                intercept: 0.0,
                coefficients: Vec::new(),
                means: Vec::new(),
            }),
            _ => plan_err!("{function} takes a model"),
        }
    }

    /// The kind of a row's model, unless it is NULL.
    pub(super) fn kind(&self, row: usize) -> Option<&str> {
        let row = if self.constant { 0 } else { row };
        let kinds = self.rows.column(0).as_string_opt::<i32>()?;
        (self.rows.is_valid(row) && kinds.is_valid(row)).then(|| kinds.value(row))
    }

    /// Makes the model of a row the current one; false if it is NULL.
    ///
    /// # Errors
    /// If its lists are not equally long.
    pub(super) fn load(&mut self, function: &str, row: usize) -> Result<bool> {
        let row = if self.constant { 0 } else { row };
        if self.current == Some(row) {
            return Ok(true);
        }
        if self.rows.is_null(row) {
            return Ok(false);
        }
        let broken = || InvalidArgument::error(format!("{function}: this is not a model that a fit has returned"));
        let intercept = self.rows.column(1).as_primitive_opt::<Float64Type>().filter(|numbers| numbers.is_valid(row));
        self.intercept = intercept.ok_or_else(broken)?.value(row);
        let column = |place: usize| -> Result<Float64Array> {
            let lists = self.rows.column(place).as_list_opt::<i32>().filter(|lists| lists.is_valid(row));
            let values = lists.ok_or_else(broken)?.value(row);
            let numbers = values.as_primitive_opt::<Float64Type>().filter(|numbers| numbers.null_count() == 0);
            Ok(numbers.ok_or_else(broken)?.clone())
        };
        let (weights, means, scales) = (column(2)?, column(3)?, column(4)?);
        if weights.len() != means.len() || means.len() != scales.len() {
            return Err(broken());
        }
        self.coefficients.clear();
        self.coefficients.extend(weights.values().iter().zip(scales.values()).map(|(weight, scale)| weight / scale));
        self.means.clear();
        self.means.extend_from_slice(means.values());
        self.current = Some(row);
        Ok(true)
    }

    /// The current model's score; what is unknown counts as the mean.
    ///
    /// # Errors
    /// If there are other features than the model has.
    pub(super) fn score(&self, function: &str, features: &[f64]) -> Result<f64> {
        self.check(function, features)?;
        Ok(self.intercept + centred_dot(features, &self.means, &self.coefficients))
    }

    /// What each feature adds to the current model's score.
    ///
    /// # Errors
    /// If there are other features than the model has.
    pub(super) fn contributions(&self, function: &str, features: &[f64]) -> Result<Vec<f64>> {
        self.check(function, features)?;
        let parts = features.iter().zip(&self.means).zip(&self.coefficients);
        Ok(parts.map(|((x, mean), weight)| if x.is_nan() { 0.0 } else { (x - mean) * weight }).collect())
    }

    fn check(&self, function: &str, features: &[f64]) -> Result<()> {
        if features.len() == self.means.len() {
            return Ok(());
        }
        Err(InvalidArgument::error(format!(
            "{function}: the model has {} features, the array {}",
            self.means.len(),
            features.len()
        )))
    }
}
