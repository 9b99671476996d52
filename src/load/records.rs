//! A text file as records: its bytes come in chunks, a splitter finds rows and fields in them.
//!
//! A [`Block`] holds the rows of one chunk. Fields are ranges of the chunk itself; only what had to be unescaped is
//! copied. Blocks are as large as a chunk and whatever record began in the one before, so memory does not grow with the
//! file.

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};
use tokio::io::AsyncReadExt;

use super::csv::CsvSplitter;
use super::json::JsonSplitter;
use super::source::{Bytes, Input};
use crate::error::{Error, Result, SqlState};

/// Bytes that are split at once.
const CHUNK: usize = 1 << 20;
/// A record longer than this is taken for a mistake, such as a quote that is never closed.
const LONGEST_RECORD: usize = 64 << 20;

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// NULL.
    Null,
    /// Text as it stands in the file: an unquoted CSV value, a number or boolean of JSON.
    Plain,
    /// A quoted CSV value.
    Quoted,
    /// A JSON string, without its quotes.
    String,
    /// A JSON array or object, as it stands in the file.
    Nested,
}

/// One value of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) kind: Kind,
    /// Whether it was copied, because it had to be unescaped.
    pub(super) copied: bool,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Field {
    pub(super) const NULL: Self = Self { kind: Kind::Null, copied: false, start: 0, end: 0 };
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// The line on which it begins, from 1.
    pub(super) line: u64,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A row that is no row of this file, or a value that is none of its column.
#[derive(Debug)]
pub(super) struct Fault {
    /// Its row within the block.
    pub(super) row: usize,
    /// The column, if it is about one.
    pub(super) column: Option<String>,
    /// The value, if it is about one.
    pub(super) value: Option<String>,
    pub(super) error: Error,
}

/// Rows of one chunk of a file.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The rows' bytes, which are UTF-8.
    pub(super) text: String,
    /// Fields that had to be unescaped.
    pub(super) copies: String,
    pub(super) rows: Vec<Row>,
    /// `width` for each row; all NULL for a row that has a fault.
    pub(super) fields: Vec<Field>,
    /// Fields of a row.
    pub(super) width: usize,
    /// Rows that could not be split.
    pub(super) faults: Vec<Fault>,
}

impl Block {
    /// A field, with its text.
    pub(super) fn field(&self, row: usize, column: usize) -> (Kind, &str) {
        let field = self.fields[row * self.width + column];
        let text = if field.copied { &self.copies } else { &self.text };
        (field.kind, &text[field.start as usize..field.end as usize])
    }

    /// A row as it stands in the file, without its line end.
    pub(super) fn raw(&self, row: usize) -> &str {
        let Row { start, end, .. } = self.rows[row];
        self.text[start as usize..end as usize].trim_end_matches(['\n', '\r'])
    }
}

/// Finds rows and fields.
#[derive(Debug)]
pub(super) enum Splitter {
    Csv(CsvSplitter),
    Json(JsonSplitter),
}

impl Splitter {
    /// Appends the whole rows of `text` to `block` and returns how many bytes they take. `last`: nothing follows, so
    /// that what is left is a row too.
    fn split(&mut self, text: &str, last: bool, block: &mut Block) -> usize {
        match self {
            Self::Csv(csv) => csv.split(text, last, block),
            Self::Json(json) => json.split(text, last, block),
        }
    }
}

/// Reads a file's text, in UTF-8 whatever its own encoding is.
pub(super) struct Text {
    input: Input,
    bytes: Bytes,
    decoder: Option<Decoder>,
    given: Option<&'static Encoding>,
    /// Bytes read that are not text yet: the beginning of a character.
    raw: Vec<u8>,
    /// Text that is not taken yet.
    pub(super) text: String,
    started: bool,
    pub(super) ended: bool,
    /// Lines taken before `text`.
    lines: u64,
}

impl Text {
    pub(super) fn new(input: Input, bytes: Bytes, encoding: Option<&'static Encoding>) -> Self {
        Self {
            input,
            bytes,
            decoder: None,
            given: encoding,
            raw: Vec::new(),
            text: String::new(),
            started: false,
            ended: false,
            lines: 0,
        }
    }

