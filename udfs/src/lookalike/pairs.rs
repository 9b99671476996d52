//! Two vectors become a number: the loops, and how rows of lists are brought to them.
//!
//! Sixteen sums side by side, since the compiler may not reorder a single one: that is what makes the loops vectorise.

use std::ops::{Add, Mul, Sub};
use std::sync::Arc;

use datafusion_common::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Float64Array, ListArray, PrimitiveArray,
};
use datafusion_common::arrow::datatypes::{DataType, Field, Float32Type, Float64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::features::doubles;
use crate::InvalidArgument;
use crate::rows::{constant_for_constants, element, row_count};

const LANES: usize = 16;

/// A number of a vector.
pub(super) trait Number:
    Copy + Default + Into<f64> + Add<Output = Self> + Mul<Output = Self> + Sub<Output = Self>
{
}

impl Number for f32 {}
impl Number for f64 {}

/// The sum of `term` over two vectors of equal length.
#[inline(always)]
fn sum<T: Number>(a: &[T], b: &[T], term: impl Fn(T, T) -> T) -> f64 {
    let mut sums = [T::default(); LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (left_rest, right_rest) = (left.remainder(), right.remainder());
    for (a, b) in left.zip(right) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum = *sum + term(*a, *b);
        }
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(a, b)| term(*a, *b).into()).sum();
    sums.iter().map(|sum| (*sum).into()).sum::<f64>() + rest
}

/// The scalar product.
pub(super) fn dot<T: Number>(a: &[T], b: &[T]) -> f64 {
    sum(a, b, |a, b| a * b)
}

/// The square of the Euclidean distance.
pub(super) fn squared_distance<T: Number>(a: &[T], b: &[T]) -> f64 {
    sum(a, b, |a, b| (a - b) * (a - b))
}

/// The cosine of the angle, from -1 to 1; a vector of zeros has none.
pub(super) fn cosine<T: Number>(a: &[T], b: &[T]) -> Option<f64> {
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { Some((dot(a, b) / lengths).clamp(-1.0, 1.0)) } else { None }
}

