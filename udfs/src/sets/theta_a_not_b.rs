//! `theta_a_not_b(a, b)`: what one theta sketch has and another lacks.
//!
//! * A NULL argument: NULL. Bytes that are no sketch are an error.
//! * Cost: that of the sketches' bytes.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::bitmap::bytes;
use super::sketch::{failed, of};
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `theta_a_not_b`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the theta sketch of the values that the first sketch has seen and the second has not. NULL if any argument is NULL.",
    syntax_example = "theta_a_not_b(a, b)",
    sql_example = r#"```sql
> SELECT theta_estimate(theta_a_not_b(tue, mon)) AS people FROM (SELECT theta_sketch(id) FILTER (WHERE day = 'mon') AS mon, theta_sketch(id) FILTER (WHERE day = 'tue') AS tue FROM (VALUES ('mon', 1), ('mon', 2), ('tue', 2), ('tue', 3), ('tue', 4)) AS visits (day, id)) AS days;
+--------+
| people |
+--------+
| 2.0    |
+--------+
```"#,
    argument(name = "a", description = "A theta sketch."),
    argument(name = "b", description = "A theta sketch.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ThetaANotB;

impl ScalarUDFImpl for ThetaANotB {
    named!("theta_a_not_b", alias "theta_sketch_a_not_b");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("theta_a_not_b", types, &[("a", Taken::Bytes), ("b", Taken::Bytes)], 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let sketches = of("theta_a_not_b", &args, |[a, b], _| {
            let rest = datasketches::theta::ThetaANotB::default().compute(a, b, true);
            Ok(rest.map_err(failed("theta_a_not_b"))?.serialize())
        })?;
        rows::constant_for_constants(&args.args, bytes(sketches.into_iter().map(Ok))?)
    }
}
