//! uuid: sixteen bytes, from fixed-size binary or from text.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, FixedSizeBinaryArray};

use super::Values;
use crate::error::Result;

/// Identifiers kept as sixteen bytes.
pub(super) struct Uuids(pub(super) FixedSizeBinaryArray);

impl Values for Uuids {
    fn is_null(&self, row: usize) -> bool {
        self.0.is_null(row)
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_slice(&print(self.0.value(row)));
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_slice(self.0.value(row));
        Ok(())
    }
}

/// The canonical form of sixteen bytes: lower case, hyphens after 8, 12, 16 and 20 digits.
pub(crate) fn print(bytes: &[u8]) -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.iter().take(16).enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    text
}

/// Reads what PostgreSQL takes as a uuid: hex digits in any case, hyphens after any group of four, braces
/// round the whole.
pub(crate) fn parse(text: &[u8]) -> Option<[u8; 16]> {
    let digits = match text {
        [b'{', digits @ .., b'}'] => digits,
        _ => text,
    };
    let mut bytes = [0; 16];
    let mut count = 0;
    let mut hyphen = true;
    for byte in digits {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'-' if !hyphen && count % 4 == 0 && count < 32 => {
                hyphen = true;
                continue;
            }
            _ => return None,
        };
        let place: &mut u8 = bytes.get_mut(count / 2)?;
        *place = (*place << 4) | digit;
        count += 1;
        hyphen = false;
    }
    (count == 32).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_has_one_canonical_form() {
        let canonical = b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        for spelling in [
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        ] {
            assert_eq!(parse(spelling.as_bytes()).map(|bytes| print(&bytes)), Some(*canonical), "{spelling}");
        }
        for wrong in ["", "a0eebc99", "a0e-ebc999c0b4ef8bb6d6bb9bd380a11", "g0eebc999c0b4ef8bb6d6bb9bd380a11"] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(parse(b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1100"), None);
        assert_eq!(parse(b"a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11"), None);
    }
}
