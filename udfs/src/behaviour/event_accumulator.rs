//! Aggregates over the events of a group, once all of them are known: the log fills, then a kernel sees every group.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, BooleanArray, LargeBinaryBuilder};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::cast::as_large_binary_array;
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::StateFieldsArgs;
use datafusion_expr::utils::format_state_name;
use datafusion_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::event_columns::EventColumns;
use super::event_log::{EventLog, Group, Shape};
use super::event_state::write;

/// What an aggregate makes of the events of a group.
pub(super) trait Kernel: Debug + Send + Sync {
    /// Appends the result of the next group.
    ///
    /// # Errors
    /// If the group asks for more than the function gives.
    fn add(&mut self, group: Group) -> Result<()>;

    /// Everything that was appended.
    fn finish(&mut self) -> ArrayRef;
}

/// Collects the events of one group or of many.
#[derive(Debug)]
pub(super) struct EventAccumulator {
    columns: EventColumns,
    shape: Shape,
    log: EventLog,
    kernel: Box<dyn Kernel>,
    groups: usize,
}

/// The one column of the state: a group's events, packed. Bytes are repartitioned and merged at a fraction of what
/// lists cost, and most states are of a single event where there are many groups.
pub(super) fn state_fields(args: StateFieldsArgs) -> Vec<FieldRef> {
    vec![Arc::new(Field::new(format_state_name(args.name, "events"), DataType::LargeBinary, true))]
}

impl EventAccumulator {
    pub(super) fn new(columns: EventColumns, distinct: bool, kernel: impl Kernel + 'static) -> Self {
        let shape = Shape { ties: columns.has_ties(), labels: columns.has_labels(), distinct };
        Self { columns, shape, log: EventLog::new(shape), kernel: Box::new(kernel), groups: 0 }
    }

    fn results(&mut self, groups: usize) -> Result<ArrayRef> {
        let Self { log, kernel, .. } = self;
        log.visit(groups, |group| kernel.add(group))?;
        Ok(kernel.finish())
    }

    fn states(&mut self, groups: usize) -> Result<ArrayRef> {
        let mut states = LargeBinaryBuilder::with_capacity(groups, self.log.bytes_of_states());
        self.log.states(groups, |state| states.append_value(state))?;
        Ok(Arc::new(states.finish()))
    }

    /// The groups to give out.
    fn emitted(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.groups,
            EmitTo::First(groups) => groups,
        }
    }

    fn forget(&mut self, emit_to: EmitTo) {
        match emit_to {
            EmitTo::All => {
                self.log = EventLog::new(self.shape);
                self.groups = 0;
            }
            EmitTo::First(groups) => {
                self.log.forget(groups);
                self.groups -= groups.min(self.groups);
            }
        }
    }

    fn bytes(&self) -> usize {
        size_of_val(self) + self.log.size()
    }
}

/// The state among the columns of states.
fn state(values: &[ArrayRef]) -> Result<&ArrayRef> {
    match values {
        [state] => Ok(state),
        _ => plan_err!("events have one column of states, not {}", values.len()),
    }
}

impl Accumulator for EventAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Self { columns, log, .. } = self;
        columns.read(values, None, |_, row| log.push(0, row))
    }

    /// May be called again after more rows, by a window.
    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.results(1)?, 0)
    }

    fn size(&self) -> usize {
        self.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::try_from_array(&self.states(1)?, 0)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in as_large_binary_array(state(states)?)?.iter().flatten() {
            self.log.read(0, state)?;
        }
        Ok(())
    }
}

impl GroupsAccumulator for EventAccumulator {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups = self.groups.max(total_num_groups);
        let Self { columns, log, .. } = self;
        columns.read(values, opt_filter, |place, row| {
            if let Some(group) = group_indices.get(place) {
                log.push(*group, row);
            }
        })
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let results = self.results(self.emitted(emit_to))?;
        self.forget(emit_to);
        Ok(results)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.states(self.emitted(emit_to))?;
        self.forget(emit_to);
        Ok(vec![states])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups = self.groups.max(total_num_groups);
        for (group, state) in group_indices.iter().zip(as_large_binary_array(state(values)?)?) {
            if let Some(state) = state {
                self.log.read(*group, state)?;
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |values| values.len());
        let mut states = LargeBinaryBuilder::with_capacity(rows, rows * 12);
        let (mut done, mut state) = (0, Vec::new());
        self.columns.read(values, opt_filter, |place, row| {
            while done < place {
                states.append_value([]);
                done += 1;
            }
            state.clear();
            write(self.shape, row, &mut state);
            states.append_value(&state);
            done += 1;
        })?;
        while done < rows {
            states.append_value([]);
            done += 1;
        }
        Ok(vec![Arc::new(states.finish())])
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}
