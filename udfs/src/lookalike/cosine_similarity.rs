//! `cosine_similarity(a, b)`: the cosine of the angle between two vectors.
//!
//! * NULL if a vector is NULL or has a NULL in it or is all zeros; an error if their lengths differ.
//! * In single precision if both are arrays of reals, summed in sixteen parts; in double precision otherwise.
//! * Cost: one pass over both, vectorised.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::pairs::{Kernel, cosine, pair_types};
use crate::named::named;

/// The function `cosine_similarity`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns the cosine of the angle between two vectors, from -1 to 1. NULL if one of them is NULL, has a NULL in it or is all zeros, which has no direction.",
    syntax_example = "cosine_similarity(a, b)",
    sql_example = r#"```sql
> SELECT cosine_similarity(ARRAY[1, 0], ARRAY[3, 4]) AS similarity;
+------------+
| similarity |
+------------+
| 0.6        |
+------------+
```"#,
    argument(name = "a", description = "An array of numbers."),
    argument(name = "b", description = "Another of the same length; other lengths are an error.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct CosineSimilarity;

const KERNEL: Kernel = Kernel { name: "cosine_similarity", single: cosine, double: cosine };

impl ScalarUDFImpl for CosineSimilarity {
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
