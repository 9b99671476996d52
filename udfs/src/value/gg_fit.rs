//! `gg_fit(x, z [, weight])`: the Gamma-Gamma model that fits the spends of customers best.
//!
//! Fader and Hardie, "The Gamma-Gamma Model of Monetary Value" (2013). The model holds that what one spends says
//! nothing of how often: look at the correlation of x and z before.
//!
//! * x of 0, or NULL in any argument: the row does not count. No rows: NULL.
//! * Cost: O(different rows) memory, and for each about a hundred evaluations of two logarithms.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::fitting::{Fit, Fitting, state_fields};
use super::gamma_gamma::{self, GammaGamma, check};
use super::model::{GAMMA_GAMMA, fitted};
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `gg_fit`.
#[user_doc(
    doc_section(label = "Value Functions"),
    description = "Returns the Gamma-Gamma model under which the mean spends of the customers are most likely, as STRUCT(p, q, v, log_likelihood, n). Customers without repeat purchases and rows with a NULL do not count; without rows the result is NULL. It is an error if no model fits best.",
    syntax_example = "gg_fit(x, z [, weight])",
    sql_example = r#"```sql
> SELECT round(model['p'], 3) AS p, round(model['q'], 3) AS q, round(model['v'], 3) AS v, model['n'] AS n FROM (SELECT gg_fit(x, z) AS model FROM (VALUES (0, NULL), (1, 10.5), (1, 60), (2, 22), (2, 41), (3, 35), (4, 18), (5, 52), (8, 30)) AS customers (x, z)) AS fitted;
+-------+---------+----------+---+
| p     | q       | v        | n |
+-------+---------+----------+---+
| 2.011 | 224.891 | 3741.109 | 8 |
+-------+---------+----------+---+
```"#,
    argument(name = "x", description = "Repeat purchases of a customer."),
    argument(
        name = "z",
        description = "Mean value of a customer's repeat purchases, above 0; not looked at if x is 0."
    ),
    argument(name = "weight", description = "How many customers are like that, a bigint; 1 if it is not given.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct GgFit;

impl AggregateUDFImpl for GgFit {
    named!("gg_fit");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(fitted(&GAMMA_GAMMA))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let parameters = [("x", Taken::Number), ("z", Taken::Number), ("weight", Taken::Integer)];
        coerce("gg_fit", types, &parameters, 2)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Fitting::<2, Self>::new(fitted(&GAMMA_GAMMA), &args)?))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

impl Fit<2> for GgFit {
    const NAME: &'static str = "gg_fit";

    fn row([x, z]: [f64; 2]) -> Result<Option<[f64; 2]>, String> {
        check(x, z)?;
        Ok((x > 0.0).then_some([x, z]))
    }

    fn fit(rows: &[([f64; 2], u64)]) -> Option<Vec<f64>> {
        let customers: Vec<_> = rows.iter().map(|(row, count)| (*row, *count as f64)).collect();
        let (GammaGamma { p, q, v }, likelihood) = gamma_gamma::fit(&customers)?;
        Some(vec![p, q, v, likelihood])
    }
}
