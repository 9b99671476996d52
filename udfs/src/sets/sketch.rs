//! Theta sketches: a random sample of the values' hashes, of which the threshold tells how many there were.
//!
//! The bytes are the compact serialised form of Apache DataSketches (version 3), with its default seed; text is hashed
//! as its UTF-8 bytes and integers as 8 bytes, so that sketches of the Java and C++ libraries, and of systems that use
//! these, can be combined with ours.

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray};
use datafusion_common::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion_expr::ScalarFunctionArgs;
use datasketches::hash::value::{canonical_float, raw_bytes};
use datasketches::theta::{CompactThetaSketch, ThetaSketch, ThetaSketchBuilder, ThetaUnion, ThetaUnionBuilder};

use super::gathering::Gathered;
use crate::InvalidArgument;
use crate::rows::row_count;

/// The logarithm to base 2 of the number of hashes that a sketch keeps, unless it is given.
pub(super) const DEFAULT_LG_K: u8 = 12;

pub(super) fn failed(function: &str) -> impl Fn(datasketches::error::Error) -> DataFusionError {
    move |error| InvalidArgument::error(format!("{function}: {error}"))
}

/// The sketch that bytes are.
///
/// # Errors
/// If they are none.
pub(super) fn decode(function: &str, bytes: &[u8]) -> Result<CompactThetaSketch> {
    let sketch = CompactThetaSketch::deserialize(bytes);
    sketch.map_err(|error| {
        InvalidArgument::error(format!("{function}: these bytes are no theta sketch: {}", error.message()))
    })
}

/// A constant logarithm of the number of hashes to keep.
///
/// # Errors
/// If it is NULL or not from 5 to 26.
pub(super) fn lg_k(function: &str, given: &ScalarValue) -> Result<u8> {
    let given = given.cast_to(&DataType::Int64)?;
    match given {
        ScalarValue::Int64(Some(lg_k @ 5..=26)) => Ok(lg_k as u8),
        other => Err(InvalidArgument::error(format!("{function}: lgk has to be from 5 to 26, not {other}"))),
    }
}

/// Values that are being sketched.
#[derive(Debug)]
pub(super) struct Sketched {
    lg_k: u8,
    values: ThetaSketch,
    /// What other parts have sketched.
    others: Option<ThetaUnion>,
}

impl Gathered for Sketched {
    type Plan = u8;

    fn new(lg_k: &u8) -> Result<Self> {
        let values = ThetaSketchBuilder::default().lg_k(*lg_k).build().map_err(failed("theta_sketch"))?;
        Ok(Self { lg_k: *lg_k, values, others: None })
    }

    fn add(&mut self, column: &dyn Array, row: usize) -> Result<()> {
        match column.data_type() {
            DataType::Int64 => self.values.update(column.as_primitive::<Int64Type>().value(row)),
            DataType::Float64 => {
                self.values.update(canonical_float::from_f64(column.as_primitive::<Float64Type>().value(row)));
            }
            DataType::Utf8View => self.values.update(raw_bytes::from_str(column.as_string_view().value(row))),
            other => return plan_err!("theta_sketch does not take {other}"),
        }
        Ok(())
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        merge("theta_sketch", &mut self.others, self.lg_k, &decode("theta_sketch", state)?)
    }

    fn to_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        if self.values.is_empty() && self.others.is_none() {
            return Ok(None);
        }
        // Exactly the smallest hashes: what they are does not depend on the order and the parts of the rows.
        self.values.trim();
        let own = self.values.compact(true);
        match &mut self.others {
            None => Ok(Some(own.serialize())),
            Some(others) => {
                others.update(&own).map_err(failed("theta_sketch"))?;
                Ok(Some(others.to_sketch(true).serialize()))
            }
        }
    }

    fn size(&self) -> usize {
        self.values.estimated_size() + self.others.as_ref().map_or(0, ThetaUnion::estimated_size)
    }
}

/// Sketches that are being united.
#[derive(Debug)]
pub(super) struct United {
    lg_k: u8,
    all: Option<ThetaUnion>,
}

impl Gathered for United {
    type Plan = u8;

    fn new(lg_k: &u8) -> Result<Self> {
        Ok(Self { lg_k: *lg_k, all: None })
    }

