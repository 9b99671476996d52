//! Results as PostgreSQL's text, for callers that print: the command line, tests, embedders.

use bytes::BytesMut;
use datafusion::arrow::array::RecordBatch;

use crate::error::{Error, Result};
use crate::session::Session;
use crate::values::encode::{Format, Formatting, RowEncoder};

/// The values of a batch, row by row, as psql would show them to this session (its time zone, its date style);
/// `None` is null.
///
/// # Errors
/// XX000 for a value that has no PostgreSQL form, which no column of a result has.
pub fn format_batch(batch: &RecordBatch, session: &Session) -> Result<Vec<Vec<Option<String>>>> {
    let formatting = Formatting::from_settings(|name| session.setting(name))?;
    let encoder = RowEncoder::try_new(batch.schema_ref(), &[Format::Text], formatting)?;
    let values = encoder.batch(batch)?;
    let mut rows = Vec::with_capacity(batch.num_rows());
    let mut buffer = BytesMut::new();
    for row in 0..batch.num_rows() {
        let mut cells = Vec::with_capacity(batch.num_columns());
        for column in 0..batch.num_columns() {
            buffer.clear();
            cells.push(match values.value(column, row, &mut buffer)? {
                true => Some(String::from_utf8(buffer.to_vec()).map_err(|e| Error::internal(e.to_string()))?),
                false => None,
            });
        }
        rows.push(cells);
    }
    Ok(rows)
}
