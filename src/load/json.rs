//! Newline-delimited JSON: one object a line, its members cut out without being read.

use std::collections::HashMap;

use super::records::{Block, Fault, Field, Kind, Row};
use crate::error::{Error, Result, SqlState};

/// Rows of a block, whatever their length.
const BLOCK_ROWS: usize = 1 << 16;

/// Finds rows, and the members that are columns in them.
#[derive(Debug, Default)]
pub(super) struct JsonSplitter {
    names: Vec<String>,
    positions: HashMap<String, usize>,
    /// Whether only rows are wanted, because the columns are not known yet.
    discover: bool,
}

/// A member's value: what it is, and its place in the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) kind: Kind,
    /// Whether the string has escapes.
    pub(super) escaped: bool,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl JsonSplitter {
    pub(super) fn new(columns: Vec<String>) -> Self {
        let positions = columns.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        Self { names: columns, positions, discover: false }
    }

    /// Finds lines only.
    pub(super) fn discovering() -> Self {
        Self { discover: true, ..Self::default() }
    }

    /// See `Splitter::split`.
    pub(super) fn split(&mut self, text: &str, last: bool, block: &mut Block) -> usize {
        block.width = self.names.len();
        let (mut at, mut line) = (0, 1);
        while at < text.len() && block.rows.len() < BLOCK_ROWS {
            let end = match text.as_bytes()[at..].iter().position(|byte| *byte == b'\n') {
                Some(length) => at + length + 1,
                None if last => text.len(),
                None => break,
            };
            let row = &text[at..end];
            if !row.trim_ascii().is_empty() {
                if !self.discover {
                    self.row(row, at, block);
                }
                block.rows.push(Row { line, start: at as u32, end: end as u32 });
            }
            line += 1;
            at = end;
        }
        at
    }

    fn row(&self, row: &str, offset: usize, block: &mut Block) {
        let first = block.fields.len();
        block.fields.extend(std::iter::repeat_n(Field::NULL, self.names.len()));
        let (mut expected, mut unknown) = (0, None);
        let fields = &mut block.fields[first..];
        let copies = &mut block.copies;
        let outcome = members(row, |key, member| {
            // Members mostly come in the same order in all rows.
            let index = match self.names.get(expected) {
                Some(name) if name == key => Some(expected),
                _ => self.positions.get(key).copied(),
            };
            let Some(index) = index else {
                unknown.get_or_insert_with(|| key.to_owned());
                return Ok(());
            };
            expected = index + 1;
            fields[index] = if member.escaped {
                let start = copies.len();
                copies.push_str(&unescape(&row[member.start - 1..member.end + 1])?);
                Field { kind: member.kind, copied: true, start: start as u32, end: copies.len() as u32 }
            } else {
                let (start, end) = ((offset + member.start) as u32, (offset + member.end) as u32);
                Field { kind: member.kind, copied: false, start, end }
            };
            Ok(())
        });
        let fault = match (outcome, unknown) {
            (Err(error), _) => Fault { row: block.rows.len(), column: None, value: None, error },
            (Ok(()), Some(name)) => {
                let error = Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" was not known of"));
                let error = error.with_hint("--column NAME=TYPE makes a column that only later rows have");
                Fault { row: block.rows.len(), column: Some(name), value: None, error }
            }
            (Ok(()), None) => return,
        };
        block.fields[first..].fill(Field::NULL);
        block.faults.push(fault);
    }
}

/// Calls `each` with the name and value of every member of the object that a line is.
pub(super) fn members(line: &str, mut each: impl FnMut(&str, Member) -> Result<()>) -> Result<()> {
    let mut cursor = Cursor { text: line, at: 0 };
    cursor.space();
    if cursor.peek() == Some(b'[') {
        return Err(syntax("a row must be an object, this is an array")
            .with_hint("write one object a line, for instance with: jq -c '.[]'"));
    }
    cursor.expect(b'{', "an object")?;
    cursor.space();
    if cursor.peek() == Some(b'}') {
        cursor.at += 1;
    } else {
        loop {
            cursor.space();
            let key = cursor.string()?;
            cursor.space();
            cursor.expect(b':', "a colon after a name")?;
            cursor.space();
            let value = cursor.value()?;
            if key.escaped {
                each(&unescape(&line[key.start - 1..key.end + 1])?, value)?;
            } else {
                each(&line[key.start..key.end], value)?;
            }
            cursor.space();
            match cursor.peek() {
                Some(b',') => cursor.at += 1,
                Some(b'}') => {
                    cursor.at += 1;
                    break;
                }
                _ => return Err(cursor.broken("a comma or the object's end")),
            }
        }
    }
    cursor.space();
    if cursor.at < line.len() {
        return Err(cursor.broken("the line's end"));
    }
    Ok(())
}

