//! JSON: the form of maps and unions, which PostgreSQL has no type for, and of everything inside them.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, MapArray, UnionArray};

use super::Values;
use crate::error::Result;

/// The byte before the text in jsonb's binary form.
pub(super) const JSONB_VERSION: u8 = 1;

/// Maps, shown as jsonb objects.
pub(super) struct Maps {
    pub(super) array: MapArray,
    pub(super) keys: Box<dyn Values>,
    pub(super) values: Box<dyn Values>,
}

impl Values for Maps {
    fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let offsets = self.array.value_offsets();
        let entries = offsets[row] as usize..offsets[row + 1] as usize;
        object(entries, out, |entry, out| {
            // A key is a string in JSON, whatever it was here.
            let start = out.len();
            self.keys.text(entry, out)?;
            quote_tail(out, start);
            out.put_slice(b": ");
            value(&*self.values, entry, out)
        })
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(JSONB_VERSION);
        self.text(row, out)
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.text(row, out)
    }
}

/// Unions, shown as jsonb: the value of the variant that is set.
pub(super) struct Unions {
    pub(super) array: UnionArray,
    /// By type id; ids may have gaps.
    pub(super) variants: Vec<Option<Box<dyn Values>>>,
}

impl Unions {
    fn variant(&self, row: usize) -> Option<(&dyn Values, usize)> {
        let id = usize::try_from(self.array.type_id(row)).ok()?;
        let variant = self.variants.get(id)?.as_ref()?;
        Some((&**variant, self.array.value_offset(row)))
    }
}

impl Values for Unions {
    fn is_null(&self, row: usize) -> bool {
        self.variant(row).is_none_or(|(variant, row)| variant.is_null(row))
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        match self.variant(row) {
            Some((variant, row)) => value(variant, row, out),
            None => Ok(()),
        }
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(JSONB_VERSION);
        self.text(row, out)
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.text(row, out)
    }
}

/// Appends a value as JSON, `null` for NULL.
pub(super) fn value(values: &dyn Values, row: usize, out: &mut BytesMut) -> Result<()> {
    if values.is_null(row) {
        out.put_slice(b"null");
        return Ok(());
    }
    values.json(row, out)
}

/// Appends `{…}` with the entries that `entry` writes, spaced as jsonb prints them.
pub(super) fn object<I>(
    entries: impl Iterator<Item = I>,
    out: &mut BytesMut,
    entry: impl FnMut(I, &mut BytesMut) -> Result<()>,
) -> Result<()> {
    sequence([b'{', b'}'], entries, out, entry)
}

/// Appends `[…]` likewise.
pub(super) fn list<I>(
    elements: impl Iterator<Item = I>,
    out: &mut BytesMut,
    element: impl FnMut(I, &mut BytesMut) -> Result<()>,
) -> Result<()> {
    sequence([b'[', b']'], elements, out, element)
}

fn sequence<I>(
    [open, close]: [u8; 2],
    items: impl Iterator<Item = I>,
    out: &mut BytesMut,
    mut item: impl FnMut(I, &mut BytesMut) -> Result<()>,
) -> Result<()> {
    out.put_u8(open);
    for (index, next) in items.enumerate() {
        if index > 0 {
            out.put_slice(b", ");
        }
        item(next, out)?;
    }
    out.put_u8(close);
    Ok(())
}

/// Turns the tail of `out` from `start` into a JSON string.
pub(super) fn quote_tail(out: &mut BytesMut, start: usize) {
    let tail = out[start..].to_vec();
    out.truncate(start);
    quote(&tail, out);
}

/// Appends text as a JSON string.
pub(super) fn quote(text: &[u8], out: &mut BytesMut) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.put_u8(b'"');
    for byte in text {
        match byte {
            b'"' => out.put_slice(b"\\\""),
            b'\\' => out.put_slice(b"\\\\"),
            b'\n' => out.put_slice(b"\\n"),
            b'\r' => out.put_slice(b"\\r"),
            b'\t' => out.put_slice(b"\\t"),
            0x08 => out.put_slice(b"\\b"),
            0x0c => out.put_slice(b"\\f"),
            0..0x20 => {
                out.put_slice(b"\\u00");
                out.put_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.put_u8(*byte),
        }
    }
    out.put_u8(b'"');
}
