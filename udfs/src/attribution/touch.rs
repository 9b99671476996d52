//! The touch that an event is owed to, event by event: what Adobe's window functions find.
//!
//! Events come in the order of their window. A touch is an event whose channel value is not NULL; an event without a
//! time is none, and gets none.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use datafusion_common::arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, StructArray, TimestampMicrosecondArray, UInt64Array,
};
use datafusion_common::arrow::buffer::NullBuffer;
use datafusion_common::arrow::compute::take;
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::PartitionEvaluator;
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};

use crate::InvalidArgument;
use crate::arguments::instant_type;
use crate::window::{condition_type, conditions, constant, holds, instants, timeout, timeout_type};

/// Until when a touch counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    /// For ever.
    Never,
    /// Until an event that fulfils the fourth argument: up to it, or up to the one before it.
    If {
        /// Whether the event itself begins the next stretch rather than ending this one.
        before: bool,
    },
    /// For so many microseconds.
    Timeout(u64),
}

/// What a function takes as its fourth argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    Nothing,
    Condition,
    Timeout,
}

/// The types that a function's arguments are coerced to.
pub(super) fn coerced(function: &str, types: &[DataType], until: Until) -> Result<Vec<DataType>> {
    let (ts, value, rest) = match (types, until) {
        ([ts, _, value], Until::Nothing) => (ts, value, vec![]),
        ([ts, _, value, condition], Until::Condition) => (ts, value, vec![condition_type(function, condition)?]),
        ([ts, _, value, condition, before], Until::Condition) => {
            (ts, value, vec![condition_type(function, condition)?, condition_type(function, before)?])
        }
        ([ts, _, value, timeout], Until::Timeout) => (ts, value, vec![timeout_type(function, timeout)?]),
        (_, Until::Nothing) => return plan_err!("{function} takes a timestamp, a name and the channel's value"),
        (_, Until::Condition) => {
            return plan_err!(
                "{function} takes a timestamp, a name, the channel's value, a condition and at most before"
            );
        }
        (_, Until::Timeout) => {
            return plan_err!("{function} takes a timestamp, a name, the channel's value and a timeout");
        }
    };
    Ok([instant_type(function, ts)?, DataType::Utf8, value.clone()].into_iter().chain(rest).collect())
}

/// `STRUCT(name, value, timestamp, fraction)`, where the value has the channel's type.
pub(super) fn field(args: &WindowUDFFieldArgs) -> Result<FieldRef> {
    let [ts, _, value, ..] = args.input_fields() else {
        return plan_err!("{} takes a timestamp, a name and the channel's value", args.name());
    };
    let fields = fields(value.data_type(), ts.data_type());
    Ok(Arc::new(Field::new(args.name(), DataType::Struct(fields), true)))
}

fn fields(value: &DataType, instant: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("value", value.clone(), true),
        Field::new("timestamp", instant.clone(), true),
        Field::new("fraction", DataType::Float64, true),
    ])
}

/// Finds the touches of whole windows.
#[derive(Debug)]
pub(super) struct TouchOf {
    function: &'static str,
    last: bool,
    expiry: Expiry,
}

impl TouchOf {
    /// The first or the last touch that counts.
    ///
    /// # Errors
    /// If what has to be a constant is none, or is out of range.
    pub(super) fn evaluator(
        function: &'static str,
        last: bool,
        until: Until,
        args: &PartitionEvaluatorArgs,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        let expiry = match until {
            Until::Nothing => Expiry::Never,
            Until::Timeout => Expiry::Timeout(timeout(function, "timeout", &constant(function, "timeout", args, 3)?)?),
            Until::Condition if args.input_exprs().len() < 5 => Expiry::If { before: false },
            Until::Condition => match constant(function, "before", args, 4)? {
                ScalarValue::Boolean(Some(before)) => Expiry::If { before },
                _ => return Err(InvalidArgument::error(format!("{function}: before must not be NULL"))),
            },
        };
        Ok(Box::new(Self { function, last, expiry }))
    }
}

impl PartitionEvaluator for TouchOf {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let times = instants(self.function, values)?;
        let [ts, name, value, ..] = values else {
            return plan_err!("{} takes a timestamp, a name and the channel's value", self.function);
        };
        let events = Events { times, touches: value.logical_nulls() };
        let mut touches = vec![None; rows];
        match self.expiry {
            Expiry::Never if self.last => events.last(&mut touches),
            Expiry::Never => events.within(0..rows, u64::MAX, &mut touches),
            // The last one ahead is the furthest one back, seen from the end.
            Expiry::Timeout(longest) if self.last => events.within((0..rows).rev(), longest, &mut touches),
            Expiry::Timeout(longest) => events.within(0..rows, longest, &mut touches),
            Expiry::If { before } => {
                events.in_stretches(conditions(self.function, values, 3)?, before, self.last, &mut touches);
            }
        }
        let found = touches.iter().map(|touch| touch.map(|touch| touch as u64)).collect::<UInt64Array>();
        // NULL beneath a struct that is NULL: a field is read without a look at its struct.
        let own = UInt64Array::new((0..rows as u64).collect(), found.nulls().cloned());
        let columns: Vec<ArrayRef> = vec![
            take(name, &own, None)?,
            take(value, &found, None)?,
            take(ts, &found, None)?,
            Arc::new(Float64Array::new(vec![1.0; rows].into(), found.nulls().cloned())),
        ];
        let fields = fields(value.data_type(), ts.data_type());
        Ok(Arc::new(StructArray::try_new(fields, columns, found.nulls().cloned())?))
    }
}

