//! `pg_sleep(seconds)`: waits, without holding a thread.
//!
//! Waits once for every row, for the sum of a batch at a time; NULL and negative numbers do not wait. It is an
//! asynchronous function of DataFusion, which the planner puts into a step of its own: it works in the select list
//! and in WHERE, and stops waiting as soon as the statement is cancelled, since its stream is dropped. DataFusion's
//! wrapper has no place for documentation, so SHOW FUNCTIONS shows none.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::arrow::array::StringArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_float64_array;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::session_function::argument;

pub(super) fn function() -> ScalarUDF {
    AsyncScalarUDF::new(Arc::new(PgSleep)).into_scalar_udf()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PgSleep;

static SIGNATURE: LazyLock<Signature> =
    LazyLock::new(|| Signature::exact(vec![DataType::Float64], Volatility::Volatile));

impl ScalarUDFImpl for PgSleep {
    fn name(&self) -> &str {
        "pg_sleep"
    }

    fn signature(&self) -> &Signature {
        &SIGNATURE
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("pg_sleep was called where functions cannot wait")
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for PgSleep {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let seconds = argument(&args, 0)?;
        let seconds: f64 = as_float64_array(&seconds)?.iter().flatten().filter(|seconds| *seconds > 0.0).sum();
        // Longer than a Duration can say is as good as for ever.
        tokio::time::sleep(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)).await;
        // DataFusion takes a single value for a single row here, so every row gets its own.
        Ok(ColumnarValue::Array(Arc::new(StringArray::from(vec![""; args.number_rows]))))
    }
}
