//! `current_user`, also `user` and `current_role`: the user whose rights count.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;

use super::session_function::text;
use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "current_user",
        DataType::Utf8,
        |facts, _| {
            let settings = facts.settings.read();
            text(settings.role().unwrap_or_else(|| settings.user()))
        },
        "current_user",
        "Returns the name of the user whose rights statements are checked against.",
    )
    .alias("user")
    .alias("current_role")
}
