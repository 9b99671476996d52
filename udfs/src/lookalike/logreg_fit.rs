//! `logreg_fit(features, y [, l2 [, balance]])`: a logistic regression with an L2 penalty.
//!
//! scikit-learn's objective with `C = 1 / l2`, on standardised features, the intercept free; solved by Newton's method
//! to its exact minimum (see `logistic.rs`).
//!
//! * A NULL feature counts as the mean of all rows where it is known; one that never varies has no weight. A row
//!   without features or without label does not count.
//! * NULL of no rows; an error if only one class has rows, if arrays differ in length, or if there is no minimum, as
//!   for classes that the features part while `l2` is 0.
//! * The model depends on the rows alone, not on their order or parts.
//! * Cost: some ten times O(n d²); the rows stay in memory, 8 bytes a feature, twice while it fits.

use datafusion_common::arrow::array::ArrayRef;
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::collected::Collected;
use super::model::{model_type, no_model, state_fields};
use super::{logistic, options};
use crate::InvalidArgument;
use crate::arguments::{constant, refuse_distinct};
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `logreg_fit`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Fits a logistic regression with an L2 penalty, as scikit-learn's with C = 1 / l2 on standardised features: a model for propensity, linear_score and linear_reasons. A NULL feature counts as the mean, one that never varies has no weight. Rows whose features or label are NULL do not count. NULL of no rows; an error if all are of one class.",
    syntax_example = "logreg_fit(features, y [, l2 [, balance]])",
    sql_example = r#"```sql
> SELECT round(propensity(logreg_fit(ARRAY[orders, spent], bought), ARRAY[3, 40]), 3) AS probability FROM (VALUES (1, 20, false), (2, 10, false), (1, 15, false), (3, 30, true), (4, 25, true)) AS t (orders, spent, bought);
+-------------+
| probability |
+-------------+
| 0.904       |
+-------------+
```"#,
    argument(name = "features", description = "An array of numbers or booleans, equally long in all rows."),
    argument(name = "y", description = "The class of the row: a boolean, or 1 and 0."),
    argument(
        name = "l2",
        description = "How much large weights cost, a constant of at least 0; 1 if not given. scikit-learn's C is 1 / l2."
    ),
    argument(
        name = "balance",
        description = "Whether both classes count the same whatever their size, a constant; false if not given. With it the scores rank, but are no probabilities of the population."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LogregFit;

const NAME: &str = "logreg_fit";

impl AggregateUDFImpl for LogregFit {
    named!(NAME, alias "propensity_fit");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(model_type())
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(
            NAME,
            types,
            &[("features", Taken::Vector), ("y", Taken::Label), ("l2", Taken::Number), ("balance", Taken::Boolean)],
            2,
        )
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(NAME, &args, "select distinct rows in a sub-query")?;
        let l2 = match args.exprs.len() {
            0..3 => 1.0,
            _ => options::number(NAME, "l2", &constant(NAME, "l2", &args, 2)?, 0.0, f64::INFINITY)?,
        };
        let balance = match args.exprs.len() {
            0..4 => false,
            _ => match constant(NAME, "balance", &args, 3)? {
                ScalarValue::Boolean(Some(balance)) => balance,
                _ => return Err(InvalidArgument::error(format!("{NAME}: balance has to be true or false"))),
            },
        };
        Ok(Box::new(Fit { rows: Collected::default(), l2, balance }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args, ["features", "labels"]))
    }
}

#[derive(Debug)]
struct Fit {
    rows: Collected,
    l2: f64,
    balance: bool,
}

impl Accumulator for Fit {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [features, label, ..] = values else {
            return plan_err!("{NAME} takes features and y");
        };
        self.rows.update(NAME, features, Some(label))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.rows.labels.is_empty() {
            return no_model();
        }
        logistic::fit(NAME, self.rows.clone(), self.l2, self.balance)?.into_scalar()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.rows.take_state())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.rows.merge(NAME, states)
    }
}
