//! `clv(bg_model, gg_model, x, t_x, t, z, months, discount)`: customer lifetime value: what a customer's purchases to come are worth today.
//!
//! The sum over months i of E[M] (E[Y(i)] - E[Y(i - 1)]) / (1 + discount)^i, with E[Y] by `bgnbd_expected` and E[M]
//! by `gg_expected`; a month has 4.345 weeks. That is how the Python package lifetimes counts.
//!
//! * Any argument NULL: NULL, but z is not looked at where x is 0.
//! * Cost: one of `bgnbd_expected` for each month.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use datafusion_common::arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{DataFusionError, Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::bgnbd::{BgNbd, Customer};
use super::gg_expected::{Spends, mean};
use super::model::{BGNBD, BgNbds, Doubles, GAMMA_GAMMA, GammaGammas, coerce_after_models};
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

const WEEKS_PER_MONTH: f64 = 4.345;
const MAX_MONTHS: i64 = 1200;

/// The function `clv`.
#[user_doc(
    doc_section(label = "Value Functions"),
    description = "Returns the customer lifetime value: the value of the purchases to expect in the next months, discounted month by month, by a BG/NBD model of weeks and a Gamma-Gamma model. NULL if an argument is NULL, but z if x is 0.",
    syntax_example = "clv(bg_model, gg_model, x, t_x, t, z, months, discount)",
    sql_example = r#"```sql
> SELECT round(clv(named_struct('r', 0.243, 'alpha', 4.414, 'a', 0.793, 'b', 2.426), named_struct('p', 6.25, 'q', 3.74, 'v', 15.44), 2, 30.43, 38.86, 22.35, 12, 0.01), 2) AS clv;
+-------+
| clv   |
+-------+
| 36.29 |
+-------+
```"#,
    argument(name = "bg_model", description = "The model of purchases, as bgnbd_fit returns it, of times in weeks."),
    argument(name = "gg_model", description = "The model of their value, as gg_fit returns it."),
    argument(name = "x", description = "Repeat purchases of the customer: a whole number."),
    argument(name = "t_x", description = "Time from the first purchase to the last one."),
    argument(name = "t", description = "Time from the first purchase to the end of observation."),
    argument(name = "z", description = "Mean value of the customer's repeat purchases; not looked at if x is 0."),
    argument(name = "months", description = "The number of months to look ahead, a bigint from 1 to 1200."),
    argument(
        name = "discount",
        description = "The rate by which money loses value in a month, above -1: 0.01 is 1 %."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Clv;

impl ScalarUDFImpl for Clv {
    named!("clv");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let parameters = [
            ("x", Taken::Number),
            ("t_x", Taken::Number),
            ("t", Taken::Number),
            ("z", Taken::Number),
            ("months", Taken::Integer),
            ("discount", Taken::Number),
        ];
        coerce_after_models("clv", types, &[("bgnbd_fit", &BGNBD), ("gg_fit", &GAMMA_GAMMA)], &parameters)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, values)
    }
}

fn values(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [bg_models, gg_models, x, t_x, t, z, months, discount] = columns else {
        return plan_err!("clv takes two models, x, t_x, t, z, months and discount");
    };
    let purchases = BgNbds::new("clv", bg_models)?;
    let values = GammaGammas::new("clv", gg_models)?;
    let spends = [x, z].map(ArrayRef::clone);
    let times = [x, t_x, t, discount].map(ArrayRef::clone);
    let (spends, times, months) =
        (Spends::new(&spends)?, Doubles::<4>::new(&times)?, months.as_primitive::<Int64Type>());
    let rows = (0..bg_models.len()).map(|row| {
        let (Some(bg), Some(gg)) = (purchases.get(row)?, values.get(row)?) else { return Ok(None) };
        let (Some([x, t_x, t, discount]), Some((_, z))) = (times.get(row), spends.get(row)) else { return Ok(None) };
        if months.is_null(row) {
            return Ok(None);
        }
        let customer = Customer::new(x, t_x, t).map_err(invalid)?;
        let value = mean("clv", &gg, x, z)?;
        Ok(Some(value * discounted(&bg, &customer, months.value(row), discount)?))
    });
    Ok(Arc::new(rows.collect::<Result<Float64Array>>()?))
}

fn invalid(message: String) -> DataFusionError {
    InvalidArgument::error(format!("clv: {message}"))
}

/// The purchases of each month, discounted as of its end.
fn discounted(model: &BgNbd, customer: &Customer, months: i64, discount: f64) -> Result<f64> {
    if !(1..=MAX_MONTHS).contains(&months) {
        return Err(invalid(format!("months have to be from 1 to {MAX_MONTHS}, not {months}")));
    }
    if !(discount.is_finite() && discount > -1.0) {
        return Err(invalid(format!("the discount has to be above -1, not {discount}")));
    }
    let (mut sum, mut before, mut worth) = (0.0, 0.0, 1.0);
    for month in 1..=months {
        let horizon = WEEKS_PER_MONTH * month as f64;
        let until = model.expected(horizon, customer);
        let until = until.ok_or_else(|| invalid(format!("{months} months are too many for this model")))?;
        worth /= 1.0 + discount;
        sum += (until - before) * worth;
        before = until;
    }
    Ok(sum)
}
