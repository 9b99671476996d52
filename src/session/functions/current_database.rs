//! `current_database()`, also `current_catalog`: the name of the database.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;

use super::session_function::text;
use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "current_database",
        DataType::Utf8,
        |facts, _| text(&facts.database),
        "current_database()",
        "Returns the name of the current database.",
    )
    .alias("current_catalog")
}
