//! Arrays: PostgreSQL's literals and their binary form, as nested Arrow lists.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ListArray, new_empty_array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;

use super::{invalid_bytes, null_of, numeric, scalar, text};
use crate::error::{Error, Result, SqlState};
use crate::values::encode::Zone;
use crate::values::pg_type::{arrow_of, name_of, oid};

/// PostgreSQL's limit on dimensions.
const MOST_DIMENSIONS: usize = 6;

/// An array before its elements are decoded.
struct Elements<'a> {
    /// The length of each dimension, outermost first; none for an empty array.
    lengths: Vec<usize>,
    /// The elements row by row, in the form they came in; `None` is NULL.
    values: Vec<Option<Cow<'a, [u8]>>>,
}

/// Decodes an array of type `oid` over `element`. Each dimension is a list; an empty array is an empty list.
pub(super) fn decode(bytes: &[u8], binary: bool, oid: u32, element: u32, zone: Zone) -> Result<ScalarValue> {
    let Some(item) = arrow_of(element) else {
        return Err(Error::unsupported(format!("a parameter of type {}", name_of(oid)))
            .with_hint("leave the parameter's type unspecified, or cast it in the statement"));
    };
    let elements = if binary { receive(bytes, oid, element)? } else { Literal::read(text(bytes)?)? };
    let values = if element == oid::NUMERIC {
        let numbers = elements.values.iter().map(|value| value.as_deref().map(|value| numeric::decode(value, binary)));
        let numbers = numbers.map(Option::transpose).collect::<Result<Vec<_>>>()?;
        numeric::aligned(&numbers)?
    } else {
        let values = elements.values.iter().map(|value| match value.as_deref() {
            Some(value) => scalar(value, binary, element, zone),
            None => null_of(item.data_type()),
        });
        values.collect::<Result<Vec<_>>>()?
    };
    nest(values, &elements.lengths, item.data_type())
}

/// Puts elements into lists, from the innermost dimension outwards.
fn nest(values: Vec<ScalarValue>, lengths: &[usize], item: &DataType) -> Result<ScalarValue> {
    let failed = |error: String| Error::internal(format!("an array parameter cannot be built: {error}"));
    let mut array: ArrayRef = if values.is_empty() {
        new_empty_array(item)
    } else {
        ScalarValue::iter_to_array(values).map_err(|error| failed(error.to_string()))?
    };
    let lengths: &[usize] = if lengths.is_empty() { &[0] } else { lengths };
    let mut list = None;
    for (depth, length) in lengths.iter().enumerate().rev() {
        let count: usize = lengths[..depth].iter().product();
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(*length, count));
        let field = Arc::new(Field::new_list_field(array.data_type().clone(), true));
        let level = ListArray::try_new(field, offsets, array, None).map_err(|error| failed(error.to_string()))?;
        let level = Arc::new(level);
        array = Arc::clone(&level) as ArrayRef;
        list = Some(level);
    }
    list.map(ScalarValue::List).ok_or_else(|| failed("it has no dimension".to_string()))
}

/// Takes the binary form apart: number of dimensions, a flag, the element type, for each dimension its
/// length and lower bound, then the elements behind their lengths.
fn receive(bytes: &[u8], oid: u32, element: u32) -> Result<Elements<'_>> {
    let mut rest = bytes;
    let mut word = || -> Result<i32> {
        let (word, after) = rest.split_first_chunk::<4>().ok_or_else(|| invalid_bytes(oid))?;
        rest = after;
        Ok(i32::from_be_bytes(*word))
    };
    let dimensions = usize::try_from(word()?).map_err(|_| invalid_bytes(oid))?;
    // Whether there are NULLs shows in the elements themselves.
    let _flags = word()?;
    let sent = word()? as u32;
    if sent != element {
        let message = format!(
            "binary data has array element type {sent} ({}) instead of expected {element} ({})",
            name_of(sent),
            name_of(element),
        );
        return Err(Error::new(SqlState::DATATYPE_MISMATCH, message));
    }
    if dimensions > MOST_DIMENSIONS {
        return Err(too_deep(dimensions));
    }
    let mut lengths = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        lengths.push(usize::try_from(word()?).map_err(|_| invalid_bytes(oid))?);
        if word()? != 1 {
            return Err(Error::unsupported("an array that does not begin at index 1"));
        }
    }
    let count = match lengths.as_slice() {
        [] => 0,
        // Every element has a length word, which bounds how many there can be.
        lengths => lengths.iter().try_fold(1usize, |count, length| count.checked_mul(*length)).unwrap_or(usize::MAX),
    };
    if count > rest.len() / 4 {
        return Err(invalid_bytes(oid));
    }
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(|| invalid_bytes(oid))?;
        rest = after;
        let value = match i32::from_be_bytes(*length) {
            -1 => None,
            length => {
                let length = usize::try_from(length).map_err(|_| invalid_bytes(oid))?;
                let (value, after) = rest.split_at_checked(length).ok_or_else(|| invalid_bytes(oid))?;
                rest = after;
                Some(Cow::Borrowed(value))
            }
        };
        values.push(value);
    }
    if !rest.is_empty() {
        return Err(invalid_bytes(oid));
    }
    if count == 0 {
        lengths.clear();
    }
    Ok(Elements { lengths, values })
}

fn too_deep(dimensions: usize) -> Error {
    let message = format!("number of array dimensions ({dimensions}) exceeds the maximum allowed ({MOST_DIMENSIONS})");
    Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}

