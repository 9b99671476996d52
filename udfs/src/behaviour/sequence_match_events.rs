//! `sequence_match_events(pattern, ts, c1, …, cn)`: when the events happened that follow a pattern.
//!
//! Semantics of ClickHouse: see `pattern.rs` and `matcher.rs`. Times are exact here, where ClickHouse's are in seconds.
//!
//! * A condition that is NULL does not hold (ClickHouse drops the row instead). Rows without time or of which no
//!   condition holds are no events. No match, no rows: an empty list.
//! * Cost: as sequence_count for one match.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_common::arrow::array::ArrayRef;
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::event_accumulator::{EventAccumulator, Kernel, state_fields};
use super::event_log::Group;
use super::instant_lists::{InstantLists, list_of_instants};
use super::matcher::Matcher;
use super::sequence_arguments::{coerce, sequence};
use crate::named::named;

/// The aggregate `sequence_match_events`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Returns when the events happened that a pattern names by (?N), where the events of a group follow it first; an empty list if they do not. See sequence_match. ClickHouse's sequenceMatchEvents gives the beginning of a pattern as well if the rest of it is missing, this does not.",
    syntax_example = "sequence_match_events(pattern, ts, [tie_breaker,] c1, ..., c32)",
    sql_example = r#"```sql
> SELECT shopper, sequence_match_events('(?1)(?t<=600)(?2)', at, kind = 'view', kind = 'buy') AS times FROM (VALUES (1, timestamp '2024-01-01 10:00:00', 'view'), (1, timestamp '2024-01-01 10:05:00', 'buy'), (1, timestamp '2024-01-01 11:00:00', 'view'), (1, timestamp '2024-01-01 11:01:00', 'buy'), (2, timestamp '2024-01-01 10:00:00', 'view'), (2, timestamp '2024-01-01 12:00:00', 'buy')) AS events (shopper, at, kind) GROUP BY shopper ORDER BY shopper;
+---------+--------------------------------------------+
| shopper | times                                      |
+---------+--------------------------------------------+
| 1       | [2024-01-01T10:00:00, 2024-01-01T10:05:00] |
| 2       | []                                         |
+---------+--------------------------------------------+
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
pub struct SequenceMatchEvents;

impl AggregateUDFImpl for SequenceMatchEvents {
    named!("sequence_match_events");

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        list_of_instants(self.name(), types)
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
}

fn accumulator(name: &str, args: &AccumulatorArgs) -> Result<EventAccumulator> {
    let (columns, matcher) = sequence(name, args)?;
    Ok(EventAccumulator::new(
        columns,
        args.is_distinct,
        Times { matcher, times: Vec::new(), lists: InstantLists::new(args.return_field.data_type()) },
    ))
}

/// The times of the events that are the pattern.
#[derive(Debug)]
struct Times {
    matcher: Matcher,
    times: Vec<i64>,
    lists: InstantLists,
}

impl Kernel for Times {
    fn add(&mut self, group: Group) -> Result<()> {
        let found = self.matcher.events(group.events).map_err(|error| error.of("sequence_match_events"))?;
        self.times.clear();
        self.times.extend(found.iter().filter_map(|event| group.events.get(*event)).map(|event| event.at));
        self.lists.append(&self.times);
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.lists.finish())
    }
}