/// The events of a window.
struct Events<'a> {
    times: &'a TimestampMicrosecondArray,
    /// Which of them are touches.
    touches: Option<NullBuffer>,
}

impl Events<'_> {
    fn is_touch(&self, row: usize) -> bool {
        self.touches.as_ref().is_none_or(|touches| touches.is_valid(row))
    }

    /// The last touch up to each event.
    fn last(&self, found: &mut [Option<usize>]) {
        let mut last = None;
        for (row, found) in found.iter_mut().enumerate().filter(|(row, _)| self.times.is_valid(*row)) {
            if self.is_touch(row) {
                last = Some(row);
            }
            *found = last;
        }
    }

    /// The furthest touch from each event, going through the rows in this order, that is not too far in time.
    fn within(&self, rows: impl Iterator<Item = usize>, longest: u64, found: &mut [Option<usize>]) {
        let mut near: VecDeque<usize> = VecDeque::new();
        for row in rows.filter(|row| self.times.is_valid(*row)) {
            let time = self.times.value(row);
            // The furthest is all that is asked for if no touch ever leaves.
            if self.is_touch(row) && (longest < u64::MAX || near.is_empty()) {
                near.push_back(row);
            }
            while near.front().is_some_and(|touch| self.times.value(*touch).abs_diff(time) > longest) {
                near.pop_front();
            }
            if let Some(found) = found.get_mut(row) {
                *found = near.front().copied();
            }
        }
    }

    /// Events between two that fulfil the condition make a stretch. The first touch is that up to the event, the last
    /// one that of the whole stretch.
    fn in_stretches(&self, ends: &BooleanArray, before: bool, last: bool, found: &mut [Option<usize>]) {
        let mut touch = None;
        let mut start = 0;
        for row in (0..found.len()).filter(|row| self.times.is_valid(*row)) {
            let end = holds(ends, row);
            if before && end {
                self.close(start..row, last, touch.take(), found);
                start = row;
            }
            if self.is_touch(row) && (last || touch.is_none()) {
                touch = Some(row);
            }
            if let Some(found) = found.get_mut(row) {
                *found = touch;
            }
            if !before && end {
                self.close(start..row + 1, last, touch.take(), found);
                start = row + 1;
            }
        }
        let rows = found.len();
        self.close(start..rows, last, touch, found);
    }

    /// At the end of a stretch its last touch is known.
    fn close(&self, rows: Range<usize>, last: bool, touch: Option<usize>, found: &mut [Option<usize>]) {
        if !last {
            return;
        }
        for row in rows.filter(|row| self.times.is_valid(*row)) {
            if let Some(found) = found.get_mut(row) {
                *found = touch;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(with: impl FnOnce(&Events, &mut [Option<usize>])) -> Vec<Option<usize>> {
        let times =
            TimestampMicrosecondArray::from(vec![Some(0), Some(10), Some(20), None, Some(30), Some(40), Some(50)]);
        let touches = NullBuffer::from(vec![false, true, true, true, false, true, false]);
        let mut found = vec![None; 7];
        with(&Events { times: &times, touches: Some(touches) }, &mut found);
        found
    }

    fn ends() -> BooleanArray {
        BooleanArray::from(vec![Some(true), None, Some(false), Some(true), Some(true), Some(false), None])
    }

    #[test]
    fn for_ever() {
        let first = found(|events, found| events.within(0..7, u64::MAX, found));
        assert_eq!(first, [None, Some(1), Some(1), None, Some(1), Some(1), Some(1)]);
        let last = found(|events, found| events.last(found));
        assert_eq!(last, [None, Some(1), Some(2), None, Some(2), Some(5), Some(5)]);
    }

    #[test]
    fn for_a_time() {
        let first = found(|events, found| events.within(0..7, 10, found));
        assert_eq!(first, [None, Some(1), Some(1), None, Some(2), Some(5), Some(5)]);
        let last = found(|events, found| events.within((0..7).rev(), 10, found));
        assert_eq!(last, [Some(1), Some(2), Some(2), None, Some(5), Some(5), None]);
    }

    #[test]
    fn until_an_event() {
        let first = found(|events, found| events.in_stretches(&ends(), false, false, found));
        assert_eq!(first, [None, Some(1), Some(1), None, Some(1), Some(5), Some(5)]);
        let last = found(|events, found| events.in_stretches(&ends(), false, true, found));
        assert_eq!(last, [None, Some(2), Some(2), None, Some(2), Some(5), Some(5)]);
        let first = found(|events, found| events.in_stretches(&ends(), true, false, found));
        assert_eq!(first, [None, Some(1), Some(1), None, None, Some(5), Some(5)]);
        let last = found(|events, found| events.in_stretches(&ends(), true, true, found));
        assert_eq!(last, [Some(2), Some(2), Some(2), None, Some(5), Some(5), Some(5)]);
    }
}
