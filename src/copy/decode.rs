//! Chunks of a file to batches of rows, with PostgreSQL's words for what is wrong with which line.

use std::sync::Arc;

use catalog::types::PgType;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::error::DataFusionError;

use super::binary::{Binary, Tuple};
use super::column::Column;
use super::encoding::{self, ToUtf8};
use super::fields::Fields;
use super::json;
use super::lines::{Found, Lines};
use super::options::{CopyFormat, Header, Options};
use crate::error::{Error, Result, SqlState};
use crate::values::encode::Zone;

/// Rows of a batch.
const ROWS: usize = 8192;
/// Bytes of input that fill a batch whose rows are long.
const BYTES: usize = 16 << 20;
/// How much of a line or value a message repeats.
const SHOWN: usize = 100;

/// Where rows go.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The table's name, for messages.
    pub(crate) table: String,
    /// Name, type and NOT NULL of each column that COPY fills, in the order of the fields.
    pub(crate) columns: Vec<(String, PgType, bool)>,
    /// A NOT NULL column that neither COPY nor a default fills.
    pub(crate) unfilled: Option<String>,
    /// The session's time zone.
    pub(crate) zone: Zone,
}

impl Target {
    /// The schema of the batches.
    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(|(name, pg, _)| pg.field(name, true)).collect::<Vec<_>>()))
    }
}

/// A file on its way to rows.
pub(crate) struct Decoder {
    options: Options,
    place: Place,
    unfilled: Option<String>,
    columns: Vec<Column>,
    force_not_null: Vec<bool>,
    force_null: Vec<bool>,
    reader: Reader,
    /// None: the file is UTF-8.
    converter: Option<ToUtf8>,
    /// Why what follows can't be converted; told when the rows before it are read.
    unconverted: Option<Error>,
    header: bool,
    last: bool,
    rows: usize,
    weight: usize,
    schema: SchemaRef,
}

enum Reader {
    Lines(Lines, Fields),
    Binary(Binary),
}

/// What is being read, for messages.
struct Place {
    table: String,
    file: Option<String>,
}

impl Place {
    /// The error with PostgreSQL's line of context, and the file if it is one.
    fn fault(&self, error: Error, line: u64, rest: &str) -> Error {
        let place = format!("COPY {}, line {line}{rest}", self.table);
        error.with_context(match &self.file {
            Some(file) => format!("{place}\nfile \"{file}\""),
            None => place,
        })
    }

    fn at_line(&self, error: Error, line: u64, text: &[u8]) -> Error {
        self.fault(error, line, &format!(": \"{}\"", shown(text)))
    }

    fn at_value(&self, error: Error, line: u64, column: &str, value: Option<&[u8]>) -> Error {
        self.fault(
            error,
            line,
            &match value {
                Some(value) => format!(", column {column}: \"{}\"", shown(value)),
                None => format!(", column {column}: null input"),
            },
        )
    }
}

/// The beginning of a text.
fn shown(text: &[u8]) -> String {
    if text.len() <= SHOWN {
        return String::from_utf8_lossy(text).into_owned();
    }
    let whole = (0..=SHOWN).rev().find(|end| std::str::from_utf8(&text[..*end]).is_ok()).unwrap_or(SHOWN);
    format!("{}...", String::from_utf8_lossy(&text[..whole]))
}

fn null_value(column: &str, table: &str) -> Error {
    let message = format!("null value in column \"{column}\" of relation \"{table}\" violates not-null constraint");
    Error::new(SqlState::NOT_NULL_VIOLATION, message)
}

impl Decoder {
    /// A decoder at the beginning of a file; `file` is its name unless the client sends it.
    pub(crate) fn new(options: &Options, target: &Target, file: Option<String>) -> Result<Self> {
        let columns =
            target.columns.iter().map(|(name, pg, not_null)| Column::new(name, pg.clone(), *not_null, target.zone));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let reader = match options.format {
            CopyFormat::Text | CopyFormat::Csv | CopyFormat::Json => {
                Reader::Lines(Lines::new(options), Fields::default())
            }
            CopyFormat::Binary => Reader::Binary(Binary::default()),
            CopyFormat::Parquet => return Err(Error::internal("Parquet is not read row by row")),
        };
        Ok(Self {
            force_not_null: options.force_not_null.flags(&names, "FORCE_NOT_NULL")?,
            force_null: options.force_null.flags(&names, "FORCE_NULL")?,
            converter: if options.is_textual() { options.encoding.decoder() } else { None },
            header: options.header != Header::None,
            options: options.clone(),
            place: Place { table: target.table.clone(), file },
            unfilled: target.unfilled.clone(),
            schema: target.schema(),
            columns,
            reader,
            unconverted: None,
            last: false,
            rows: 0,
            weight: 0,
        })
    }

