//! `bgnbd_fit(x, t_x, t [, weight])`: the BG/NBD model that fits customers best.
//!
//! Fader, Hardie and Lee, "Counting Your Customers" the Easy Way (2005), equation 6. The maximum is exact to about
//! 1e-9, whatever the order and the partitions of the rows; a parameter that the data drives to infinity or to 0, for
//! instance if nobody ever leaves, stays at a bound of a million times or a millionth of the mean time.
//!
//! * NULL in any argument: the row does not count. No rows: NULL.
//! * Cost: O(different rows) memory, and for each about a hundred evaluations of a logarithm and an exponential.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::bgnbd::{self, BgNbd, Customer};
use super::fitting::{Fit, Fitting, state_fields};
use super::model::{BGNBD, fitted};
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `bgnbd_fit`.
#[user_doc(
    doc_section(label = "Value Functions"),
    description = "Returns the BG/NBD model under which the repeat purchases of the customers are most likely, as STRUCT(r, alpha, a, b, log_likelihood, n). Rows with a NULL do not count; without rows the result is NULL. It is an error if no model fits best, as without any repeat purchase.",
    syntax_example = "bgnbd_fit(x, t_x, t [, weight])",
    sql_example = r#"```sql
> SELECT round(model['r'], 4) AS r, round(model['alpha'], 4) AS alpha, model['n'] AS n FROM (SELECT bgnbd_fit(x, t_x, t, n) AS model FROM (VALUES (0, 0, 39, 70), (1, 12, 39, 15), (2, 30, 39, 8), (5, 35, 39, 5), (9, 38, 39, 2)) AS customers (x, t_x, t, n)) AS fitted;
+--------+---------+-----+
| r      | alpha   | n   |
+--------+---------+-----+
| 0.2453 | 11.6966 | 100 |
+--------+---------+-----+
```"#,
    argument(
        name = "x",
        description = "Repeat purchases of a customer: a whole number, 0 for who bought once. Purchases of one day are one."
    ),
    argument(
        name = "t_x",
        description = "Time from the first purchase to the last one; not looked at if x is 0, except that it must not be NULL."
    ),
    argument(
        name = "t",
        description = "Time from the first purchase to the end of observation, in the unit of t_x; clv wants weeks."
    ),
    argument(name = "weight", description = "How many customers are like that, a bigint; 1 if it is not given.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BgNbdFit;

impl AggregateUDFImpl for BgNbdFit {
    named!("bgnbd_fit");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(fitted(&BGNBD))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let parameters =
            [("x", Taken::Number), ("t_x", Taken::Number), ("t", Taken::Number), ("weight", Taken::Integer)];
        coerce("bgnbd_fit", types, &parameters, 3)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Fitting::<3, Self>::new(fitted(&BGNBD), &args)?))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

impl Fit<3> for BgNbdFit {
    const NAME: &'static str = "bgnbd_fit";

    fn row([x, t_x, t]: [f64; 3]) -> Result<Option<[f64; 3]>, String> {
        let Customer { x, t_x, t } = Customer::new(x, t_x, t)?;
        Ok(Some([x, t_x, t]))
    }

    fn fit(rows: &[([f64; 3], u64)]) -> Option<Vec<f64>> {
        let customers = rows.iter().map(|([x, t_x, t], count)| (Customer { x: *x, t_x: *t_x, t: *t }, *count as f64));
        let (BgNbd { r, alpha, a, b }, likelihood) = bgnbd::fit(customers.collect())?;
        Some(vec![r, alpha, a, b, likelihood])
    }
}
