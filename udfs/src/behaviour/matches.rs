//! How far an event is from the nearest one, to one side, that fulfils a condition.

use datafusion_common::Result;
use datafusion_common::arrow::array::{Array, BooleanArray, Float64Array, TimestampMicrosecondArray};

use crate::InvalidArgument;
use crate::window::holds;

/// What distances in time are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Minutes,
    Hours,
    Days,
}

impl Unit {
    /// The unit that a user has written.
    ///
    /// # Errors
    /// If there is no such unit.
    pub(super) fn parse(function: &str, name: &str) -> Result<Self> {
        match name {
            "seconds" => Ok(Self::Seconds),
            "minutes" => Ok(Self::Minutes),
            "hours" => Ok(Self::Hours),
            "days" => Ok(Self::Days),
            _ => Err(InvalidArgument::error(format!(
                "{function}: unknown unit \"{name}\", there are seconds, minutes, hours and days"
            ))),
        }
    }

    fn micros(self) -> f64 {
        match self {
            Self::Seconds => 1e6,
            Self::Minutes => 6e7,
            Self::Hours => 3.6e9,
            Self::Days => 8.64e10,
        }
    }
}

/// The time from the match that was passed last, going through the rows in this order, to each row; 0 for a match.
pub(super) fn apart(
    instants: &TimestampMicrosecondArray,
    matches: &BooleanArray,
    rows: impl Iterator<Item = usize>,
    unit: Unit,
) -> Float64Array {
    let mut distances = vec![None; instants.len()];
    let mut last = None;
    for row in rows.filter(|row| instants.is_valid(*row)) {
        let instant = instants.value(row);
        if holds(matches, row) {
            last = Some(instant);
        }
        if let (Some(last), Some(distance)) = (last, distances.get_mut(row)) {
            *distance = Some(instant.saturating_sub(last) as f64 / unit.micros());
        }
    }
    distances.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_both_sides() {
        let instants =
            TimestampMicrosecondArray::from(vec![Some(0), Some(1_000_000), None, Some(3_500_000), Some(4_000_000)]);
        let matches = BooleanArray::from(vec![Some(false), Some(true), Some(true), None, Some(true)]);
        let of = |rows: &mut dyn Iterator<Item = usize>| {
            apart(&instants, &matches, rows, Unit::Seconds).iter().collect::<Vec<_>>()
        };
        assert_eq!(of(&mut (0..5)), [None, Some(0.0), None, Some(2.5), Some(0.0)]);
        assert_eq!(of(&mut (0..5).rev()), [Some(-1.0), Some(0.0), None, Some(-0.5), Some(0.0)]);
    }
}
