//! `frequency(ts, as_of [, window])`: how many events there were, the F of RFM.
//!
//! * Events in `(as_of - window, as_of]` count: one at as_of does, one exactly a window before does not, so that windows
//!   laid end to end count every event once. Without a window every event up to as_of counts.
//! * Rows whose ts or as_of is NULL do not count; 0 if there is none.
//! * With DISTINCT events at the same instant count once.
//! * Cost: O(1) a row, 8 bytes a group; with DISTINCT O(log n) a row and at most 32 bytes for each different instant.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::distinct::state_field;
use super::events::{coerced, each_event, window};
use super::tally::Tally;
use crate::named::named;
use crate::single_group::{Groups, SingleGroup};

/// The function `frequency`.
#[user_doc(
    doc_section(label = "RFM Functions"),
    description = "Returns the number of events after as_of - window and at or before as_of; without a window, of all up to as_of. Rows whose ts or as_of is NULL do not count; 0 if there is none. With DISTINCT events at the same instant count once.",
    syntax_example = "frequency(ts, as_of [, window])",
    sql_example = r#"```sql
> SELECT frequency(at, DATE '2024-05-10', INTERVAL '7 days') AS week, frequency(at, DATE '2024-05-10') AS ever
  FROM (VALUES (DATE '2024-05-01'), (DATE '2024-05-07'), (DATE '2024-05-10'), (DATE '2024-06-01')) AS t (at);
+------+------+
| week | ever |
+------+------+
| 2    | 3    |
+------+------+
```"#,
    argument(name = "ts", description = "The time of the event: a timestamp or a date."),
    argument(name = "as_of", description = "The instant to look back from, such as now(): a timestamp or a date."),
    argument(
        name = "window",
        description = "How far to look back, a constant interval without months. An event exactly that far back does not count."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Frequency;

impl AggregateUDFImpl for Frequency {
    named!("frequency");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced("frequency", types, true)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![match args.is_distinct {
            true => state_field::<i64>("instants"),
            false => Arc::new(Field::new("events", DataType::Int64, true)),
        }])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let window = window("frequency", &args)?;
        Ok(match args.is_distinct {
            true => Box::new(SingleGroup::new(instants(window))),
            false => Box::new(SingleGroup::new(Counts { window, counts: Vec::new() })),
        })
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let window = window("frequency", &args)?;
        Ok(match args.is_distinct {
            true => Box::new(instants(window)),
            false => Box::new(Counts { window, counts: Vec::new() }),
        })
    }

    fn default_value(&self, _: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }
}

fn instants(window: Option<i64>) -> Tally<i64> {
    Tally::new("frequency", window, |instant| instant)
}

/// The number of events of each group.
#[derive(Debug, Clone)]
struct Counts {
    window: Option<i64>,
    counts: Vec<i64>,
}

impl Groups for Counts {
    fn open(&mut self, groups: usize) {
        self.counts.resize(groups.max(self.counts.len()), 0);
    }
}

impl GroupsAccumulator for Counts {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.open(total);
        each_event("frequency", values, filter, self.window, |row, _, _| {
            if let Some(count) = groups.get(row).and_then(|group| self.counts.get_mut(*group)) {
                *count += 1;
            }
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.open(total);
        let Some(events) = states.first().and_then(|events| events.as_primitive_opt::<Int64Type>()) else {
            return plan_err!("frequency: a state is a number of events");
        };
        for (events, group) in events.iter().zip(groups) {
            if let (Some(events), Some(count)) = (events, self.counts.get_mut(*group)) {
                *count += events;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from(emit.take_needed(&mut self.counts))))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut counts = vec![0; values.first().map_or(0, |column| column.len())];
        each_event("frequency", values, filter, self.window, |row, _, _| {
            if let Some(count) = counts.get_mut(row) {
                *count = 1;
            }
        })?;
        Ok(vec![Arc::new(Int64Array::from(counts))])
    }

    fn size(&self) -> usize {
        self.counts.capacity() * size_of::<i64>()
    }
}
