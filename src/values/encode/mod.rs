//! Arrow values as PostgreSQL bytes, text and binary: one encoder for DataRow and COPY.
//!
//! Work is done once at the level where it can be: formats and settings per result ([`RowEncoder`]), types
//! and downcasts per batch ([`BatchEncoder`]), and only the printing per value. Each file is one noun: how
//! its values print, and how PostgreSQL's send function writes them. Text is what PostgreSQL 15 prints.
//!
//! Nothing here knows the protocol's messages, so every form can be tested as plain bytes.

mod array;
mod boolean;
mod bytea;
pub(crate) mod calendar;
mod column;
mod date;
mod digits;
mod float;
mod formatting;
mod indirect;
mod integer;
mod interval;
mod json;
mod numeric;
mod record;
mod string;
mod time;
mod timestamp;
pub(crate) mod uuid;
mod zone;

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{FieldRef, Schema};

pub(crate) use self::formatting::Formatting;
pub(crate) use self::zone::Zone;
use crate::error::{Error, Result, SqlState};
use crate::values::pg_type::PgType;

/// The two forms in which a client may ask for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// What the type's output function prints.
    Text,
    /// What the type's send function writes.
    Binary,
}

/// The values of one column in one batch, downcast once.
///
/// Rows are counted from 0 and must lie within the column; callers ask [`Values::is_null`] first.
trait Values: Send + Sync {
    /// Whether the value is NULL.
    fn is_null(&self, row: usize) -> bool;

    /// Appends the value as PostgreSQL prints it.
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()>;

    /// Appends the value as PostgreSQL's send function writes it, without its length.
    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()>;

    /// Appends the value as a JSON value: the text as a string, unless the type has a form of its own.
    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let start = out.len();
        self.text(row, out)?;
        json::quote_tail(out, start);
        Ok(())
    }
}

/// How the rows of one result are written: built once, used for all its batches.
pub(crate) struct RowEncoder {
    columns: Vec<Column>,
    formatting: Formatting,
}

struct Column {
    field: FieldRef,
    announced: PgType,
    format: Format,
}

impl RowEncoder {
    /// Takes the announced schema and the result formats as in Bind: none means all text, one applies to
    /// every column, else there is one per column (any other number is 08P01).
    pub(crate) fn try_new(schema: &Schema, formats: &[Format], formatting: Formatting) -> Result<Self> {
        let fields = schema.fields();
        if formats.len() > 1 && formats.len() != fields.len() {
            let message =
                format!("bind message has {} result formats but query has {} columns", formats.len(), fields.len());
            return Err(Error::new(SqlState::PROTOCOL_VIOLATION, message));
        }
        let format_of = |column: usize| match formats {
            [] => Format::Text,
            [all] => *all,
            each => each[column],
        };
        let columns = fields
            .iter()
            .enumerate()
            .map(|(column, field)| Column {
                field: FieldRef::clone(field),
                announced: PgType::of(field),
                format: format_of(column),
            })
            .collect();
        Ok(Self { columns, formatting })
    }

    /// Prepares a batch: every column is downcast here, once.
    ///
    /// A batch whose values are not of the announced types is an internal error (XX000): a client that reads
    /// binary would take them for something else.
    pub(crate) fn batch(&self, batch: &RecordBatch) -> Result<BatchEncoder> {
        if batch.num_columns() != self.columns.len() {
            let message = format!("{} columns were announced but {} arrived", self.columns.len(), batch.num_columns());
            return Err(Error::internal(message));
        }
        let columns = self
            .columns
            .iter()
            .zip(batch.columns())
            .map(|(column, array)| {
                let arrived = PgType::of_values(array.data_type(), &column.field);
                if arrived.oid != column.announced.oid {
                    let message = format!(
                        "column \"{}\" was announced as {} but its values are {arrived}",
                        column.field.name(),
                        column.announced,
                    );
                    return Err(Error::internal(message));
                }
                let values = column::values(array, column.announced, &self.formatting)?;
                Ok((values, column.format))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(BatchEncoder { columns, rows: batch.num_rows() })
    }
}

/// One batch, ready to be written row by row. It holds the batch's buffers, so it may outlive the batch.
pub(crate) struct BatchEncoder {
    columns: Vec<(Box<dyn Values>, Format)>,
    rows: usize,
}

impl BatchEncoder {
    /// Appends a row as it stands in a DataRow after the field count: for each column its length in bytes
    /// (-1 for NULL) and the value. On an error `out` is as it was.
    pub(crate) fn row(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        if row >= self.rows {
            return Err(self.no_such(row, 0));
        }
        let start = out.len();
        let written = self.columns.iter().try_for_each(|(values, format)| measured(&**values, *format, row, out));
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    /// Appends one value without its length; returns false, and appends nothing, if it is NULL.
    /// On an error `out` is as it was.
    pub(crate) fn value(&self, column: usize, row: usize, out: &mut BytesMut) -> Result<bool> {
        let Some((values, format)) = self.columns.get(column).filter(|_| row < self.rows) else {
            return Err(self.no_such(row, column));
        };
        if values.is_null(row) {
            return Ok(false);
        }
        let start = out.len();
        let written = write(&**values, *format, row, out);
        if written.is_err() {
            out.truncate(start);
        }
        written.map(|()| true)
    }

    /// Appends one value as a member of a JSON object, `null` for NULL.
    pub(crate) fn member(&self, name: &str, column: usize, row: usize, out: &mut BytesMut) -> Result<()> {
        let Some((values, _)) = self.columns.get(column).filter(|_| row < self.rows) else {
            return Err(self.no_such(row, column));
        };
        json::quote(name.as_bytes(), out);
        out.put_u8(b':');
        json::value(&**values, row, out)
    }

    fn no_such(&self, row: usize, column: usize) -> Error {
        Error::internal(format!(
            "row {row}, column {column} was asked of a batch of {} rows and {} columns",
            self.rows,
            self.columns.len(),
        ))
    }
}

fn write(values: &dyn Values, format: Format, row: usize, out: &mut BytesMut) -> Result<()> {
    match format {
        Format::Text => values.text(row, out),
        Format::Binary => values.binary(row, out),
    }
}

/// Appends a value behind its length, or -1 for NULL: a field of a DataRow, an element of a binary array.
fn measured(values: &dyn Values, format: Format, row: usize, out: &mut BytesMut) -> Result<()> {
    if values.is_null(row) {
        out.put_i32(-1);
        return Ok(());
    }
    let start = out.len();
    out.put_i32(0);
    write(values, format, row, out)?;
    let length = out.len() - start - 4;
    let length = i32::try_from(length).map_err(|_| {
        let message = format!("a value of {length} bytes is too long to send: the limit is 2147483647 bytes");
        Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
    })?;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Puts the tail of `out` from `start` into double quotes; `escape` names the byte to put before a byte.
fn enclose(out: &mut BytesMut, start: usize, escape: impl Fn(u8) -> Option<u8>) {
    let end = out.len();
    let escapes = out[start..].iter().filter(|byte| escape(**byte).is_some()).count();
    out.resize(end + escapes + 2, b'"');
    // Backwards, so that no byte is overwritten before it was moved; the last byte is the closing quote.
    let mut to = out.len() - 1;
    for from in (start..end).rev() {
        let byte = out[from];
        to -= 1;
        out[to] = byte;
        if let Some(before) = escape(byte) {
            to -= 1;
            out[to] = before;
        }
    }
    out[start] = b'"';
}

/// Bytes that PostgreSQL takes for white space in array and record literals.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

#[cfg(test)]
mod tests;
