//! `to_regtype(name)`: the object identifier of a built-in type; null where there is no type of that name.

use std::sync::Arc;

use datafusion::arrow::array::Int64Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::cast::as_string_array;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, Signature, Volatility};

use super::session_function::argument;
use super::{SessionFacts, SessionFunction};
use crate::values::pg_type::oid_of;

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "to_regtype",
        DataType::Int64,
        body,
        "to_regtype(name)",
        "Returns the object identifier of a type by its SQL name; null if there is none.",
    )
    .taking(
        Signature::exact(vec![DataType::Utf8], Volatility::Immutable),
        &[("name", "The type's name, as in 'double precision'.")],
    )
}

fn body(_: &SessionFacts, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let names = argument(args, 0)?;
    let numbers = as_string_array(&names)?.iter().map(|name| name.and_then(oid_of).map(i64::from));
    Ok(ColumnarValue::Array(Arc::new(numbers.collect::<Int64Array>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_format_type() {
        assert_eq!((oid_of("bigint"), oid_of("text"), oid_of("hstore")), (Some(20), Some(25), None));
    }
}
