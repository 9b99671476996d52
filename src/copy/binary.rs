//! PostgreSQL's binary format: a header, tuples of fields behind their lengths, a trailer.

use crate::error::{Error, Result, SqlState};

/// What every such file begins with.
pub(super) const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, and the length of an extension that nobody uses.
const HEADER: usize = 19;
/// The flag of files with object identifiers, which PostgreSQL no longer has.
const HAS_OIDS: u32 = 1 << 16;
/// The longest tuple, as for a line of text.
const LONGEST: usize = 0x3fff_ffff;

/// A file in this format that is being taken apart.
#[derive(Default)]
pub(super) struct Binary {
    bytes: Vec<u8>,
    at: usize,
    begun: bool,
    /// The trailer was met.
    ended: bool,
    number: u64,
}

/// What the file goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tuple {
    /// A tuple whose fields stand from here to there. The last of them may not be whole.
    Row(usize, usize),
    /// More bytes are needed, or there are none.
    None,
}

fn bad(message: impl Into<String>) -> Error {
    Error::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

impl Binary {
    /// Room for more bytes; tuples found before are gone.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.at);
        self.at = 0;
        &mut self.bytes
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the header has been read.
    pub(super) fn is_begun(&self) -> bool {
        self.begun
    }

    /// The number of the tuple that is being read.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next tuple, which must have `expected` fields; `last` when no more bytes will come.
    ///
    /// # Errors
    /// 22P04 for what is no such file.
    pub(super) fn next(&mut self, expected: usize, last: bool) -> Result<Tuple> {
        if !self.begun && !self.begin(last)? {
            return Ok(Tuple::None);
        }
        if self.ended {
            return if self.at < self.bytes.len() {
                Err(bad("received copy data after EOF marker"))
            } else {
                Ok(Tuple::None)
            };
        }
        let rest = &self.bytes[self.at..];
        let Some((count, fields)) = rest.split_first_chunk::<2>() else {
            // A file may end without its trailer, but not in the middle of anything.
            if last && !rest.is_empty() {
                self.number += 1;
                return Err(bad("unexpected EOF in COPY data"));
            }
            return Ok(Tuple::None);
        };
        let count = i16::from_be_bytes(*count);
        if count == -1 {
            self.at += 2;
            self.ended = true;
            self.number += 1;
            return self.next(expected, last);
        }
        if usize::try_from(count) != Ok(expected) {
            self.number += 1;
            return Err(bad(format!("row field count is {count}, expected {expected}")));
        }
        let mut behind = fields;
        for _ in 0..expected {
            match Self::field(behind) {
                Some((_, after)) => behind = after,
                // What is wrong with it is told with the name of its column.
                None if last || Self::is_invalid(behind) => {
                    behind = &[];
                    break;
                }
                None if rest.len() > LONGEST => {
                    let message = format!("a row is longer than {LONGEST} bytes");
                    return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
                }
                None => return Ok(Tuple::None),
            }
        }
        let start = self.at + 2;
        let end = self.bytes.len() - behind.len();
        self.at = end;
        self.number += 1;
        Ok(Tuple::Row(start, end))
    }

    /// A field and what follows it; `None` if it is not whole. The field is `None` where it is null.
    pub(super) fn field(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        match i32::from_be_bytes(*length) {
            -1 => Some((None, rest)),
            length => {
                let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                Some((Some(value), rest))
            }
        }
    }

    /// Why [`Binary::field`] finds none.
    pub(super) fn fault(bytes: &[u8]) -> Error {
        bad(if Self::is_invalid(bytes) { "invalid field size" } else { "unexpected EOF in COPY data" })
    }

    /// Whether a length stands there that is none.
    fn is_invalid(bytes: &[u8]) -> bool {
        bytes.first_chunk::<4>().is_some_and(|length| i32::from_be_bytes(*length) < -1)
    }

    /// Reads the header; false if it is not there yet.
    fn begin(&mut self, last: bool) -> Result<bool> {
        let known = self.bytes.len().min(SIGNATURE.len());
        if self.bytes[..known] != SIGNATURE[..known] || (last && known < SIGNATURE.len()) {
            return Err(bad("COPY file signature not recognized"));
        }
        let word = |at: usize| -> Option<[u8; 4]> { self.bytes.get(at..at + 4)?.try_into().ok() };
        let Some(flags) = word(11).map(u32::from_be_bytes) else {
            return if last { Err(bad("invalid COPY file header (missing flags)")) } else { Ok(false) };
        };
        if flags & HAS_OIDS != 0 {
            return Err(bad("invalid COPY file header (WITH OIDS)"));
        }
        if flags >> 16 != 0 {
            return Err(bad("unrecognized critical flags in COPY file header"));
        }
        let Some(length) = word(15).map(i32::from_be_bytes) else {
            return if last { Err(bad("invalid COPY file header (missing length)")) } else { Ok(false) };
        };
        let Ok(length) = usize::try_from(length) else {
            return Err(bad("invalid COPY file header (missing length)"));
        };
        if self.bytes.len() < HEADER + length {
            return if last || length > LONGEST {
                Err(bad("invalid COPY file header (wrong length)"))
            } else {
                Ok(false)
            };
        }
        self.at = HEADER + length;
        self.begun = true;
        Ok(true)
    }
}
