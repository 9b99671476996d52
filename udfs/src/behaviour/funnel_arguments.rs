//! The arguments of the functions over a funnel: `window [, mode], ts [, tie_breaker], c1, …, cn [, mode]`.

use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::AccumulatorArgs;

use super::event_columns::EventColumns;
use super::funnel::Funnel;
use super::funnel_modes::Modes;
use crate::InvalidArgument;
use crate::arguments::{DURATION, constant, duration, text};

/// Where the arguments are.
struct Places {
    columns: EventColumns,
    modes: Vec<usize>,
}

fn places(function: &str, given: &[DataType]) -> Result<(Places, Vec<DataType>)> {
    let mut coerced = Vec::with_capacity(given.len());
    let mut modes = Vec::new();
    match given.first() {
        Some(DataType::Interval(_) | DataType::Duration(_) | DataType::Null) => coerced.push(DURATION),
        Some(text) if text.is_string() => coerced.push(DURATION),
        Some(other) => return plan_err!("{function} takes the window as an interval, not as {other}"),
        None => return plan_err!("{function} needs a window, a time and conditions"),
    }
    if given.get(1).is_some_and(DataType::is_string) {
        modes.push(coerced.len());
        coerced.push(DataType::Utf8);
    }
    let columns = EventColumns::find(function, given, false, &mut coerced)?;
    if given.get(coerced.len()).is_some_and(DataType::is_string) {
        modes.push(coerced.len());
        coerced.push(DataType::Utf8);
    }
    if columns.conditions() == 0 {
        return plan_err!("{function} needs conditions");
    }
    match given.get(coerced.len()) {
        Some(other) => plan_err!("{function} takes conditions as boolean, and a mode as text after them, not {other}"),
        None => Ok((Places { columns, modes }, coerced)),
    }
}

/// What the arguments are coerced to.
pub(super) fn coerce(function: &str, given: &[DataType]) -> Result<Vec<DataType>> {
    Ok(places(function, given)?.1)
}

/// The columns of the events, and the funnel that they are let through.
pub(super) fn funnel(function: &str, args: &AccumulatorArgs, times: bool) -> Result<(EventColumns, Funnel)> {
    let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
    let (Places { columns, modes }, _) = places(function, &types)?;
    let window = duration(function, "the window", &constant(function, "the window", args, 0)?)?;
    let mut names = Vec::new();
    for place in modes {
        names.push(text(function, "the mode", &constant(function, "the mode", args, place)?)?.to_owned());
    }
    let invalid = |message| InvalidArgument::error(format!("{function}: {message}"));
    let modes: Modes = names.join(",").parse().map_err(invalid)?;
    let steps = columns.conditions();
    Ok((columns.with_all_rows(modes.strict_order), Funnel::new(steps, window, modes, times)))
}
