//! Where the lines of a text end: PostgreSQL's rules for its text format and for CSV.
//!
//! The first line break decides what a line break is; another kind later is an error, since it would as likely be
//! data. In the text format a backslash hides the character behind it; in CSV quotes hide line breaks. A line `\.`
//! ends the data, whatever follows.
//!
//! The text comes in chunks of any size: a scan that runs out of bytes goes on where it stopped.

use super::options::{CopyFormat, Options};
use crate::error::{Error, Result, SqlState};

/// The longest line, as in PostgreSQL.
const LONGEST: usize = 0x3fff_ffff;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    Unknown,
    Newline,
    Return,
    Both,
}

/// What a scan came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A line, without its line break: from here to there in [`Lines::bytes`].
    Line(usize, usize),
    /// More bytes are needed.
    More,
    /// There are no more lines.
    End,
}

/// A text that is being cut into lines.
pub(super) struct Lines {
    format: CopyFormat,
    quote: u8,
    /// None if it is the quote itself.
    escape: Option<u8>,
    bytes: Vec<u8>,
    /// Where the line begins that is being scanned.
    start: usize,
    /// How far it has been scanned.
    at: usize,
    breaks: Break,
    in_quote: bool,
    after_escape: bool,
    /// `\.` was met.
    ended: bool,
    /// The number of the line that was found last, or is being scanned: embedded line breaks count.
    number: u64,
    /// Whether the line being scanned has been counted.
    counted: bool,
}

