//! `active_days(ts, as_of [, window])`: on how many days there was an event, rolling activity (the L7 or L28 of products).
//!
//! * Events in `(as_of - window, as_of]` count, as for `frequency`; days are those of the calendar (UTC).
//! * Rows whose ts or as_of is NULL do not count; 0 if there is none. DISTINCT changes nothing.
//! * Cost: O(log n) a row; at most 16 bytes for each different day of a group.

use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::distinct::state_field;
use super::events::{coerced, day, window};
use super::tally::Tally;
use crate::named::named;
use crate::single_group::SingleGroup;

/// The function `active_days`.
#[user_doc(
    doc_section(label = "RFM Functions"),
    description = "Returns the number of different calendar days (UTC) of the events after as_of - window and at or before as_of; without a window, of all up to as_of. Rows whose ts or as_of is NULL do not count; 0 if there is none.",
    syntax_example = "active_days(ts, as_of [, window])",
    sql_example = r#"```sql
> SELECT active_days(at, TIMESTAMP '2024-05-10 12:00:00', INTERVAL '7 days') AS l7
  FROM (VALUES (TIMESTAMP '2024-05-01 10:00:00'), (TIMESTAMP '2024-05-07 10:00:00'), (TIMESTAMP '2024-05-07 18:00:00'), (TIMESTAMP '2024-05-10 09:00:00')) AS t (at);
+----+
| l7 |
+----+
| 2  |
+----+
```"#,
    argument(name = "ts", description = "The time of the event: a timestamp or a date."),
    argument(name = "as_of", description = "The instant to look back from, such as now(): a timestamp or a date."),
    argument(
        name = "window",
        description = "How far to look back, a constant interval without months. An event exactly that far back does not count."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ActiveDays;

impl AggregateUDFImpl for ActiveDays {
    named!("active_days");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced("active_days", types, true)
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![state_field::<i32>("days")])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(SingleGroup::new(days(window("active_days", &args)?))))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(days(window("active_days", &args)?)))
    }

    fn default_value(&self, _: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }
}

fn days(window: Option<i64>) -> Tally<i32> {
    Tally::new("active_days", window, day)
}