/// The sum of `(x - mean) * weight`, where an `x` of NaN adds nothing; all three of equal length.
pub(super) fn centred_dot(x: &[f64], means: &[f64], weights: &[f64]) -> f64 {
    let term = |x: f64, mean: f64, weight: f64| {
        let part = (x - mean) * weight;
        if part.is_nan() { 0.0 } else { part }
    };
    let mut sums = [0.0; LANES];
    let (xs, ms, ws) = (x.chunks_exact(LANES), means.chunks_exact(LANES), weights.chunks_exact(LANES));
    let rest = xs.remainder().iter().zip(ms.remainder()).zip(ws.remainder());
    let rest: f64 = rest.map(|((x, mean), weight)| term(*x, *mean, *weight)).sum();
    for ((x, mean), weight) in xs.zip(ms).zip(ws) {
        for (((sum, x), mean), weight) in sums.iter_mut().zip(x).zip(mean).zip(weight) {
            *sum += term(*x, *mean, *weight);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The types that two vectors are coerced to: lists of reals if both are, of doubles otherwise.
///
/// # Errors
/// If one is not a list of numbers.
pub(super) fn pair_types(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [a, b] = types else {
        return plan_err!("{function} takes two vectors");
    };
    let mut single = true;
    for given in [a, b] {
        match element(given) {
            Some(DataType::Float16 | DataType::Float32) => {}
            Some(known) if known.is_numeric() || known.is_null() => single = false,
            _ if given.is_null() => {}
            _ => return plan_err!("{function} takes arrays of numbers, not {given}"),
        }
    }
    let both = if single && !(a.is_null() && b.is_null()) {
        DataType::List(Field::new_list_field(DataType::Float32, true).into())
    } else {
        doubles()
    };
    Ok(vec![both.clone(), both])
}

/// What a function of two vectors does, for both widths of numbers.
pub(super) struct Kernel {
    pub(super) name: &'static str,
    pub(super) single: fn(&[f32], &[f32]) -> Option<f64>,
    pub(super) double: fn(&[f64], &[f64]) -> Option<f64>,
}

impl Kernel {
    /// The result for every row, with NULL where a vector is NULL or has a NULL in it.
    ///
    /// # Errors
    /// If two vectors differ in length.
    pub(super) fn invoke(&self, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [a, b] = args.args.as_slice() else {
            return plan_err!("{} takes two vectors", self.name);
        };
        let (a, b) = (Side::new(a)?, Side::new(b)?);
        let rows = row_count(args);
        let result = match element(a.array.data_type()) {
            Some(DataType::Float32) => self.each::<Float32Type>(&a, &b, rows, self.single)?,
            _ => self.each::<Float64Type>(&a, &b, rows, self.double)?,
        };
        constant_for_constants(&args.args, Arc::new(result))
    }

    fn each<T: ArrowPrimitiveType>(
        &self,
        a: &Side,
        b: &Side,
        rows: usize,
        kernel: fn(&[T::Native], &[T::Native]) -> Option<f64>,
    ) -> Result<Float64Array> {
        let (a, b) = (a.lists::<T>(self.name)?, b.lists::<T>(self.name)?);
        (0..rows)
            .map(|row| match (a.get(row), b.get(row)) {
                (Some(a), Some(b)) if a.len() != b.len() => Err(InvalidArgument::error(format!(
                    "{}: the vectors have to be equally long, not {} and {}",
                    self.name,
                    a.len(),
                    b.len()
                ))),
                (Some(a), Some(b)) => Ok(kernel(a, b)),
                _ => Ok(None),
            })
            .collect()
    }
}

/// One of the two, a single row if it is constant.
struct Side {
    array: ArrayRef,
    constant: bool,
}

impl Side {
    fn new(value: &ColumnarValue) -> Result<Self> {
        Ok(match value {
            ColumnarValue::Array(array) => Self { array: Arc::clone(array), constant: false },
            ColumnarValue::Scalar(scalar) => Self { array: scalar.to_array()?, constant: true },
        })
    }

    fn lists<T: ArrowPrimitiveType>(&self, function: &str) -> Result<Lists<'_, T>> {
        let list = self.array.as_list_opt::<i32>();
        match list.and_then(|list| Some((list, list.values().as_primitive_opt::<T>()?))) {
            Some((list, values)) => Ok(Lists { list, values, constant: self.constant }),
            None => plan_err!("{function} takes arrays of numbers"),
        }
    }
}

struct Lists<'a, T: ArrowPrimitiveType> {
    list: &'a ListArray,
    values: &'a PrimitiveArray<T>,
    constant: bool,
}

impl<T: ArrowPrimitiveType> Lists<'_, T> {
    fn get(&self, row: usize) -> Option<&[T::Native]> {
        let row = if self.constant { 0 } else { row };
        if self.list.is_null(row) {
            return None;
        }
        let offsets = self.list.value_offsets();
        let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        let unknown = self.values.nulls().is_some_and(|nulls| nulls.slice(start, end - start).null_count() > 0);
        if unknown { None } else { self.values.values().get(start..end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_and_rest_are_the_plain_sum() {
        for length in [0, 1, 15, 16, 17, 40, 64] {
            let a: Vec<f64> = (0..length).map(|i| f64::from(i % 7) - 2.0).collect();
            let b: Vec<f64> = (0..length).map(|i| f64::from(i % 5) * 0.5).collect();
            let plain: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            assert_eq!(dot(&a, &b), plain);
            let plain: f64 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
            assert_eq!(squared_distance(&a, &b), plain);
        }
    }

    #[test]
    fn unknown_adds_nothing() {
        let x: Vec<f64> = (0..20).map(|i| if i % 4 == 0 { f64::NAN } else { f64::from(i) }).collect();
        let plain: f64 = x.iter().filter(|x| !x.is_nan()).map(|x| (x - 1.0) * 2.0).sum();
        assert_eq!(centred_dot(&x, &[1.0; 20], &[2.0; 20]), plain);
    }

    #[test]
    fn cosine_has_bounds() {
        assert_eq!(cosine(&[0.1_f32, 0.2, 0.3], &[0.1, 0.2, 0.3]), Some(1.0));
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]), Some(0.0));
        assert_eq!(cosine(&[0.0], &[1.0]), None);
        assert_eq!(cosine::<f64>(&[], &[]), None);
    }
}
