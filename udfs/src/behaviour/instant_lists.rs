//! Lists of times, in the time zone that the events have.

use std::sync::Arc;

use datafusion_common::arrow::array::{ListArray, ListBuilder, TimestampMicrosecondBuilder};
use datafusion_common::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion_common::{Result, plan_err};

/// The type of a list of the times that are among the arguments.
pub(super) fn list_of_instants(function: &str, types: &[DataType]) -> Result<DataType> {
    match types.iter().find(|given| matches!(given, DataType::Timestamp(TimeUnit::Microsecond, _))) {
        Some(instant) => Ok(DataType::List(Arc::new(Field::new_list_field(instant.clone(), true)))),
        None => plan_err!("{function} needs a time"),
    }
}

/// Lists that are being built.
#[derive(Debug)]
pub(super) struct InstantLists(ListBuilder<TimestampMicrosecondBuilder>);

impl InstantLists {
    /// For lists of the type that [`list_of_instants`] gave.
    pub(super) fn new(list: &DataType) -> Self {
        let instant = match list {
            DataType::List(field) => field.data_type().clone(),
            _ => DataType::Timestamp(TimeUnit::Microsecond, None),
        };
        Self(ListBuilder::new(TimestampMicrosecondBuilder::new().with_data_type(instant)))
    }

    pub(super) fn append(&mut self, instants: &[i64]) {
        self.0.values().append_slice(instants);
        self.0.append(true);
    }

    pub(super) fn finish(&mut self) -> ListArray {
        self.0.finish()
    }
}
