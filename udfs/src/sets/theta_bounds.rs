//! `theta_bounds(s [, sd])`: how many different values a theta sketch has seen, with bounds.
//!
//! * NULL: NULL. Bytes that are no sketch are an error.
//! * Cost: that of the sketch's bytes.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_common::arrow::array::{Array, ArrayRef, Float64Array, StructArray};
use datafusion_common::arrow::datatypes::{DataType, Field, Fields};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;
use datasketches::common::NumStdDev;

use super::operations::integers;
use super::sketch::of;
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `theta_bounds`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns how many different values a theta sketch has seen, as STRUCT(estimate, lower, upper): the truth is within the bounds in 68 %, 95 % or 99.7 % of all cases, for 1, 2 or 3 standard deviations. NULL if any argument is NULL.",
    syntax_example = "theta_bounds(s [, sd])",
    sql_example = r#"```sql
> SELECT theta_bounds(theta_sketch(x)) AS people FROM (VALUES (1), (2), (2)) AS visits (x);
+-----------------------------------------+
| people                                  |
+-----------------------------------------+
| {estimate: 2.0, lower: 2.0, upper: 2.0} |
+-----------------------------------------+
```"#,
    argument(name = "s", description = "A theta sketch."),
    argument(name = "sd", description = "Standard deviations: 1, 2 (the default) or 3.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ThetaBounds;

impl ScalarUDFImpl for ThetaBounds {
    named!("theta_bounds");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("theta_bounds", types, &[("s", Taken::Bytes), ("sd", Taken::Integer)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let deviations = match args.args.get(1) {
            Some(_) => Some(integers("theta_bounds", &args, 1)?),
            None => None,
        };
        let bounds = of("theta_bounds", &args, |[sketch], row| {
            let within = match deviations.as_ref().map(|given| given.is_valid(row).then(|| given.value(row))) {
                Some(None) => return Ok(None),
                Some(Some(1)) => NumStdDev::One,
                None | Some(Some(2)) => NumStdDev::Two,
                Some(Some(3)) => NumStdDev::Three,
                Some(Some(other)) => {
                    let message = format!("theta_bounds: standard deviations have to be 1, 2 or 3, not {other}");
                    return Err(InvalidArgument::error(message));
                }
            };
            Ok(Some([sketch.estimate(), sketch.lower_bound(within), sketch.upper_bound(within)]))
        })?;
        let bounds: Vec<Option<[f64; 3]>> = bounds.into_iter().map(Option::flatten).collect();
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