    /// Reads one more chunk.
    pub(super) async fn fill(&mut self) -> Result<()> {
        let wanted = self.raw.len() + CHUNK;
        let mut chunk = (&mut self.bytes).take(CHUNK as u64);
        self.raw.reserve(CHUNK);
        while self.raw.len() < wanted {
            let read = chunk.read_buf(&mut self.raw).await.map_err(|e| self.input.unreadable(e))?;
            if read == 0 {
                self.ended = true;
                break;
            }
        }
        if !self.started {
            self.started = true;
            self.begin();
        }
        match self.decoder.take() {
            Some(mut decoder) => {
                let decoded = self.decode(&mut decoder);
                self.decoder = Some(decoder);
                decoded
            }
            None => self.take_utf8(),
        }
    }

    /// Takes a byte order mark off and chooses the decoder.
    fn begin(&mut self) {
        let marked = Encoding::for_bom(&self.raw);
        if let Some((_, length)) = marked {
            self.raw.drain(..length);
        }
        let encoding = marked.map(|(encoding, _)| encoding).or(self.given).unwrap_or(UTF_8);
        if encoding != UTF_8 {
            self.decoder = Some(encoding.new_decoder_without_bom_handling());
        }
    }

    fn take_utf8(&mut self) -> Result<()> {
        let valid = match std::str::from_utf8(&self.raw) {
            Ok(text) => text.len(),
            // A character that the next chunk completes.
            Err(e) if e.error_len().is_none() && !self.ended => e.valid_up_to(),
            Err(e) => {
                let line = self.lines + 1 + newlines(&self.text) + newlines_of(&self.raw[..e.valid_up_to()]);
                let byte = self.raw.get(e.valid_up_to()).copied().unwrap_or(0);
                let message = format!("invalid byte sequence for encoding \"UTF8\": 0x{byte:02x}");
                return Err(Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
                    .with_hint("--encoding says what the file is written in, for instance windows-1252")
                    .inside(format!("{}, line {line}", self.input.name)));
            }
        };
        // Checked above; a failure here is impossible and would only drop the chunk's start.
        self.text.push_str(std::str::from_utf8(&self.raw[..valid]).unwrap_or_default());
        self.raw.drain(..valid);
        Ok(())
    }

    fn decode(&mut self, decoder: &mut Decoder) -> Result<()> {
        let mut at = 0;
        loop {
            let room = decoder.max_utf8_buffer_length(self.raw.len() - at).unwrap_or(CHUNK);
            self.text.reserve(room);
            let (result, read, malformed) = decoder.decode_to_string(&self.raw[at..], &mut self.text, self.ended);
            at += read;
            if malformed {
                let message = format!("invalid byte sequence for encoding \"{}\"", decoder.encoding().name());
                return Err(Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message).inside(&self.input.name));
            }
            if result == CoderResult::InputEmpty {
                self.raw.drain(..at);
                return Ok(());
            }
        }
    }

    /// Takes the first `length` bytes of the text.
    pub(super) fn take(&mut self, length: usize) -> String {
        let rest = self.text.split_off(length);
        let taken = std::mem::replace(&mut self.text, rest);
        self.lines += newlines(&taken);
        taken
    }

    /// The next rows; `None` after the last.
    pub(super) async fn next(&mut self, splitter: &mut Splitter) -> Result<Option<Block>> {
        loop {
            if !self.text.is_empty() {
                let mut block = Block::default();
                let length = splitter.split(&self.text, self.ended, &mut block);
                if length > 0 {
                    let before = self.lines;
                    block.text = self.take(length);
                    for row in &mut block.rows {
                        row.line += before;
                    }
                    if !block.rows.is_empty() {
                        return Ok(Some(block));
                    }
                    continue;
                }
            }
            if self.ended {
                return Ok(None);
            }
            if self.text.len() > LONGEST_RECORD {
                let message = format!("a record is longer than {} MB", LONGEST_RECORD >> 20);
                return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
                    .with_hint("is there a quote that is never closed?")
                    .inside(format!("{}, line {}", self.input.name, self.lines + 1)));
            }
            self.fill().await?;
        }
    }
}

fn newlines(text: &str) -> u64 {
    newlines_of(text.as_bytes())
}

fn newlines_of(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}
