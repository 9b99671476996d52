//! `quote_literal(value)`: a value as a string literal of SQL; NULL for NULL.

use std::sync::Arc;

use datafusion::arrow::array::StringArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::cast::as_string_array;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, Signature, Volatility};

use super::session_function::argument;
use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "quote_literal",
        DataType::Utf8,
        body,
        "quote_literal(value)",
        "Returns a value as a string literal, with quotes and backslashes doubled.",
    )
    .taking(Signature::exact(vec![DataType::Utf8], Volatility::Immutable), &[("value", "The value.")])
}

fn body(_: &SessionFacts, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let values = argument(args, 0)?;
    let quoted = as_string_array(&values)?.iter().map(|value| value.map(quoted));
    Ok(ColumnarValue::Array(Arc::new(quoted.collect::<StringArray>())))
}

/// A backslash needs the E form, in which it is doubled.
fn quoted(value: &str) -> String {
    let escaped = value.replace('\'', "''");
    if escaped.contains('\\') { format!("E'{}'", escaped.replace('\\', "\\\\")) } else { format!("'{escaped}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_are_doubled() {
        assert_eq!(quoted("it's"), "'it''s'");
        assert_eq!(quoted("a\\b"), "E'a\\\\b'");
    }
}
