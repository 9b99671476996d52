//! Bitmaps: sets of ids as bytes.
//!
//! The bytes are the portable serialisation of a 64-bit Roaring bitmap ("64-bit extension" of the Roaring format
//! specification), which the Roaring libraries for C, Java, Go and Python read and write too. Ids are those of bigint
//! that are not negative. Equal sets that were written here have equal bytes. Bytes from elsewhere are checked whole
//! before they are used: bytes that are no such bitmap are an error, whatever they are.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder};
use datafusion_common::{Result, plan_err};
use datafusion_expr::ColumnarValue;
use roaring::{RoaringBitmap, RoaringTreemap};

use crate::InvalidArgument;

/// The largest number of bytes that a value can have.
const MAX_BYTES: usize = i32::MAX as usize;

/// An id as bitmaps hold it.
///
/// # Errors
/// If it is negative.
pub(super) fn id(function: &str, id: i64) -> Result<u64> {
    u64::try_from(id)
        .map_err(|_| InvalidArgument::error(format!("{function}: the id {id} is negative, ids have to be from 0")))
}

/// An id as SQL has it; there is none beyond, since [`decode`] checks.
pub(super) fn bigint(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

/// The set that bytes are.
///
/// # Errors
/// If they are not exactly one bitmap of ids.
pub(super) fn decode(function: &str, bytes: &[u8]) -> Result<RoaringTreemap> {
    let invalid = |what: &str| InvalidArgument::error(format!("{function}: these bytes are no bitmap: {what}"));
    let Some((count, mut rest)) = bytes.split_first_chunk::<8>() else {
        return Err(invalid("they are too few"));
    };
    let mut parts: Vec<(u32, RoaringBitmap)> = Vec::new();
    for _ in 0..u64::from_le_bytes(*count) {
        let Some((high, after)) = rest.split_first_chunk::<4>() else {
            return Err(invalid("they end early"));
        };
        rest = after;
        let high = u32::from_le_bytes(*high);
        if high > i32::MAX as u32 {
            return Err(invalid("an id is beyond bigint"));
        }
        if parts.last().is_some_and(|(last, _)| *last >= high) {
            return Err(invalid("ids are not in order"));
        }
        let part = RoaringBitmap::deserialize_from(&mut rest).map_err(|error| invalid(&error.to_string()))?;
        if !part.is_empty() {
            parts.push((high, part));
        }
    }
    if !rest.is_empty() {
        return Err(invalid("something follows it"));
    }
    Ok(RoaringTreemap::from_bitmaps(parts))
}

/// The bytes of a set.
///
/// # Errors
/// If they are more than a value can have.
pub(super) fn encode(function: &str, set: &mut RoaringTreemap) -> Result<Vec<u8>> {
    // The smallest form of each part, which depends on nothing but its ids.
    set.optimize();
    let size = set.serialized_size();
    if size > MAX_BYTES {
        return Err(InvalidArgument::error(format!("{function}: a bitmap of {size} bytes is too large for a value")));
    }
    let mut bytes = Vec::with_capacity(size);
    set.serialize_into(&mut bytes)?;
    Ok(bytes)
}

/// The memory that a set takes, roughly.
pub(super) fn size(set: &RoaringTreemap) -> usize {
    let parts = set.bitmaps().map(|(_, part)| {
        let of = part.statistics();
        let ids = of.n_bytes_array_containers + of.n_bytes_run_containers + of.n_bytes_bitset_containers;
        // A container has a header, and there is room for more of them.
        ids as usize + of.n_containers as usize * 64 + 64
    });
    parts.sum()
}

/// A column of bitmaps, each decoded once as long as its neighbours are the very same bytes: a constant, or a value
/// that a join repeats.
pub(super) struct Bitmaps {
    function: &'static str,
    column: BinaryViewArray,
    is_constant: bool,
    last: Option<(usize, RoaringTreemap)>,
}

impl Bitmaps {
    /// The bitmaps of an argument.
    pub(super) fn new(function: &'static str, given: &ColumnarValue) -> Result<Self> {
        let is_constant = matches!(given, ColumnarValue::Scalar(_));
        let column = match given {
            ColumnarValue::Array(column) => ArrayRef::clone(column),
            ColumnarValue::Scalar(value) => value.to_array()?,
        };
        let Some(column) = column.as_binary_view_opt() else {
            return plan_err!("{function} takes a bitmap as bytes, not as {}", column.data_type());
        };
        Ok(Self { function, column: column.clone(), is_constant, last: None })
    }

    /// The set of a row, none for NULL.
    ///
    /// # Errors
    /// If its bytes are no bitmap.
    pub(super) fn get(&mut self, row: usize) -> Result<Option<&RoaringTreemap>> {
        let row = if self.is_constant { 0 } else { row };
        if self.column.is_null(row) {
            return Ok(None);
        }
        let bytes = self.column.value(row);
        let known = self.last.as_ref().is_some_and(|(last, _)| {
            let last = self.column.value(*last);
            std::ptr::eq(last, bytes)
        });
        if !known {
            self.last = Some((row, decode(self.function, bytes)?));
        }
        Ok(self.last.as_ref().map(|(_, set)| set))
    }
}

/// Makes a column of bytes.
///
/// # Errors
/// If one is an error.
pub(super) fn bytes(values: impl Iterator<Item = Result<Option<Vec<u8>>>>) -> Result<ArrayRef> {
    let mut column = BinaryViewBuilder::new();
    for value in values {
        column.append_option(value?);
    }
    Ok(Arc::new(column.finish()))
}

/// The ids of a set from a place on, at most so many; places count from 0.
pub(super) fn from_place(set: &RoaringTreemap, offset: u64, limit: u64) -> RoaringTreemap {
    let Some(first) = set.select(offset) else { return RoaringTreemap::new() };
    let mut rest = Cow::Borrowed(set);
    if offset > 0 {
        rest.to_mut().remove_range(..first);
    }
    if let Some(beyond) = rest.select(limit) {
        rest.to_mut().remove_range(beyond..);
    }
    rest.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(ids: &[u64]) -> Vec<u8> {
        encode("f", &mut ids.iter().copied().collect()).unwrap()
    }

    #[test]
    fn bytes_are_the_portable_format() {
        // One part of high 0; cookie 12346, one container of key 0 with two ids, its offset, the ids.
        let expected =
            [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 58, 48, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 16, 0, 0, 0, 3, 0, 9, 0];
        assert_eq!(encoded(&[9, 3]), expected);
        assert_eq!(encoded(&[]), [0; 8]);
    }

    #[test]
    fn equal_sets_have_equal_bytes() {
        let long: Vec<u64> = (0..100_000).chain([1 << 40]).collect();
        let mut other: RoaringTreemap = (50_000..200_000).collect();
        other.remove_range(100_000..);
        other |= (0..60_000).collect::<RoaringTreemap>();
        other.insert(1 << 40);
        assert_eq!(encode("f", &mut other).unwrap(), encoded(&long));
        assert!(encoded(&long).len() < 100);
        assert_eq!(decode("f", &encoded(&long)).unwrap().into_iter().collect::<Vec<_>>(), long);
    }

    #[test]
    fn bad_bytes_are_errors() {
        let good = encoded(&[1, 2, 3, 70_000, 1 << 33, (1 << 33) + 5]);
        for end in 0..good.len() {
            assert!(decode("f", &good[..end]).is_err(), "{end}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert!(decode("f", &longer).unwrap_err().to_string().contains("follows"));
        // Whatever a byte becomes, the bytes are refused or are some bitmap that can be written and read again.
        for place in 0..good.len() {
            for value in [0, 1, 2, 59, 127, 128, 255] {
                let mut bytes = good.clone();
                bytes[place] = value;
                if let Ok(mut set) = decode("f", &bytes) {
                    assert_eq!(decode("f", &encode("f", &mut set).unwrap()).unwrap(), set);
                }
            }
        }
        assert!(decode("f", &[255; 64]).is_err());
        assert!(decode("f", b"").is_err());
    }

    #[test]
    fn ids_are_bigints() {
        assert!(id("f", -1).unwrap_err().to_string().contains("-1"));
        let largest = encoded(&[i64::MAX as u64]);
        assert_eq!(decode("f", &largest).unwrap().max(), Some(i64::MAX as u64));
        assert!(decode("f", &encoded(&[1 << 63])).unwrap_err().to_string().contains("bigint"));
    }

    #[test]
    fn places_count_from_zero() {
        let set: RoaringTreemap = [5, 6, 7, 1 << 40].into_iter().collect();
        let of = |offset, limit| from_place(&set, offset, limit).into_iter().collect::<Vec<_>>();
        assert_eq!(of(0, 2), [5, 6]);
        assert_eq!(of(2, 9), [7, 1 << 40]);
        assert!(of(1, 0).is_empty());
        assert!(of(4, 1).is_empty());
    }
}
