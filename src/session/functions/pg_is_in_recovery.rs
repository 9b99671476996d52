//! `pg_is_in_recovery()`: whether this server follows another and only reads; drivers look for the primary by it.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "pg_is_in_recovery",
        DataType::Boolean,
        |facts, _| {
            let follows = facts.settings.read().get("in_hot_standby")? == "on";
            Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(follows))))
        },
        "pg_is_in_recovery()",
        "Returns true if this server only reads.",
    )
}