    fn add(&mut self, column: &dyn Array, row: usize) -> Result<()> {
        self.merge(column.as_binary_view().value(row))
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        merge("theta_union", &mut self.all, self.lg_k, &decode("theta_union", state)?)
    }

    fn to_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.all.as_ref().map(|all| all.to_sketch(true).serialize()))
    }

    fn size(&self) -> usize {
        self.all.as_ref().map_or(0, ThetaUnion::estimated_size)
    }
}

fn merge(function: &str, all: &mut Option<ThetaUnion>, lg_k: u8, next: &CompactThetaSketch) -> Result<()> {
    let all = match all {
        Some(all) => all,
        None => all.insert(ThetaUnionBuilder::default().lg_k(lg_k).build().map_err(failed(function))?),
    };
    all.update(next).map_err(failed(function))
}

/// What becomes of the sketches that are the arguments, row by row.
pub(super) fn of<const N: usize, T>(
    function: &str,
    args: &ScalarFunctionArgs,
    result: impl Fn([&CompactThetaSketch; N], usize) -> Result<T>,
) -> Result<Vec<Option<T>>> {
    let columns: Vec<ArrayRef> =
        args.args.iter().take(N).map(|value| value.to_array(row_count(args))).collect::<Result<_>>()?;
    let columns: Vec<_> = columns.iter().map(|column| column.as_binary_view()).collect();
    let rows = (0..row_count(args)).map(|row| {
        let known = columns.iter().filter(|column| column.is_valid(row)).map(|column| column.value(row));
        let sketches = known.map(|bytes| decode(function, bytes)).collect::<Result<Vec<_>>>()?;
        let sketches: Vec<&CompactThetaSketch> = sketches.iter().collect();
        match <[&CompactThetaSketch; N]>::try_from(sketches) {
            Ok(sketches) => result(sketches, row).map(Some),
            Err(_) => Ok(None),
        }
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::array::{Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn parts_make_the_same_sketch() {
        let ids: Int64Array = (0..200_000_i64).map(|i| Some(i * 31 % 50_000)).collect();
        let mut all = Sketched::new(&9).unwrap();
        let mut parts: Vec<_> = (0..3).map(|_| Sketched::new(&9).unwrap()).collect();
        for row in 0..ids.len() {
            all.add(&ids, row).unwrap();
            parts[row % 3].add(&ids, row).unwrap();
        }
        let mut merged = Sketched::new(&9).unwrap();
        for part in &mut parts {
            merged.merge(&part.to_bytes().unwrap().unwrap()).unwrap();
        }
        let bytes = all.to_bytes().unwrap().unwrap();
        assert_eq!(merged.to_bytes().unwrap().unwrap(), bytes);
        let estimate = decode("f", &bytes).unwrap().estimate();
        assert!((estimate / 50_000.0 - 1.0).abs() < 0.15, "{estimate}");
        assert_eq!(Sketched::new(&9).unwrap().to_bytes().unwrap(), None);
    }

    /// As the other DataSketches libraries hash text.
    #[test]
    fn text_is_hashed_as_bytes() {
        let mut one = Sketched::new(&12).unwrap();
        one.add(&StringViewArray::from(vec!["abc"]), 0).unwrap();
        let mut direct = ThetaSketchBuilder::default().build().unwrap();
        direct.update(raw_bytes::from_slice(b"abc"));
        assert_eq!(one.to_bytes().unwrap().unwrap(), direct.compact(true).serialize());
    }

    #[test]
    fn bad_bytes_are_errors() {
        let mut some = Sketched::new(&5).unwrap();
        let ids: Int64Array = (0..1000).map(Some).collect();
        for row in 0..ids.len() {
            some.add(&ids, row).unwrap();
        }
        let good = some.to_bytes().unwrap().unwrap();
        for end in 0..good.len() {
            assert!(decode("f", &good[..end]).is_err(), "{end}");
        }
        for place in 0..good.len().min(40) {
            for value in [0, 1, 3, 127, 255] {
                let mut bytes = good.clone();
                bytes[place] = value;
                let _ = decode("f", &bytes).map(|sketch| sketch.estimate());
            }
        }
    }
}
