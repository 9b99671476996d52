//! The nearest members of a seed as a model: their directions among all rows, and how near a row's direction is.

use std::sync::{Arc, LazyLock};

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray, StructArray};
use datafusion_common::arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue};
use nalgebra::DMatrix;

use super::features::doubles;
use super::model::{as_fields, list};
use super::spread::standardise;
use crate::InvalidArgument;

/// The type of the model.
pub(super) fn model_type() -> DataType {
    DataType::Struct(FIELDS.clone())
}

/// The type that a model is coerced to.
///
/// # Errors
/// If it does not have the fields of one.
pub(super) fn coerced(function: &str, given: &DataType) -> Result<DataType> {
    as_fields(function, given, &FIELDS, "knn_fit")
}

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("kind", DataType::Utf8, true),
        Field::new("k", DataType::Int64, true),
        Field::new("means", doubles(), true),
        Field::new("scales", doubles(), true),
        Field::new("seeds", doubles(), true),
        Field::new("n", DataType::Int64, true),
        Field::new("positives", DataType::Int64, true),
    ])
});

/// Seeds as vectors of length 1, after one another; how features are standardised, and how many seeds count.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Neighbours {
    pub(super) k: usize,
    pub(super) means: Vec<f64>,
    pub(super) scales: Vec<f64>,
    pub(super) seeds: Vec<f64>,
    pub(super) rows: u64,
}

impl Neighbours {
    /// From seeds as they were given.
    pub(super) fn new(k: usize, means: Vec<f64>, scales: Vec<f64>, mut seeds: Vec<f64>, rows: u64) -> Self {
        standardise(&mut seeds, &means, &scales);
        for seed in seeds.chunks_exact_mut(means.len().max(1)) {
            to_length_one(seed);
        }
        Self { k, means, scales, seeds, rows }
    }

    /// As a value of [`model_type`].
    ///
    /// # Errors
    /// None that a model can have.
    pub(super) fn into_scalar(self) -> Result<ScalarValue> {
        let positives = self.seeds.len() / self.means.len().max(1);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["knn"])),
            Arc::new(Int64Array::from(vec![self.k as i64])),
            Arc::new(list(self.means)),
            Arc::new(list(self.scales)),
            Arc::new(list(self.seeds)),
            Arc::new(Int64Array::from(vec![self.rows as i64])),
            Arc::new(Int64Array::from(vec![positives as i64])),
        ];
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(FIELDS.clone(), columns, None)?)))
    }

    /// The model of a row of an array of [`model_type`], unless it is NULL.
    ///
    /// # Errors
    /// If it is none that a fit has returned.
    pub(super) fn read(function: &str, models: &ArrayRef, row: usize) -> Result<Option<Self>> {
        let broken = || InvalidArgument::error(format!("{function}: this is not a model that knn_fit has returned"));
        let models = models.as_struct_opt().filter(|models| models.num_columns() == FIELDS.len()).ok_or_else(broken)?;
        if models.is_null(row) {
            return Ok(None);
        }
        let number = |place: usize| {
            let numbers = models.column(place).as_primitive_opt::<Int64Type>()?;
            numbers.is_valid(row).then(|| numbers.value(row))
        };
        let numbers = |place: usize| {
            let lists = models.column(place).as_list_opt::<i32>().filter(|lists| lists.is_valid(row))?;
            Some(lists.value(row).as_primitive_opt::<Float64Type>()?.values().to_vec())
        };
        let read = || {
            let (means, scales, seeds) = (numbers(2)?, numbers(3)?, numbers(4)?);
            let whole = !means.is_empty() && means.len() == scales.len() && seeds.len() % means.len() == 0;
            let k = usize::try_from(number(1)?).ok().filter(|k| *k > 0 && whole && !seeds.is_empty())?;
            Some(Self { k, means, scales, seeds, rows: number(5)?.unsigned_abs() })
        };
        read().map(Some).ok_or_else(broken)
    }

    /// For rows as they were given, after one another, the mean cosine to the nearest seeds.
    pub(super) fn scores(&self, mut rows: Vec<f64>) -> Vec<f64> {
        let width = self.means.len();
        standardise(&mut rows, &self.means, &self.scales);
        for row in rows.chunks_exact_mut(width) {
            to_length_one(row);
        }
        let seeds = DMatrix::from_row_slice(self.seeds.len() / width, width, &self.seeds);
        let cosines = &seeds * DMatrix::from_column_slice(width, rows.len() / width, &rows);
        let nearest = |row: &[f64]| {
            let mut row = row.to_vec();
            let k = self.k.min(row.len());
            row.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
            // Summed in order, so that the result does not depend on how they were selected.
            row.truncate(k);
            row.sort_unstable_by(f64::total_cmp);
            row.iter().sum::<f64>() / k as f64
        };
        cosines.as_slice().chunks_exact(seeds.nrows()).map(nearest).collect()
    }
}

/// Divides a vector by its length; one of zeros stays.
fn to_length_one(vector: &mut [f64]) {
    let length = super::pairs::dot(vector, vector).sqrt();
    if length > 0.0 {
        for value in vector {
            *value /= length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_count() {
        let seeds = vec![2.0, 0.0, 0.0, 3.0, -1.0, 0.0];
        let model = Neighbours::new(2, vec![0.0, 0.0], vec![1.0, 1.0], seeds, 9);
        let scores = model.scores(vec![5.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        assert!((scores[0] - 0.5).abs() < 1e-12);
        assert!((scores[1] - 0.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(scores[2], 0.0);
        let array = model.clone().into_scalar().unwrap().to_array().unwrap();
        assert_eq!(Neighbours::read("f", &array, 0).unwrap(), Some(model));
    }
}
