//! `format_type(type, typmod)`: a type's name with its modifier, as `\gdesc` and catalogs show it.

use std::sync::Arc;

use datafusion::arrow::array::StringArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::cast::as_int64_array;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, Signature, Volatility};

use super::session_function::argument;
use super::{SessionFacts, SessionFunction};
use crate::values::pg_type::{name_of, oid};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "format_type",
        DataType::Utf8,
        body,
        "format_type(type, typmod)",
        "Returns the SQL name of a type; null for a null type, ??? for a number that is no type.",
    )
    .taking(
        Signature::exact(vec![DataType::Int64, DataType::Int64], Volatility::Immutable),
        &[("type", "The type's object identifier."), ("typmod", "Its modifier, -1 or null for none.")],
    )
}

fn body(_: &SessionFacts, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let (types, modifiers) = (argument(args, 0)?, argument(args, 1)?);
    let pairs = as_int64_array(&types)?.iter().zip(as_int64_array(&modifiers)?);
    let names = pairs.map(|(number, modifier)| number.map(|number| name(number, modifier.unwrap_or(-1))));
    Ok(ColumnarValue::Array(Arc::new(names.collect::<StringArray>())))
}

fn name(number: i64, modifier: i64) -> String {
    let Ok(number) = u32::try_from(number) else { return "???".to_owned() };
    let name = name_of(number);
    if name.starts_with("OID ") {
        return "???".to_owned();
    }
    let length = modifier - 4;
    match number {
        oid::NUMERIC if length >= 0 => format!("{name}({},{})", length >> 16, length & 0xffff),
        oid::VARCHAR | oid::BPCHAR if length > 0 => format!("{name}({length})"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_postgresqls() {
        assert_eq!(name(1700, ((10 << 16) | 2) + 4), "numeric(10,2)");
        assert_eq!(name(1043, 24), "character varying(20)");
        assert_eq!((name(20, -1).as_str(), name(1, -1).as_str()), ("bigint", "???"));
    }
}