impl Lines {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            format: options.format,
            quote: options.quote,
            escape: Some(options.escape).filter(|escape| *escape != options.quote),
            bytes: Vec::new(),
            start: 0,
            at: 0,
            breaks: Break::Unknown,
            in_quote: false,
            after_escape: false,
            ended: false,
            number: 0,
            counted: false,
        }
    }

    /// The bytes that [`Found::Line`] points into, until the next push.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of the last line.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The number of the line that comes next or is not whole yet.
    pub(super) fn next_number(&self) -> u64 {
        self.number + u64::from(!self.counted)
    }

    /// Room for more bytes; lines found before are gone.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.at -= self.start;
            self.start = 0;
        }
        &mut self.bytes
    }

    /// The next line; `last` when no more bytes will come.
    ///
    /// # Errors
    /// 22P04 for a line break of another kind than before, 54000 for a line that is too long.
    pub(super) fn next(&mut self, last: bool) -> Result<Found> {
        if self.ended {
            self.start = self.bytes.len();
            self.at = self.start;
            return Ok(if last { Found::End } else { Found::More });
        }
        if !self.counted {
            if self.start == self.bytes.len() {
                return Ok(if last { Found::End } else { Found::More });
            }
            self.number += 1;
            self.counted = true;
        }
        match self.format {
            CopyFormat::Csv => self.csv(last),
            CopyFormat::Json => self.plain(last),
            _ => self.text(last),
        }
    }

    /// Lines that end with `\n` or `\r\n`, nothing else being special.
    fn plain(&mut self, last: bool) -> Result<Found> {
        match self.bytes[self.at..].iter().position(|byte| *byte == b'\n') {
            Some(length) => {
                let end = self.at + length;
                let cut = if self.bytes[self.start..end].ends_with(b"\r") { end - 1 } else { end };
                Ok(self.line(cut, end + 1))
            }
            None => self.rest(self.bytes.len(), last),
        }
    }

    fn text(&mut self, last: bool) -> Result<Found> {
        loop {
            let ahead = &self.bytes[self.at..];
            let Some(skipped) = ahead.iter().position(|byte| matches!(byte, b'\n' | b'\r' | b'\\')) else {
                return self.rest(self.bytes.len(), last);
            };
            self.at += skipped;
            match self.bytes[self.at] {
                b'\n' => return self.newline(),
                b'\r' => match self.carriage_return(last)? {
                    Some(found) => return Ok(found),
                    None => return self.rest(self.at, last),
                },
                _ => match self.bytes.get(self.at + 1) {
                    None => return self.rest(self.at, last),
                    Some(b'.') => {
                        if let Some(found) = self.end_marker(last)? {
                            return Ok(found);
                        }
                    }
                    // What stands behind a backslash is data, a line break too.
                    Some(_) => self.at += 2,
                },
            }
        }
    }

    fn csv(&mut self, last: bool) -> Result<Found> {
        loop {
            let Some(&byte) = self.bytes.get(self.at) else { return self.rest(self.at, last) };
            if byte == b'\r' && !self.in_quote && self.at + 1 == self.bytes.len() && !last {
                return Ok(Found::More);
            }
            if byte == b'\\' && self.at == self.start && !self.in_quote {
                match self.bytes.get(self.at + 1) {
                    None if !last => return Ok(Found::More),
                    Some(b'.') => {
                        let (quoted, escaped) = (self.in_quote, self.after_escape);
                        match self.end_marker(last)? {
                            Some(found) => return Ok(found),
                            None => (self.in_quote, self.after_escape) = (quoted, escaped),
                        }
                        continue;
                    }
                    _ => {}
                }
            }
            let escapes = Some(byte) == self.escape;
            if self.in_quote && escapes {
                self.after_escape = !self.after_escape;
            }
            if byte == self.quote && !self.after_escape {
                self.in_quote = !self.in_quote;
            }
            if !escapes {
                self.after_escape = false;
            }
            if self.in_quote {
                let counts = if self.breaks == Break::Newline { b'\n' } else { b'\r' };
                self.number += u64::from(byte == counts);
            } else if byte == b'\n' {
                return self.newline();
            } else if byte == b'\r' {
                if let Some(found) = self.carriage_return(last)? {
                    return Ok(found);
                }
            }
            self.at += 1;
        }
    }

    fn newline(&mut self) -> Result<Found> {
        if matches!(self.breaks, Break::Return | Break::Both) {
            return Err(self.stray("newline", "\\n"));
        }
        self.breaks = Break::Newline;
        Ok(self.line(self.at, self.at + 1))
    }

    /// The line that ends at a carriage return; `None`: the byte behind it has to be seen first.
    fn carriage_return(&mut self, last: bool) -> Result<Option<Found>> {
        let next = self.bytes.get(self.at + 1).copied();
        if next.is_none() && !last {
            return Ok(None);
        }
        let after = match (self.breaks, next) {
            (Break::Unknown | Break::Both, Some(b'\n')) => {
                self.breaks = Break::Both;
                self.at + 2
            }
            (Break::Unknown | Break::Return, _) => {
                self.breaks = Break::Return;
                self.at + 1
            }
            (Break::Newline | Break::Both, _) => return Err(self.stray("carriage return", "\\r")),
        };
        Ok(Some(self.line(self.at, after)))
    }

    fn stray(&self, what: &str, escape: &str) -> Error {
        let (kind, hint) = if self.format == CopyFormat::Csv {
            ("unquoted", format!("Use quoted CSV field to represent {what}."))
        } else {
            ("literal", format!("Use \"{escape}\" to represent {what}."))
        };
        Error::new(SqlState::BAD_COPY_FILE_FORMAT, format!("{kind} {what} found in data")).with_hint(hint)
    }

    /// What `\.` here means: the end of the data, or (in CSV, where it is moved behind) that it is data. In the text
    /// format nothing may stand between it and the line break.
    fn end_marker(&mut self, last: bool) -> Result<Option<Found>> {
        let csv = self.format == CopyFormat::Csv;
        let bad = |message: &str| Err(Error::new(SqlState::BAD_COPY_FILE_FORMAT, message));
        let (corrupt, other) =
            ("end-of-copy marker corrupt", "end-of-copy marker does not match previous newline style");
        let mut next = self.at + 2;
        let mut verdict = None;
        if self.breaks == Break::Both {
            match self.bytes.get(next) {
                None => return self.unfinished_marker(last),
                Some(b'\r') => next += 1,
                Some(b'\n') => verdict = Some(other),
                Some(_) => verdict = Some(corrupt),
            }
        }
        if verdict.is_none() {
            verdict = match (self.bytes.get(next), self.breaks) {
                (None, _) => return self.unfinished_marker(last),
                (Some(b'\n'), Break::Unknown | Break::Newline | Break::Both) => None,
                (Some(b'\r'), Break::Unknown | Break::Return) => None,
                (Some(b'\r' | b'\n'), _) => return bad(other),
                (Some(_), _) => Some(corrupt),
            };
        }
        match verdict {
            Some(_) if csv => {
                self.at += 2;
                Ok(None)
            }
            Some(message) => bad(message),
            None => {
                self.ended = true;
                let (start, end) = (self.start, self.at);
                self.start = self.bytes.len();
                self.at = self.start;
                self.counted = false;
                if start < end {
                    return Ok(Some(Found::Line(start, end)));
                }
                self.number -= 1;
                Ok(Some(if last { Found::End } else { Found::More }))
            }
        }
    }

    /// At the end of the data, without a line break behind it, the marker is data.
    fn unfinished_marker(&mut self, last: bool) -> Result<Option<Found>> {
        if !last {
            return self.rest(self.at, false).map(Some);
        }
        self.at = self.bytes.len();
        self.rest(self.at, true).map(Some)
    }

    fn line(&mut self, end: usize, next: usize) -> Found {
        let found = Found::Line(self.start, end);
        self.start = next;
        self.at = next;
        self.in_quote = false;
        self.after_escape = false;
        self.counted = false;
        found
    }

    /// No line break up to `scanned`: at the end of the data what is left is the last line.
    fn rest(&mut self, scanned: usize, last: bool) -> Result<Found> {
        if self.bytes.len() - self.start > LONGEST {
            let message = format!("a line is longer than {LONGEST} bytes");
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        self.at = scanned;
        if !last {
            return Ok(Found::More);
        }
        if self.start == self.bytes.len() {
            return Ok(Found::End);
        }
        let end = self.bytes.len();
        Ok(self.line(end, end))
    }
}
