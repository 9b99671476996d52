//! `pg_cancel_backend(pid)`: ends the statement that a session is running, with 57014.

use std::sync::Arc;

use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::cast::as_int64_array;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, Signature, Volatility};

use super::session_function::argument;
use super::{SessionFacts, SessionFunction};
use crate::engine::activity::{Signal, check_signal};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "pg_cancel_backend",
        DataType::Boolean,
        body,
        "pg_cancel_backend(pid)",
        "Ends the statement that a session is running. False, with a warning, if there is no such session.",
    )
    .taking(
        Signature::exact(vec![DataType::Int64], Volatility::Volatile),
        &[("pid", "The session's number, as in pg_stat_activity.")],
    )
}

fn body(facts: &SessionFacts, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let pids = argument(args, 0)?;
    let mut found = Vec::with_capacity(args.number_rows);
    for pid in as_int64_array(&pids)? {
        let Some(pid) = pid else {
            found.push(None);
            continue;
        };
        let backend = i32::try_from(pid).ok().and_then(|pid| facts.activity.find(pid));
        match &backend {
            Some(backend) => {
                check_signal(&facts.asker.rights(), backend, Signal::Cancel)?;
                backend.cancel();
            }
            None => facts.notices.warn(format!("PID {pid} is not a PostgreSQL backend process")),
        }
        found.push(Some(backend.is_some()));
    }
    Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(found))))
}
