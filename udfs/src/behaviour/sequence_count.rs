//! `sequence_count(pattern, ts, c1, …, cn)`: how often a group's events follow a pattern.
//!
//! Semantics of ClickHouse: see `pattern.rs` and `matcher.rs`. Times are exact here, where ClickHouse's are in seconds.
//!
//! * A condition that is NULL does not hold (ClickHouse drops the row instead). Rows without time or of which no
//!   condition holds are no events. No rows: 0.
//! * Cost: O(n log n) for a group's n events, as long as few conditions on time have to be tried again: a million tries for a
//!   match are an error, as in ClickHouse.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, Int64Builder};
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::event_accumulator::{EventAccumulator, Kernel, state_fields};
use super::event_log::Group;
use super::matcher::Matcher;
use super::sequence_arguments::{coerce, sequence};
use crate::named::named;

/// The aggregate `sequence_count`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Returns how often the events of a group, in order of time, follow a pattern, in stretches that do not overlap: the semantics of ClickHouse's sequenceCount. A condition that is NULL does not hold, rows without time do not count. Also called sequencecount.",
    syntax_example = "sequence_count(pattern, ts, [tie_breaker,] c1, ..., c32)",
    sql_example = r#"```sql
> SELECT shopper, sequence_count('(?1)(?t<=600)(?2)', at, kind = 'view', kind = 'buy') AS times FROM (VALUES (1, timestamp '2024-01-01 10:00:00', 'view'), (1, timestamp '2024-01-01 10:05:00', 'buy'), (1, timestamp '2024-01-01 11:00:00', 'view'), (1, timestamp '2024-01-01 11:01:00', 'buy'), (2, timestamp '2024-01-01 10:00:00', 'view'), (2, timestamp '2024-01-01 12:00:00', 'buy')) AS events (shopper, at, kind) GROUP BY shopper ORDER BY shopper;
+---------+-------+
| shopper | times |
+---------+-------+
| 1       | 2     |
| 2       | 0     |
+---------+-------+
```"#,
    argument(
        name = "pattern",
        description = "A constant. (?N): an event of which the condition N holds; .: any event; .*: any number of events; (?t<=S), (?t<S), (?t>=S), (?t>S), (?t==S): the seconds between the events round it, with any events in between."
    ),
    argument(name = "ts", description = "When the event happened: a date or a timestamp."),
    argument(
        name = "tie_breaker",
        description = "A whole number or a time that orders events of equal times, NULL last. Without one, such events come in the order of the conditions that hold."
    ),
    argument(
        name = "c1, ..., c32",
        description = "What the numbers in the pattern stand for. Rows of which no condition holds are no events."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SequenceCount;

impl AggregateUDFImpl for SequenceCount {
    named!("sequence_count", alias "sequencecount");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(self.name(), types)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(args))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(accumulator(self.name(), &args)?))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(accumulator(self.name(), &args)?))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn default_value(&self, _: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }
}

fn accumulator(name: &str, args: &AccumulatorArgs) -> Result<EventAccumulator> {
    let (columns, matcher) = sequence(name, args)?;
    Ok(EventAccumulator::new(columns, args.is_distinct, Counts { matcher, counts: Int64Builder::new() }))
}

/// How often groups have the pattern.
#[derive(Debug)]
struct Counts {
    matcher: Matcher,
    counts: Int64Builder,
}

impl Kernel for Counts {
    fn add(&mut self, group: Group) -> Result<()> {
        let count = self.matcher.count(group.events).map_err(|error| error.of("sequence_count"))?;
        self.counts.append_value(count);
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.counts.finish())
    }
}
