//! `bgnbd_p_alive(model, x, t_x, t)`: the probability that a customer still is one.
//!
//! Fader, Hardie and Lee, "Computing P(alive) Using the BG/NBD Model" (2008). Who bought but once cannot have left by
//! this model: it lets customers leave after a repeat purchase only.
//!
//! * Any argument NULL: NULL.
//! * Cost: an exponential a row.

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

/// The function `bgnbd_p_alive`.
#[user_doc(
    doc_section(label = "Value Functions"),
    description = "Returns the probability that a customer has not left for good at the end of observation, by a BG/NBD model: 1 without repeat purchases. NULL if any argument is NULL.",
    syntax_example = "bgnbd_p_alive(model, x, t_x, t)",
    sql_example = r#"```sql
> SELECT round(bgnbd_p_alive(named_struct('r', 0.243, 'alpha', 4.414, 'a', 0.793, 'b', 2.426), 2, 30.43, 38.86), 4) AS recent, round(bgnbd_p_alive(named_struct('r', 0.243, 'alpha', 4.414, 'a', 0.793, 'b', 2.426), 2, 5, 38.86), 4) AS long_gone;
+--------+-----------+
| recent | long_gone |
+--------+-----------+
| 0.7266 | 0.1237    |
+--------+-----------+
```"#,
    argument(name = "model", description = "The model, as bgnbd_fit returns it: a struct with r, alpha, a and b."),
    argument(name = "x", description = "Repeat purchases of the customer: a whole number."),
    argument(name = "t_x", description = "Time from the first purchase to the last one."),
    argument(name = "t", description = "Time from the first purchase to the end of observation.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BgNbdPAlive;

impl ScalarUDFImpl for BgNbdPAlive {
    named!("bgnbd_p_alive");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let parameters = [("x", Taken::Number), ("t_x", Taken::Number), ("t", Taken::Number)];
        coerce_after_models("bgnbd_p_alive", types, &[("bgnbd_fit", &BGNBD)], &parameters)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, p_alive)
    }
}

fn p_alive(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [models, numbers @ ..] = columns else {
        return plan_err!("bgnbd_p_alive takes a model");
    };
    let (known, numbers) = (BgNbds::new("bgnbd_p_alive", models)?, Doubles::<3>::new(numbers)?);
    let rows = (0..models.len()).map(|row| {
        let (Some(model), Some([x, t_x, t])) = (known.get(row)?, numbers.get(row)) else {
            return Ok(None);
        };
        let customer = Customer::new(x, t_x, t);
        let customer = customer.map_err(|message| InvalidArgument::error(format!("bgnbd_p_alive: {message}")))?;
        Ok(Some(model.p_alive(&customer)))
    });
    Ok(Arc::new(rows.collect::<Result<Float64Array>>()?))
}
