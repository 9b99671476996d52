//! `gg_expected(model, x, z)`: the value to expect of a customer's purchases.
//!
//! Fader and Hardie (2013), equation 5.
//!
//! * Any argument NULL: NULL, but z is not looked at where x is 0: then the mean of all customers is expected.
//! * Cost: a division a row.

use std::slice::from_ref;
use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, Float64Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::gamma_gamma::{GammaGamma, check};
use super::model::{Doubles, GAMMA_GAMMA, GammaGammas, coerce_after_models};
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `gg_expected`.
#[user_doc(
    doc_section(label = "Value Functions"),
    description = "Returns the mean value to expect of a customer's purchases, by a Gamma-Gamma model: between what was seen of the customer and the mean of all, nearer to the former the more purchases there were. NULL if an argument is NULL, but z if x is 0.",
    syntax_example = "gg_expected(model, x, z)",
    sql_example = r#"```sql
> SELECT round(gg_expected(named_struct('p', 6.25, 'q', 3.74, 'v', 15.44), 2, 22.35), 3) AS seen_twice, round(gg_expected(named_struct('p', 6.25, 'q', 3.74, 'v', 15.44), 0, NULL), 3) AS never_seen;
+------------+------------+
| seen_twice | never_seen |
+------------+------------+
| 24.664     | 35.219     |
+------------+------------+
```"#,
    argument(name = "model", description = "The model, as gg_fit returns it: a struct with p, q and v."),
    argument(name = "x", description = "Repeat purchases of the customer."),
    argument(name = "z", description = "Their mean value; not looked at if x is 0.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct GgExpected;

impl ScalarUDFImpl for GgExpected {
    named!("gg_expected");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let parameters = [("x", Taken::Number), ("z", Taken::Number)];
        coerce_after_models("gg_expected", types, &[("gg_fit", &GAMMA_GAMMA)], &parameters)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, expected)
    }
}

fn expected(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [models, numbers @ ..] = columns else {
        return plan_err!("gg_expected takes a model");
    };
    let (known, spends) = (GammaGammas::new("gg_expected", models)?, Spends::new(numbers)?);
    let rows = (0..models.len()).map(|row| match (known.get(row)?, spends.get(row)) {
        (Some(model), Some((x, z))) => mean("gg_expected", &model, x, z).map(Some),
        _ => Ok(None),
    });
    Ok(Arc::new(rows.collect::<Result<Float64Array>>()?))
}

/// Columns of x and z.
pub(super) struct Spends<'a> {
    x: Doubles<'a, 1>,
    z: Doubles<'a, 1>,
}

impl<'a> Spends<'a> {
    pub(super) fn new(columns: &'a [ArrayRef]) -> Result<Self> {
        let [x, z] = columns else {
            return plan_err!("a customer is known by x and z");
        };
        Ok(Self { x: Doubles::new(from_ref(x))?, z: Doubles::new(from_ref(z))? })
    }

    /// x and z of a row; a customer without repeat purchases has no z, so that any will do.
    pub(super) fn get(&self, row: usize) -> Option<(f64, f64)> {
        match (self.x.get(row)?, self.z.get(row)) {
            ([0.0], _) => Some((0.0, 0.0)),
            ([x], Some([z])) => Some((x, z)),
            _ => None,
        }
    }
}

/// The mean value of a customer's purchases.
///
/// # Errors
/// If z is no mean value, or the model knows no mean.
pub(super) fn mean(function: &str, model: &GammaGamma, x: f64, z: f64) -> Result<f64> {
    let invalid = |message: String| InvalidArgument::error(format!("{function}: {message}"));
    check(x, z).map_err(invalid)?;
    let mean = model.expected(x, z);
    mean.ok_or_else(|| invalid(format!("a model with q of {} has no mean for who has bought nothing", model.q)))
}
