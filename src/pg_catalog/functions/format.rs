//! `format(template, values…)`: `%s` a value, `%I` a name, `%L` a literal, `%%` a percent sign, `%1$s` by position.

use std::sync::Arc;

use bytes::BytesMut;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::Result;

use super::catalog_function::{Body, Entry};
use crate::error::{Error, SqlState};
use crate::pg_catalog::names::quoted;
use crate::values::encode::{BatchEncoder, Format, Formatting, RowEncoder};

pub(super) const LIST: &[Entry] =
    &[Entry { name: "format", arguments: (1, 32), strict: 1, returns: "text", body: Body::Array(format) }];

fn format(arguments: &[ArrayRef], declared: &[FieldRef]) -> Result<ArrayRef> {
    let (template, values) = arguments.split_first().map_or((None, arguments), |(first, rest)| (Some(first), rest));
    let Some(template) = template else { return Ok(Arc::new(StringViewArray::from(Vec::<Option<&str>>::new()))) };
    let template = cast(template, &DataType::Utf8View)?;
    let printed = printed(values, &declared[1..], template.len())?;
    let row = |(row, template): (usize, Option<&str>)| {
        template.map(|template| fill(template, &printed, values.len(), row)).transpose()
    };
    let filled =
        template.as_string_view().iter().enumerate().map(row).collect::<crate::error::Result<StringViewArray>>();
    Ok(Arc::new(filled?))
}

/// Values as their types print them.
pub(super) fn printed(values: &[ArrayRef], declared: &[FieldRef], count: usize) -> Result<BatchEncoder> {
    let field = |(array, field): (&ArrayRef, &FieldRef)| {
        Field::new("", array.data_type().clone(), true).with_metadata(field.metadata().clone())
    };
    let schema = Arc::new(Schema::new(values.iter().zip(declared).map(field).collect::<Vec<_>>()));
    let rows = RecordBatchOptions::new().with_row_count(Some(count));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), values.to_vec(), &rows)?;
    Ok(RowEncoder::try_new(&schema, &[Format::Text], Formatting::default())?.batch(&batch)?)
}

fn fill(template: &str, values: &BatchEncoder, count: usize, row: usize) -> crate::error::Result<String> {
    let invalid = |message: &str| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let mut out = String::with_capacity(template.len());
    let mut next = 0;
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        let position = match rest[digits..].strip_prefix('$') {
            Some(after) if digits > 0 => {
                let position = rest[..digits].parse::<usize>().ok().and_then(|position| position.checked_sub(1));
                rest = after;
                position.ok_or_else(|| invalid("format specifies argument 0, but arguments are numbered from 1"))?
            }
            _ => next,
        };
        let Some(kind) = rest.chars().next() else { return Err(invalid("unterminated format() type specifier")) };
        rest = &rest[kind.len_utf8()..];
        if !matches!(kind, 's' | 'I' | 'L') {
            return Err(invalid(&format!("unrecognized format() type specifier \"{kind}\"")));
        }
        if position >= count {
            return Err(invalid("too few arguments for format()"));
        }
        next = position + 1;
        let mut bytes = BytesMut::new();
        let value = match values.value(position, row, &mut bytes)? {
            true => Some(String::from_utf8(bytes.to_vec()).map_err(|e| Error::internal(e.to_string()))?),
            false => None,
        };
        match (kind, value) {
            ('s', value) => out.push_str(value.as_deref().unwrap_or("")),
            ('I', Some(value)) => out.push_str(&quoted(&value)),
            ('I', None) => return Err(invalid("null values cannot be formatted as an SQL identifier")),
            (_, Some(value)) => out.push_str(&format!("'{}'", value.replace('\'', "''"))),
            (_, None) => out.push_str("NULL"),
        }
    }
    out.push_str(rest);
    Ok(out)
}
