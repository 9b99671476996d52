//! `kmeans_fit(features, k [, seed [, n_init [, scale]]])`: the centroids of `k` clusters.
//!
//! Greedy k-means++ and Lloyd's steps, the best of `n_init` starts; see `clusters.rs`. Clusters are numbered from the
//! largest, so that a refresh on similar rows names them alike.
//!
//! * With the scale `zscore` features are standardised, so that distances and inertia are in standard deviations;
//!   centroids are in the units of the features always.
//! * A NULL feature counts as the mean of all rows where it is known. A row without features does not count.
//! * NULL of no rows; an error if fewer than `k` rows differ, or if arrays differ in length.
//! * The model depends on the rows and the seed alone, not on the rows' order or parts.
//! * Cost: O(n k d) a step, for every start; the rows stay in memory, 8 bytes a feature, twice while it fits.

use datafusion_common::arrow::array::ArrayRef;
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::centroids::{Centroids, model_type};
use super::collected::Collected;
use super::model::state_fields;
use super::spread::{Spread, standardise};
use super::{clusters, options};
use crate::InvalidArgument;
use crate::arguments::refuse_distinct;
use crate::arguments::{constant, text};
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `kmeans_fit`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Finds k clusters by k-means: a struct of centroids (in the features' units, the largest cluster first), sizes, means, scales, inertia and n, for kmeans_assign. A NULL feature counts as the mean. Rows whose features are NULL do not count. NULL of no rows; an error if fewer than k rows differ.",
    syntax_example = "kmeans_fit(features, k [, seed [, n_init [, scale]]])",
    sql_example = r#"```sql
> SELECT (kmeans_fit(ARRAY[orders], 2))['centroids'] AS centroids FROM (VALUES (1), (2), (3), (10), (12)) AS t (orders);
+-----------------+
| centroids       |
+-----------------+
| [[2.0], [11.0]] |
+-----------------+
```"#,
    argument(name = "features", description = "An array of numbers or booleans, equally long in all rows."),
    argument(name = "k", description = "The number of clusters, a constant from 1 to 10000."),
    argument(name = "seed", description = "What the random starts depend on, a constant; 42 if not given."),
    argument(name = "n_init", description = "How many starts are tried, a constant from 1 to 1000; 10 if not given."),
    argument(
        name = "scale",
        description = "zscore (the default): features are divided by their standard deviation. none: they are taken as they are."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct KmeansFit;

const NAME: &str = "kmeans_fit";

impl AggregateUDFImpl for KmeansFit {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(model_type())
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let parameters = [
            ("features", Taken::Vector),
            ("k", Taken::Integer),
            ("seed", Taken::Integer),
            ("n_init", Taken::Integer),
            ("scale", Taken::Text),
        ];
        coerce(NAME, types, &parameters, 2)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(NAME, &args, "select distinct rows in a sub-query")?;
        let option = |name, place, default, low, high| match args.exprs.len() {
            given if given <= place => Ok(default),
            _ => options::whole(NAME, name, &constant(NAME, name, &args, place)?, low, high),
        };
        let k = option("k", 1, 0, 1, 10_000)? as usize;
        let seed = option("seed", 2, 42, i64::MIN, i64::MAX)? as u64;
        let starts = option("n_init", 3, 10, 1, 1000)? as usize;
        let scaled = match args.exprs.len() {
            0..5 => true,
            _ => match text(NAME, "scale", &constant(NAME, "scale", &args, 4)?)? {
                "zscore" => true,
                "none" => false,
                other => {
                    let message = format!("{NAME}: unknown scale \"{other}\", there are zscore and none");
                    return Err(InvalidArgument::error(message));
                }
            },
        };
        Ok(Box::new(Fit { rows: Collected::default(), k, seed, starts, scaled }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args, ["features", "labels"]))
    }
}

#[derive(Debug)]
struct Fit {
    rows: Collected,
    k: usize,
    seed: u64,
    starts: usize,
    scaled: bool,
}

impl Accumulator for Fit {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [features, ..] = values else {
            return plan_err!("{NAME} takes features and k");
        };
        self.rows.update(NAME, features, None)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.rows.labels.is_empty() {
            return ScalarValue::try_from(&model_type());
        }
        let mut rows = self.rows.clone();
        rows.sort();
        let spread = Spread::of(&rows.values, rows.width);
        let means = spread.means();
        let scales = if self.scaled { spread.scales() } else { vec![1.0; rows.width] };
        standardise(&mut rows.values, &means, &scales);
        let Some(mut found) = clusters::fit(&rows.values, rows.width, self.k, self.seed, self.starts) else {
            return Err(InvalidArgument::error(format!(
                "{NAME}: there are fewer than {} rows that differ; give a smaller k",
                self.k
            )));
        };
        for centre in found.centres.chunks_exact_mut(rows.width) {
            for ((value, mean), scale) in centre.iter_mut().zip(&means).zip(&scales) {
                *value = *value * scale + mean;
            }
        }
        Centroids { centres: found.centres, sizes: found.sizes, means, scales, inertia: found.inertia }.into_scalar()
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
