//! `current_schema()`: the schema in which names without a schema are looked up first.
//!
//! It is the first of `search_path`, without asking the catalog whether it exists: a function runs where the catalog
//! is not at hand. `"$user"` is passed over, since there are no schemas of users.

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
        "Returns the first schema of search_path, NULL if the path is empty.",
    )
}

/// The schemas of `search_path` by their names.
pub(super) fn path(facts: &SessionFacts) -> Vec<String> {
    let path = facts.settings.read().search_path();
    path.into_iter().filter(|schema| schema != "$user").collect()
}
