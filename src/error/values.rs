//! Values that cannot be read, computed or kept: what Arrow's kernels report.

use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;

use super::planning::no_operator;
use super::type_name::of_text;
use super::{Error, SqlState, between, engine, sentence};

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::from(datafusion::error::DataFusionError::from(error))
    }
}

pub(super) fn arrow(error: &ArrowError) -> Error {
    match error {
        ArrowError::DivideByZero => Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"),
        ArrowError::ArithmeticOverflow(text) => value(text).unwrap_or_else(|| {
            Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "number out of range").with_detail(sentence(text))
        }),
        ArrowError::CastError(text) | ArrowError::ParseError(text) => {
            value(text).unwrap_or_else(|| Error::new(SqlState::INVALID_TEXT_REPRESENTATION, sentence(text)))
        }
        ArrowError::InvalidArgumentError(text) => {
            value(text).unwrap_or_else(|| Error::new(SqlState::INVALID_PARAMETER_VALUE, sentence(text)))
        }
        ArrowError::ComputeError(text) => {
            value(text).unwrap_or_else(|| Error::new(SqlState::DATA_EXCEPTION, sentence(text)))
        }
        ArrowError::NotYetImplemented(text) => Error::new(SqlState::FEATURE_NOT_SUPPORTED, sentence(text)),
        ArrowError::MemoryError(text) => {
            Error::new(SqlState::OUT_OF_MEMORY, "out of memory").with_detail(sentence(text))
        }
        ArrowError::DictionaryKeyOverflowError
        | ArrowError::RunEndIndexOverflowError
        | ArrowError::OffsetOverflowError(_) => {
            Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "a value or a batch of values is too large")
                .with_detail(sentence(&error.to_string()))
        }
        ArrowError::CsvError(text) | ArrowError::JsonError(text) | ArrowError::AvroError(text) => {
            Error::new(SqlState::BAD_COPY_FILE_FORMAT, sentence(text))
        }
        ArrowError::ParquetError(text) => Error::new(SqlState::DATA_CORRUPTED, sentence(text)),
        ArrowError::IoError(_, source) => engine::io(source),
        ArrowError::ExternalError(source) => Error::new(SqlState::INTERNAL_ERROR, sentence(&source.to_string())),
        ArrowError::SchemaError(text) | ArrowError::IpcError(text) | ArrowError::CDataInterface(text) => {
            Error::internal(sentence(text))
        }
    }
}

/// The texts about values that have an SQLSTATE of their own; they come as several kinds of error.
pub(super) fn value(text: &str) -> Option<Error> {
    let out_of_range = |message: &str| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message);
    if let Some(column) = between(text, "Column '", "' is declared as non-nullable") {
        let message = format!("null value in column \"{column}\" violates not-null constraint");
        return Some(Error::new(SqlState::NOT_NULL_VIOLATION, message));
    }
    for start in ["Cannot cast string '", "Cannot cast value '"] {
        if let Some((value, rest)) = text.strip_prefix(start).and_then(|t| t.rsplit_once("' to value of ")) {
            return Some(unreadable(value, rest.strip_suffix(" type").unwrap_or(rest)));
        }
    }
    if let Some(rest) = text.strip_prefix("Error parsing timestamp from '") {
        let value = rest.split_once("' using format '").or_else(|| rest.rsplit_once("': "));
        return value.map(|(value, _)| unreadable_moment(value, "timestamp"));
    }
    if let Some(value) = text.strip_prefix("Failed to parse '").and_then(|t| t.strip_suffix("' as time")) {
        return Some(unreadable_moment(value, "time"));
    }
    if let Some(value) = between(text, "Invalid input syntax for type interval: \"", "\"") {
        return Some(bad_syntax(SqlState::INVALID_DATETIME_FORMAT, "interval", value));
    }
    if let Some((value, data_type)) = text.strip_prefix("Can't cast value ").and_then(|t| t.rsplit_once(" to type ")) {
        let message = format!("value \"{value}\" is out of range for type {}", of_text(data_type));
        return Some(out_of_range(&message));
    }
    let full = ["verflow", "too large to store", "too small to store"];
    if text.to_lowercase().contains("decimal") && full.iter().any(|t| text.contains(t)) {
        return Some(out_of_range("numeric field overflow").with_detail(sentence(text)));
    }
    for (start, end) in [("can't parse the string value ", " to decimal"), ("Cannot parse decimal format: ", "")] {
        if let Some(value) = text.strip_prefix(start).and_then(|t| t.strip_suffix(end)) {
            return Some(bad_syntax(SqlState::INVALID_TEXT_REPRESENTATION, "numeric", value));
        }
    }
    let cast = text.strip_prefix("Casting from ").and_then(|t| t.strip_suffix(" not supported"));
    if let Some((from, to)) = cast.and_then(|t| t.split_once(" to ")) {
        return Some(no_cast(from, to));
    }
    if let Some(zone) = between(text, "Invalid timezone \"", "\"") {
        return Some(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{zone}\" not recognized")));
    }
    if text.contains("non UTF-8") || text.contains("invalid utf-8") {
        let message = "invalid byte sequence for encoding \"UTF8\"";
        return Some(Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message).with_detail(sentence(text)));
    }
    if text.starts_with("Invalid ") && text.contains(" operation: ") {
        return no_operator(text);
    }
    let moment = ["Timestamp", "timestamp", "Date", "datetime", "Interval", "interval", "duration", "Nanosecond"];
    let overflow = ["verflow", "out of range", "Unable to represent", "exceeds the precision"];
    if overflow.iter().any(|t| text.contains(t)) {
        return Some(if moment.iter().any(|t| text.contains(t)) {
            Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "date/time value out of range").with_detail(sentence(text))
        } else {
            out_of_range("number out of range").with_detail(sentence(text))
        });
    }
    None
}

