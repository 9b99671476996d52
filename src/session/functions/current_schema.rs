//! `current_schema()`: the schema in which names without a schema are looked up first.
//!
//! It is the first of `search_path` that exists, by the catalog that the statement sees.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "current_schema",
        DataType::Utf8,
        |facts, _| Ok(ColumnarValue::Scalar(ScalarValue::Utf8(path(facts).into_iter().next()))),
        "current_schema()",
        "Returns the first schema of search_path that exists, NULL if there is none.",
    )
}

/// The schemas of `search_path` that exist.
pub(super) fn path(facts: &SessionFacts) -> Vec<String> {
    facts.path.read().clone()
}
