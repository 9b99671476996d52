//! boolean, and the column that is NULL throughout.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, BooleanArray};

use super::Values;
use crate::error::Result;

/// `t` or `f`; in binary one byte.
pub(super) struct Booleans(pub(super) BooleanArray);

impl Values for Booleans {
    fn is_null(&self, row: usize) -> bool {
        self.0.is_null(row)
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(if self.0.value(row) { b't' } else { b'f' });
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(u8::from(self.0.value(row)));
        Ok(())
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_slice(if self.0.value(row) { b"true".as_slice() } else { b"false" });
        Ok(())
    }
}

/// A column of Arrow's Null type.
pub(super) struct Nulls;

impl Values for Nulls {
    fn is_null(&self, _row: usize) -> bool {
        true
    }

    fn text(&self, _row: usize, _out: &mut BytesMut) -> Result<()> {
        Ok(())
    }

    fn binary(&self, _row: usize, _out: &mut BytesMut) -> Result<()> {
        Ok(())
    }
}
