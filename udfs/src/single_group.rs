//! An aggregate without GROUP BY, and over a window, by what it keeps for groups: there is one group.

use std::fmt::Debug;

use datafusion_common::arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{Accumulator, EmitTo, GroupsAccumulator};

use crate::window::holds;

/// What an aggregate keeps for groups.
pub(crate) trait Groups: GroupsAccumulator + Clone + Debug + Sync {
    /// Makes room for groups, also for those that have no rows.
    fn open(&mut self, groups: usize);

    /// What the groups amount to so far; they stay, since a window asks again after more rows.
    fn results(&mut self) -> Result<ArrayRef> {
        self.clone().evaluate(EmitTo::All)
    }

    /// The state of the groups, which stay.
    fn states(&mut self) -> Result<Vec<ArrayRef>> {
        self.clone().state(EmitTo::All)
    }
}

/// Whether a row passes the FILTER of an aggregate.
pub(crate) fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| holds(filter, row))
}

/// The only group of an aggregate.
#[derive(Debug)]
pub(crate) struct SingleGroup<G>(G);

impl<G: Groups> SingleGroup<G> {
    pub(crate) fn new(mut groups: G) -> Self {
        groups.open(1);
        Self(groups)
    }
}

impl<G: Groups> Accumulator for SingleGroup<G> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(values, &vec![0; rows(values)], None, 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states, &vec![0; rows(states)], 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.0.results()?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let columns = self.0.states()?;
        columns.iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.size()
    }
}

fn rows(columns: &[ArrayRef]) -> usize {
    columns.first().map_or(0, |column| column.len())
}
