//! `current_schemas(include_implicit)`: the schemas of `search_path`, on request with those that are always searched.

use std::sync::Arc;

use datafusion::arrow::array::{ListBuilder, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::cast::as_boolean_array;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, Signature, Volatility};

use super::current_schema::path;
use super::session_function::argument;
use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "current_schemas",
        DataType::new_list(DataType::Utf8, true),
        body,
        "current_schemas(include_implicit)",
        "Returns the schemas of search_path that exist, in order, as an array.",
    )
    .taking(
        Signature::exact(vec![DataType::Boolean], Volatility::Stable),
        &[(
            "include_implicit",
            "Whether those that are always searched first are among them: of temporary tables, and pg_catalog.",
        )],
    )
}

fn body(facts: &SessionFacts, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let implicit = argument(args, 0)?;
    let path = path(facts);
    let mut lists = ListBuilder::new(StringBuilder::new());
    for implicit in as_boolean_array(&implicit)? {
        if let Some(implicit) = implicit {
            let temporary = facts.temporary.read().as_ref().map(|(_, name)| name.clone());
            if let Some(temporary) = temporary.filter(|name| implicit && !path.contains(name)) {
                lists.values().append_value(temporary);
            }
            if implicit && !path.iter().any(|schema| schema == "pg_catalog") {
                lists.values().append_value("pg_catalog");
            }
            for schema in &path {
                lists.values().append_value(schema);
            }
        }
        lists.append(implicit.is_some());
    }
    Ok(ColumnarValue::Array(Arc::new(lists.finish())))
}
