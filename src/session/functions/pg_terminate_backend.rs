//! `pg_terminate_backend(pid [, timeout])`: ends a session, whose client hears 57P01.
//!
//! It waits for the session's end on request, and is therefore an asynchronous function of DataFusion, as `pg_sleep`.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_int64_array;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::SessionFacts;
use super::session_function::argument;
use crate::engine::activity::{Signal, check_signal};
use crate::error::{Error, SqlState};

pub(super) fn function(facts: &Arc<SessionFacts>) -> ScalarUDF {
    AsyncScalarUDF::new(Arc::new(PgTerminateBackend { facts: Arc::clone(facts) })).into_scalar_udf()
}

#[derive(Debug)]
struct PgTerminateBackend {
    facts: Arc<SessionFacts>,
}

impl PartialEq for PgTerminateBackend {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.facts, &other.facts)
    }
}

impl Eq for PgTerminateBackend {}

impl Hash for PgTerminateBackend {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

static SIGNATURE: LazyLock<Signature> = LazyLock::new(|| {
    let with = |types: &[DataType]| TypeSignature::Exact(types.to_vec());
    let types = vec![with(&[DataType::Int64]), with(&[DataType::Int64, DataType::Int64])];
    Signature::one_of(types, Volatility::Volatile)
});

impl ScalarUDFImpl for PgTerminateBackend {
    fn name(&self) -> &str {
        "pg_terminate_backend"
    }

    fn signature(&self) -> &Signature {
        &SIGNATURE
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("pg_terminate_backend was called where functions cannot wait")
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for PgTerminateBackend {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let pids = argument(&args, 0)?;
        let timeouts = if args.args.len() > 1 { Some(argument(&args, 1)?) } else { None };
        let mut ended = Vec::with_capacity(args.number_rows);
        for (row, pid) in as_int64_array(&pids)?.iter().enumerate() {
            let timeout = match &timeouts {
                Some(timeouts) => as_int64_array(timeouts)?.iter().nth(row).flatten(),
                None => Some(0),
            };
            ended.push(match (pid, timeout) {
                (Some(pid), Some(timeout)) => Some(self.terminate(pid, timeout).await?),
                _ => None,
            });
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(ended))))
    }
}

impl PgTerminateBackend {
    async fn terminate(&self, pid: i64, timeout: i64) -> crate::error::Result<bool> {
        let timeout = u64::try_from(timeout)
            .map_err(|_| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "\"timeout\" must not be negative"))?;
        let Some(backend) = i32::try_from(pid).ok().and_then(|pid| self.facts.activity.find(pid)) else {
            self.facts.notices.warn(format!("PID {pid} is not a PostgreSQL backend process"));
            return Ok(false);
        };
        check_signal(&self.facts.asker.rights(), &backend, Signal::Terminate)?;
        backend.terminate();
        if timeout == 0
            || tokio::time::timeout(Duration::from_millis(timeout), backend.gone().cancelled()).await.is_ok()
        {
            return Ok(true);
        }
        self.facts.notices.warn(format!("backend with PID {pid} did not terminate within {timeout} milliseconds"));
        Ok(false)
    }
}
