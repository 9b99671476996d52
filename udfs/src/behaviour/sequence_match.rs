//! `sequence_match(pattern, ts, c1, …, cn)`: whether a group's events follow a pattern.
//!
//! Semantics of ClickHouse: see `pattern.rs` and `matcher.rs`. Times are exact here, where ClickHouse's are in seconds.
//!
//! * A condition that is NULL does not hold (ClickHouse drops the row instead). Rows without time or of which no
//!   condition holds are no events. No rows: false, but for a pattern that needs no event.
//! * Cost: O(n log n) for a group's n events where the pattern has no conditions on time of less than 64 parts; else it may be tried
//!   a million times for a group, after which it is an error, as in ClickHouse.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, BooleanBuilder};
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

/// The aggregate `sequence_match`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Returns whether the events of a group, in order of time, have a stretch that follows a pattern: the semantics of ClickHouse's sequenceMatch. A condition that is NULL does not hold, rows without time do not count. Also called sequencematch.",
    syntax_example = "sequence_match(pattern, ts, [tie_breaker,] c1, ..., c32)",
    sql_example = r#"```sql
> SELECT shopper, sequence_match('(?1)(?t<=600)(?2)', at, kind = 'view', kind = 'buy') AS matched FROM (VALUES (1, timestamp '2024-01-01 10:00:00', 'view'), (1, timestamp '2024-01-01 10:05:00', 'buy'), (1, timestamp '2024-01-01 11:00:00', 'view'), (1, timestamp '2024-01-01 11:01:00', 'buy'), (2, timestamp '2024-01-01 10:00:00', 'view'), (2, timestamp '2024-01-01 12:00:00', 'buy')) AS events (shopper, at, kind) GROUP BY shopper ORDER BY shopper;
+---------+---------+
| shopper | matched |
+---------+---------+
| 1       | true    |
| 2       | false   |
+---------+---------+
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
pub struct SequenceMatch;

impl AggregateUDFImpl for SequenceMatch {
    named!("sequence_match", alias "sequencematch");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
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
        Ok(ScalarValue::Boolean(Some(false)))
    }
}

fn accumulator(name: &str, args: &AccumulatorArgs) -> Result<EventAccumulator> {
    let (columns, matcher) = sequence(name, args)?;
    Ok(EventAccumulator::new(columns, args.is_distinct, Matches { matcher, matches: BooleanBuilder::new() }))
}

/// Whether groups have the pattern.
#[derive(Debug)]
struct Matches {
    matcher: Matcher,
    matches: BooleanBuilder,
}

impl Kernel for Matches {
    fn add(&mut self, group: Group) -> Result<()> {
        let found = self.matcher.is_in(group.events).map_err(|error| error.of("sequence_match"))?;
        self.matches.append_value(found);
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.matches.finish())
    }
}
