//! Calls a function for every row of bitmaps.

use datafusion_common::arrow::array::{ArrayRef, AsArray, Int64Array};
use datafusion_common::arrow::datatypes::Int64Type;
use datafusion_common::{Result, plan_err};
use datafusion_expr::ScalarFunctionArgs;
use roaring::RoaringTreemap;

use super::bitmap::Bitmaps;
use crate::rows::row_count;

/// What becomes of the bitmap that is the first argument, row by row.
pub(super) fn of_one<T>(
    function: &'static str,
    args: &ScalarFunctionArgs,
    result: impl Fn(&RoaringTreemap, usize) -> Result<Option<T>>,
) -> Result<Vec<Option<T>>> {
    let [bitmaps, ..] = args.args.as_slice() else {
        return plan_err!("{function} takes a bitmap");
    };
    let mut bitmaps = Bitmaps::new(function, bitmaps)?;
    let rows = (0..row_count(args)).map(|row| match bitmaps.get(row)? {
        Some(set) => result(set, row),
        None => Ok(None),
    });
    rows.collect()
}

/// What becomes of the bitmaps that are the first two arguments, row by row.
pub(super) fn of_two<T>(
    function: &'static str,
    args: &ScalarFunctionArgs,
    result: impl Fn(&RoaringTreemap, &RoaringTreemap) -> Result<T>,
) -> Result<Vec<Option<T>>> {
    let [left, right, ..] = args.args.as_slice() else {
        return plan_err!("{function} takes two bitmaps");
    };
    let (mut left, mut right) = (Bitmaps::new(function, left)?, Bitmaps::new(function, right)?);
    let rows = (0..row_count(args)).map(|row| match (left.get(row)?, right.get(row)?) {
        (Some(left), Some(right)) => result(left, right).map(Some),
        _ => Ok(None),
    });
    rows.collect()
}

/// The bigints of an argument.
pub(super) fn integers(function: &str, args: &ScalarFunctionArgs, place: usize) -> Result<Int64Array> {
    let column: Option<ArrayRef> = args.args.get(place).map(|value| value.to_array(row_count(args))).transpose()?;
    match column.as_ref().and_then(|column| column.as_primitive_opt::<Int64Type>()) {
        Some(integers) => Ok(integers.clone()),
        None => plan_err!("{function} takes an integer as argument {}", place + 1),
    }
}
