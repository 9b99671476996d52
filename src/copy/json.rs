//! JSON objects, one a line: their members as the text that a column's input function reads.
//!
//! Values are taken as they were written: a number keeps all its digits.

use std::borrow::Cow;
use std::fmt::Write;

use super::encoding;
use crate::error::{Error, Result, SqlState};

/// What a column makes of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string's text, and the spelling of anything else.
    Plain,
    /// The value as it is: the column is JSON itself.
    Json,
    /// A list.
    Array,
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json").with_detail(detail)
}

/// The members of the object that `line` is: keys, and values as they are written.
///
/// # Errors
/// 22P02 if it is no JSON object.
pub(super) fn members(line: &str) -> Result<Vec<(Cow<'_, str>, &str)>> {
    serde_json::from_str::<serde::de::IgnoredAny>(line).map_err(|e| invalid(e.to_string()))?;
    let text = line.trim();
    if !text.starts_with('{') {
        return Err(invalid("Every line has to be an object."));
    }
    let mut members = Vec::new();
    for part in parts(text) {
        let end = string_end(part);
        let value = part[end..].trim_start().strip_prefix(':').unwrap_or_default().trim();
        members.push((string(&part[..end])?, value));
    }
    Ok(members)
}

/// The text of a value for a column of that kind.
///
/// # Errors
/// 22P02 for a list where none is taken.
pub(super) fn field(value: &str, kind: Kind) -> Result<Cow<'_, str>> {
    match (kind, value.as_bytes().first()) {
        (Kind::Json, _) => Ok(Cow::Borrowed(value)),
        (_, Some(b'"')) => string(value),
        (Kind::Array, Some(b'[')) => {
            let mut literal = String::new();
            array(value, &mut literal)?;
            Ok(Cow::Owned(literal))
        }
        _ => Ok(Cow::Borrowed(value)),
    }
}

/// A JSON list as PostgreSQL's array literal.
fn array(value: &str, out: &mut String) -> Result<()> {
    out.push('{');
    for (index, part) in parts(value).enumerate() {
        if index > 0 {
            out.push(',');
        }
        match part.as_bytes().first() {
            Some(b'[') => array(part, out)?,
            _ if part == "null" => out.push_str("NULL"),
            first => {
                let text = if first == Some(&b'"') { string(part)? } else { Cow::Borrowed(part) };
                out.push('"');
                for character in text.chars() {
                    if matches!(character, '"' | '\\') {
                        out.push('\\');
                    }
                    out.write_char(character).map_err(|e| Error::internal(e.to_string()))?;
                }
                out.push('"');
            }
        }
    }
    out.push('}');
    Ok(())
}

/// A JSON string's text.
fn string(quoted: &str) -> Result<Cow<'_, str>> {
    match quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) if !inside.contains('\\') => Ok(Cow::Borrowed(inside)),
        _ => {
            let text = serde_json::from_str::<String>(quoted).map_err(|e| invalid(e.to_string()))?;
            encoding::checked(text.as_bytes())?;
            Ok(Cow::Owned(text))
        }
    }
}

/// Where the string ends that `text` begins with.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// What stands between the commas of a list or an object, which is known to be well formed.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    let mut rest = Some(inside).filter(|inside| !inside.trim().is_empty());
    std::iter::from_fn(move || {
        let text = rest?;
        let mut depth = 0usize;
        let mut at = 0;
        while let Some(byte) = text.as_bytes().get(at) {
            match byte {
                b'"' => {
                    at += string_end(&text[at..]);
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' if depth == 0 => {
                    rest = Some(&text[at + 1..]);
                    return Some(text[..at].trim());
                }
                _ => {}
            }
            at += 1;
        }
        rest = None;
        Some(text.trim())
    })
}
