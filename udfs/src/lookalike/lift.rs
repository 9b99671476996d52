//! `lift(score, label, share)`: how many times more labelled rows there are at the top than by chance.
//!
//! The share of labelled rows at the top over their share of all rows. The top is as for
//! [`recall_at`](super::recall_at): rounded up to whole rows, ties on its boundary counting by the part that fits.
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

/// The function `lift`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns how many times more frequent rows with the label are among the share of all rows that scores highest than among all rows. 1 is chance. Rows that tie on the boundary count by the part of them that fits. Rows whose score or label is NULL do not count; NULL if no row has the label.",
    syntax_example = "lift(score, label, share)",
    sql_example = r#"```sql
> SELECT lift(score, bought, 0.2) AS lift FROM (VALUES (0.9, true), (0.8, false), (0.7, true), (0.2, false), (0.1, false)) AS t (score, bought);
+------+
| lift |
+------+
| 2.5  |
+------+
```"#,
    argument(name = "score", description = "A number, larger for rows that should come first; NaN is an error."),
    argument(name = "label", description = "Whether the row is of those to be found: a boolean, or 1 and 0."),
    argument(
        name = "share",
        description = "The share of the rows that is at the top, a constant above 0 and at most 1; a part of a row counts as a row."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Lift;

const NAME: &str = "lift";

impl AggregateUDFImpl for Lift {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, types, &[("score", Taken::Number), ("label", Taken::Label), ("share", Taken::Number)], 3)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        ranked::accumulator(NAME, &args, lift)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(ranked::state_fields(&args))
    }
}

fn lift(ranking: &[Peers], share: f64) -> Option<f64> {
    let (all, top) = (ranked::total(ranking), ranked::top(ranking, share));
    (all.hits > 0.0 && top.rows > 0.0).then(|| (top.hits / top.rows) / (all.hits / all.rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lift_is_against_all() {
        let ranking = [Peers { rows: 2.0, hits: 2.0 }, Peers { rows: 8.0, hits: 2.0 }];
        assert_eq!(lift(&ranking, 0.2), Some(2.5));
        assert_eq!(lift(&ranking, 1.0), Some(1.0));
        assert_eq!(lift(&[], 1.0), None);
    }
}
