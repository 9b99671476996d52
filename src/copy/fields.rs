//! The fields of one line, in the text format and in CSV.

use super::options::{CopyFormat, Options};
use crate::error::{Error, Result, SqlState};

/// The fields of a line, their escapes resolved.
#[derive(Default)]
pub(super) struct Fields {
    bytes: Vec<u8>,
    /// Where each field ends in `bytes`, and whether it is null.
    ends: Vec<(usize, bool)>,
    /// Whether an escape by number may have made bytes that are no text.
    made_bytes: bool,
}

impl Fields {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The field's bytes, `None` if it is null.
    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        let (end, null) = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before].0);
        (!null).then(|| &self.bytes[start..end])
    }

    /// Whether the fields have to be checked to be text although the line was.
    pub(super) fn made_bytes(&self) -> bool {
        self.made_bytes
    }

    /// Splits a line.
    ///
    /// # Errors
    /// 22P04 for a quoted field without end.
    pub(super) fn split(&mut self, line: &[u8], options: &Options) -> Result<()> {
        self.bytes.clear();
        self.ends.clear();
        self.made_bytes = false;
        match options.format {
            CopyFormat::Csv => self.csv(line, options),
            _ => {
                self.text(line, options);
                Ok(())
            }
        }
    }

    fn text(&mut self, line: &[u8], options: &Options) {
        let (delimiter, null) = (options.delimiter, options.null.as_bytes());
        let mut at = 0;
        loop {
            let start = at;
            let mut delimited = false;
            while at < line.len() {
                let plain = line[at..].iter().position(|byte| *byte == delimiter || *byte == b'\\');
                let end = plain.map_or(line.len(), |length| at + length);
                self.bytes.extend_from_slice(&line[at..end]);
                at = end;
                match line.get(at) {
                    None => break,
                    Some(byte) if *byte == delimiter => {
                        delimited = true;
                        break;
                    }
                    Some(_) => at = self.unescape(line, at + 1),
                }
            }
            let is_null = line[start..at] == *null;
            if is_null {
                let before = self.ends.last().map_or(0, |(end, _)| *end);
                self.bytes.truncate(before);
            }
            self.ends.push((self.bytes.len(), is_null));
            if !delimited {
                return;
            }
            at += 1;
        }
    }

    /// Resolves the escape whose backslash stands before `at`; where the text goes on.
    fn unescape(&mut self, line: &[u8], at: usize) -> usize {
        // A backslash at the very end stands for nothing.
        let Some(&byte) = line.get(at) else { return at };
        let resolved = match byte {
            b'0'..=b'7' => {
                let digits = line[at..].iter().take(3).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
                let value = line[at..at + digits].iter().fold(0u32, |value, digit| value * 8 + u32::from(digit - b'0'));
                return self.number(value, at + digits);
            }
            b'x' => {
                let digits = line[at + 1..].iter().take(2).take_while(|digit| digit.is_ascii_hexdigit()).count();
                if digits > 0 {
                    let value = line[at + 1..at + 1 + digits]
                        .iter()
                        .fold(0, |value, digit| value * 16 + char::from(*digit).to_digit(16).unwrap_or(0));
                    return self.number(value, at + 1 + digits);
                }
                b'x'
            }
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            other => other,
        };
        self.bytes.push(resolved);
        at + 1
    }

    fn number(&mut self, value: u32, next: usize) -> usize {
        let byte = (value & 0xff) as u8;
        self.made_bytes |= byte == 0 || byte >= 0x80;
        self.bytes.push(byte);
        next
    }

    fn csv(&mut self, line: &[u8], options: &Options) -> Result<()> {
        let Options { delimiter, quote, escape, null, .. } = options;
        let mut at = 0;
        loop {
            let start = at;
            let mut quoted = false;
            let mut delimited = false;
            'field: loop {
                let plain = line[at..].iter().position(|byte| byte == delimiter || byte == quote);
                let end = plain.map_or(line.len(), |length| at + length);
                self.bytes.extend_from_slice(&line[at..end]);
                at = end;
                match line.get(at) {
                    None => break 'field,
                    Some(byte) if byte == delimiter => {
                        delimited = true;
                        break 'field;
                    }
                    Some(_) => at += 1,
                }
                quoted = true;
                loop {
                    let plain = line[at..].iter().position(|byte| byte == quote || byte == escape);
                    let Some(length) = plain else {
                        let message = "unterminated CSV quoted field";
                        return Err(Error::new(SqlState::BAD_COPY_FILE_FORMAT, message));
                    };
                    self.bytes.extend_from_slice(&line[at..at + length]);
                    at += length;
                    let byte = line[at];
                    at += 1;
                    match line.get(at) {
                        Some(next) if byte == *escape && (next == escape || next == quote) => {
                            self.bytes.push(*next);
                            at += 1;
                        }
                        _ if byte == *quote => break,
                        _ => self.bytes.push(byte),
                    }
                }
            }
            let is_null = !quoted && line[start..at] == *null.as_bytes();
            if is_null {
                let before = self.ends.last().map_or(0, |(end, _)| *end);
                self.bytes.truncate(before);
            }
            self.ends.push((self.bytes.len(), is_null));
            if !delimited {
                return Ok(());
            }
            at += 1;
        }
    }
}
