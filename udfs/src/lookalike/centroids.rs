//! The model of k-means as a SQL value.

use std::sync::{Arc, LazyLock};

use datafusion_common::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringArray, StructArray,
};
use datafusion_common::arrow::buffer::OffsetBuffer;
use datafusion_common::arrow::datatypes::{DataType, Field, Fields, Float64Type};
use datafusion_common::{Result, ScalarValue};

use super::clusters::nearest;
use super::features::doubles;
use super::model::{as_fields, list};
use super::spread::standardise;
use crate::InvalidArgument;

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let list_of = |element| DataType::List(Field::new_list_field(element, true).into());
    Fields::from(vec![
        Field::new("kind", DataType::Utf8, true),
        Field::new("centroids", list_of(doubles()), true),
        Field::new("sizes", list_of(DataType::Int64), true),
        Field::new("means", doubles(), true),
        Field::new("scales", doubles(), true),
        Field::new("inertia", DataType::Float64, true),
        Field::new("n", DataType::Int64, true),
    ])
});

/// The type of the model.
pub(super) fn model_type() -> DataType {
    DataType::Struct(FIELDS.clone())
}

/// The type that a model is coerced to.
///
/// # Errors
/// If it does not have the fields of one.
pub(super) fn coerced(function: &str, given: &DataType) -> Result<DataType> {
    as_fields(function, given, &FIELDS, "kmeans_fit")
}

/// Centres in the units of the features, after one another, and how distances are measured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Centroids {
    pub(super) centres: Vec<f64>,
    pub(super) sizes: Vec<u64>,
    pub(super) means: Vec<f64>,
    pub(super) scales: Vec<f64>,
    pub(super) inertia: f64,
}

impl Centroids {
    /// As a value of [`model_type`].
    ///
    /// # Errors
    /// None that a model can have.
    pub(super) fn into_scalar(self) -> Result<ScalarValue> {
        let width = self.means.len();
        let centres = ListArray::try_new(
            Field::new_list_field(DataType::Float64, true).into(),
            OffsetBuffer::from_repeated_length(width, self.sizes.len()),
            Arc::new(Float64Array::from(self.centres)),
            None,
        )?;
        let one = || OffsetBuffer::from_lengths([self.sizes.len()]);
        let centres =
            ListArray::try_new(Field::new_list_field(doubles(), true).into(), one(), Arc::new(centres), None)?;
        let sizes: Int64Array = self.sizes.iter().map(|size| Some(*size as i64)).collect();
        let sizes =
            ListArray::try_new(Field::new_list_field(DataType::Int64, true).into(), one(), Arc::new(sizes), None)?;
        let rows: u64 = self.sizes.iter().sum();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["kmeans"])),
            Arc::new(centres),
            Arc::new(sizes),
            Arc::new(list(self.means)),
            Arc::new(list(self.scales)),
            Arc::new(Float64Array::from(vec![self.inertia])),
            Arc::new(Int64Array::from(vec![rows as i64])),
        ];
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(FIELDS.clone(), columns, None)?)))
    }
}

/// What assigns rows: centres that are scaled as distances are.
#[derive(Debug)]
pub(super) struct Assignment {
    centres: Vec<f64>,
    means: Vec<f64>,
    scales: Vec<f64>,
}

impl Assignment {
    /// By the model of a row of an array of [`model_type`], unless it is NULL.
    ///
    /// # Errors
    /// If it is none that a fit has returned.
    pub(super) fn read(function: &str, models: &ArrayRef, row: usize) -> Result<Option<Self>> {
        let broken = || InvalidArgument::error(format!("{function}: this is not a model that kmeans_fit has returned"));
        let models = models.as_struct_opt().filter(|models| models.num_columns() == FIELDS.len()).ok_or_else(broken)?;
        if models.is_null(row) {
            return Ok(None);
        }
        let numbers = |list: &ListArray, row: usize| {
            let values = list.is_valid(row).then(|| list.value(row))?;
            Some(values.as_primitive_opt::<Float64Type>()?.values().to_vec())
        };
        let read = || {
            let means = numbers(models.column(3).as_list_opt()?, row)?;
            let scales = numbers(models.column(4).as_list_opt()?, row)?;
            let outer = models.column(1).as_list_opt::<i32>().filter(|list| list.is_valid(row))?.value(row);
            let inner = outer.as_list_opt::<i32>()?;
            let each: Option<Vec<Vec<f64>>> = (0..inner.len()).map(|centre| numbers(inner, centre)).collect();
            let whole = !means.is_empty() && means.len() == scales.len();
            let each = each.filter(|each| whole && each.iter().all(|centre| centre.len() == means.len()))?;
            let mut centres = each.concat();
            standardise(&mut centres, &means, &scales);
            Some(Self { centres, means, scales })
        };
        read().map(Some).ok_or_else(broken)
    }

    /// The number of the nearest cluster, from 1, and the distance.
    ///
    /// # Errors
    /// If there are other features than the model has.
    pub(super) fn of(&self, function: &str, features: &[f64]) -> Result<(i64, f64)> {
        if features.len() != self.means.len() {
            let message =
                format!("{function}: the model has {} features, the array {}", self.means.len(), features.len());
            return Err(InvalidArgument::error(message));
        }
        let mut point = features.to_vec();
        standardise(&mut point, &self.means, &self.scales);
        let (cluster, square) = nearest(&point, &self.centres);
        Ok((cluster as i64 + 1, square.sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_read_as_they_were_written() {
        let model = Centroids {
            centres: vec![1.0, 10.0, 3.0, 30.0],
            sizes: vec![2, 1],
            means: vec![1.0, 10.0],
            scales: vec![1.0, 10.0],
            inertia: 0.5,
        };
        let array = model.into_scalar().unwrap().to_array().unwrap();
        let read = Assignment::read("f", &array, 0).unwrap().unwrap();
        assert_eq!(read.of("f", &[3.0, 20.0]).unwrap(), (2, 1.0));
        assert_eq!(read.of("f", &[f64::NAN, 10.0]).unwrap(), (1, 0.0));
        assert!(read.of("f", &[1.0]).is_err());
    }
}