/// 42846: no cast leads from one type to the other, both given in Arrow's text.
pub(super) fn no_cast(from: &str, to: &str) -> Error {
    Error::new(SqlState::CANNOT_COERCE, format!("cannot cast type {} to {}", of_text(from), of_text(to)))
}

/// A text that is not a value of the type, which is given in Arrow's text.
fn unreadable(value: &str, arrow_type: &str) -> Error {
    let name = of_text(arrow_type);
    match arrow_type.parse::<DataType>() {
        Ok(
            DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) | DataType::Timestamp(..),
        ) => unreadable_moment(value, name.split(" with").next().unwrap_or(&name)),
        // A number, but too large: Arrow says the same for both.
        Ok(data_type) if data_type.is_integer() && value.trim().parse::<i128>().is_ok() => {
            let message = format!("value \"{value}\" is out of range for type {name}");
            Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
        }
        _ => bad_syntax(SqlState::INVALID_TEXT_REPRESENTATION, &name, value),
    }
}

/// A text that is no date or time: nonsense is 22007, a 13th month 22008.
pub(super) fn unreadable_moment(value: &str, name: &str) -> Error {
    let numbers = value.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()).count();
    if numbers >= 2 && value.chars().all(|c| c.is_ascii_digit() || "-:. +TZ".contains(c)) {
        let message = format!("date/time field value out of range: \"{value}\"");
        return Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message);
    }
    bad_syntax(SqlState::INVALID_DATETIME_FORMAT, name, value)
}

fn bad_syntax(sqlstate: SqlState, name: &str, value: &str) -> Error {
    Error::new(sqlstate, format!("invalid input syntax for type {name}: \"{value}\""))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Array, Int64Array, StringArray};
    use datafusion::arrow::compute::kernels::numeric::{add, div};
    use datafusion::arrow::compute::{CastOptions, cast_with_options};
    use datafusion::arrow::datatypes::TimeUnit;

    use super::*;

    fn cast(array: &dyn Array, to: DataType) -> (&'static str, String) {
        let error = cast_with_options(array, &to, &CastOptions { safe: false, ..Default::default() }).unwrap_err();
        let error = Error::from(error);
        (error.sqlstate.0, error.message)
    }

    fn cast_text(text: &str, to: DataType) -> (&'static str, String) {
        cast(&StringArray::from(vec![text]), to)
    }

    #[test]
    fn unreadable_texts_have_postgresqls_words() {
        let bad = |name: &str| format!("invalid input syntax for type {name}: \"abc\"");
        assert_eq!(cast_text("abc", DataType::Int32), ("22P02", bad("integer")));
        assert_eq!(cast_text("abc", DataType::Float64), ("22P02", bad("double precision")));
        assert_eq!(cast_text("abc", DataType::Boolean), ("22P02", bad("boolean")));
        assert_eq!(cast_text("abc", DataType::Decimal128(10, 2)), ("22P02", bad("numeric")));
        assert_eq!(cast_text("abc", DataType::Date32), ("22007", bad("date")));
        assert_eq!(cast_text("abc", DataType::Timestamp(TimeUnit::Microsecond, None)), ("22007", bad("timestamp")));
    }

    #[test]
    fn out_of_range_is_not_bad_syntax() {
        assert_eq!(cast_text("99999999999", DataType::Int32).0, "22003");
        assert_eq!(cast_text("2024-13-01", DataType::Date32).0, "22008");
        assert_eq!(cast_text("2024-13-01 10:00:00", DataType::Timestamp(TimeUnit::Nanosecond, None)).0, "22008");
        assert_eq!(cast(&Int64Array::from(vec![70_000]), DataType::Int16).0, "22003");
        assert_eq!(cast(&Int64Array::from(vec![1_000_000]), DataType::Decimal128(5, 2)).1, "numeric field overflow");
    }

    #[test]
    fn arithmetic_faults() {
        let (one, zero) = (Int64Array::from(vec![i64::MAX]), Int64Array::from(vec![0]));
        let error = Error::from(div(&one, &zero).unwrap_err());
        assert_eq!((error.sqlstate.0, error.message.as_str()), ("22012", "division by zero"));
        assert_eq!(Error::from(add(&one, &one).unwrap_err()).sqlstate.0, "22003");
    }

    #[test]
    fn null_in_a_not_null_column_names_the_column() {
        use datafusion::arrow::array::RecordBatch;
        use datafusion::arrow::datatypes::{Field, Schema};
        let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)]));
        let error = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(vec![None::<i64>]))]).unwrap_err();
        let error = Error::from(error);
        assert_eq!(error.sqlstate, SqlState::NOT_NULL_VIOLATION);
        assert_eq!(error.message, "null value in column \"id\" violates not-null constraint");
    }
}
