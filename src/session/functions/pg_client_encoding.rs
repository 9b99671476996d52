//! `pg_client_encoding()`: the value of `client_encoding`.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;

use super::session_function::text;
use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "pg_client_encoding",
        DataType::Utf8,
        |facts, _| text(facts.settings.read().get("client_encoding")?),
        "pg_client_encoding()",
        "Returns the client's character set.",
    )
}
