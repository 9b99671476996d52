//! Paths of channels and what became of them: the rows of a table of paths.

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray};
use datafusion_common::arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, plan_err};

use super::names::{Names, text_type, texts};
use crate::InvalidArgument;

/// The type that a path is coerced to: a list of texts, or a text.
///
/// # Errors
/// If it is neither.
pub(super) fn path_type(function: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            let item = text_type(function, "the channels of a path", item.data_type())?;
            Ok(DataType::new_list(item, true))
        }
        other => text_type(function, "a path", other),
    }
}

/// The type that the number of conversions of a path is coerced to.
///
/// # Errors
/// If it is not a number.
pub(super) fn weight_type(function: &str, given: &DataType) -> Result<DataType> {
    match given {
        number if number.is_numeric() || number.is_null() => Ok(DataType::Float64),
        other => plan_err!("{function} takes how often a path was converted as a number, not as {other}"),
    }
}

/// Calls `each` with the channels of every path that has one, and with the numbers in the `N` columns after it. A NULL
/// among the channels is none, a NULL among the numbers is 0.
///
/// # Errors
/// If a number is negative, infinite or NaN.
pub(super) fn each_path<const N: usize>(
    function: &str,
    values: &[ArrayRef],
    names: &mut Names,
    mut each: impl FnMut(&[u32], [f64; N]),
) -> Result<()> {
    let Some(paths) = values.first() else {
        return plan_err!("{function} takes a path");
    };
    let mut path = Vec::new();
    let mut weights = [0.0; N];
    for row in 0..paths.len() {
        for (place, weight) in weights.iter_mut().enumerate() {
            let Some(column) = values.get(place + 1).and_then(|column| column.as_primitive_opt::<Float64Type>()) else {
                return plan_err!("{function} takes numbers beside the path");
            };
            *weight = if column.is_valid(row) { column.value(row) } else { 0.0 };
            if !(0.0..f64::INFINITY).contains(weight) {
                return Err(InvalidArgument::error(format!(
                    "{function}: a path can't have been converted, or not, {weight} times"
                )));
            }
        }
        path.clear();
        channels(paths, row, names, &mut path)?;
        if !path.is_empty() {
            each(&path, weights);
        }
    }
    Ok(())
}

/// Adds the channels of a row. In a text they are parted by `>`, as in the tables of the package ChannelAttribution.
fn channels(paths: &ArrayRef, row: usize, names: &mut Names, path: &mut Vec<u32>) -> Result<()> {
    if paths.is_null(row) {
        return Ok(());
    }
    match paths.as_list_opt::<i32>() {
        Some(lists) => path.extend(texts(&lists.value(row))?.flatten().map(|name| names.number(name))),
        None => {
            let one = paths.slice(row, 1);
            for text in texts(&one)?.flatten() {
                let parts = text.split('>').map(str::trim).filter(|name| !name.is_empty());
                path.extend(parts.map(|name| names.number(name)));
            }
        }
    }
    Ok(())
}
