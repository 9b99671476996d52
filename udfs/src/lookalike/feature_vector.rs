//! `feature_vector(a [, …])`: numbers and booleans of a row as one vector of doubles, for models.
//!
//! What `ARRAY[a, …]` gives once it is coerced, but made column by column: many times faster for wide vectors.
//!
//! * A NULL is a NULL in the vector; the vector itself never is.
//! * Cost: one pass over the values.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray};
use datafusion_common::arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use datafusion_common::arrow::compute::cast;
use datafusion_common::arrow::datatypes::{DataType, Field, Float64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::features::doubles;
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{evaluate, row_count};

/// How many rows are laid out at a time, so that what is written stays in the cache.
const BLOCK: usize = 64;

/// The function `feature_vector`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns its arguments as one array of doubles, as models take their features: true is 1 and false is 0. A NULL argument is a NULL in the array. Faster than ARRAY[...] for many features.",
    syntax_example = "feature_vector(a [, ...])",
    sql_example = r#"```sql
> SELECT feature_vector(3, 0.5, true, NULL) AS features;
+-------------------+
| features          |
+-------------------+
| [3.0, 0.5, 1.0, ] |
+-------------------+
```"#,
    argument(name = "a", description = "A number or a boolean.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FeatureVector;

impl ScalarUDFImpl for FeatureVector {
    named!("feature_vector");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(doubles())
    }

    /// Booleans stay as they are, since not every program casts them to doubles.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if types.is_empty() {
            return plan_err!("feature_vector needs at least one feature");
        }
        let taken = |given: &DataType| match given {
            DataType::Boolean => Ok(DataType::Boolean),
            number if number.is_numeric() || number.is_null() => Ok(DataType::Float64),
            other => plan_err!("feature_vector takes numbers and booleans, not {other}"),
        };
        types.iter().map(taken).collect()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        evaluate(&args, |columns| {
            let columns = columns.iter().map(|column| Ok(cast(column, &DataType::Float64)?));
            Ok(Arc::new(vectors(&columns.collect::<Result<Vec<_>>>()?, row_count(&args))?))
        })
    }
}

/// Columns of doubles as rows.
fn vectors(columns: &[ArrayRef], rows: usize) -> Result<ListArray> {
    let width = columns.len();
    if i32::try_from(rows * width).is_err() {
        return Err(InvalidArgument::error(format!("feature_vector: {width} features are too many")));
    }
    let columns: Vec<&Float64Array> = columns.iter().map(|column| column.as_primitive::<Float64Type>()).collect();
    let mut values = vec![0.0; rows * width];
    for (block, some) in values.chunks_mut(BLOCK * width).enumerate() {
        let start = block * BLOCK;
        for (place, column) in columns.iter().enumerate() {
            let numbers = column.values().iter().skip(start);
            for (value, number) in some.iter_mut().skip(place).step_by(width).zip(numbers) {
                *value = *number;
            }
        }
    }
    let nulls = columns.iter().any(|column| column.null_count() > 0).then(|| {
        NullBuffer::new(BooleanBuffer::collect_bool(rows * width, |at| {
            columns.get(at % width).is_some_and(|column| column.is_valid(at / width))
        }))
    });
    let field = Field::new_list_field(DataType::Float64, true).into();
    let offsets = OffsetBuffer::from_repeated_length(width, rows);
    Ok(ListArray::try_new(field, offsets, Arc::new(Float64Array::new(values.into(), nulls)), None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_rows() {
        let a: ArrayRef = Arc::new(Float64Array::from_iter_values((0..200).map(f64::from)));
        let b: ArrayRef = Arc::new(Float64Array::from_iter((0..200).map(|i| (i % 3 != 0).then_some(f64::from(-i)))));
        let made = vectors(&[a, b], 200).unwrap();
        for row in 0..200 {
            let vector = made.value(row);
            let vector = vector.as_primitive::<Float64Type>();
            assert_eq!(vector.value(0), row as f64);
            assert_eq!(vector.is_null(1), row % 3 == 0);
            assert!(vector.is_null(1) || vector.value(1) == -(row as f64));
        }
    }
}
