//! `linear_score(model, features)`: the score of a row by a linear model.
//!
//! `intercept + Σ weight × (feature - mean) / scale`: the logarithm of the odds for a discriminant or a regression, a
//! share from 0 to 1 for weights of traits.
//!
//! * NULL if the model or the array is; a NULL in the array counts as the mean of the fit. NaN is an error, and so is
//!   an array of another length than the model's.
//! * Cost: one vectorised pass over the features.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::model::coerced;
use super::scoring::{score_types, scores};
use crate::named::named;

/// The function `linear_score`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns the score of a row by a model of lda_fit, logreg_fit or traits_fit: the logarithm of the odds for the first two, from 0 to 1 for traits. NULL if the model or the array of features is NULL.",
    syntax_example = "linear_score(model, features)",
    sql_example = r#"```sql
> SELECT linear_score(logreg_fit(ARRAY[orders], bought), ARRAY[3]) > 0 AS likely FROM (VALUES (1, false), (2, false), (1, false), (3, true), (4, true)) AS t (orders, bought);
+--------+
| likely |
+--------+
| true   |
+--------+
```"#,
    argument(name = "model", description = "A model of lda_fit, logreg_fit or traits_fit."),
    argument(
        name = "features",
        description = "An array of numbers or booleans, of the features of the fit in the same order. A NULL among them counts as the mean of the fit."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LinearScore;

const NAME: &str = "linear_score";

impl ScalarUDFImpl for LinearScore {
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
        scores(NAME, &args, |_| Ok(()), |score| score)
    }
}
