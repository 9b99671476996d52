//! Where sessions begin: after a gap, at an event, or after an event.
//!
//! Events come in the order of their window, so that ties in time fall as its ORDER BY says; a gap is the distance to
//! the event before, whatever the direction of the order. An event without a time has no session and is passed over:
//! the gap reaches from the event before it to the one after it.

use std::sync::{Arc, LazyLock};

use datafusion_common::Result;
use datafusion_common::arrow::array::{
    Array, ArrayRef, BooleanArray, BooleanBufferBuilder, Int64Array, Int64Builder, StructArray,
    TimestampMicrosecondArray,
};
use datafusion_common::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion_common::arrow::datatypes::{DataType, Field, Fields};
use datafusion_expr::PartitionEvaluator;

use crate::window::{conditions, holds, instants};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What an event says about the sessions round it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing.
    None,
    /// An event that fulfils the condition begins a session.
    Start,
    /// The event after one that fulfils the condition begins a session.
    End,
}

/// An event's place among the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Microseconds since the event before; 0 for the first.
    pub(super) since: i64,
    /// The number of the session, from 1.
    pub(super) session: i64,
    /// The number of the event within it, from 1.
    pub(super) depth: i64,
}

/// Calls `each` for every event in order: with its place, or with none if it has no time. `begins` says of an event
/// and the one before it whether a session begins between them, given the microseconds between.
pub(super) fn sessions(
    instants: &TimestampMicrosecondArray,
    mut begins: impl FnMut(usize, usize, u64) -> bool,
    mut each: impl FnMut(Option<Place>),
) {
    let mut before: Option<(usize, i64, Place)> = None;
    for (row, instant) in instants.iter().enumerate() {
        let Some(instant) = instant else {
            each(None);
            continue;
        };
        let place = match before {
            None => Place { since: 0, session: 1, depth: 1 },
            Some((previous, at, last)) => {
                let since = instant.saturating_sub(at);
                if begins(previous, row, instant.abs_diff(at)) {
                    Place { since, session: last.session + 1, depth: 1 }
                } else {
                    Place { since, session: last.session, depth: last.depth + 1 }
                }
            }
        };
        each(Some(place));
        before = Some((row, instant, place));
    }
}

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    // NULL beneath a struct that is NULL: a field is read without a look at its struct.
    let field = |name, of| Field::new(name, of, true);
    Fields::from(vec![
        field("timestamp_diff", DataType::Int64),
        field("num", DataType::Int64),
        field("is_new", DataType::Boolean),
        field("depth", DataType::Int64),
    ])
});

/// The struct that Adobe's functions return.
pub(super) fn session_type() -> DataType {
    DataType::Struct(FIELDS.clone())
}

/// Adobe's three functions.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) function: &'static str,
    /// The longest gap within a session, in microseconds.
    pub(super) timeout: Option<u64>,
    /// What the condition, the second argument, says.
    pub(super) mark: Mark,
}

impl PartitionEvaluator for Sessions {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let instants = instants(self.function, values)?;
        let longest = self.timeout.unwrap_or(u64::MAX);
        let mut out = Columns::new(rows);
        match self.mark {
            Mark::None => sessions(instants, |_, _, gap| gap > longest, |place| out.push(place)),
            Mark::Start => {
                let starts = conditions(self.function, values, 1)?;
                sessions(instants, |_, row, gap| holds(starts, row) || gap > longest, |place| out.push(place));
            }
            Mark::End => {
                let ends = conditions(self.function, values, 1)?;
                sessions(instants, |before, _, gap| holds(ends, before) || gap > longest, |place| out.push(place));
            }
        }
        out.finish()
    }
}

/// The numbers of sessions, NULL for an event without a time.
pub(super) fn numbers(instants: &TimestampMicrosecondArray, longest: u64) -> Int64Array {
    if instants.null_count() == 0 {
        let (mut session, mut before) = (1, None);
        let numbers = instants.values().iter().map(|instant| {
            let gap = before.replace(*instant).map_or(0, |before| instant.abs_diff(before));
            session += i64::from(gap > longest);
            session
        });
        return numbers.collect::<Vec<_>>().into();
    }
    let mut numbers = Int64Builder::with_capacity(instants.len());
    sessions(instants, |_, _, gap| gap > longest, |place| numbers.append_option(place.map(|place| place.session)));
    numbers.finish()
}

struct Columns {
    seconds: Vec<i64>,
    nums: Vec<i64>,
    depths: Vec<i64>,
    known: BooleanBufferBuilder,
}

impl Columns {
    fn new(rows: usize) -> Self {
        let column = || Vec::with_capacity(rows);
        Self { seconds: column(), nums: column(), depths: column(), known: BooleanBufferBuilder::new(rows) }
    }

    fn push(&mut self, place: Option<Place>) {
        let known = place.is_some();
        let place = place.unwrap_or(Place { since: 0, session: 0, depth: 0 });
        self.seconds.push(place.since / MICROS_PER_SECOND);
        self.nums.push(place.session);
        self.depths.push(place.depth);
        self.known.append(known);
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let known = Some(NullBuffer::new(self.known.finish()));
        let new = BooleanBuffer::from_iter(self.depths.iter().map(|depth| *depth == 1));
        let column = |values: Vec<i64>| Int64Array::new(values.into(), known.clone());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(column(self.seconds)),
            Arc::new(column(self.nums)),
            Arc::new(BooleanArray::new(new, known.clone())),
            Arc::new(column(self.depths)),
        ];
        Ok(Arc::new(StructArray::try_new(FIELDS.clone(), columns, known.clone())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60 * MICROS_PER_SECOND;

    fn of(minutes: &[Option<i64>], longest: i64) -> Vec<Option<i64>> {
        let instants = minutes.iter().map(|minute| minute.map(|minute| minute * MINUTE)).collect();
        numbers(&instants, (longest * MINUTE) as u64).iter().collect()
    }

    #[test]
    fn a_gap_has_to_be_exceeded() {
        assert_eq!(of(&[Some(0), Some(30), Some(61), Some(61)], 30), [Some(1), Some(1), Some(2), Some(2)]);
        assert_eq!(of(&[Some(0), Some(0), Some(1)], 0), [Some(1), Some(1), Some(2)]);
        assert_eq!(of(&[], 30), []);
    }

    #[test]
    fn events_without_time_are_passed_over() {
        assert_eq!(of(&[None, Some(0), None, Some(31), Some(32)], 30), [None, Some(1), None, Some(2), Some(2)]);
        assert_eq!(of(&[None, None], 30), [None, None]);
    }

    #[test]
    fn order_may_be_descending_and_times_extreme() {
        assert_eq!(of(&[Some(100), Some(80), Some(10)], 30), [Some(1), Some(1), Some(2)]);
        let instants = TimestampMicrosecondArray::from(vec![i64::MIN, i64::MAX]);
        assert_eq!(numbers(&instants, 5).values(), &[1, 2]);
    }

    #[test]
    fn places_are_counted() {
        let instants = TimestampMicrosecondArray::from(vec![0, MINUTE, 2 * MINUTE, 9 * MINUTE]);
        let mut places = Vec::new();
        sessions(&instants, |before, row, _| before == 0 && row == 1, |place| places.push(place.unwrap()));
        let of = |since, session, depth| Place { since: since * MINUTE, session, depth };
        assert_eq!(places, [of(0, 1, 1), of(1, 2, 1), of(1, 2, 2), of(7, 2, 3)]);
    }
}
