//! Which of an aggregate's arguments says what of an event: `ts [, tie_breaker] [, label], c1, …, c32`.

use std::ops::Range;
use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, StringViewArray};
use datafusion_common::arrow::buffer::BooleanBuffer;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::cast::{as_boolean_array, as_int64_array, as_string_view_array, as_timestamp_microsecond_array};
use datafusion_common::{Result, plan_err};

use super::event_log::Row;
use crate::arguments::instant_type;

/// As many conditions as a mask has bits.
pub(super) const MAX_CONDITIONS: usize = 32;

/// What tells events of equal times apart comes last if it is NULL.
const NO_TIE: i64 = i64::MAX;

/// Where the columns of events are among the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventColumns {
    at: usize,
    tie: Option<usize>,
    label: Option<usize>,
    conditions: Range<usize>,
    /// Rows of which no condition holds count as well.
    all_rows: bool,
}

impl EventColumns {
    /// The columns from the argument `at` on: a time, a tie-breaker if a number follows, a label if there has to be
    /// one, and every condition that follows. Appends what they are coerced to, so that `types` are known up to the
    /// first argument that is no longer an event's.
    pub(super) fn find(
        function: &str,
        given: &[DataType],
        labelled: bool,
        coerced: &mut Vec<DataType>,
    ) -> Result<Self> {
        let at = coerced.len();
        let Some(time) = given.get(at) else {
            return plan_err!("{function} needs a time");
        };
        coerced.push(instant_type(function, time)?);
        let is_tie = |given: &&DataType| {
            given.is_integer() || matches!(given, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64)
        };
        let tie = given.get(coerced.len()).filter(is_tie).map(|_| coerced.len());
        coerced.extend(tie.map(|_| DataType::Int64));
        let label = labelled.then_some(coerced.len());
        if let Some(label) = label {
            match given.get(label) {
                Some(text) if text.is_string() || text.is_null() => coerced.push(DataType::Utf8View),
                Some(other) => return plan_err!("{function} takes the event as text, not as {other}"),
                None => return plan_err!("{function} needs the event as text"),
            }
        }
        let first = coerced.len();
        let conditions = given.iter().skip(first).take_while(|given| given.is_null() || **given == DataType::Boolean);
        coerced.extend(conditions.map(|_| DataType::Boolean));
        let conditions = first..coerced.len();
        if conditions.len() > MAX_CONDITIONS {
            return plan_err!("{function} takes at most {MAX_CONDITIONS} conditions, not {}", conditions.len());
        }
        Ok(Self { at, tie, label, conditions, all_rows: false })
    }

    /// Rows of which no condition holds are taken, too.
    pub(super) fn with_all_rows(self, all_rows: bool) -> Self {
        Self { all_rows, ..self }
    }

    pub(super) fn conditions(&self) -> usize {
        self.conditions.len()
    }

    pub(super) fn has_ties(&self) -> bool {
        self.tie.is_some()
    }

    pub(super) fn has_labels(&self) -> bool {
        self.label.is_some()
    }

    /// Hands over every row that counts, with its place. Rows without time do not, nor those without the label that
    /// there has to be. A condition that is NULL does not hold.
    pub(super) fn read(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
        mut take: impl FnMut(usize, Row),
    ) -> Result<()> {
        let column = |place: usize| match values.get(place) {
            Some(array) => Ok(Arc::clone(array)),
            None => plan_err!("an argument of events is missing"),
        };
        let at = column(self.at)?;
        let at = as_timestamp_microsecond_array(&at)?;
        let tie = self.tie.map(column).transpose()?;
        let tie: Option<&Int64Array> = tie.as_ref().map(|tie| as_int64_array(tie)).transpose()?;
        let label = self.label.map(column).transpose()?;
        let label: Option<&StringViewArray> = label.as_ref().map(|label| as_string_view_array(label)).transpose()?;
        let mut masks = vec![0_u32; at.len()];
        for (bit, place) in self.conditions.clone().enumerate() {
            let condition = column(place)?;
            for row in holds(as_boolean_array(&condition)?).set_indices() {
                if let Some(mask) = masks.get_mut(row) {
                    *mask |= 1 << bit;
                }
            }
        }
        let filter = filter.map(holds);
        if let (None, None, None, 0) = (&filter, tie, label, at.null_count()) {
            for (row, (mask, at)) in masks.into_iter().zip(at.values()).enumerate() {
                if mask != 0 || self.all_rows {
                    take(row, Row { at: *at, mask, tie: 0, label: "" });
                }
            }
            return Ok(());
        }
        for (row, mask) in masks.into_iter().enumerate() {
            let counts = (mask != 0 || self.all_rows)
                && at.is_valid(row)
                && filter.as_ref().is_none_or(|filter| filter.value(row))
                && label.is_none_or(|label| label.is_valid(row));
            if counts {
                let tie = tie.map_or(0, |tie| if tie.is_valid(row) { tie.value(row) } else { NO_TIE });
                take(row, Row { at: at.value(row), mask, tie, label: label.map_or("", |label| label.value(row)) });
            }
        }
        Ok(())
    }
}

/// Where a condition is true.
pub(super) fn holds(condition: &BooleanArray) -> BooleanBuffer {
    match condition.nulls() {
        Some(nulls) => condition.values() & nulls.inner(),
        None => condition.values().clone(),
    }
}
