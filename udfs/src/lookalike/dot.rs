//! `dot(a, b)`: the scalar product of two vectors.
//!
//! * NULL if a vector is NULL or has a NULL in it; an error if their lengths differ.
//! * In single precision if both are arrays of reals, summed in sixteen parts; in double precision otherwise.
//! * Cost: one pass over both, vectorised.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::pairs::{Kernel, dot, pair_types};
use crate::named::named;

/// The function `dot`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns the scalar product of two vectors. NULL if one of them is NULL or has a NULL in it; 0 for empty ones.",
    syntax_example = "dot(a, b)",
    sql_example = r#"```sql
> SELECT dot(ARRAY[1, 2, 3], ARRAY[4, 5, 6]) AS product;
+---------+
| product |
+---------+
| 32.0    |
+---------+
```"#,
    argument(name = "a", description = "An array of numbers."),
    argument(name = "b", description = "Another of the same length; other lengths are an error.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Dot;

const KERNEL: Kernel = Kernel { name: "dot", single: |a, b| Some(dot(a, b)), double: |a, b| Some(dot(a, b)) };

impl ScalarUDFImpl for Dot {
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
