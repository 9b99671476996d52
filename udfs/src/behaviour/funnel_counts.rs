//! `funnel_counts(level, steps)`: how many got at least as far as each step of a funnel.
//!
//! For the levels that `window_funnel` gives, one a profile. So the first element counts those who entered the funnel,
//! and the last those who came through.
//!
//! * A level that is NULL does not count, a level above the last step counts for all. No rows: zeros.
//! * Cost: O(1) a row, 8 bytes a group and step.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, Int64Builder, ListBuilder};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::cast::{as_int64_array, as_list_array};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::event_columns::{MAX_CONDITIONS, holds};
use crate::InvalidArgument;
use crate::arguments::constant;
use crate::named::named;

/// The aggregate `funnel_counts`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Returns how many of the levels of a group reach at least the first step of a funnel, the second and so on: a list of numbers. Levels that are NULL do not count.",
    syntax_example = "funnel_counts(level, steps)",
    sql_example = r#"```sql
> SELECT funnel_counts(level, 3) AS reached FROM (VALUES (0), (1), (1), (3)) AS levels (level);
+-----------+
| reached   |
+-----------+
| [3, 1, 1] |
+-----------+
```"#,
    argument(name = "level", description = "How many steps somebody reached, as window_funnel returns it."),
    argument(name = "steps", description = "How many steps the funnel has: a constant from 1 to 32.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FunnelCounts;

impl AggregateUDFImpl for FunnelCounts {
    named!("funnel_counts");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_type())
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [level, steps] if [level, steps].iter().all(|given| given.is_integer() || given.is_null()) => {
                Ok(vec![DataType::Int64, DataType::Int64])
            }
            _ => plan_err!("funnel_counts takes a level and the number of steps, both whole numbers"),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "reached"), list_type(), true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let steps = steps(&args)?;
        Ok(Box::new(Reached { steps, counts: vec![0; steps] }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Reached { steps: steps(&args)?, counts: Vec::new() }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn list_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)))
}

fn steps(args: &AccumulatorArgs) -> Result<usize> {
    let invalid = |what: String| InvalidArgument::error(format!("funnel_counts: {what}"));
    if args.is_distinct {
        return Err(invalid("DISTINCT levels are not what a funnel counts".to_owned()));
    }
    match constant("funnel_counts", "the number of steps", args, 1)? {
        ScalarValue::Int64(Some(steps)) if (1..=MAX_CONDITIONS as i64).contains(&steps) => Ok(steps as usize),
        ScalarValue::Int64(Some(steps)) => {
            Err(invalid(format!("{steps} steps are not possible, from 1 to {MAX_CONDITIONS} are")))
        }
        _ => Err(invalid("the number of steps must not be NULL".to_owned())),
    }
}

/// For each group, one after the other, how many reached each step.
#[derive(Debug)]
struct Reached {
    steps: usize,
    counts: Vec<i64>,
}

impl Reached {
    fn resize(&mut self, groups: usize) {
        self.counts.resize((groups * self.steps).max(self.counts.len()), 0);
    }

    fn group(&mut self, group: usize) -> &mut [i64] {
        self.counts.get_mut(group * self.steps..(group + 1) * self.steps).unwrap_or_default()
    }

    fn count(&mut self, group: usize, level: i64) {
        let reached = usize::try_from(level).unwrap_or(0);
        self.group(group).iter_mut().take(reached).for_each(|count| *count += 1);
    }

    fn add(&mut self, group: usize, counts: &dyn Array) -> Result<()> {
        let counts = as_int64_array(counts)?;
        self.group(group).iter_mut().zip(counts.values()).for_each(|(count, more)| *count += more);
        Ok(())
    }

    fn lists(&self, counts: &[i64]) -> ArrayRef {
        let mut lists = ListBuilder::new(Int64Builder::new());
        for group in counts.chunks(self.steps) {
            lists.values().append_slice(group);
            lists.append(true);
        }
        Arc::new(lists.finish())
    }

    fn emit(&mut self, emit_to: EmitTo) -> ArrayRef {
        let emit_to = match emit_to {
            EmitTo::All => EmitTo::All,
            EmitTo::First(groups) => EmitTo::First(groups * self.steps),
        };
        let counts = emit_to.take_needed(&mut self.counts);
        self.lists(&counts)
    }

    fn bytes(&self) -> usize {
        size_of_val(self) + self.counts.capacity() * size_of::<i64>()
    }
}

fn levels(values: &[ArrayRef]) -> Result<&Int64Array> {
    match values.first() {
        Some(levels) => as_int64_array(levels),
        None => plan_err!("funnel_counts needs a level"),
    }
}

impl Accumulator for Reached {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        levels(values)?.iter().flatten().for_each(|level| self.count(0, level));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.lists(&self.counts), 0)
    }

    fn size(&self) -> usize {
        self.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![Accumulator::evaluate(self)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for states in states {
            as_list_array(states)?.iter().flatten().try_for_each(|counts| self.add(0, &counts))?;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for level in levels(values)?.iter().flatten() {
            let reached = usize::try_from(level).unwrap_or(0);
            self.group(0).iter_mut().take(reached).for_each(|count| *count -= 1);
        }
        Ok(())
    }
}

impl GroupsAccumulator for Reached {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.resize(total_num_groups);
        let filter = opt_filter.map(holds);
        for (row, (group, level)) in group_indices.iter().zip(levels(values)?).enumerate() {
            if let Some(level) = level.filter(|_| filter.as_ref().is_none_or(|filter| filter.value(row))) {
                self.count(*group, level);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(self.emit(emit_to))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.emit(emit_to)])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.resize(total_num_groups);
        for states in values {
            for (group, counts) in group_indices.iter().zip(as_list_array(states)?.iter()) {
                if let Some(counts) = counts {
                    self.add(*group, &counts)?;
                }
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |values| values.len());
        let mut states = Self { steps: self.steps, counts: Vec::new() };
        let groups: Vec<usize> = (0..rows).collect();
        GroupsAccumulator::update_batch(&mut states, values, &groups, opt_filter, rows)?;
        GroupsAccumulator::state(&mut states, EmitTo::All)
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}