    /// Takes in a chunk; `last` when nothing follows it.
    pub(crate) fn push(&mut self, chunk: &[u8], last: bool) {
        self.last |= last;
        match &mut self.reader {
            Reader::Binary(binary) => binary.room().extend_from_slice(chunk),
            Reader::Lines(..) if self.unconverted.is_some() => {}
            Reader::Lines(lines, _) => match &mut self.converter {
                None => lines.room().extend_from_slice(chunk),
                Some(converter) => self.unconverted = converter.push(chunk, last, lines.room()).err(),
            },
        }
    }

    /// The next batch; `None`: more has to be pushed, or that was all.
    ///
    /// # Errors
    /// What is wrong with the data. The decoder is of no use after it.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.rows >= ROWS || self.weight >= BYTES {
                return self.take().map(Some);
            }
            let read = match &self.reader {
                Reader::Lines(..) if self.options.format == CopyFormat::Json => self.object()?,
                Reader::Lines(..) => self.line()?,
                Reader::Binary(_) => self.tuple()?,
            };
            if !read {
                return if self.last && self.rows > 0 { self.take().map(Some) } else { Ok(None) };
            }
        }
    }

    fn take(&mut self) -> Result<RecordBatch> {
        let arrays = self.columns.iter_mut().map(Column::take).collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options);
        self.rows = 0;
        self.weight = 0;
        Ok(batch.map_err(DataFusionError::from)?)
    }

    /// Counts a row that has been read whole.
    fn count(&mut self, weight: usize) {
        self.rows += 1;
        self.weight += weight;
    }

    /// The next line as it stands in the reader: where it begins and ends.
    fn next_line(&mut self) -> Result<Option<(usize, usize)>> {
        let Reader::Lines(lines, _) = &mut self.reader else { return Ok(None) };
        // What could not be converted is no end of the data.
        let last = self.last && self.unconverted.is_none();
        match lines.next(last).map_err(|e| self.place.fault(e, lines.number(), ""))? {
            Found::Line(start, end) => {
                let line = &lines.bytes()[start..end];
                encoding::checked(line).map_err(|e| self.place.fault(e, lines.number(), ""))?;
                Ok(Some((start, end)))
            }
            Found::More | Found::End => match self.unconverted.take() {
                Some(error) => Err(self.place.fault(error, lines.next_number(), "")),
                None => Ok(None),
            },
        }
    }

    /// Reads a row of the text format or CSV; false if there is none.
    fn line(&mut self) -> Result<bool> {
        let Some((start, end)) = self.next_line()? else { return Ok(false) };
        let Reader::Lines(lines, fields) = &mut self.reader else { return Ok(false) };
        let (line, number) = (&lines.bytes()[start..end], lines.number());
        let place = &self.place;
        let bad = |message: String| place.at_line(Error::new(SqlState::BAD_COPY_FILE_FORMAT, message), number, line);
        if std::mem::take(&mut self.header) && self.options.header == Header::Present {
            return Ok(true);
        }
        fields.split(line, &self.options).map_err(|e| place.at_line(e, number, line))?;
        let expected = self.columns.len();
        if number == 1 && self.options.header == Header::Match {
            match_header(fields, &self.columns, &self.options).map_err(|e| place.at_line(e, number, line))?;
            return Ok(true);
        }
        if fields.len() > expected && (expected > 0 || !line.is_empty()) {
            return Err(bad("extra data after last expected column".to_owned()));
        }
        let check = fields.made_bytes();
        // Told when the whole row has been read, as constraints are.
        let mut absent = self.unfilled.as_ref();
        for (index, column) in self.columns.iter_mut().enumerate() {
            if index >= fields.len() {
                return Err(bad(format!("missing data for column \"{}\"", column.name)));
            }
            let mut value = fields.get(index);
            if value.is_none() && self.force_not_null[index] {
                value = Some(self.options.null.as_bytes());
            } else if self.force_null[index] && value == Some(self.options.null.as_bytes()) {
                value = None;
            }
            match value {
                Some(value) => {
                    if check {
                        encoding::checked(value).map_err(|e| place.at_line(e, number, line))?;
                    }
                    column.push_text(value).map_err(|e| place.at_value(e, number, &column.name, Some(value)))?
                }
                None => {
                    column.push_null()?;
                    if column.not_null {
                        absent.get_or_insert(&column.name);
                    }
                }
            }
        }
        if let Some(absent) = absent {
            return Err(place.at_line(null_value(absent, &place.table), number, line));
        }
        self.count(end - start);
        Ok(true)
    }

    /// Reads a JSON object; false if there is none.
    fn object(&mut self) -> Result<bool> {
        let Some((start, end)) = self.next_line()? else { return Ok(false) };
        let Reader::Lines(lines, _) = &self.reader else { return Ok(false) };
        let (line, number) = (&lines.bytes()[start..end], lines.number());
        let place = &self.place;
        let text = encoding::checked(line)?;
        if text.trim().is_empty() {
            return Ok(true);
        }
        let mut values: Vec<Option<&str>> = vec![None; self.columns.len()];
        for (key, value) in json::members(text).map_err(|e| place.at_line(e, number, line))? {
            let Some(index) = self.columns.iter().position(|column| column.name == key) else {
                let message = format!("key \"{key}\" is not a column that COPY fills");
                return Err(place.at_line(Error::new(SqlState::BAD_COPY_FILE_FORMAT, message), number, line));
            };
            if values[index].replace(value).is_some() {
                let message = format!("key \"{key}\" appears twice");
                return Err(place.at_line(Error::new(SqlState::BAD_COPY_FILE_FORMAT, message), number, line));
            }
        }
        let mut absent = self.unfilled.as_ref();
        for (column, value) in self.columns.iter_mut().zip(values) {
            match value.filter(|value| *value != "null") {
                Some(value) => json::field(value, column.kind())
                    .and_then(|field| column.push_text(field.as_bytes()))
                    .map_err(|e| place.at_value(e, number, &column.name, Some(value.as_bytes())))?,
                None => {
                    column.push_null()?;
                    if column.not_null {
                        absent.get_or_insert(&column.name);
                    }
                }
            }
        }
        if let Some(absent) = absent {
            return Err(place.at_line(null_value(absent, &place.table), number, line));
        }
        self.count(end - start);
        Ok(true)
    }

    /// Reads a row of the binary format; false if there is none.
    fn tuple(&mut self) -> Result<bool> {
        let Reader::Binary(binary) = &mut self.reader else { return Ok(false) };
        let place = &self.place;
        let expected = self.columns.len();
        let found = binary.next(expected, self.last).map_err(|e| match (binary.is_begun(), &place.file) {
            (true, _) => place.fault(e, binary.number(), ""),
            (false, Some(file)) => e.with_context(format!("file \"{file}\"")),
            // Before the first row there is no line to speak of.
            (false, None) => e,
        })?;
        let Tuple::Row(start, end) = found else { return Ok(false) };
        let number = binary.number();
        let mut rest = &binary.bytes()[start..end];
        let mut absent = self.unfilled.as_ref();
        for column in &mut self.columns {
            let Some((value, after)) = Binary::field(rest) else {
                return Err(place.fault(Binary::fault(rest), number, &format!(", column {}", column.name)));
            };
            rest = after;
            match value {
                Some(value) => column
                    .push_binary(value)
                    .map_err(|e| place.fault(e, number, &format!(", column {}", column.name)))?,
                None => {
                    column.push_null()?;
                    if column.not_null {
                        absent.get_or_insert(&column.name);
                    }
                }
            }
        }
        if let Some(absent) = absent {
            return Err(place.fault(null_value(absent, &place.table), number, ""));
        }
        self.count(end - start);
        Ok(true)
    }
}

/// HEADER MATCH: the first line has the names of the columns in order.
fn match_header(fields: &Fields, columns: &[Column], options: &Options) -> Result<()> {
    let bad = |message: String| Err(Error::new(SqlState::BAD_COPY_FILE_FORMAT, message));
    if fields.len() != columns.len() {
        return bad(format!("wrong number of fields in header line: got {}, expected {}", fields.len(), columns.len()));
    }
    for (index, column) in columns.iter().enumerate() {
        let number = index + 1;
        let name = &column.name;
        match fields.get(index) {
            None => {
                let null = &options.null;
                return bad(format!(
                    "column name mismatch in header line field {number}: got null value (\"{null}\"), expected \"{name}\""
                ));
            }
            Some(given) if given != name.as_bytes() => {
                let given = shown(given);
                return bad(format!(
                    "column name mismatch in header line field {number}: got \"{given}\", expected \"{name}\""
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
