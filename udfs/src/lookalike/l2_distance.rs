//! `l2_distance(a, b)`: the Euclidean distance between two vectors.
//!
//! * NULL if a vector is NULL or has a NULL in it; an error if their lengths differ.
//! * In single precision if both are arrays of reals, summed in sixteen parts; in double precision otherwise.
//! * Cost: one pass over both, vectorised.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::pairs::{Kernel, pair_types, squared_distance};
use crate::named::named;

/// The function `l2_distance`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns the Euclidean distance between two vectors. NULL if one of them is NULL or has a NULL in it; 0 for empty ones.",
    syntax_example = "l2_distance(a, b)",
    sql_example = r#"```sql
> SELECT l2_distance(ARRAY[1, 1], ARRAY[4, 5]) AS distance;
+----------+
| distance |
+----------+
| 5.0      |
+----------+
```"#,
    argument(name = "a", description = "An array of numbers."),
    argument(name = "b", description = "Another of the same length; other lengths are an error.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct L2Distance;

const KERNEL: Kernel = Kernel {
    name: "l2_distance",
    single: |a, b| Some(squared_distance(a, b).sqrt()),
    double: |a, b| Some(squared_distance(a, b).sqrt()),
};

impl ScalarUDFImpl for L2Distance {
    named!(KERNEL.name);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        pair_types(KERNEL.name, types)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        KERNEL.invoke(&args)
    }
}
