//! `recall_at(score, label, share)`: the share of the labelled rows that are at the top.
//!
//! The top is the share of all rows that score highest, rounded up to whole rows. Rows that tie on its boundary count
//! by the part of them that fits, which is what picking among them at random gives on average.
//!
//! * A row whose score or label is NULL does not count. NULL without a labelled row.
//! * Cost: a sort, O(n log n); the rows stay in memory, 9 bytes each, and 18 more while they are sorted.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::ranked::{self, Peers};
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `recall_at`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns which part of the rows with the label is among the share of all rows that scores highest. Rows that tie on the boundary count by the part of them that fits. Rows whose score or label is NULL do not count; NULL if no row has the label.",
    syntax_example = "recall_at(score, label, share)",
    sql_example = r#"```sql
> SELECT recall_at(score, bought, 0.2) AS recall FROM (VALUES (0.9, true), (0.8, false), (0.7, true), (0.2, false), (0.1, false)) AS t (score, bought);
+--------+
| recall |
+--------+
| 0.5    |
+--------+
```"#,
    argument(name = "score", description = "A number, larger for rows that should come first; NaN is an error."),
    argument(name = "label", description = "Whether the row is of those to be found: a boolean, or 1 and 0."),
    argument(
        name = "share",
        description = "The share of the rows that is at the top, a constant above 0 and at most 1; a part of a row counts as a row."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RecallAt;

const NAME: &str = "recall_at";

impl AggregateUDFImpl for RecallAt {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, types, &[("score", Taken::Number), ("label", Taken::Label), ("share", Taken::Number)], 3)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        ranked::accumulator(NAME, &args, recall_at)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(ranked::state_fields(&args))
    }
}

fn recall_at(ranking: &[Peers], share: f64) -> Option<f64> {
    let all = ranked::total(ranking);
    (all.hits > 0.0).then(|| ranked::top(ranking, share).hits / all.hits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_is_of_the_labelled() {
        let ranking = [Peers { rows: 2.0, hits: 2.0 }, Peers { rows: 8.0, hits: 2.0 }];
        assert_eq!(recall_at(&ranking, 0.2), Some(0.5));
        assert_eq!(recall_at(&ranking, 0.6), Some(0.75));
        assert_eq!(recall_at(&ranking, 1.0), Some(1.0));
        assert_eq!(recall_at(&[Peers { rows: 1.0, hits: 0.0 }], 1.0), None);
    }
}
