//! bytea from its two text forms.

use crate::error::{Error, Result, SqlState};

/// Reads `\x…` as hex digits, with white space between bytes if there is any; anything else as escaped text.
pub(super) fn parse(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(digits) => hex(digits),
        // The value may be long and unprintable, so the message does not repeat it.
        None => escaped(text.as_bytes())
            .ok_or_else(|| Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea")),
    }
}

fn hex(digits: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut high = None;
    for digit in digits.chars() {
        if high.is_none() && digit.is_ascii_whitespace() {
            continue;
        }
        let value = digit.to_digit(16).ok_or_else(|| {
            let message = format!("invalid hexadecimal digit: \"{digit}\"");
            Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
        })? as u8;
        match high.take() {
            None => high = Some(value << 4),
            Some(high) => bytes.push(high | value),
        }
    }
    if high.is_some() {
        let message = "invalid hexadecimal data: odd number of digits";
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    Ok(bytes)
}

/// Bytes as they are, but `\\` for a backslash and `\ooo` for a byte in octal.
fn escaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        match rest {
            [] => return Some(bytes),
            [b'\\', b'\\', after @ ..] => {
                bytes.push(b'\\');
                rest = after;
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                bytes.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                rest = after;
            }
            [b'\\', ..] => return None,
            [byte, after @ ..] => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
}
