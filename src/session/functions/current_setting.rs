//! `current_setting(name [, missing_ok])`: a setting's value as SHOW prints it.

use std::sync::Arc;

use datafusion::arrow::array::{Array, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::cast::{as_boolean_array, as_string_array};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, Signature, TypeSignature, Volatility};

use super::session_function::argument;
use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "current_setting",
        DataType::Utf8,
        body,
        "current_setting(name [, missing_ok])",
        "Returns the value of a setting. An unknown name is an error, or NULL if missing_ok is true.",
    )
    .taking(
        Signature::one_of(
            vec![
                TypeSignature::Exact(vec![DataType::Utf8]),
                TypeSignature::Exact(vec![DataType::Utf8, DataType::Boolean]),
            ],
            Volatility::Stable,
        ),
        &[
            ("name", "The setting's name, in any letter case."),
            ("missing_ok", "Whether an unknown name gives NULL instead of an error."),
        ],
    )
}

fn body(facts: &SessionFacts, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let names = argument(args, 0)?;
    let names = as_string_array(&names)?;
    let missing_ok = if args.args.len() > 1 { Some(argument(args, 1)?) } else { None };
    let missing_ok = missing_ok.as_ref().map(|array| as_boolean_array(array)).transpose()?;
    let settings = facts.settings.read();
    let mut values = Vec::with_capacity(names.len());
    for (row, name) in names.iter().enumerate() {
        // As a strict function it gives NULL for any NULL argument.
        let tolerant = match missing_ok {
            Some(flags) => flags.is_valid(row).then(|| flags.value(row)),
            None => Some(false),
        };
        values.push(match (name, tolerant) {
            (Some(name), Some(tolerant)) => match settings.get(name) {
                Ok(value) => Some(value),
                Err(_) if tolerant => None,
                Err(e) => return Err(e.into()),
            },
            _ => None,
        });
    }
    Ok(ColumnarValue::Array(Arc::new(StringArray::from(values))))
}
