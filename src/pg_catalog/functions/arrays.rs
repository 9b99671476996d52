//! Functions of arrays that clients call on the catalogs' arrays and that DataFusion lacks.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::Result;
use datafusion::common::exec_err;

use super::catalog_function::{Body, Entry};

pub(super) const LIST: &[Entry] = &[
    Entry { name: "array_upper", arguments: (2, 2), strict: 2, returns: "int4", body: Body::Array(upper) },
    Entry { name: "array_lower", arguments: (2, 2), strict: 2, returns: "int4", body: Body::Array(lower) },
];

/// The last subscript of each array, null for an empty one. Subscripts begin at 1, and arrays have one dimension.
fn bounds(arguments: &[ArrayRef], of: fn(i32) -> i32) -> Result<ArrayRef> {
    let [array, dimension] = arguments else { return exec_err!("an array and a dimension are needed") };
    let dimension = datafusion::arrow::compute::cast(dimension, &datafusion::arrow::datatypes::DataType::Int64)?;
    let dimension = dimension.as_primitive::<datafusion::arrow::datatypes::Int64Type>();
    let Some(lists) = array.as_list_opt::<i32>() else {
        return Ok(Arc::new(Int32Array::from(vec![None; array.len()])));
    };
    let bound = |row: usize| {
        let first = dimension.is_valid(row) && dimension.value(row) == 1;
        (first && lists.is_valid(row) && lists.value_length(row) > 0).then(|| of(lists.value_length(row)))
    };
    Ok(Arc::new((0..lists.len()).map(bound).collect::<Int32Array>()))
}

fn upper(arguments: &[ArrayRef], _: &[FieldRef]) -> Result<ArrayRef> {
    bounds(arguments, |length| length)
}

fn lower(arguments: &[ArrayRef], _: &[FieldRef]) -> Result<ArrayRef> {
    bounds(arguments, |_| 1)
}
