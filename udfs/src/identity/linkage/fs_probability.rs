//! `fs_probability(weight)`: the probability that a match weight stands for, `1 / (1 + 2^-weight)`.
//!
//! NULL gives NULL, infinite weights give 0 and 1. Source: Fellegi and Sunter (1969) on the scale of Splink.

use std::sync::Arc;

use datafusion_common::arrow::array::{AsArray, Float64Array};
use datafusion_common::arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use crate::named::named;

/// The function `fs_probability`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "The probability that two records match, given their match weight, a base 2 logarithm of odds: 1 / (1 + 2^-weight). NULL if the weight is NULL.",
    syntax_example = "fs_probability(weight)",
    sql_example = r#"```sql
> SELECT fs_probability(0) AS even, fs_probability(1) AS two_to_one, fs_probability(-2) AS one_to_four;
+------+--------------------+-------------+
| even | two_to_one         | one_to_four |
+------+--------------------+-------------+
| 0.5  | 0.6666666666666666 | 0.2         |
+------+--------------------+-------------+
```"#,
    argument(name = "weight", description = "A match weight; see fs_weight.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FsProbability;

fn probability(weight: f64) -> f64 {
    1.0 / (1.0 + (-weight).exp2())
}

impl ScalarUDFImpl for FsProbability {
    named!("fs_probability");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [weight] if weight.is_numeric() || weight.is_null() => Ok(vec![DataType::Float64]),
            _ => plan_err!("fs_probability takes a match weight, a number"),
        }
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Scalar(ScalarValue::Float64(weight))] => {
                Ok(ColumnarValue::Scalar(ScalarValue::Float64(weight.map(probability))))
            }
            [ColumnarValue::Array(weights)] => {
                let probabilities: Float64Array = weights.as_primitive::<Float64Type>().unary(probability);
                Ok(ColumnarValue::Array(Arc::new(probabilities)))
            }
            _ => plan_err!("fs_probability takes a match weight, a number"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds() {
        assert_eq!([0.0, f64::INFINITY, f64::NEG_INFINITY, -1100.0].map(probability), [0.5, 1.0, 0.0, 0.0]);
        assert!((probability(-2.0) - 0.2).abs() < 1e-15);
    }
}
