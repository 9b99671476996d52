//! `traits_fit(features, is_seed)`: weights of traits that anybody can check by hand.
//!
//! The idea of Audience Manager's TraitWeight: a trait counts by how common it is in the seed and how rare elsewhere.
//! The weight of a trait is `share in the seed × (1 - share among the others)`, 0 unless it is more common in the seed
//! than elsewhere; weights are divided by their sum, so that a row with all traits scores 1.
//!
//! * A row has a trait if its feature is true or 1; NULL is as good as false, and other numbers are errors. A row
//!   without features or without label does not count.
//! * NULL of no rows; an error if only one class has rows, or if arrays differ in length. Without a trait that is more
//!   common in the seed all weights are 0.
//! * Merges exactly: it is made of counts.
//! * Cost: one pass, O(d) memory a group.

use datafusion_common::arrow::array::{Array, ArrayRef};
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::features::{Vectors, labels, same_width};
use super::model::{LinearModel, model_type, no_model, state, state_fields, states};
use crate::InvalidArgument;
use crate::arguments::refuse_distinct;
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `traits_fit`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Weighs traits by how common they are in the seed and how rare elsewhere: share in the seed * (1 - share among the others), 0 unless more common in the seed, divided by the sum. A model for linear_score, which is from 0 to 1, and linear_reasons. A NULL counts as a trait that the row does not have. NULL of no rows; an error if all are of one class.",
    syntax_example = "traits_fit(features, is_seed)",
    sql_example = r#"```sql
> SELECT (traits_fit(ARRAY[app, mail], seed))['weights'] AS weights FROM (VALUES (true, true, true), (true, false, true), (false, true, false), (false, true, false)) AS t (app, mail, seed);
+------------+
| weights    |
+------------+
| [1.0, 0.0] |
+------------+
```"#,
    argument(
        name = "features",
        description = "An array of booleans or numbers, equally long in all rows: the traits that a row has. Numbers other than 0 and 1 are errors."
    ),
    argument(name = "is_seed", description = "Whether the row belongs to the seed: a boolean, or 1 and 0.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TraitsFit;

const NAME: &str = "traits_fit";

impl AggregateUDFImpl for TraitsFit {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(model_type())
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, types, &[("features", Taken::Vector), ("is_seed", Taken::Label)], 2)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(NAME, &args, "select distinct rows in a sub-query")?;
        Ok(Box::new(Fit::default()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args, ["others", "seeds"]))
    }
}

/// For each class how many rows it has, and then how many have each trait.
#[derive(Debug, Default)]
struct Fit {
    width: usize,
    counts: [Vec<f64>; 2],
}

impl Fit {
    fn widen(&mut self, width: usize) -> Result<()> {
        same_width(NAME, &mut self.width, width)?;
        for counts in &mut self.counts {
            counts.resize(width + 1, 0.0);
        }
        Ok(())
    }
}

impl Accumulator for Fit {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [features, label] = values else {
            return plan_err!("{NAME} takes features and is_seed");
        };
        let (vectors, labels) = (Vectors::new(NAME, features)?, labels(NAME, label)?);
        for row in (0..vectors.len()).filter(|row| labels.is_valid(*row)) {
            let Some(features) = vectors.get(row) else { continue };
            self.widen(features.len())?;
            if let Some(other) = features.iter().find(|value| ![0.0, 1.0].contains(value) && !value.is_nan()) {
                return Err(InvalidArgument::error(format!(
                    "{NAME}: a trait has to be a boolean, or 0 or 1, not {other}"
                )));
            }
            let had = features.iter().map(|value| *value == 1.0);
            let added = std::iter::once(true).chain(had);
            for (count, had) in self.counts[usize::from(labels.value(row))].iter_mut().zip(added) {
                *count += f64::from(u8::from(had));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let [(others, other_traits), (seeds, seed_traits)] = match self.counts.each_ref().map(|c| c.split_first()) {
            [Some(others), Some(seeds)] => [others, seeds],
            _ => return no_model(),
        };
        if *others == 0.0 || *seeds == 0.0 {
            return Err(InvalidArgument::error(format!(
                "{NAME}: there have to be rows of both classes, not {seeds} of the one and {others} of the other"
            )));
        }
        let weight = |(had, others_had): (&f64, &f64)| {
            let (common, elsewhere) = (had / seeds, others_had / others);
            if common > elsewhere { common * (1.0 - elsewhere) } else { 0.0 }
        };
        let weights: Vec<f64> = seed_traits.iter().zip(other_traits).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let share = |weight: f64| if sum > 0.0 { weight / sum } else { 0.0 };
        LinearModel {
            kind: "traits",
            intercept: 0.0,
            weights: weights.into_iter().map(share).collect(),
            means: vec![0.0; self.width],
            scales: vec![1.0; self.width],
            rows: (others + seeds) as u64,
            positives: *seeds as u64,
        }
        .into_scalar()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counts.iter().map(|counts| counts.capacity() * size_of::<f64>()).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(std::mem::take(&mut self.counts).map(state).to_vec())
    }

    fn merge_batch(&mut self, given: &[ArrayRef]) -> Result<()> {
        let [others, seeds] = given else {
            return plan_err!("{NAME} has a state of two lists");
        };
        for counts in states(others)?.into_iter().zip(states(seeds)?).filter(|(counts, _)| !counts.is_empty()) {
            self.widen(counts.0.len() - 1)?;
            for (mine, other) in self.counts.iter_mut().zip([counts.0, counts.1]) {
                for (count, more) in mine.iter_mut().zip(other) {
                    *count += more;
                }
            }
        }
        Ok(())
    }
}
