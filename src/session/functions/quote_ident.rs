//! `quote_ident(name)`: a name as it must be written in SQL.

use std::sync::Arc;

use datafusion::arrow::array::StringArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::cast::as_string_array;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, Signature, Volatility};

use super::session_function::argument;
use super::{SessionFacts, SessionFunction};
use crate::session::settings::quote_identifier;

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "quote_ident",
        DataType::Utf8,
        body,
        "quote_ident(name)",
        "Returns a name in double quotes if SQL needs them round it.",
    )
    .taking(Signature::exact(vec![DataType::Utf8], Volatility::Immutable), &[("name", "The name.")])
}

fn body(_: &SessionFacts, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let names = argument(args, 0)?;
    let quoted = as_string_array(&names)?.iter().map(|name| name.map(quote_identifier));
    Ok(ColumnarValue::Array(Arc::new(quoted.collect::<StringArray>())))
}
