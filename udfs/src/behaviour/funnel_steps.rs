//! `funnel_steps(window, ts, c1, …, cn)`: when a group's events reached the steps of a funnel.
//!
//! As many times as `window_funnel` counts steps, of the first chain that got so far; so where it gives 0 the list is
//! empty. ClickHouse and DuckDB give the number alone.
//!
//! * Arguments, NULL, ties and modes: as for `window_funnel`.
//! * Cost: as `window_funnel`, and O(steps) for each event that is a step.

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
use super::funnel::Funnel;
use super::funnel_arguments::{coerce, funnel};
use super::instant_lists::{InstantLists, list_of_instants};
use crate::named::named;

/// The aggregate `funnel_steps`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Returns when the events of a group reached the steps of a funnel: the times of the first chain of events that got as far as window_funnel says, an empty list if none reached the first step. Takes the arguments of window_funnel.",
    syntax_example = "funnel_steps(window, [mode,] ts, [tie_breaker,] c1, ..., c32 [, mode])",
    sql_example = r#"```sql
> SELECT shopper, funnel_steps(INTERVAL '1 hour', at, kind = 'view', kind = 'cart', kind = 'buy') AS steps FROM (VALUES (1, timestamp '2024-01-01 10:00:00', 'view'), (1, timestamp '2024-01-01 10:20:00', 'cart'), (1, timestamp '2024-01-01 11:01:00', 'buy'), (2, timestamp '2024-01-01 10:00:00', 'cart')) AS events (shopper, at, kind) GROUP BY shopper ORDER BY shopper;
+---------+--------------------------------------------+
| shopper | steps                                      |
+---------+--------------------------------------------+
| 1       | [2024-01-01T10:00:00, 2024-01-01T10:20:00] |
| 2       | []                                         |
+---------+--------------------------------------------+
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
    argument(name = "mode", description = "A constant, names of modes parted by commas; see window_funnel.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FunnelSteps;

impl AggregateUDFImpl for FunnelSteps {
    named!("funnel_steps");

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
    let (columns, funnel) = funnel(name, args, true)?;
    let kernel = Steps { funnel, lists: InstantLists::new(args.return_field.data_type()) };
    Ok(EventAccumulator::new(columns, args.is_distinct, kernel))
}

/// The times of the steps of groups.
#[derive(Debug)]
struct Steps {
    funnel: Funnel,
    lists: InstantLists,
}

impl Kernel for Steps {
    fn add(&mut self, group: Group) -> Result<()> {
        self.funnel.level(group);
        self.lists.append(self.funnel.times());
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.lists.finish())
    }
}
