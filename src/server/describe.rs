//! What clients are told of a result before its rows: names, types and formats of its columns.

use datafusion::arrow::datatypes::Schema;
use pgwire::messages::data::{FORMAT_CODE_BINARY, FORMAT_CODE_TEXT, FieldDescription, RowDescription};

use crate::error::{Error, Result, SqlState};

use super::error::{protocol_violation, wire_text};
use crate::values::encode::Format;
use crate::values::pg_type::PgType;

/// The RowDescription of `schema`, each column in its format of `formats`.
pub(super) fn row_description(schema: &Schema, formats: &[Format]) -> Result<RowDescription> {
    column_count(schema)?;
    let fields = schema.fields().iter().zip(formats).map(|(field, format)| {
        let pg_type = PgType::of(field);
        let format = match format {
            Format::Text => FORMAT_CODE_TEXT,
            Format::Binary => FORMAT_CODE_BINARY,
        };
        // Results of statements: no table, no column number.
        let name = wire_text(field.name());
        FieldDescription::new(name, 0, 0, pg_type.oid, pg_type.len, pg_type.typmod, format)
    });
    Ok(RowDescription::new(fields.collect()))
}

/// The number of columns of `schema`, which the wire counts in 16 bits.
pub(super) fn column_count(schema: &Schema) -> Result<i16> {
    let columns = schema.fields().len();
    i16::try_from(columns).map_err(|_| {
        Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("result has {columns} columns, at most {} can be sent", i16::MAX),
        )
        .with_hint("select fewer columns")
    })
}

/// All columns of `schema` as text: what a client gets that asks for nothing else.
pub(super) fn all_text(schema: &Schema) -> Vec<Format> {
    vec![Format::Text; schema.fields().len()]
}

/// One format per column from the codes of a Bind message: none = all text, one = for all.
pub(super) fn result_formats(codes: &[i16], columns: usize) -> Result<Vec<Format>> {
    let given = codes.len();
    expand(codes, columns).unwrap_or_else(|| {
        Err(protocol_violation(format!("bind message has {given} result formats but query has {columns} columns")))
    })
}

/// One format per parameter from the codes of a Bind message: none = all text, one = for all.
pub(super) fn parameter_formats(codes: &[i16], parameters: usize) -> Result<Vec<Format>> {
    let given = codes.len();
    expand(codes, parameters).unwrap_or_else(|| {
        Err(protocol_violation(format!("bind message has {given} parameter formats but {parameters} parameters")))
    })
}

/// `count` formats from `codes`; None if there are too few or too many of them.
fn expand(codes: &[i16], count: usize) -> Option<Result<Vec<Format>>> {
    match codes {
        [] => Some(Ok(vec![Format::Text; count])),
        [code] => Some(format(*code).map(|format| vec![format; count])),
        codes if codes.len() == count => Some(codes.iter().map(|code| format(*code)).collect()),
        _ => None,
    }
}

fn format(code: i16) -> Result<Format> {
    match code {
        FORMAT_CODE_TEXT => Ok(Format::Text),
        FORMAT_CODE_BINARY => Ok(Format::Binary),
        _ => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unsupported format code: {code}"))
            .with_hint("send 0 for text or 1 for binary")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(formats: Result<Vec<Format>>) -> Result<Vec<bool>, &'static str> {
        let is_binary = |format| matches!(format, Format::Binary);
        formats.map(|formats| formats.into_iter().map(is_binary).collect()).map_err(|error| error.sqlstate.0)
    }

    #[test]
    fn format_codes_stand_for_none_all_or_each() {
        assert_eq!(binary(result_formats(&[], 2)), Ok(vec![false, false]));
        assert_eq!(binary(result_formats(&[1], 2)), Ok(vec![true, true]));
        assert_eq!(binary(result_formats(&[1, 0], 2)), Ok(vec![true, false]));
        assert_eq!(binary(result_formats(&[1], 0)), Ok(vec![]));
        assert_eq!(binary(result_formats(&[1, 0], 3)), Err("08P01"));
        assert_eq!(binary(parameter_formats(&[1, 0], 1)), Err("08P01"));
        assert_eq!(binary(parameter_formats(&[2], 1)), Err("22023"));
    }
}
