//! `json_build_object(key, value, …)`: a json object of what stands in a row.

use std::sync::Arc;

use bytes::BytesMut;
use catalog::types::PG_TYPE;
use datafusion::arrow::array::{ArrayRef, StringViewArray};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;

use super::catalog_function::{Body, Entry};
use super::format::printed;
use crate::error::{Error, SqlState};

pub(super) const LIST: &[Entry] =
    &[Entry { name: "json_build_object", arguments: (1, 64), strict: 0, returns: "json", body: Body::Array(build) }];

fn build(arguments: &[ArrayRef], fields: &[FieldRef]) -> Result<ArrayRef> {
    let invalid = |message: &str| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    if !arguments.len().is_multiple_of(2) {
        let error = invalid("argument list must have even number of elements");
        let hint = "The arguments of json_build_object() must consist of alternating keys and values.";
        return Err(error.with_hint(hint).into());
    }
    if let Some(nested) = arguments.iter().find(|array| array.data_type().is_nested()) {
        return Err(Error::unsupported(format!("json_build_object of a value of {}", nested.data_type())).into());
    }
    let rows = arguments.first().map_or(0, |array| array.len());
    let values = printed(arguments, fields, rows)?;
    let mut objects = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut parts = Vec::with_capacity(arguments.len() / 2);
        for at in (0..arguments.len()).step_by(2) {
            let key = text(&values, at, row)?;
            let key = key.ok_or_else(|| invalid(&format!("argument {}: key must not be null", at + 1)))?;
            let value = match text(&values, at + 1, row)? {
                None => "null".to_owned(),
                Some(text) if is_json(&fields[at + 1]) => text,
                Some(text) if *fields[at + 1].data_type() == DataType::Boolean => (text == "t").to_string(),
                Some(text) => serde_json::Value::String(text).to_string(),
            };
            parts.push(format!("{} : {value}", serde_json::Value::String(key)));
        }
        objects.push(format!("{{{}}}", parts.join(", ")));
    }
    Ok(Arc::new(objects.into_iter().map(Some).collect::<StringViewArray>()))
}

/// Whether a value's text is json as it stands.
fn is_json(field: &FieldRef) -> bool {
    let declared = field.metadata().get(PG_TYPE).map(String::as_str);
    matches!(declared, Some("json" | "jsonb")) || field.data_type().is_numeric()
}

fn text(values: &crate::values::encode::BatchEncoder, column: usize, row: usize) -> Result<Option<String>> {
    let mut bytes = BytesMut::new();
    if !values.value(column, row, &mut bytes)? {
        return Ok(None);
    }
    Ok(Some(String::from_utf8(bytes.to_vec()).map_err(|e| Error::internal(e.to_string()))?))
}
