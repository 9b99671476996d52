//! `propensity(model, features)`: the probability that a row is of the positive class.
//!
//! The logistic function of [`linear_score`](super::linear_score).
//!
//! * NULL if the model or the array is; a NULL in the array counts as the mean of the fit. NaN is an error, and so is
//!   an array of another length than the model's, and a model of traits, which knows no probabilities.
//! * Cost: one vectorised pass over the features and an exponential.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::model::coerced;
use super::scoring::{score_types, scores};
use crate::InvalidArgument;
use crate::named::named;

/// The function `propensity`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns the probability that a row is of the positive class, by a model of propensity_fit, logreg_fit or lda_fit. NULL if the model or the array of features is NULL.",
    syntax_example = "propensity(model, features)",
    sql_example = r#"```sql
> SELECT round(propensity(logreg_fit(ARRAY[orders], bought), ARRAY[3]), 3) AS probability FROM (VALUES (1, false), (2, false), (1, false), (3, true), (4, true)) AS t (orders, bought);
+-------------+
| probability |
+-------------+
| 0.561       |
+-------------+
```"#,
    argument(
        name = "model",
        description = "A model of propensity_fit, logreg_fit or lda_fit. One of lda_fit gives probabilities as far as the classes are normal."
    ),
    argument(
        name = "features",
        description = "An array of numbers or booleans, of the features of the fit in the same order. A NULL among them counts as the mean of the fit."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Propensity;

const NAME: &str = "propensity";

impl ScalarUDFImpl for Propensity {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        score_types(NAME, types, coerced)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        scores(NAME, &args, has_probabilities, |score| 1.0 / (1.0 + (-score).exp()))
    }
}

fn has_probabilities(kind: &str) -> Result<()> {
    match kind {
        "lda" | "logreg" => Ok(()),
        other => Err(InvalidArgument::error(format!("{NAME}: a model of kind {other} gives scores, no probabilities"))),
    }
}