/// A reader of `{1,"a b",NULL,{…}}`.
struct Literal<'a> {
    text: &'a str,
    /// Bytes read so far.
    at: usize,
    /// Lengths found so far, outermost first.
    lengths: Vec<usize>,
    /// Whether the innermost dimension has been seen, so that `lengths` has them all.
    complete: bool,
    values: Vec<Option<Cow<'a, [u8]>>>,
}

impl<'a> Literal<'a> {
    fn read(text: &'a str) -> Result<Elements<'a>> {
        let mut literal = Literal { text, at: 0, lengths: Vec::new(), complete: false, values: Vec::new() };
        literal.skip_space();
        if literal.peek() == Some(b'[') {
            literal.bounds()?;
        }
        if literal.peek() != Some(b'{') {
            return Err(literal.malformed("Array value must start with \"{\" or dimension information."));
        }
        if literal.is_empty_array() {
            literal.lengths.clear();
        } else {
            literal.list(0)?;
        }
        literal.skip_space();
        if literal.at < text.len() {
            return Err(literal.malformed("Junk after closing right brace."));
        }
        Ok(Elements { lengths: literal.lengths, values: literal.values })
    }

    /// Reads `[1:3][1:2]=`. The lengths follow from the braces; bounds that do not begin at 1 have no home.
    fn bounds(&mut self) -> Result<()> {
        let end = self.text[self.at..].find('=').map(|end| self.at + end);
        let end = end.ok_or_else(|| self.malformed("Missing assignment operator."))?;
        for bound in self.text[self.at..end].split(']').map(str::trim).filter(|bound| !bound.is_empty()) {
            let first = bound.strip_prefix('[').map(|bound| bound.split_once(':').map_or("1", |(first, _)| first));
            match first.map(str::parse::<i64>) {
                Some(Ok(1)) => {}
                Some(Ok(_)) => return Err(Error::unsupported("an array that does not begin at index 1")),
                _ => return Err(self.malformed("Missing array dimension value.")),
            }
        }
        self.at = end + 1;
        self.skip_space();
        Ok(())
    }

    /// Takes `{}` if that is all there is.
    fn is_empty_array(&mut self) -> bool {
        let start = self.at;
        self.at += 1;
        self.skip_space();
        let empty = self.peek() == Some(b'}');
        self.at = if empty { self.at + 1 } else { start };
        empty
    }

    /// Reads a list at its opening brace.
    fn list(&mut self, depth: usize) -> Result<()> {
        if depth == MOST_DIMENSIONS {
            return Err(too_deep(depth + 1));
        }
        let first = self.lengths.len() == depth;
        if first {
            self.lengths.push(0);
        }
        self.at += 1;
        let mut length = 0;
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'{') if !self.complete || depth + 1 < self.lengths.len() => self.list(depth + 1)?,
                None => return Err(self.malformed("Unexpected end of input.")),
                Some(b'{') => return Err(self.malformed("Unexpected \"{\" character.")),
                Some(byte @ (b'}' | b',')) => {
                    return Err(self.malformed(&format!("Unexpected \"{}\" character.", char::from(byte))));
                }
                Some(_) if depth + 1 < self.lengths.len() => {
                    return Err(self.malformed("Unexpected array element."));
                }
                Some(_) => {
                    self.complete = true;
                    let value = self.element()?;
                    self.values.push(value);
                }
            }
            length += 1;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                None => return Err(self.malformed("Unexpected end of input.")),
                Some(_) => return Err(self.malformed("Unexpected array element.")),
            }
        }
        self.at += 1;
        if first {
            self.lengths[depth] = length;
        } else if self.lengths[depth] != length {
            return Err(self.malformed("Multidimensional arrays must have sub-arrays with matching dimensions."));
        }
        Ok(())
    }

    /// Reads an element: quoted, or up to the next delimiter without the white space round it.
    fn element(&mut self) -> Result<Option<Cow<'a, [u8]>>> {
        if self.peek() == Some(b'"') {
            return self.quoted().map(Some);
        }
        let mut value = Vec::new();
        let mut escaped = false;
        // How much of the value must stay when white space at its end goes.
        let mut kept = 0;
        while let Some(byte) = self.peek() {
            match byte {
                b',' | b'}' | b'{' => break,
                b'"' => return Err(self.malformed("Unexpected array element.")),
                b'\\' => {
                    self.at += 1;
                    let byte = self.peek().ok_or_else(|| self.malformed("Unexpected end of input."))?;
                    value.push(byte);
                    escaped = true;
                    kept = value.len();
                }
                _ => {
                    value.push(byte);
                    if !is_space(byte) {
                        kept = value.len();
                    }
                }
            }
            self.at += 1;
        }
        value.truncate(kept);
        let null = !escaped && value.eq_ignore_ascii_case(b"NULL");
        Ok(if null { None } else { Some(Cow::Owned(value)) })
    }

    /// Reads an element at its opening quote.
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>> {
        let mut value = Vec::new();
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(self.malformed("Unexpected end of input.")),
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    value.push(self.peek().ok_or_else(|| self.malformed("Unexpected end of input."))?);
                }
                Some(byte) => value.push(byte),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(Cow::Owned(value))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn malformed(&self, detail: &str) -> Error {
        let message = format!("malformed array literal: \"{}\"", self.text);
        Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message).with_detail(detail)
    }
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}
