//! `lda_fit(features, is_seed [, shrink])`: a linear discriminant between the seed and the others.
//!
//! One pass and one solution, so that it is as cheap as an average; on seeds of some hundred it ranks as well as a
//! logistic regression. Fisher's discriminant with a shrunk covariance (Ledoit and Wolf 2004 for the form of the
//! shrinkage); see `discriminant.rs`.
//!
//! * Features are standardised over all rows; one that never varies has no weight. A NULL feature counts as the mean
//!   of all rows where it is known. A row without features or without label does not count.
//! * NULL of no rows; an error if only one class has rows, or if arrays differ in length.
//! * Partial results merge; how rows are parted changes the model by rounding only.
//! * Cost: O(n d²) time, O(d²) memory a group, and the rows that have a NULL feature.

use datafusion_common::arrow::array::{Array, ArrayRef};
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::class_moments::ClassMoments;
use super::features::{Vectors, labels};
use super::model::{model_type, no_model, state, state_fields, states};
use super::{discriminant, options};
use crate::arguments::{constant, refuse_distinct};
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The shrinkage that did best on retail data.
const SHRINK: f64 = 0.2;

/// The function `lda_fit`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Fits a linear discriminant that parts the rows of the seed from the others, in one pass: a model for linear_score, propensity and linear_reasons. Features are standardised; a NULL feature counts as the mean, one that never varies has no weight. Rows whose features or label are NULL do not count. NULL of no rows; an error if all are of one class.",
    syntax_example = "lda_fit(features, is_seed [, shrink])",
    sql_example = r#"```sql
> SELECT round(linear_score(lda_fit(ARRAY[orders], bought), ARRAY[4]), 3) AS score FROM (VALUES (0, false), (2, false), (4, true), (6, true)) AS t (orders, bought);
+-------+
| score |
+-------+
| 4.0   |
+-------+
```"#,
    argument(name = "features", description = "An array of numbers or booleans, equally long in all rows."),
    argument(name = "is_seed", description = "Whether the row belongs to the seed: a boolean, or 1 and 0."),
    argument(
        name = "shrink",
        description = "How far the covariance is drawn towards a sphere, a constant from 0 to 1; 0.2 if not given. 1 makes the model the difference between the centroids."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LdaFit;

const NAME: &str = "lda_fit";

impl AggregateUDFImpl for LdaFit {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(model_type())
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, types, &[("features", Taken::Vector), ("is_seed", Taken::Label), ("shrink", Taken::Number)], 2)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(NAME, &args, "select distinct rows in a sub-query")?;
        let shrink = match args.exprs.len() {
            0..3 => SHRINK,
            _ => options::number(NAME, "shrink", &constant(NAME, "shrink", &args, 2)?, 0.0, 1.0)?,
        };
        Ok(Box::new(Fit { moments: ClassMoments::default(), shrink }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args, ["moments", "incomplete others", "incomplete seeds"]))
    }
}

#[derive(Debug)]
struct Fit {
    moments: ClassMoments,
    shrink: f64,
}

impl Accumulator for Fit {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [features, label, ..] = values else {
            return plan_err!("{NAME} takes features and is_seed");
        };
        let (vectors, labels) = (Vectors::new(NAME, features)?, labels(NAME, label)?);
        let known = (0..vectors.len()).filter(|row| labels.is_valid(*row));
        self.moments.add(NAME, known.filter_map(|row| Some((vectors.get(row)?, labels.value(row)))))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.moments.width() == 0 {
            return no_model();
        }
        discriminant::fit(NAME, &self.moments, self.shrink)?.into_scalar()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.moments.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(std::mem::take(&mut self.moments).into_state().map(state).to_vec())
    }

    fn merge_batch(&mut self, given: &[ArrayRef]) -> Result<()> {
        let [moments, others, seeds] = given else {
            return plan_err!("{NAME} has a state of three lists");
        };
        for ((moments, others), seeds) in states(moments)?.into_iter().zip(states(others)?).zip(states(seeds)?) {
            if let Some(other) = ClassMoments::from_state([moments, others, seeds]) {
                self.moments.merge(NAME, other)?;
            }
        }
        Ok(())
    }
}
