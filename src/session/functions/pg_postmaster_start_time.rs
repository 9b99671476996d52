//! `pg_postmaster_start_time()`: when the server started.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "pg_postmaster_start_time",
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        |facts, _| {
            let started = facts.started.timestamp_micros();
            Ok(ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(Some(started), Some("UTC".into()))))
        },
        "pg_postmaster_start_time()",
        "Returns the time at which the server started.",
    )
}
