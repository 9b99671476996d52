//! Rows to bytes: text, CSV and binary as PostgreSQL writes them, JSON one object a line.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;

use super::binary::SIGNATURE;
use super::encoding::Encoding;
use super::options::{CopyFormat, Header, Options};
use crate::error::{Error, Result, SqlState};
use crate::values::encode::{BatchEncoder, Format, Formatting, RowEncoder};

/// The rows of one COPY TO on their way out.
pub(crate) struct Encoder {
    options: Options,
    names: Vec<String>,
    force_quote: Vec<bool>,
    rows: RowEncoder,
    /// One value before it is escaped.
    value: BytesMut,
    /// One row before it is converted.
    row: BytesMut,
}

impl Encoder {
    pub(crate) fn new(options: Options, schema: &Schema, formatting: Formatting) -> Result<Self> {
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        if options.format == CopyFormat::Binary && i16::try_from(names.len()).is_err() {
            let message = format!("result has {} columns, at most {} can be copied", names.len(), i16::MAX);
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        let format = if options.format == CopyFormat::Binary { Format::Binary } else { Format::Text };
        Ok(Self {
            force_quote: options.force_quote.flags(&names, "FORCE_QUOTE")?,
            rows: RowEncoder::try_new(schema, &[format], formatting)?,
            names,
            options,
            value: BytesMut::new(),
            row: BytesMut::new(),
        })
    }

    /// Prepares a batch for [`Encoder::row`].
    pub(crate) fn batch(&self, batch: &RecordBatch) -> Result<BatchEncoder> {
        self.rows.batch(batch)
    }

    /// Appends what stands before the rows, if anything does.
    pub(crate) fn header(&mut self, out: &mut BytesMut) -> Result<()> {
        if self.options.format == CopyFormat::Binary {
            out.put_slice(SIGNATURE);
            // No flags, no extension.
            out.put_u64(0);
        } else if self.options.header != Header::None {
            let mut line = std::mem::take(&mut self.row);
            line.clear();
            for (index, name) in self.names.iter().enumerate() {
                if index > 0 {
                    line.put_u8(self.options.delimiter);
                }
                match self.options.format {
                    CopyFormat::Csv => quote(name.as_bytes(), false, self.names.len() == 1, &self.options, &mut line),
                    _ => escape(name.as_bytes(), self.options.delimiter, &mut line),
                }
            }
            line.put_u8(b'\n');
            let converted = convert(self.options.encoding, &line, out);
            self.row = line;
            converted?;
        }
        Ok(())
    }

    /// Appends a row.
    pub(crate) fn row(&mut self, batch: &BatchEncoder, row: usize, out: &mut BytesMut) -> Result<()> {
        if self.options.format == CopyFormat::Binary {
            out.put_i16(self.names.len() as i16);
            return batch.row(row, out);
        }
        if self.options.encoding == Encoding::default() {
            return self.line(batch, row, out);
        }
        let mut line = std::mem::take(&mut self.row);
        line.clear();
        let written = self.line(batch, row, &mut line).and_then(|()| convert(self.options.encoding, &line, out));
        self.row = line;
        written
    }

    /// Appends what stands behind the rows, if anything does.
    pub(crate) fn trailer(&self, out: &mut BytesMut) {
        if self.options.format == CopyFormat::Binary {
            out.put_i16(-1);
        }
    }

    fn line(&mut self, batch: &BatchEncoder, row: usize, out: &mut BytesMut) -> Result<()> {
        let json = self.options.format == CopyFormat::Json;
        if json {
            out.put_u8(b'{');
        }
        for column in 0..self.names.len() {
            if json {
                if column > 0 {
                    out.put_u8(b',');
                }
                let start = out.len();
                batch.member(&self.names[column], column, row, out)?;
                // Between the parts of a JSON value a line break is a space like any other.
                out[start..].iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
                continue;
            }
            if column > 0 {
                out.put_u8(self.options.delimiter);
            }
            self.value.clear();
            if !batch.value(column, row, &mut self.value)? {
                out.put_slice(self.options.null.as_bytes());
            } else if self.options.format == CopyFormat::Csv {
                let alone = self.names.len() == 1;
                quote(&self.value, self.force_quote[column], alone, &self.options, out);
            } else {
                escape(&self.value, self.options.delimiter, out);
            }
        }
        out.put_slice(if json { b"}\n" } else { b"\n" });
        Ok(())
    }
}

fn convert(encoding: Encoding, line: &[u8], out: &mut BytesMut) -> Result<()> {
    out.put_slice(&encoding.encode(line)?);
    Ok(())
}

/// Appends a value with a backslash before what would be read as something else.
fn escape(value: &[u8], delimiter: u8, out: &mut BytesMut) {
    let mut rest = value;
    loop {
        let special = rest.iter().position(|byte| *byte < 0x20 || *byte == b'\\' || *byte == delimiter);
        let (plain, after) = rest.split_at(special.unwrap_or(rest.len()));
        out.put_slice(plain);
        let Some((byte, after)) = after.split_first() else { return };
        rest = after;
        let letter = match byte {
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x0b => b'v',
            _ if *byte == b'\\' || *byte == delimiter => *byte,
            // Other control characters mean nothing to who reads it.
            _ => {
                out.put_u8(*byte);
                continue;
            }
        };
        out.put_slice(&[b'\\', letter]);
    }
}

/// Appends a value of a CSV file, in quotes if it needs them; `alone` when it is all of its line.
fn quote(value: &[u8], force: bool, alone: bool, options: &Options, out: &mut BytesMut) {
    let Options { delimiter, quote, escape, null, .. } = options;
    let special = |byte: &u8| byte == delimiter || byte == quote || *byte == b'\n' || *byte == b'\r';
    let quoted = force
        || value == null.as_bytes()
        // Alone on a line it would end the data.
        || (alone && value == b"\\.")
        || value.iter().any(special);
    if !quoted {
        out.put_slice(value);
        return;
    }
    out.put_u8(*quote);
    for byte in value {
        if byte == quote || byte == escape {
            out.put_u8(*escape);
        }
        out.put_u8(*byte);
    }
    out.put_u8(*quote);
}
