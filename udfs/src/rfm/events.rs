//! Which events count: those up to an instant, and not too long before it.

use datafusion_common::arrow::array::{ArrayRef, AsArray, BooleanArray};
use datafusion_common::arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::AccumulatorArgs;

use crate::arguments::{DURATION, constant, duration, instant_type};
use crate::single_group::passes;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The types that an aggregate's arguments are coerced to: ts, as_of and perhaps a window before it.
pub(super) fn coerced(function: &str, types: &[DataType], windowed: bool) -> Result<Vec<DataType>> {
    let (ts, as_of, window) = match types {
        [ts, as_of] => (ts, as_of, None),
        [ts, as_of, window] if windowed => (ts, as_of, Some(window)),
        _ if windowed => return plan_err!("{function} takes a timestamp, as_of and at most a window"),
        _ => return plan_err!("{function} takes a timestamp and as_of"),
    };
    let window = match window {
        None => None,
        Some(DataType::Interval(_) | DataType::Null) => Some(DURATION),
        Some(other) => return plan_err!("{function} takes its window as an interval, not as {other}"),
    };
    let instants = [instant_type(function, ts)?, instant_type(function, as_of)?];
    Ok(instants.into_iter().chain(window).collect())
}

/// The window that is the third argument of a call, in microseconds, if there is one.
///
/// # Errors
/// If it is no constant, or has no length.
pub(super) fn window(function: &str, args: &AccumulatorArgs) -> Result<Option<i64>> {
    match args.exprs.len() {
        3.. => duration(function, "window", &constant(function, "window", args, 2)?).map(Some),
        _ => Ok(None),
    }
}

/// Calls `each` with the place, the instant and the as_of of every event in `(as_of - window, as_of]`; without a window
/// as far back as there are any.
pub(super) fn each_event(
    function: &str,
    values: &[ArrayRef],
    filter: Option<&BooleanArray>,
    window: Option<i64>,
    mut each: impl FnMut(usize, i64, i64),
) -> Result<()> {
    let column = |place: usize| values.get(place).and_then(|a| a.as_primitive_opt::<TimestampMicrosecondType>());
    let (Some(instants), Some(as_of)) = (column(0), column(1)) else {
        return plan_err!("{function} needs a timestamp and as_of");
    };
    for (row, (instant, as_of)) in instants.iter().zip(as_of).enumerate() {
        let (Some(instant), Some(as_of)) = (instant, as_of) else { continue };
        let recent = window.is_none_or(|window| instant > as_of.saturating_sub(window));
        if instant <= as_of && recent && passes(filter, row) {
            each(row, instant, as_of);
        }
    }
    Ok(())
}

/// The day, in UTC, of an instant, counted from 1970. Microseconds in 64 bits are less than 2^27 days.
pub(super) fn day(instant: i64) -> i32 {
    instant.div_euclid(MICROS_PER_DAY) as i32
}
