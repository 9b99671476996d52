//! `retention(c1, …, cn)`: which conditions hold for some row of a group, if the first does for one.
//!
//! Semantics of ClickHouse's `retention`: the first element says whether `c1` held for a row, the others whether `c1`
//! and theirs did, each for whatever row. Time plays no part.
//!
//! * A condition that is NULL does not hold. No rows: all false.
//! * Cost: O(1) a row and 4 bytes a group.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder, ListArray, UInt32Array};
use datafusion_common::arrow::buffer::OffsetBuffer;
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::cast::{as_boolean_array, as_uint32_array};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::event_columns::{MAX_CONDITIONS, holds};
use crate::named::named;

/// The aggregate `retention`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Returns for every condition whether it held for a row of the group, and the first for one as well: a list of booleans, the semantics of ClickHouse's retention. The first element says whether the first condition held. A condition that is NULL does not hold.",
    syntax_example = "retention(c1, ..., c32)",
    sql_example = r#"```sql
> SELECT shopper, retention(day = 1, day = 2, day = 3) AS came FROM (VALUES (1, 1), (1, 3), (2, 2), (2, 3)) AS visits (shopper, day) GROUP BY shopper ORDER BY shopper;
+---------+-----------------------+
| shopper | came                  |
+---------+-----------------------+
| 1       | [true, false, true]   |
| 2       | [false, false, false] |
+---------+-----------------------+
```"#,
    argument(
        name = "c1, ..., c32",
        description = "Conditions: the first is what made somebody one of those who are followed, the others what they did later."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Retention;

impl AggregateUDFImpl for Retention {
    named!("retention");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Boolean, true))))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if !(1..=MAX_CONDITIONS).contains(&types.len()) {
            return plan_err!("retention takes from 1 to {MAX_CONDITIONS} conditions, not {}", types.len());
        }
        match types.iter().find(|given| !given.is_null() && **given != DataType::Boolean) {
            Some(other) => plan_err!("retention takes conditions as boolean, not as {other}"),
            None => Ok(vec![DataType::Boolean; types.len()]),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "held"), DataType::UInt32, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Held { conditions: args.exprs.len(), masks: vec![0] }))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Held { conditions: args.exprs.len(), masks: Vec::new() }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// For each group a bit for every condition that held. An accumulator of one group is one of many with one.
#[derive(Debug)]
struct Held {
    conditions: usize,
    masks: Vec<u32>,
}

impl Held {
    fn lists(&self, masks: &[u32]) -> ArrayRef {
        let mut bits = BooleanBufferBuilder::new(masks.len() * self.conditions);
        for mask in masks {
            let mask = if mask & 1 == 1 { *mask } else { 0 };
            (0..self.conditions).for_each(|bit| bits.append((mask >> bit) & 1 == 1));
        }
        let item = Arc::new(Field::new_list_field(DataType::Boolean, true));
        let offsets = OffsetBuffer::from_repeated_length(self.conditions, masks.len());
        Arc::new(ListArray::new(item, offsets, Arc::new(BooleanArray::from(bits.finish())), None))
    }

    fn bytes(&self) -> usize {
        size_of_val(self) + self.masks.capacity() * size_of::<u32>()
    }
}

impl Accumulator for Held {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for (bit, condition) in values.iter().enumerate() {
            let held = u32::from(holds(as_boolean_array(condition)?).has_true());
            self.masks.iter_mut().for_each(|mask| *mask |= held << bit);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.lists(&self.masks), 0)
    }

    fn size(&self) -> usize {
        self.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.masks.iter().map(|mask| ScalarValue::UInt32(Some(*mask))).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states {
            let held = as_uint32_array(state)?.iter().flatten().fold(0, |mask, state| mask | state);
            self.masks.iter_mut().for_each(|mask| *mask |= held);
        }
        Ok(())
    }
}

impl GroupsAccumulator for Held {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.masks.resize(total_num_groups.max(self.masks.len()), 0);
        let filter = opt_filter.map(holds);
        for (bit, condition) in values.iter().enumerate() {
            let held = holds(as_boolean_array(condition)?);
            let held = filter.as_ref().map_or_else(|| held.clone(), |filter| &held & filter);
            for row in held.set_indices() {
                if let Some(mask) = group_indices.get(row).and_then(|group| self.masks.get_mut(*group)) {
                    *mask |= 1 << bit;
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let masks = emit_to.take_needed(&mut self.masks);
        Ok(self.lists(&masks))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(UInt32Array::from(emit_to.take_needed(&mut self.masks)))])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.masks.resize(total_num_groups.max(self.masks.len()), 0);
        for state in values {
            for (group, held) in group_indices.iter().zip(as_uint32_array(state)?) {
                if let Some(mask) = self.masks.get_mut(*group) {
                    *mask |= held.unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |values| values.len());
        let mut states = Self { conditions: self.conditions, masks: Vec::new() };
        let groups: Vec<usize> = (0..rows).collect();
        GroupsAccumulator::update_batch(&mut states, values, &groups, opt_filter, rows)?;
        GroupsAccumulator::state(&mut states, EmitTo::All)
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}
