//! `pg_my_temp_schema()`: the schema of the session's temporary tables.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "pg_my_temp_schema",
        DataType::Int64,
        |facts, _| {
            let own = facts.temporary.read().as_ref().map_or(0, |(id, _)| i64::from(*id));
            Ok(ColumnarValue::Scalar(ScalarValue::Int64(Some(own))))
        },
        "pg_my_temp_schema()",
        "Returns the number of the schema of the session's temporary tables, 0 if there is none.",
    )
}
