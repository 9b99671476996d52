//! bytea, and the access to bytes that it shares with strings.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{
    Array, BinaryViewArray, FixedSizeBinaryArray, GenericBinaryArray, GenericStringArray, OffsetSizeTrait,
    StringViewArray,
};

use super::Values;
use super::formatting::ByteaOutput;
use crate::error::Result;

/// An array whose values are runs of bytes.
pub(super) trait Runs: Array {
    fn run(&self, row: usize) -> &[u8];
}

impl<O: OffsetSizeTrait> Runs for GenericBinaryArray<O> {
    fn run(&self, row: usize) -> &[u8] {
        self.value(row)
    }
}

impl Runs for BinaryViewArray {
    fn run(&self, row: usize) -> &[u8] {
        self.value(row)
    }
}

impl Runs for FixedSizeBinaryArray {
    fn run(&self, row: usize) -> &[u8] {
        self.value(row)
    }
}

impl<O: OffsetSizeTrait> Runs for GenericStringArray<O> {
    fn run(&self, row: usize) -> &[u8] {
        self.value(row).as_bytes()
    }
}

impl Runs for StringViewArray {
    fn run(&self, row: usize) -> &[u8] {
        self.value(row).as_bytes()
    }
}

pub(super) struct Byteas<A> {
    pub(super) array: A,
    pub(super) output: ByteaOutput,
}

impl<A: Runs> Values for Byteas<A> {
    fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        match self.output {
            ByteaOutput::Hex => hex(self.array.run(row), out),
            ByteaOutput::Escape => escape(self.array.run(row), out),
        }
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_slice(self.array.run(row));
        Ok(())
    }
}

fn hex(bytes: &[u8], out: &mut BytesMut) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(2 + bytes.len() * 2);
    out.put_slice(b"\\x");
    for byte in bytes {
        out.put_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

fn escape(bytes: &[u8], out: &mut BytesMut) {
    for byte in bytes {
        match byte {
            b'\\' => out.put_slice(b"\\\\"),
            b' '..=b'~' => out.put_u8(*byte),
            _ => out.put_slice(&[b'\\', b'0' + (byte >> 6), b'0' + ((byte >> 3) & 7), b'0' + (byte & 7)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::BinaryArray;

    use super::*;

    #[test]
    fn hex_and_escape() {
        let array = BinaryArray::from(vec![b"a\\\0\xff~".as_slice()]);
        for (output, text) in [(ByteaOutput::Hex, "\\x615c00ff7e"), (ByteaOutput::Escape, "a\\\\\\000\\377~")] {
            let mut out = BytesMut::new();
            assert!(Byteas { array: array.clone(), output }.text(0, &mut out).is_ok());
            assert_eq!(out, text.as_bytes());
        }
    }
}
