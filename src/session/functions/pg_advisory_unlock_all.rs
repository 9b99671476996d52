//! `pg_advisory_unlock_all()`: drivers call it before they give a connection back to their pool. There are no advisory
//! locks to take, so that there is none to release.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;

use super::session_function::text;
use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "pg_advisory_unlock_all",
        DataType::Utf8,
        |_, _| text(""),
        "pg_advisory_unlock_all()",
        "Releases the session's advisory locks, of which there are none.",
    )
}
