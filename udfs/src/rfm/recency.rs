//! `recency(ts, as_of)`: how many days the last event lies back, the R of RFM.
//!
//! Days are those of the calendar (UTC), as in R's package `rfm` and in the macro `rfm`: an event of yesterday evening
//! lies one day back this morning.
//!
//! * Events after as_of do not count, nor do rows whose ts or as_of is NULL; without any the result is NULL.
//! * as_of may differ from row to row: the smallest number of days is the result.
//! * Cost: O(1) a row; 8 bytes a group. DISTINCT changes nothing.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::events::{coerced, day, each_event};
use crate::named::named;
use crate::single_group::{Groups, SingleGroup};

/// The function `recency`.
#[user_doc(
    doc_section(label = "RFM Functions"),
    description = "Returns the number of calendar days (UTC) from the last event at or before as_of to as_of. Later events do not count, nor do rows whose ts or as_of is NULL; NULL if there is no event.",
    syntax_example = "recency(ts, as_of)",
    sql_example = r#"```sql
> SELECT recency(at, DATE '2024-05-10') AS days FROM (VALUES (DATE '2024-05-01'), (DATE '2024-05-07'), (DATE '2024-06-01')) AS t (at);
+------+
| days |
+------+
| 3    |
+------+
```"#,
    argument(name = "ts", description = "The time of the event: a timestamp or a date."),
    argument(name = "as_of", description = "The instant to look back from, such as now(): a timestamp or a date.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Recency;

impl AggregateUDFImpl for Recency {
    named!("recency");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced("recency", types, false)
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new("days", DataType::Int32, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(SingleGroup::new(LastDays::default())))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(LastDays::default()))
    }
}

/// Days since the last event of each group.
#[derive(Debug, Clone, Default)]
struct LastDays(Vec<Option<i32>>);

impl LastDays {
    fn push(&mut self, group: usize, days: i32) {
        if let Some(least) = self.0.get_mut(group) {
            *least = Some(least.map_or(days, |least| least.min(days)));
        }
    }
}

impl Groups for LastDays {
    fn open(&mut self, groups: usize) {
        self.0.resize(groups.max(self.0.len()), None);
    }
}

impl GroupsAccumulator for LastDays {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.open(total);
        each_event("recency", values, filter, None, |row, instant, as_of| {
            if let Some(group) = groups.get(row) {
                self.push(*group, day(as_of) - day(instant));
            }
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.open(total);
        let Some(days) = states.first().and_then(|days| days.as_primitive_opt::<Int32Type>()) else {
            return plan_err!("recency: a state is a number of days");
        };
        for (days, group) in days.iter().zip(groups) {
            if let Some(days) = days {
                self.push(*group, days);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(Int32Array::from(emit.take_needed(&mut self.0))))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut days = vec![None; values.first().map_or(0, |column| column.len())];
        each_event("recency", values, filter, None, |row, instant, as_of| {
            if let Some(days) = days.get_mut(row) {
                *days = Some(day(as_of) - day(instant));
            }
        })?;
        Ok(vec![Arc::new(Int32Array::from(days))])
    }

    fn size(&self) -> usize {
        self.0.capacity() * size_of::<Option<i32>>()
    }
}
