//! Aggregates that count what is different among the events of a group: its instants or its days.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion_common::arrow::buffer::OffsetBuffer;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{EmitTo, GroupsAccumulator};

use super::distinct::{Distinct, Value, list};
use super::events::each_event;
use crate::single_group::Groups;

/// Counts the different values that the instants of each group have.
#[derive(Debug, Clone)]
pub(super) struct Tally<V: Value> {
    function: &'static str,
    window: Option<i64>,
    /// What of an instant is to be different.
    value: fn(i64) -> V,
    values: Distinct<V>,
}

impl<V: Value> Tally<V> {
    pub(super) fn new(function: &'static str, window: Option<i64>, value: fn(i64) -> V) -> Self {
        Self { function, window, value, values: Distinct::default() }
    }
}

impl<V: Value> Groups for Tally<V> {
    fn open(&mut self, groups: usize) {
        self.values.open(groups);
    }
}

impl<V: Value> GroupsAccumulator for Tally<V> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.values.open(total);
        let (value, known) = (self.value, &mut self.values);
        each_event(self.function, values, filter, self.window, |row, instant, _| {
            if let Some(group) = groups.get(row) {
                known.push(*group, value(instant));
            }
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.values.open(total);
        match states.first() {
            Some(lists) => self.values.merge(lists, groups),
            None => plan_err!("{}: a state is a list", self.function),
        }
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(self.values.counts(emit)))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.values.lists(emit)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut lengths = vec![0; values.first().map_or(0, |column| column.len())];
        let mut known = Vec::with_capacity(lengths.len());
        each_event(self.function, values, filter, self.window, |row, instant, _| {
            if let Some(length) = lengths.get_mut(row) {
                *length = 1;
                known.push((self.value)(instant));
            }
        })?;
        Ok(vec![list(OffsetBuffer::from_lengths(lengths), known)?])
    }

    fn size(&self) -> usize {
        self.values.size()
    }
}
