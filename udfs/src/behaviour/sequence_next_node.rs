//! `sequence_next_node(direction, base, ts, event, base_condition, e1, …, en)`: what came next after a sequence.
//!
//! Semantics of ClickHouse's `sequenceNextNode`: the sequence has to lie round the base without a gap, so that
//! `e1` holds for the base, `e2` for its neighbour in the direction, and so on; the result is the event after that.
//!
//! * Events at equal times come in the order of the tie-breaker, then of their text.
//! * Rows without time or event do not count. A condition that is NULL does not hold. No such base or sequence, or
//!   nothing after it: NULL.
//! * Cost: O(n log n) for a group's n rows, 20 bytes a row, every text once.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, StringViewBuilder};
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::event_accumulator::{EventAccumulator, Kernel, state_fields};
use super::event_columns::EventColumns;
use super::event_log::Group;
use crate::InvalidArgument;
use crate::arguments::{constant, text};
use crate::named::named;

/// The aggregate `sequence_next_node`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Returns the event that follows a sequence of events, or precedes it: the semantics of ClickHouse's sequenceNextNode. NULL if the sequence is not there, or nothing follows it. Rows without time or event do not count. Also called sequencenextnode.",
    syntax_example = "sequence_next_node(direction, base, ts, [tie_breaker,] event, base_condition, e1, ..., e31)",
    sql_example = r#"```sql
> SELECT shopper, sequence_next_node('forward', 'head', at, page, page = 'home', page = 'home', page = 'gifts') AS next FROM (VALUES (1, timestamp '2024-01-01 10:00:00', 'home'), (1, timestamp '2024-01-01 10:01:00', 'gifts'), (1, timestamp '2024-01-01 10:02:00', 'cart'), (2, timestamp '2024-01-01 10:00:00', 'home'), (2, timestamp '2024-01-01 10:03:00', 'gifts')) AS visits (shopper, at, page) GROUP BY shopper ORDER BY shopper;
+---------+------+
| shopper | next |
+---------+------+
| 1       | cart |
| 2       |      |
+---------+------+
```"#,
    argument(
        name = "direction",
        description = "A constant: forward, for the event after the sequence, or backward, for the one before it, where e1, e2 and so on go back in time."
    ),
    argument(
        name = "base",
        description = "A constant, where the sequence starts: head, at the first row (forward only); tail, at the last (backward only); first_match or last_match, at the first or last row for which base_condition and e1 hold."
    ),
    argument(name = "ts", description = "When the event happened: a date or a timestamp."),
    argument(
        name = "tie_breaker",
        description = "A whole number or a time that orders events of equal times, NULL last. Without one, and where it is equal, they come in the order of their text."
    ),
    argument(name = "event", description = "What happened, as text."),
    argument(name = "base_condition", description = "What has to hold for the row where the sequence starts."),
    argument(
        name = "e1, ..., e31",
        description = "Conditions: the sequence. Without any, the row where it starts is the result."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SequenceNextNode;

impl AggregateUDFImpl for SequenceNextNode {
    named!("sequence_next_node", alias "sequencenextnode");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(places(types)?.1)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(args))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(accumulator(&args)?))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(accumulator(&args)?))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

const NAME: &str = "sequence_next_node";

fn places(given: &[DataType]) -> Result<(EventColumns, Vec<DataType>)> {
    let mut coerced = Vec::with_capacity(given.len());
    for word in given.iter().take(2) {
        if !word.is_string() && !word.is_null() {
            return plan_err!("{NAME} takes the direction and the base as text, not as {word}");
        }
        coerced.push(DataType::Utf8);
    }
    let columns = EventColumns::find(NAME, given, true, &mut coerced)?;
    if columns.conditions() == 0 {
        return plan_err!("{NAME} needs a condition for the base");
    }
    match given.get(coerced.len()) {
        Some(other) => plan_err!("{NAME} takes conditions as boolean, not as {other}"),
        None => Ok((columns.with_all_rows(true), coerced)),
    }
}

fn accumulator(args: &AccumulatorArgs) -> Result<EventAccumulator> {
    let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
    let (columns, _) = places(&types)?;
    let invalid = |message: String| InvalidArgument::error(format!("{NAME}: {message}"));
    let backward = match text(NAME, "the direction", &constant(NAME, "the direction", args, 0)?)? {
        "forward" => false,
        "backward" => true,
        other => return Err(invalid(format!("unknown direction \"{other}\", there are forward and backward"))),
    };
    let base = match text(NAME, "the base", &constant(NAME, "the base", args, 1)?)? {
        "head" => Base::Head,
        "tail" => Base::Tail,
        "first_match" => Base::FirstMatch,
        "last_match" => Base::LastMatch,
        other => {
            let known = "there are head, tail, first_match and last_match";
            return Err(invalid(format!("unknown base \"{other}\", {known}")));
        }
    };
    let conditions = columns.conditions() - 1;
    match (base, backward) {
        (Base::Head, true) => return Err(invalid("nothing comes before the head, take tail or a match".to_owned())),
        (Base::Tail, false) => return Err(invalid("nothing comes after the tail, take head or a match".to_owned())),
        (Base::FirstMatch | Base::LastMatch, _) if conditions == 0 => {
            return Err(invalid("a match as the base needs a condition after the base's own".to_owned()));
        }
        _ => {}
    }
    let kernel = NextNodes { base, backward, conditions, nodes: StringViewBuilder::new() };
    Ok(EventAccumulator::new(columns, args.is_distinct, kernel))
}

/// Where a sequence starts.
#[derive(Debug, Clone, Copy)]
enum Base {
    Head,
    Tail,
    FirstMatch,
    LastMatch,
}

/// What comes next, for groups.
#[derive(Debug)]
struct NextNodes {
    base: Base,
    backward: bool,
    conditions: usize,
    nodes: StringViewBuilder,
}

impl NextNodes {
    /// The place of what comes next. In masks, bit 0 is the condition of the base.
    fn next(&self, group: Group) -> Option<usize> {
        let events = group.events;
        let is_base = |event: &usize| events.get(*event).is_some_and(|event| event.mask & 1 == 1);
        let is_match = |event: &usize| events.get(*event).is_some_and(|event| event.mask & 3 == 3);
        let base = match self.base {
            Base::Head => Some(0).filter(is_base),
            Base::Tail => events.len().checked_sub(1).filter(is_base),
            Base::FirstMatch => (0..events.len()).find(is_match),
            Base::LastMatch => (0..events.len()).rev().find(is_match),
        }?;
        let place = |offset: usize| if self.backward { base.checked_sub(offset) } else { base.checked_add(offset) };
        let follows = |offset: usize| {
            let event = place(offset).and_then(|place| events.get(place));
            event.is_some_and(|event| (event.mask >> (offset + 1)) & 1 == 1)
        };
        if (0..self.conditions).all(follows) {
            place(self.conditions).filter(|next| *next < events.len())
        } else {
            None
        }
    }
}

impl Kernel for NextNodes {
    fn add(&mut self, group: Group) -> Result<()> {
        self.nodes.append_option(self.next(group).map(|next| group.label(next)));
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.nodes.finish())
    }
}
