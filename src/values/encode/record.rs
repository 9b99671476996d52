//! Anonymous records, from structs.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, StructArray};

use super::{Format, Values, enclose, is_space, json, measured};
use crate::error::Result;

/// One field of the records.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) oid: u32,
    pub(super) values: Box<dyn Values>,
}

pub(super) struct Records {
    pub(super) array: StructArray,
    pub(super) members: Vec<Member>,
}

impl Values for Records {
    fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    /// `(1,"a b",)`: nothing for NULL, and quotes round what could be misread.
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'(');
        for (index, member) in self.members.iter().enumerate() {
            if index > 0 {
                out.put_u8(b',');
            }
            if member.values.is_null(row) {
                continue;
            }
            let start = out.len();
            member.values.text(row, out)?;
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | b'(' | b')' | b',') || is_space(*byte);
            if out.len() == start || out[start..].iter().any(special) {
                // Records double what arrays escape.
                enclose(out, start, |byte| matches!(byte, b'"' | b'\\').then_some(byte));
            }
        }
        out.put_u8(b')');
        Ok(())
    }

    /// The number of fields, then for each its type, length and value.
    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_i32(self.members.len() as i32);
        for member in &self.members {
            out.put_u32(member.oid);
            measured(&*member.values, Format::Binary, row, out)?;
        }
        Ok(())
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        json::object(self.members.iter(), out, |member, out| {
            json::quote(member.name.as_bytes(), out);
            out.put_slice(b": ");
            json::value(&*member.values, row, out)
        })
    }
}
