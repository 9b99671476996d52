//! What goes wrong while rows flow: texts of DataFusion's operators and functions.

use super::planning::{Known, known, known_as, says_unsupported};
use super::{Error, SqlState, between, sentence, values};

/// A `DataFusionError::Execution` text. Most are about the data; what nobody knows is XX000.
pub(super) fn execution(text: &str) -> Error {
    let time = text.strip_prefix("Error parsing '").and_then(|t| t.split_once("' as time"));
    if let Some((value, _)) = time {
        return values::unreadable_moment(value, "time");
    }
    if let Some(name) = between(text, "Placeholder '", "' was not provided") {
        return Error::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter {name}"));
    }
    if text.starts_with("regex parse error") {
        let reason = text.rsplit("error: ").next().unwrap_or(text).trim();
        return Error::new(SqlState::INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: {reason}"));
    }
    // The table stands before the values: "out of range" means other codes to functions than to casts.
    known(text, KNOWN).or_else(|| values::value(text)).unwrap_or_else(|| {
        let sqlstate = if says_unsupported(text) { SqlState::FEATURE_NOT_SUPPORTED } else { SqlState::INTERNAL_ERROR };
        Error::new(sqlstate, sentence(text))
    })
}

/// A `DataFusionError::ResourcesExhausted` text.
pub(super) fn resources(text: &str) -> Error {
    let detail = sentence(text.rsplit_once("\nError: ").map_or(text, |(_, reason)| reason));
    // Settings of DataFusion are none of ours.
    let detail = detail.split(". Please try").next().map(str::to_owned).unwrap_or_default();
    if text.contains("disk space") || text.contains("max_temp_directory_size") {
        return Error::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, "temporary files exceed their limit")
            .with_detail(detail)
            .with_hint("filter earlier or sort and group fewer columns, or ask the operator to raise spill.limit");
    }
    Error::new(SqlState::OUT_OF_MEMORY, "out of memory").with_detail(detail).with_hint(
        "filter earlier, select fewer columns or group by fewer values, or ask the operator to raise the memory limit",
    )
}

#[rustfmt::skip]
const KNOWN: &[Known] = &[
    known_as("subquery returned more than one row", SqlState::CARDINALITY_VIOLATION, "more than one row returned by a subquery used as an expression", "aggregate it, or add LIMIT 1 with an ORDER BY"),
    known_as("ivide by zero", SqlState::DIVISION_BY_ZERO, "division by zero", ""),
    known_as("ivision by zero", SqlState::DIVISION_BY_ZERO, "division by zero", ""),
    known_as("Regular expression did not compile", SqlState::INVALID_REGULAR_EXPRESSION, "", ""),
    known_as("square root of a negative number", SqlState::INVALID_ARGUMENT_FOR_POWER, "cannot take square root of a negative number", ""),
    known_as("Input range of SQRT", SqlState::INVALID_ARGUMENT_FOR_POWER, "cannot take square root of a negative number", ""),
    known_as("Input range of LN", SqlState::INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of zero or of a negative number", ""),
    known_as("Input range of LOG", SqlState::INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of zero or of a negative number", ""),
    known_as("contains out-of-domain values", SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range", ""),
    known_as("FACTORIAL", SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "", ""),
    known_as("factorial of a negative number", SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "", ""),
    known_as("Unable to parse date from", SqlState::DATETIME_FIELD_OVERFLOW, "", ""),
    known_as("Unable to parse time from", SqlState::DATETIME_FIELD_OVERFLOW, "", ""),
    known_as("Year value", SqlState::DATETIME_FIELD_OVERFLOW, "", ""),
    known_as("Month value", SqlState::DATETIME_FIELD_OVERFLOW, "", ""),
    known_as("Day value", SqlState::DATETIME_FIELD_OVERFLOW, "", ""),
    known_as("Hour value", SqlState::DATETIME_FIELD_OVERFLOW, "", ""),
    known_as("Minute value", SqlState::DATETIME_FIELD_OVERFLOW, "", ""),
    known_as("Second value", SqlState::DATETIME_FIELD_OVERFLOW, "", ""),
    known_as("DATE_BIN stride", SqlState::INVALID_PARAMETER_VALUE, "", ""),
    known_as("DATE_BIN", SqlState::DATETIME_FIELD_OVERFLOW, "", ""),
    known_as("granularity", SqlState::INVALID_PARAMETER_VALUE, "", ""),
    known_as("Date part '", SqlState::INVALID_PARAMETER_VALUE, "", ""),
    known_as("timezone", SqlState::INVALID_PARAMETER_VALUE, "", ""),
    known_as("gap in the local time", SqlState::DATETIME_FIELD_OVERFLOW, "", ""),
    known_as("Ambiguous timestamp", SqlState::DATETIME_FIELD_OVERFLOW, "", ""),
    known_as("Failed to decode", SqlState::INVALID_PARAMETER_VALUE, "", ""),
    known_as("field position must not be zero", SqlState::INVALID_PARAMETER_VALUE, "", ""),
    known_as("Unsupported data type", SqlState::UNDEFINED_FUNCTION, "", "add explicit type casts"),
    known_as("was called with", SqlState::UNDEFINED_FUNCTION, "", ""),
    known_as("size limit", SqlState::PROGRAM_LIMIT_EXCEEDED, "", ""),
    known_as("Range too large to materialize", SqlState::PROGRAM_LIMIT_EXCEEDED, "", ""),
    known_as("exceeds the maximum", SqlState::PROGRAM_LIMIT_EXCEEDED, "", ""),
    known_as("offset overflow", SqlState::PROGRAM_LIMIT_EXCEEDED, "", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn execution_texts_have_codes() {
        let error = execution("Scalar subquery returned more than one row");
        assert_eq!((error.sqlstate, error.hint.is_some()), (SqlState::CARDINALITY_VIOLATION, true));
        assert_eq!(error.message, "more than one row returned by a subquery used as an expression");
        assert_eq!(execution("Regular expression did not compile: x").sqlstate.0, "2201B");
        assert_eq!(
            execution("Placeholder '$3' was not provided a value for execution.").message,
            "there is no parameter $3"
        );
        assert_eq!(execution("Error parsing '25:00:00' as time. Tried formats: []").sqlstate.0, "22008");
        assert_eq!(execution("Something odd").sqlstate, SqlState::INTERNAL_ERROR);
    }

    #[test]
    fn memory_and_disk_limits_differ() {
        let error = resources(
            "Additional allocation failed for Sort with top memory consumers (across reservations) as:\n  a\nError: Failed to \
             allocate additional 1 MB for Sort",
        );
        assert_eq!(error.sqlstate, SqlState::OUT_OF_MEMORY);
        assert_eq!(error.detail.as_deref(), Some("failed to allocate additional 1 MB for Sort"));
        let text = "The used disk space during the spilling process has exceeded the allowable limit of 1.0 GB.";
        assert_eq!(resources(text).sqlstate, SqlState::CONFIGURATION_LIMIT_EXCEEDED);
    }
}
