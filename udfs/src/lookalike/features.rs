//! The rows that models are made of: vectors of features, and labels of two classes.

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListArray};
use datafusion_common::arrow::buffer::ScalarBuffer;
use datafusion_common::arrow::datatypes::{DataType, Field, Float64Type};
use datafusion_common::{Result, plan_err};

use crate::InvalidArgument;
use crate::rows::Taken;

/// The type of a vector of features, and of every list of a model.
pub(super) fn doubles() -> DataType {
    DataType::List(Field::new_list_field(DataType::Float64, true).into())
}

/// The type that a vector of features is coerced to.
///
/// # Errors
/// If it is not a list of numbers or booleans.
pub(super) fn vector_type(function: &str, given: &DataType) -> Result<DataType> {
    match Taken::Vector.coerced(given) {
        Some(doubles) => Ok(doubles),
        None => plan_err!("{function} takes features as an array of numbers or booleans, not as {given}"),
    }
}

/// Vectors of finite numbers; what is unknown (NULL) in them is NaN.
#[derive(Debug)]
pub(super) struct Vectors<'a> {
    list: &'a ListArray,
    first: usize,
    values: ScalarBuffer<f64>,
}

impl<'a> Vectors<'a> {
    /// From an array that was coerced to [`doubles`].
    ///
    /// # Errors
    /// If a number is not finite.
    pub(super) fn new(function: &str, array: &'a ArrayRef) -> Result<Self> {
        let Some(list) = array.as_list_opt::<i32>() else {
            return plan_err!("{function} takes features as an array of numbers");
        };
        let Some(numbers) = list.values().as_primitive_opt::<Float64Type>() else {
            return plan_err!("{function} takes features as an array of numbers");
        };
        // A slice of a list keeps all values of the whole: those of other rows are not touched.
        let offsets = list.value_offsets();
        let (first, last) = (offsets[0] as usize, offsets[list.len()] as usize);
        let numbers = numbers.slice(first, last - first);
        let finite = all_finite(numbers.values());
        let vectors = Self { list, first, values: known(&numbers) };
        if finite {
            return Ok(vectors);
        }
        // What is not finite may lie under a NULL.
        for row in 0..list.len() {
            let (start, end) = vectors.range(row);
            if list.is_valid(row) && (start..end).any(|at| !numbers.value(at).is_finite() && numbers.is_valid(at)) {
                return Err(InvalidArgument::error(format!("{function}: a feature is NaN or infinite, filter it out")));
            }
        }
        Ok(vectors)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The vector of a row, unless it is NULL.
    pub(super) fn get(&self, row: usize) -> Option<&[f64]> {
        let (start, end) = self.range(row);
        if self.list.is_null(row) { None } else { self.values.get(start..end) }
    }

    fn range(&self, row: usize) -> (usize, usize) {
        let offsets = self.list.value_offsets();
        (offsets[row] as usize - self.first, offsets[row + 1] as usize - self.first)
    }
}

/// Without an early end, so that it vectorises.
fn all_finite(numbers: &[f64]) -> bool {
    numbers.iter().fold(true, |finite, number| finite & (number.abs() <= f64::MAX))
}

/// Numbers with NaN for NULL.
fn known(numbers: &Float64Array) -> ScalarBuffer<f64> {
    if numbers.null_count() == 0 {
        numbers.values().clone()
    } else {
        numbers.iter().map(|number| number.unwrap_or(f64::NAN)).collect()
    }
}

/// The labels of rows: true for one class, false for the other.
///
/// # Errors
/// If a number is neither 0 nor 1.
pub(super) fn labels(function: &str, array: &ArrayRef) -> Result<BooleanArray> {
    if let Some(labels) = array.as_boolean_opt() {
        return Ok(labels.clone());
    }
    let Some(numbers) = array.as_primitive_opt::<Float64Type>() else {
        return plan_err!("{function} takes a label as a boolean, or as 0 and 1");
    };
    let label = |number: Option<f64>| match number {
        None => Ok(None),
        Some(0.0) => Ok(Some(false)),
        Some(1.0) => Ok(Some(true)),
        Some(other) => Err(InvalidArgument::error(format!("{function}: a label has to be 0 or 1, not {other}"))),
    };
    numbers.iter().map(label).collect()
}

/// Checks that a vector is as long as the others were, or is the first.
///
/// # Errors
/// If it is not.
pub(super) fn same_width(function: &str, width: &mut usize, found: usize) -> Result<()> {
    if found == 0 {
        return Err(InvalidArgument::error(format!("{function}: the array of features is empty")));
    }
    if *width == 0 {
        *width = found;
    }
    if *width == found {
        return Ok(());
    }
    Err(InvalidArgument::error(format!(
        "{function}: all arrays of features have to be equally long, not {width} and {found}"
    )))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion_common::arrow::array::Float64Array;

    use super::*;

    fn vectors(rows: Vec<Option<Vec<Option<f64>>>>) -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(rows))
    }

    #[test]
    fn unknown_is_nan_and_nan_is_an_error() {
        let array = vectors(vec![Some(vec![Some(1.0), None]), None, Some(vec![])]);
        let read = Vectors::new("f", &array).unwrap();
        assert!(read.get(0).unwrap()[1].is_nan());
        assert!(read.get(1).is_none());
        assert_eq!(read.get(2), Some(&[][..]));
        let sliced = array.slice(1, 2);
        assert_eq!(Vectors::new("f", &sliced).unwrap().get(1), Some(&[][..]));
        let sliced = vectors(vec![Some(vec![Some(f64::NAN)]), Some(vec![Some(2.0), Some(3.0)])]).slice(1, 1);
        assert_eq!(Vectors::new("f", &sliced).unwrap().get(0), Some(&[2.0, 3.0][..]));
        let array = vectors(vec![Some(vec![Some(f64::NAN)])]);
        assert!(Vectors::new("f", &array).unwrap_err().to_string().contains("NaN"));
    }

    #[test]
    fn labels_are_two() {
        let of = |numbers: Vec<Option<f64>>| labels("f", &(Arc::new(Float64Array::from(numbers)) as ArrayRef));
        assert_eq!(
            of(vec![Some(0.0), None, Some(1.0)]).unwrap(),
            BooleanArray::from(vec![Some(false), None, Some(true)])
        );
        assert!(of(vec![Some(2.0)]).unwrap_err().to_string().contains("not 2"));
    }
}
