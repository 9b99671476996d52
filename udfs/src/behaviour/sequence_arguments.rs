//! The arguments of the functions over patterns: `pattern, ts [, tie_breaker], c1, …, cn`.

use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::AccumulatorArgs;

use super::event_columns::EventColumns;
use super::matcher::Matcher;
use super::pattern::Pattern;
use crate::InvalidArgument;
use crate::arguments::{constant, text};

fn places(function: &str, given: &[DataType]) -> Result<(EventColumns, Vec<DataType>)> {
    let mut coerced = Vec::with_capacity(given.len());
    match given.first() {
        Some(pattern) if pattern.is_string() || pattern.is_null() => coerced.push(DataType::Utf8),
        Some(other) => return plan_err!("{function} takes the pattern as text, not as {other}"),
        None => return plan_err!("{function} needs a pattern, a time and conditions"),
    }
    let columns = EventColumns::find(function, given, false, &mut coerced)?;
    if columns.conditions() == 0 {
        return plan_err!("{function} needs conditions");
    }
    match given.get(coerced.len()) {
        Some(other) => plan_err!("{function} takes conditions as boolean, not as {other}"),
        None => Ok((columns, coerced)),
    }
}

/// What the arguments are coerced to.
pub(super) fn coerce(function: &str, given: &[DataType]) -> Result<Vec<DataType>> {
    Ok(places(function, given)?.1)
}

/// The columns of the events, and what looks for the pattern in them.
pub(super) fn sequence(function: &str, args: &AccumulatorArgs) -> Result<(EventColumns, Matcher)> {
    let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
    let (columns, _) = places(function, &types)?;
    let pattern = constant(function, "the pattern", args, 0)?;
    let invalid = |message: String| InvalidArgument::error(format!("{function}: {message}"));
    let pattern: Pattern = text(function, "the pattern", &pattern)?.parse().map_err(invalid)?;
    let (last, given) = (pattern.last_condition(), columns.conditions());
    if last > given {
        return Err(invalid(format!("the pattern has (?{last}), but there are {given} conditions")));
    }
    Ok((columns, Matcher::new(pattern)))
}
