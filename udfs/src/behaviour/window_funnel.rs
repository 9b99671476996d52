//! `window_funnel(window, ts, c1, …, cn)`: how many steps of a funnel a group's events reach within a window.
//!
//! Semantics of ClickHouse's `windowFunnel`, with an interval as the window, calls as in DuckDB's extension
//! `behavioral`, and a tie-breaker that neither has.
//!
//! * An event at the very end of the window counts. The window starts at the first step, and later first steps start
//!   it anew.
//! * Events at equal times are taken in the order of the conditions, whatever rows they come from; with a tie-breaker
//!   in its order.
//! * A condition that is NULL does not hold (ClickHouse drops the row instead). Rows without time do not count. No
//!   rows: 0.
//! * Cost: O(n log n) for a group's n events, 16 bytes an event of which a condition holds.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, Int32Builder};
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::event_accumulator::{EventAccumulator, Kernel, state_fields};
use super::event_log::Group;
use super::funnel::Funnel;
use super::funnel_arguments::{coerce, funnel};
use crate::named::named;

/// The aggregate `window_funnel`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Returns how many steps of a funnel the events of a group reach, in order and within a window that starts at the first: the semantics of ClickHouse's windowFunnel. A condition that is NULL does not hold, rows without time do not count, and 0 is returned if there are none. Also called windowfunnel.",
    syntax_example = "window_funnel(window, [mode,] ts, [tie_breaker,] c1, ..., c32 [, mode])",
    sql_example = r#"```sql
> SELECT shopper, window_funnel(INTERVAL '1 hour', at, kind = 'view', kind = 'cart', kind = 'buy') AS level FROM (VALUES (1, timestamp '2024-01-01 10:00:00', 'view'), (1, timestamp '2024-01-01 10:20:00', 'cart'), (1, timestamp '2024-01-01 11:01:00', 'buy'), (2, timestamp '2024-01-01 10:00:00', 'view'), (2, timestamp '2024-01-01 10:59:00', 'cart'), (2, timestamp '2024-01-01 11:00:00', 'buy')) AS events (shopper, at, kind) GROUP BY shopper ORDER BY shopper;
+---------+-------+
| shopper | level |
+---------+-------+
| 1       | 2     |
| 2       | 3     |
+---------+-------+
```"#,
    argument(
        name = "window",
        description = "How long after the first step the others count, as an interval without months. The end belongs to it."
    ),
    argument(name = "ts", description = "When the event happened: a date or a timestamp."),
    argument(
        name = "tie_breaker",
        description = "A whole number or a time that orders events of equal times, NULL last. Without one, such events are taken in the order of the conditions."
    ),
    argument(name = "c1, ..., c32", description = "What makes an event a step: the first, the second and so on."),
    argument(
        name = "mode",
        description = "A constant, names parted by commas. strict_deduplication: a step that was reached before ends the search. strict_order: so does an event that is no step, or one whose predecessor was not reached. strict_increase: steps lie at rising times. strict_once: an event is one step at most. allow_reentry, with strict_order: a step that comes too early is passed over."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WindowFunnel;

impl AggregateUDFImpl for WindowFunnel {
    named!("window_funnel", alias "windowfunnel");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
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
        Ok(ScalarValue::Int32(Some(0)))
    }
}

fn accumulator(name: &str, args: &AccumulatorArgs) -> Result<EventAccumulator> {
    let (columns, funnel) = funnel(name, args, false)?;
    Ok(EventAccumulator::new(columns, args.is_distinct, Levels { funnel, levels: Int32Builder::new() }))
}

/// The levels of groups.
#[derive(Debug)]
struct Levels {
    funnel: Funnel,
    levels: Int32Builder,
}

impl Kernel for Levels {
    fn add(&mut self, group: Group) -> Result<()> {
        self.levels.append_value(self.funnel.level(group) as i32);
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.levels.finish())
    }
}
