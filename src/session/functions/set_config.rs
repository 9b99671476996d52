//! `set_config(name, value, is_local)`: SET as a function, so that the value can be computed.

use std::sync::Arc;

use datafusion::arrow::array::{Array, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::cast::{as_boolean_array, as_string_array};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, Signature, Volatility};

use super::session_function::argument;
use super::{SessionFacts, SessionFunction};
use crate::error::{Error, SqlState};
use crate::session::settings::Scope;

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "set_config",
        DataType::Utf8,
        body,
        "set_config(name, value, is_local)",
        "Sets a setting and returns its new value. With is_local the value lasts until the end of the transaction.",
    )
    .taking(
        Signature::exact(vec![DataType::Utf8, DataType::Utf8, DataType::Boolean], Volatility::Volatile),
        &[
            ("name", "The setting's name, in any letter case."),
            ("value", "Its value as SET takes it; NULL is the default."),
            ("is_local", "Whether the value ends with the transaction."),
        ],
    )
}

fn body(facts: &SessionFacts, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let (names, values, local) = (argument(args, 0)?, argument(args, 1)?, argument(args, 2)?);
    let (names, values, local) = (as_string_array(&names)?, as_string_array(&values)?, as_boolean_array(&local)?);
    let mut settings = facts.settings.write();
    let mut shown = Vec::with_capacity(names.len());
    for (row, name) in names.iter().enumerate() {
        let name = name.ok_or_else(|| Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"))?;
        let scope = if local.is_valid(row) && local.value(row) { Scope::Local } else { Scope::Session };
        settings.set(name, values.is_valid(row).then(|| values.value(row)), scope)?;
        shown.push(settings.get(name)?);
    }
    Ok(ColumnarValue::Array(Arc::new(StringArray::from(shown))))
}
