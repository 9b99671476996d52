//! `pg_backend_pid()`: the session's number, the one that a cancel request names.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "pg_backend_pid",
        DataType::Int32,
        |facts, _| Ok(ColumnarValue::Scalar(ScalarValue::Int32(Some(facts.pid)))),
        "pg_backend_pid()",
        "Returns the number of the session.",
    )
}
