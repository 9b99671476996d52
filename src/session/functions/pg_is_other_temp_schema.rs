//! `pg_is_other_temp_schema(oid)`: whether a schema is that of another session's temporary tables.

use std::sync::Arc;

use catalog::objects::is_temporary;
use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::cast::as_int64_array;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, Signature, Volatility};

use super::session_function::argument;
use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "pg_is_other_temp_schema",
        DataType::Boolean,
        body,
        "pg_is_other_temp_schema(oid)",
        "Returns whether a schema holds the temporary tables of another session.",
    )
    .taking(
        Signature::exact(vec![DataType::Int64], Volatility::Stable),
        &[("oid", "The schema's number, as pg_namespace has it.")],
    )
}

fn body(facts: &SessionFacts, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let own = facts.temporary.read().as_ref().map(|(id, _)| *id);
    let rights = facts.asker.rights();
    let is_other = |oid: i64| {
        let mut schemas = rights.objects().schemas();
        schemas.any(|schema| i64::from(schema.id) == oid && Some(schema.id) != own && is_temporary(&schema.name))
    };
    let oids = argument(args, 0)?;
    let answers = as_int64_array(&oids)?.iter().map(|oid| oid.map(is_other));
    Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
}
