//! `theta_estimate(s)`: how many different values a theta sketch has seen.
//!
//! * NULL: NULL. Bytes that are no sketch are an error.
//! * Cost: that of the sketch's bytes.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_common::arrow::array::Float64Array;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::sketch::of;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `theta_estimate`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns how many different values a theta sketch has seen: exact for few, else an estimate without bias. NULL if it is NULL.",
    syntax_example = "theta_estimate(s)",
    sql_example = r#"```sql
> SELECT theta_estimate(theta_sketch(x)) AS people FROM (VALUES (1), (2), (2)) AS visits (x);
+--------+
| people |
+--------+
| 2.0    |
+--------+
```"#,
    argument(name = "s", description = "A theta sketch.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ThetaEstimate;

impl ScalarUDFImpl for ThetaEstimate {
    named!("theta_estimate", alias "theta_sketch_get_estimate");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("theta_estimate", types, &[("s", Taken::Bytes)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let estimates = of("theta_estimate", &args, |[sketch], _| Ok(sketch.estimate()))?;
        rows::constant_for_constants(&args.args, Arc::new(Float64Array::from(estimates)))
    }
}
