//! Aggregates that gather rows into bytes, which are their state and their result at once: a bitmap or a sketch.

use std::fmt;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::bitmap::bytes;
use crate::single_group::passes;

/// What one group has gathered.
pub(super) trait Gathered: fmt::Debug + Send + Sync + Sized + 'static {
    /// How to gather, the same for all groups.
    type Plan: fmt::Debug + Clone + Send + Sync;

    /// A group without rows.
    fn new(plan: &Self::Plan) -> Result<Self>;

    /// Adds a row that is not NULL.
    fn add(&mut self, column: &dyn Array, row: usize) -> Result<()>;

    /// Adds what another part of the group has gathered.
    fn merge(&mut self, state: &[u8]) -> Result<()>;

    /// The bytes so far; none without rows.
    fn to_bytes(&mut self) -> Result<Option<Vec<u8>>>;

    /// The memory that it holds beyond itself, roughly; asked often, so it has to be at hand.
    fn size(&self) -> usize;
}

/// Gathers all rows.
#[derive(Debug)]
pub(super) struct Gathering<G: Gathered>(G);

impl<G: Gathered> Gathering<G> {
    pub(super) fn new(plan: &G::Plan) -> Result<Self> {
        Ok(Self(G::new(plan)?))
    }
}

impl<G: Gathered> Accumulator for Gathering<G> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(column) = values.first() else { return Ok(()) };
        for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
            self.0.add(column, row)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.to_bytes().map(ScalarValue::BinaryView)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states.iter().flat_map(|states| states.as_binary_view().iter().flatten()) {
            self.0.merge(state)?;
        }
        Ok(())
    }
}

/// Gathers the rows of many groups.
#[derive(Debug)]
pub(super) struct GatheringGroups<G: Gathered> {
    plan: G::Plan,
    groups: Vec<G>,
    /// What the groups hold beyond themselves.
    held: usize,
}

impl<G: Gathered> GatheringGroups<G> {
    pub(super) fn new(plan: G::Plan) -> Self {
        Self { plan, groups: Vec::new(), held: 0 }
    }

    fn grow(&mut self, groups: usize) -> Result<()> {
        self.groups.reserve(groups.saturating_sub(self.groups.len()));
        while self.groups.len() < groups {
            self.groups.push(G::new(&self.plan)?);
        }
        Ok(())
    }

    fn change(&mut self, group: usize, change: impl FnOnce(&mut G) -> Result<()>) -> Result<()> {
        let Some(group) = self.groups.get_mut(group) else { return Ok(()) };
        let before = group.size();
        change(group)?;
        self.held = (self.held + group.size()).saturating_sub(before);
        Ok(())
    }

    fn emitted(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let mut emitted = emit_to.take_needed(&mut self.groups);
        self.held = self.held.saturating_sub(emitted.iter().map(Gathered::size).sum());
        bytes(emitted.iter_mut().map(Gathered::to_bytes))
    }
}

impl<G: Gathered> GroupsAccumulator for GatheringGroups<G> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.grow(total_num_groups)?;
        let Some(column) = values.first() else { return Ok(()) };
        for (row, group) in group_indices.iter().enumerate() {
            if column.is_valid(row) && passes(opt_filter, row) {
                self.change(*group, |group| group.add(column, row))?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.emitted(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.emitted(emit_to)?])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.grow(total_num_groups)?;
        let Some(states) = values.first().map(|states| states.as_binary_view()) else { return Ok(()) };
        for (state, group) in states.iter().zip(group_indices) {
            if let Some(state) = state {
                self.change(*group, |group| group.merge(state))?;
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let Some(column) = values.first() else { return Ok(Vec::new()) };
        let states = (0..column.len()).map(|row| {
            if column.is_null(row) || !passes(opt_filter, row) {
                return Ok(None);
            }
            let mut alone = G::new(&self.plan)?;
            alone.add(column, row)?;
            alone.to_bytes()
        });
        Ok(vec![bytes(states)?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.groups.capacity() * size_of::<G>() + self.held
    }
}
