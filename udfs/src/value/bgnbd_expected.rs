//! `bgnbd_expected(model, horizon, x, t_x, t)`: purchases to expect of a customer.
//!
//! Fader, Hardie and Lee (2005), equation 10, with the hypergeometric function transformed so that a customer of ten
//! thousand purchases is as good as one of two.
//!
//! * Any argument NULL: NULL.
//! * Cost: a series of some tens of terms a row; thousands if the horizon is many times what was observed.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, Float64Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::bgnbd::Customer;
use super::model::{BGNBD, BgNbds, Doubles, coerce_after_models};
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `bgnbd_expected`.
#[user_doc(
    doc_section(label = "Value Functions"),
    description = "Returns the number of purchases to expect of a customer within a time from the end of observation, by a BG/NBD model. NULL if any argument is NULL.",
    syntax_example = "bgnbd_expected(model, horizon, x, t_x, t)",
    sql_example = r#"```sql
> SELECT round(bgnbd_expected(named_struct('r', 0.243, 'alpha', 4.414, 'a', 0.793, 'b', 2.426), 39, 2, 30.43, 38.86), 3) AS purchases;
+-----------+
| purchases |
+-----------+
| 1.226     |
+-----------+
```"#,
    argument(name = "model", description = "The model, as bgnbd_fit returns it: a struct with r, alpha, a and b."),
    argument(name = "horizon", description = "The time to look ahead, in the model's unit, from 0."),
    argument(name = "x", description = "Repeat purchases of the customer: a whole number."),
    argument(name = "t_x", description = "Time from the first purchase to the last one."),
    argument(name = "t", description = "Time from the first purchase to the end of observation.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BgNbdExpected;

impl ScalarUDFImpl for BgNbdExpected {
    named!("bgnbd_expected");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let parameters =
            [("horizon", Taken::Number), ("x", Taken::Number), ("t_x", Taken::Number), ("t", Taken::Number)];
        coerce_after_models("bgnbd_expected", types, &[("bgnbd_fit", &BGNBD)], &parameters)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, expected)
    }
}

fn expected(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [models, numbers @ ..] = columns else {
        return plan_err!("bgnbd_expected takes a model");
    };
    let invalid = |message: String| InvalidArgument::error(format!("bgnbd_expected: {message}"));
    let (known, numbers) = (BgNbds::new("bgnbd_expected", models)?, Doubles::<4>::new(numbers)?);
    let rows = (0..models.len()).map(|row| {
        let (Some(model), Some([horizon, x, t_x, t])) = (known.get(row)?, numbers.get(row)) else {
            return Ok(None);
        };
        let customer = Customer::new(x, t_x, t).map_err(invalid)?;
        if !(horizon.is_finite() && horizon >= 0.0) {
            return Err(invalid(format!("the horizon has to be finite and not negative, not {horizon}")));
        }
        let expected = model.expected(horizon, &customer);
        expected.map(Some).ok_or_else(|| invalid(format!("a horizon of {horizon} is too long for this model")))
    });
    Ok(Arc::new(rows.collect::<Result<Float64Array>>()?))
}
