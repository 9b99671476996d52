//! `auc(score, label)`: the area under the ROC curve.
//!
//! The probability that a row with the label scores above a row without it, a tie counting half: Mann and Whitney's U
//! over the number of pairs, as scikit-learn's `roc_auc_score`.
//!
//! * A row whose score or label is NULL does not count. NULL unless there are rows of both classes.
//! * Cost: a sort, O(n log n); the rows stay in memory, 9 bytes each, and 18 more while they are sorted.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::ranked::{self, Peers};
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `auc`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns the area under the ROC curve: how probable it is that a row with the label scores above one without it, where a tie counts half. 0.5 is chance, 1 is perfect. Rows whose score or label is NULL do not count; NULL unless there are rows with and without the label.",
    syntax_example = "auc(score, label)",
    sql_example = r#"```sql
> SELECT round(auc(score, bought), 4) AS auc FROM (VALUES (0.9, true), (0.8, false), (0.7, true), (0.2, false), (0.1, false)) AS t (score, bought);
+--------+
| auc    |
+--------+
| 0.8333 |
+--------+
```"#,
    argument(name = "score", description = "A number, larger for rows that should come first; NaN is an error."),
    argument(name = "label", description = "Whether the row is of those to be found: a boolean, or 1 and 0.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Auc;

const NAME: &str = "auc";

impl AggregateUDFImpl for Auc {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, types, &[("score", Taken::Number), ("label", Taken::Label)], 2)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        ranked::accumulator(NAME, &args, auc)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(ranked::state_fields(&args))
    }
}

fn auc(ranking: &[Peers], _: f64) -> Option<f64> {
    let all = ranked::total(ranking);
    let mut above = 0.0;
    let mut pairs = 0.0;
    for peers in ranking {
        pairs += (peers.rows - peers.hits) * (above + 0.5 * peers.hits);
        above += peers.hits;
    }
    let possible = all.hits * (all.rows - all.hits);
    (possible > 0.0).then(|| pairs / possible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half() {
        let peers = |rows, hits| Peers { rows, hits };
        assert_eq!(auc(&[peers(1.0, 1.0), peers(1.0, 0.0)], 1.0), Some(1.0));
        assert_eq!(auc(&[peers(1.0, 0.0), peers(1.0, 1.0)], 1.0), Some(0.0));
        assert_eq!(auc(&[peers(7.0, 3.0)], 1.0), Some(0.5));
        assert_eq!(auc(&[peers(2.0, 2.0)], 1.0), None);
        assert_eq!(auc(&[], 1.0), None);
    }
}