/// A string with its quotes, without its escapes.
fn unescape(quoted: &str) -> Result<String> {
    let text: String = serde_json::from_str(quoted).map_err(|e| syntax(format!("invalid JSON: {e}")))?;
    if text.contains('\0') {
        return Err(Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "\\u0000 cannot be converted to text"));
    }
    Ok(text)
}

fn syntax(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn broken(&self, wanted: &str) -> Error {
        let found: String = self.text[self.at..].trim_end().chars().take(12).collect();
        let found = if found.is_empty() { "the line's end".to_owned() } else { format!("\"{found}\"") };
        syntax(format!("invalid JSON at character {}: {wanted} is missing before {found}", self.at + 1))
    }

    fn expect(&mut self, byte: u8, wanted: &str) -> Result<()> {
        if self.peek() != Some(byte) {
            return Err(self.broken(wanted));
        }
        self.at += 1;
        Ok(())
    }

    /// A string; its place is that of what is between the quotes.
    fn string(&mut self) -> Result<Member> {
        self.expect(b'"', "a name or string in quotes")?;
        let (start, mut escaped) = (self.at, false);
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(0..=0x1f) => return Err(syntax("a control character in a JSON string must be escaped")),
                Some(_) => self.at += 1,
                None => {
                    self.at = self.text.len();
                    return Err(self.broken("a closing quote"));
                }
            }
        }
        let end = self.at;
        self.at += 1;
        Ok(Member { kind: Kind::String, escaped, start, end })
    }

    fn value(&mut self) -> Result<Member> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{' | b'[') => {
                let start = self.at;
                self.nested()?;
                let text = &self.text[start..self.at];
                serde_json::from_str::<serde::de::IgnoredAny>(text)
                    .map_err(|e| syntax(format!("invalid JSON in a nested value: {e}")))?;
                Ok(Member { kind: Kind::Nested, escaped: false, start, end: self.at })
            }
            _ => {
                let start = self.at;
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
                let rest = &self.text.as_bytes()[start..];
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
                let kind = match &self.text[start..self.at] {
                    "null" => Kind::Null,
                    "true" | "false" => Kind::Plain,
                    number if is_number(number) => Kind::Plain,
                    _ => {
                        self.at = start;
                        return Err(self.broken("a value"));
                    }
                };
                Ok(Member { kind, escaped: false, start, end: self.at })
            }
        }
    }

    /// Goes to the end of an array or object.
    fn nested(&mut self) -> Result<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(_) => {}
                None => return Err(self.broken("the end of a nested value")),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

/// Whether a text is a number as JSON writes them.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        let mut found = Vec::new();
        let outcome = members(line, |key, member| {
            found.push(format!("{key}={}{:?}", &line[member.start..member.end], member.kind));
            Ok(())
        });
        match outcome {
            Ok(()) => found.join(" "),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn members_are_cut_out() {
        assert_eq!(
            shown(r#" {"a": 1.50 , "b":"x","c":null,"d":{"e":["}"]},"f":true} "#),
            r#"a=1.50Plain b=xString c=nullNull d={"e":["}"]}Nested f=truePlain"#
        );
        assert_eq!(shown("{}"), "");
        assert_eq!(shown(r#"{"a\u0062":1}"#), "ab=1Plain");
    }

    #[test]
    fn what_is_no_object_is_told() {
        assert_eq!(shown("[1]"), "a row must be an object, this is an array");
        assert_eq!(shown(r#"{"a":01}"#), "invalid JSON at character 6: a value is missing before \"01}\"");
        assert_eq!(
            shown(r#"{"a":1"#),
            "invalid JSON at character 7: a comma or the object's end is missing before the line's end"
        );
        assert_eq!(
            shown(r#"{"a":"x"#),
            "invalid JSON at character 8: a closing quote is missing before the line's end"
        );
        assert_eq!(shown(r#"{"a":1} x"#), "invalid JSON at character 9: the line's end is missing before \"x\"");
        assert!(shown(r#"{"a":{"b":}}"#).starts_with("invalid JSON in a nested value"));
    }

    #[test]
    fn columns_are_found_in_any_order() {
        let text = "{\"b\":\"x\\ny\",\"a\":1}\n\n{\"a\":2}\n{\"z\":1}\n";
        let mut block = Block::default();
        let length = JsonSplitter::new(vec!["a".into(), "b".into()]).split(text, false, &mut block);
        block.text = text[..length].to_owned();
        assert_eq!(block.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(block.field(0, 0), (Kind::Plain, "1"));
        assert_eq!(block.field(0, 1), (Kind::String, "x\ny"));
        assert_eq!(block.field(1, 0), (Kind::Plain, "2"));
        assert_eq!(block.field(1, 1).0, Kind::Null);
        assert_eq!(block.faults[0].error.message, "column \"z\" was not known of");
    }
}
