//! `theta_intersect(a, b)`: what two theta sketches have in common.
//!
//! * A NULL argument: NULL. Bytes that are no sketch are an error.
//! * Cost: that of the sketches' bytes. The error is that of the larger sets: the smaller the part that is shared, the
//!   wider its bounds.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;
use datasketches::theta::ThetaIntersection;

use super::bitmap::bytes;
use super::sketch::{failed, of};
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `theta_intersect`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the theta sketch of the values that both sketches have seen. NULL if any argument is NULL.",
    syntax_example = "theta_intersect(a, b)",
    sql_example = r#"```sql
> SELECT theta_estimate(theta_intersect(mon, tue)) AS people FROM (SELECT theta_sketch(id) FILTER (WHERE day = 'mon') AS mon, theta_sketch(id) FILTER (WHERE day = 'tue') AS tue FROM (VALUES ('mon', 1), ('mon', 2), ('tue', 2), ('tue', 3), ('tue', 4)) AS visits (day, id)) AS days;
+--------+
| people |
+--------+
| 1.0    |
+--------+
```"#,
    argument(name = "a", description = "A theta sketch."),
    argument(name = "b", description = "A theta sketch.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ThetaIntersect;

impl ScalarUDFImpl for ThetaIntersect {
    named!("theta_intersect", alias "theta_sketch_intersection");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("theta_intersect", types, &[("a", Taken::Bytes), ("b", Taken::Bytes)], 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let sketches = of("theta_intersect", &args, |[a, b], _| {
            let mut shared = ThetaIntersection::default();
            shared.update(a).map_err(failed("theta_intersect"))?;
            shared.update(b).map_err(failed("theta_intersect"))?;
            Ok(shared.to_sketch(true).map(|sketch| sketch.serialize()))
        })?;
        rows::constant_for_constants(&args.args, bytes(sketches.into_iter().map(|sketch| Ok(sketch.flatten())))?)
    }
}
