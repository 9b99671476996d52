//! `theta_jaccard(a, b)`: how much two theta sketches share.
//!
//! * A NULL argument: NULL. Two empty sketches are equal: 1. Bytes that are no sketch are an error.
//! * Cost: that of the sketches' bytes.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_common::arrow::array::{ArrayRef, Float64Array, StructArray};
use datafusion_common::arrow::datatypes::{DataType, Field, Fields};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;
use datasketches::theta::ThetaJaccardSimilarity;

use super::sketch::{failed, of};
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `theta_jaccard`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the Jaccard index of what two theta sketches have seen, the shared values by all, as STRUCT(estimate, lower, upper) with bounds of 95 %. NULL if any argument is NULL.",
    syntax_example = "theta_jaccard(a, b)",
    sql_example = r#"```sql
> SELECT theta_jaccard(mon, tue) AS similarity FROM (SELECT theta_sketch(id) FILTER (WHERE day = 'mon') AS mon, theta_sketch(id) FILTER (WHERE day = 'tue') AS tue FROM (VALUES ('mon', 1), ('mon', 2), ('tue', 2), ('tue', 3), ('tue', 4)) AS visits (day, id)) AS days;
+--------------------------------------------+
| similarity                                 |
+--------------------------------------------+
| {estimate: 0.25, lower: 0.25, upper: 0.25} |
+--------------------------------------------+
```"#,
    argument(name = "a", description = "A theta sketch."),
    argument(name = "b", description = "A theta sketch.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ThetaJaccard;

impl ScalarUDFImpl for ThetaJaccard {
    named!("theta_jaccard");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("theta_jaccard", types, &[("a", Taken::Bytes), ("b", Taken::Bytes)], 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bounds = of("theta_jaccard", &args, |[a, b], _| {
            let index = ThetaJaccardSimilarity::default().compute(a, b).map_err(failed("theta_jaccard"))?;
            Ok([index.estimate(), index.lower_bound(), index.upper_bound()])
        })?;
        let part = |part: fn(&[f64; 3]) -> f64| -> ArrayRef {
            Arc::new(bounds.iter().map(|bounds| bounds.as_ref().map(part)).collect::<Float64Array>())
        };
        let columns = vec![part(|all| all[0]), part(|all| all[1]), part(|all| all[2])];
        let nulls = bounds.iter().map(Option::is_some).collect();
        rows::constant_for_constants(&args.args, Arc::new(StructArray::try_new(fields(), columns, Some(nulls))?))
    }
}

fn fields() -> Fields {
    ["estimate", "lower", "upper"].into_iter().map(|name| Field::new(name, DataType::Float64, true)).collect()
}
