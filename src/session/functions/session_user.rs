//! `session_user`: the user that the session speaks for: who logged in, or whom SET SESSION AUTHORIZATION names.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;

use super::session_function::text;
use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "session_user",
        DataType::Utf8,
        |facts, _| text(facts.settings.read().user()),
        "session_user",
        "Returns the name of the user that the session speaks for: who logged in, or whom SET SESSION AUTHORIZATION names.",
    )
}
