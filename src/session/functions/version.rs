//! `version()`: the version of PostgreSQL whose behaviour is followed, and our own, in the form clients parse.

use std::env::consts::{ARCH, OS};
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

use super::session_function::text;
use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "version",
        DataType::Utf8,
        body,
        "version()",
        "Returns the version of PostgreSQL whose behaviour this server follows, and its own.",
    )
}

fn body(facts: &SessionFacts, _: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let postgresql = facts.settings.read().get("server_version")?;
    // Clients look for "PostgreSQL", a blank and numbers with dots.
    let own = env!("CARGO_PKG_VERSION");
    text(format!("PostgreSQL {postgresql} (AudienceDB {own}) on {ARCH}-{OS}, {}-bit", usize::BITS))
}
