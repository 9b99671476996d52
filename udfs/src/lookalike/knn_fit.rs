//! `knn_fit(features, is_seed [, k])`: the seed itself as a model, for scores by its nearest members.
//!
//! Features are standardised over all rows, and the seed's members kept as vectors of length 1.
//!
//! * A NULL feature counts as the mean of all rows where it is known. A row without features or without label does not
//!   count.
//! * NULL of no rows; an error without a member of the seed, or if arrays differ in length.
//! * Merges; how rows are parted changes the model by rounding only.
//! * Cost: one pass; the seed's rows stay in memory, 8 bytes a feature, twice while it fits.

use datafusion_common::arrow::array::{Array, ArrayRef};
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::collected::Collected;
use super::features::{Vectors, labels, same_width};
use super::model::{state, state_fields, states};
use super::neighbours::{Neighbours, model_type};
use super::options;
use super::spread::Spread;
use crate::InvalidArgument;
use crate::arguments::{constant, refuse_distinct};
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `knn_fit`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Keeps the seed as a model for knn_score: its members' features, standardised over all rows. A NULL feature counts as the mean. Rows whose features or label are NULL do not count. NULL of no rows; an error if there is no member of the seed.",
    syntax_example = "knn_fit(features, is_seed [, k])",
    sql_example = r#"```sql
> SELECT round(knn_score(knn_fit(ARRAY[orders], bought, 2), ARRAY[5]), 3) AS score FROM (VALUES (0, false), (2, false), (4, true), (6, true)) AS t (orders, bought);
+-------+
| score |
+-------+
| 1.0   |
+-------+
```"#,
    argument(name = "features", description = "An array of numbers or booleans, equally long in all rows."),
    argument(name = "is_seed", description = "Whether the row belongs to the seed: a boolean, or 1 and 0."),
    argument(name = "k", description = "How many members of the seed count for a score, a constant; 10 if not given.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct KnnFit;

const NAME: &str = "knn_fit";

impl AggregateUDFImpl for KnnFit {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(model_type())
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, types, &[("features", Taken::Vector), ("is_seed", Taken::Label), ("k", Taken::Integer)], 2)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(NAME, &args, "select distinct rows in a sub-query")?;
        let k = match args.exprs.len() {
            0..3 => 10,
            _ => options::whole(NAME, "k", &constant(NAME, "k", &args, 2)?, 1, 10_000)?,
        };
        Ok(Box::new(Fit { k: k as usize, rows: 0, spread: Spread::default(), seeds: Collected::default() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args, ["rows", "spread", "seeds", "labels"]))
    }
}

#[derive(Debug)]
struct Fit {
    k: usize,
    rows: u64,
    spread: Spread,
    seeds: Collected,
}

impl Accumulator for Fit {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [features, label, ..] = values else {
            return plan_err!("{NAME} takes features and is_seed");
        };
        let (vectors, labels) = (Vectors::new(NAME, features)?, labels(NAME, label)?);
        let mut all = Vec::new();
        let mut width = self.spread.width();
        for row in (0..vectors.len()).filter(|row| labels.is_valid(*row)) {
            let Some(features) = vectors.get(row) else { continue };
            same_width(NAME, &mut width, features.len())?;
            all.extend_from_slice(features);
            if labels.value(row) {
                self.seeds.width = width;
                self.seeds.values.extend_from_slice(features);
                self.seeds.labels.push(true);
            }
        }
        if width > 0 {
            self.rows += (all.len() / width) as u64;
            self.spread.merge(&Spread::of(&all, width));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.spread.width() == 0 {
            return ScalarValue::try_from(&model_type());
        }
        if self.seeds.labels.is_empty() {
            return Err(InvalidArgument::error(format!("{NAME}: the seed has no member among the rows")));
        }
        let mut seeds = self.seeds.clone();
        seeds.sort();
        Neighbours::new(self.k, self.spread.means(), self.spread.scales(), seeds.values, self.rows).into_scalar()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.seeds.size() + self.spread.width() * size_of::<[f64; 3]>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let spread = std::mem::take(&mut self.spread).into_state();
        let mut taken = vec![state(vec![self.rows as f64]), state(spread)];
        taken.extend(self.seeds.take_state());
        Ok(taken)
    }

    fn merge_batch(&mut self, given: &[ArrayRef]) -> Result<()> {
        let [rows, spread, seeds @ ..] = given else {
            return plan_err!("{NAME} has a state of four lists");
        };
        for (rows, spread) in states(rows)?.into_iter().zip(states(spread)?).filter(|(_, spread)| !spread.is_empty()) {
            let other = Spread::from_state(&spread);
            let mut width = self.spread.width();
            same_width(NAME, &mut width, other.width())?;
            self.spread.merge(&other);
            self.rows += rows.iter().sum::<f64>() as u64;
        }
        self.seeds.merge(NAME, seeds)
    }
}
