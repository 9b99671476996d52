//! A dictionary of ids: every distinct one has a code, a number from 0.
//!
//! An id is held in the 16 bytes of an Arrow string view: up to 12 bytes of text lie in the view itself, longer ones in
//! blocks that only grow at their end. An integer is a view, too. So an id costs 16 bytes, its slot in an open
//! addressing table 16 to 32 (a third of its hash decides most comparisons), and its text if it is long; and a column
//! of ids is handed out without a copy of a text.

use std::cmp::Ordering;
use std::mem::size_of;
use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
use datafusion_common::arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use datafusion_common::arrow::compute::{cast, max, min};
use datafusion_common::arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, plan_err};
use twox_hash::XxHash3_64;

use super::columns::NONE;
use super::direct::Direct;
use crate::InvalidArgument;

/// Bytes that a view holds itself.
const INLINE: usize = 12;
/// So many rows are looked up at once.
const CHUNK: usize = 256;
/// So many texts are sorted by comparison.
const FEW: usize = 16;
/// A block has at least so many bytes, and doubles up to the second.
const BLOCKS: (usize, usize) = (4 << 10, 8 << 20);

/// The distinct ids of a graph, of one type.
#[derive(Debug)]
pub(super) struct Ids {
    data_type: DataType,
    views: Vec<u128>,
    /// Full blocks, and the one that grows.
    blocks: Vec<Buffer>,
    open: Vec<u8>,
    /// Hash in the upper half, code + 1 in the lower; 0 is free. As many as a power of two, at least twice the ids.
    slots: Vec<u64>,
    /// Stands for the slots where ids are numbers close together.
    direct: Option<Direct>,
    /// The least and the greatest number.
    span: Option<(i64, i64)>,
}

impl Ids {
    pub(super) fn new(data_type: DataType) -> Self {
        Self {
            data_type,
            views: Vec::new(),
            blocks: Vec::new(),
            open: Vec::new(),
            slots: Vec::new(),
            direct: None,
            span: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.views.len()
    }

    pub(super) fn size(&self) -> usize {
        self.views.capacity() * size_of::<u128>()
            + self.slots.capacity() * size_of::<u64>()
            + self.direct.as_ref().map_or(0, Direct::size)
            + self.open.capacity()
            + self.blocks.iter().map(Buffer::capacity).sum::<usize>()
            + self.blocks.capacity() * size_of::<Buffer>()
    }

    /// The codes of a column's values, [`NONE`] for NULL; ids that are new get one.
    ///
    /// The table is far larger than a cache. So a chunk of slots, and then of views, is read at once, since reads that
    /// do not wait for one another overlap; only what is not found that way is searched for row by row.
    pub(super) fn encode(&mut self, column: &ArrayRef) -> Result<Vec<u32>> {
        let text = self.data_type == DataType::Utf8View;
        let column = cast(column, if text { &DataType::Utf8View } else { &DataType::Int64 })?;
        if text {
            let column = column.as_string_view();
            let long = |row: usize| column.value(row).as_bytes();
            self.encode_views(column.views(), column.nulls(), long)
        } else {
            self.encode_numbers(column.as_primitive::<Int64Type>())
        }
    }

    fn encode_numbers(&mut self, column: &Int64Array) -> Result<Vec<u32>> {
        let Some((low, high)) = min(column).zip(max(column)) else { return Ok(vec![NONE; column.len()]) };
        let (low, high) = self.span.map_or((low, high), |(least, greatest)| (low.min(least), high.max(greatest)));
        self.span = Some((low, high));
        let numbers = self.views.len().max(column.len() - column.null_count());
        if !Direct::pays(low, high, numbers, self.direct.is_some()) {
            if self.direct.take().is_some() {
                self.fill();
            }
            let views: Vec<u128> = column.values().iter().map(|number| u128::from(*number as u64)).collect();
            return self.encode_views(&views, column.nulls(), |_| &[]);
        }
        let mut direct = match self.direct.take() {
            Some(mut direct) => {
                direct.reach(low, high);
                direct
            }
            None => {
                self.slots = Vec::new();
                Direct::new(low, high, self.views.iter().map(|view| *view as u64 as i64))
            }
        };
        let known = |row: usize| column.nulls().is_none_or(|nulls| nulls.is_valid(row));
        let mut codes = vec![NONE; column.len()];
        // As for texts: a chunk of the table is read at once, and what is new looked at once more.
        let chunks = codes.chunks_mut(CHUNK).zip(column.values().chunks(CHUNK));
        for ((codes, numbers), start) in chunks.zip((0..).step_by(CHUNK)) {
            for ((code, number), row) in codes.iter_mut().zip(numbers).zip(start..) {
                *code = if known(row) { direct.at(*number).wrapping_sub(1) } else { NONE };
            }
            for ((code, number), row) in codes.iter_mut().zip(numbers).zip(start..) {
                if *code == NONE && known(row) {
                    let next = direct.at(*number);
                    if *next == 0 {
                        self.views.push(u128::from(*number as u64));
                        *next = next_code(self.views.len())?;
                    }
                    *code = *next - 1;
                }
            }
        }
        self.direct = Some(direct);
        Ok(codes)
    }

    fn encode_views<'a>(
        &mut self,
        views: &[u128],
        nulls: Option<&NullBuffer>,
        long: impl Fn(usize) -> &'a [u8],
    ) -> Result<Vec<u32>> {
        let text = self.data_type == DataType::Utf8View;
        let long = |view: u128, row: usize| if text && view as u32 as usize > INLINE { long(row) } else { &[] };
        let known = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
        let mut codes = vec![NONE; views.len()];
        let mut found = [(0_u32, 0_u64); CHUNK];
        for (chunk, start) in views.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
            self.reserve(chunk.len());
            let mask = self.slots.len() - 1;
            for ((found, view), row) in found.iter_mut().zip(chunk).zip(start..) {
                let hash = if known(row) { hash(*view, long(*view, row)) } else { 0 };
                *found = (hash, self.slots[hash as usize & mask]);
            }
            for (((hash, slot), view), row) in found.iter().zip(chunk).zip(start..) {
                let same = *slot != 0 && (slot >> 32) as u32 == *hash && known(row);
                if same && self.is(*slot as u32 - 1, *view, long(*view, row)) {
                    codes[row] = *slot as u32 - 1;
                }
            }
            for (((hash, _), view), row) in found.iter().zip(chunk).zip(start..) {
                if codes[row] == NONE && known(row) {
                    codes[row] = self.code(*hash, *view, long(*view, row))?;
                }
            }
        }
        Ok(codes)
    }

    /// Makes room for so many ids more.
    fn reserve(&mut self, more: usize) {
        while self.slots.len() < 2 * (self.views.len() + more) {
            self.grow();
        }
    }

    /// The code of an id, for which there is room; `long` has its bytes if the view does not hold them.
    fn code(&mut self, hash: u32, view: u128, long: &[u8]) -> Result<u32> {
        let mask = self.slots.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let slot = self.slots[place];
            if slot == 0 {
                break;
            }
            let code = slot as u32 - 1;
            if (slot >> 32) as u32 == hash && self.is(code, view, long) {
                return Ok(code);
            }
            place = (place + 1) & mask;
        }
        let next = next_code(self.views.len() + 1)?;
        let stored = if long.is_empty() { view } else { self.store(view, long)? };
        self.views.push(stored);
        self.slots[place] = u64::from(hash) << 32 | u64::from(next);
        Ok(next - 1)
    }

    fn is(&self, code: u32, view: u128, long: &[u8]) -> bool {
        let known = self.views[code as usize];
        if long.is_empty() { known == view } else { known as u64 == view as u64 && self.long(known) == long }
    }

    /// Doubles the table; the hashes in it say where each slot goes.
    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(16);
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            let mut place = (slot >> 32) as usize & (size - 1);
            while self.slots[place] != 0 {
                place = (place + 1) & (size - 1);
            }
            self.slots[place] = slot;
        }
    }

    /// Makes the slots of numbers that were found without.
    fn fill(&mut self) {
        self.slots = vec![0; (2 * self.views.len()).next_power_of_two().max(16)];
        let mask = self.slots.len() - 1;
        for (view, next) in self.views.iter().zip(1_u64..) {
            let hash = mix(*view);
            let mut place = hash as usize & mask;
            while self.slots[place] != 0 {
                place = (place + 1) & mask;
            }
            self.slots[place] = u64::from(hash) << 32 | next;
        }
    }

    /// The view of a text that is put to the end of the open block.
    fn store(&mut self, view: u128, long: &[u8]) -> Result<u128> {
        if self.open.capacity() - self.open.len() < long.len() {
            let size = (self.open.capacity() * 2).clamp(BLOCKS.0, BLOCKS.1).max(long.len());
            let full = std::mem::replace(&mut self.open, Vec::with_capacity(size));
            if !full.is_empty() {
                self.blocks.push(Buffer::from_vec(full));
            }
        }
        let (Ok(block), Ok(offset)) = (u32::try_from(self.blocks.len()), u32::try_from(self.open.len())) else {
            return plan_err!("the texts of a graph's ids are too long");
        };
        self.open.extend_from_slice(long);
        // A view: length, first four bytes, block, offset.
        Ok(u128::from(view as u64) | u128::from(block) << 64 | u128::from(offset) << 96)
    }

    fn long(&self, view: u128) -> &[u8] {
        let (length, block, offset) =
            (view as u32 as usize, (view >> 64) as u32 as usize, (view >> 96) as u32 as usize);
        let block = self.blocks.get(block).map_or(self.open.as_slice(), Buffer::as_slice);
        &block[offset..offset + length]
    }

    /// Twelve bytes from `depth` on, filled up with zeros, as a number that is ordered as they are.
    fn prefix(&self, code: u32, depth: usize) -> u128 {
        let view = self.views[code as usize];
        if self.data_type != DataType::Utf8View {
            return u128::from(view as u64 ^ 1 << 63);
        }
        if view as u32 as usize <= INLINE {
            let all = (view >> 32).swap_bytes() >> 32;
            return if depth == 0 { all } else { 0 };
        }
        let text = self.long(view).get(depth..).unwrap_or_default();
        let mut prefix = [0; 16];
        let taken = text.len().min(INLINE);
        prefix[4..4 + taken].copy_from_slice(&text[..taken]);
        u128::from_be_bytes(prefix)
    }

    fn length(&self, code: u32) -> usize {
        self.views[code as usize] as u32 as usize
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        let (a, b) = (self.views[a as usize], self.views[b as usize]);
        let (held_a, held_b) = (a.to_le_bytes(), b.to_le_bytes());
        self.bytes(a, &held_a).cmp(self.bytes(b, &held_b))
    }

    fn bytes<'a>(&'a self, view: u128, held: &'a [u8; 16]) -> &'a [u8] {
        let length = view as u32 as usize;
        if length <= INLINE { &held[4..4 + length] } else { self.long(view) }
    }

    /// All codes in the order of their ids: numbers by value, texts by their bytes.
    ///
    /// Twelve bytes at a time: ids that agree in them are sorted by the next twelve, few of them by comparison.
    pub(super) fn sorted(&self) -> Vec<u32> {
        if let Some(direct) = &self.direct {
            return direct.sorted();
        }
        let mut order: Vec<u32> = (0..self.views.len() as u32).collect();
        let mut keys: Vec<u128> = Vec::new();
        let mut runs = vec![(0..order.len(), 0)];
        while let Some((range, depth)) = runs.pop() {
            let run = &mut order[range.clone()];
            if depth > 0 && run.len() <= FEW {
                run.sort_unstable_by(|a, b| self.compare(*a, *b));
                continue;
            }
            keys.clear();
            keys.extend(run.iter().map(|code| self.prefix(*code, depth) << 32 | u128::from(*code)));
            keys.sort_unstable();
            run.iter_mut().zip(&keys).for_each(|(code, key)| *code = *key as u32);
            if self.data_type != DataType::Utf8View {
                continue;
            }
            let mut start = range.start;
            for same in keys.chunk_by(|a, b| a >> 32 == b >> 32) {
                let end = start + same.len();
                if same.len() > 1 {
                    // Of texts that end here the shorter is the smaller: they differ in zeros only.
                    let beyond = depth + INLINE;
                    let run = &mut order[start..end];
                    run.sort_unstable_by_key(|code| self.length(*code).min(beyond + 1));
                    let ended = run.partition_point(|code| self.length(*code) <= beyond);
                    runs.push((start + ended..end, beyond));
                }
                start = end;
            }
        }
        order
    }

    /// The ids of these codes as a column.
    pub(super) fn column(&self, codes: &[u32]) -> Result<ArrayRef> {
        let views = codes.iter().map(|code| self.views[*code as usize]);
        if self.data_type != DataType::Utf8View {
            let numbers: Int64Array = views.map(|view| Some(view as u64 as i64)).collect();
            return Ok(cast(&numbers, &self.data_type)?);
        }
        let mut blocks = self.blocks.clone();
        if !self.open.is_empty() {
            blocks.push(Buffer::from_slice_ref(&self.open));
        }
        Ok(Arc::new(StringViewArray::try_new(views.collect::<ScalarBuffer<u128>>(), blocks, None)?))
    }
}

/// The last of so many codes, and one.
fn next_code(ids: usize) -> Result<u32> {
    match u32::try_from(ids) {
        Ok(next) if next < NONE => Ok(next),
        _ => Err(InvalidArgument::error("a graph has at most 4294967294 ids")),
    }
}

fn hash(view: u128, long: &[u8]) -> u32 {
    if long.is_empty() { mix(view) } else { XxHash3_64::oneshot(long) as u32 }
}

/// A hash of 16 bytes: both halves multiplied into 128 bits, and folded.
fn mix(view: u128) -> u32 {
    let low = view as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let high = (view >> 64) as u64 ^ 0xd1b5_4a32_d192_ed03;
    let product = u128::from(low) * u128::from(high);
    let folded = product as u64 ^ (product >> 64) as u64;
    (folded ^ folded >> 32) as u32
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::array::{Int32Array, StringArray};

    use super::*;

    #[test]
    fn texts_of_any_length_are_told_apart_and_ordered() {
        let long = "x".repeat(5_000);
        let texts = ["b", "a", "", "a\0", "same-prefix-2", "same-prefix-10", "same-prefix-", "é", &long, "a"];
        let column: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        let mut ids = Ids::new(DataType::Utf8View);
        let codes = ids.encode(&column).unwrap();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 1]);
        assert_eq!(ids.encode(&column).unwrap(), codes);
        let sorted = ids.column(&ids.sorted()).unwrap();
        let sorted: Vec<&str> = sorted.as_string_view().iter().flatten().collect();
        let mut expected = texts[..9].to_vec();
        expected.sort_unstable();
        assert_eq!(sorted, expected);
    }

    #[test]
    fn texts_with_a_long_common_start_are_ordered() {
        let ends = (0..200).map(|number| format!("{}{}", number * 7919 % 200, "\0".repeat(number % 5)));
        let starts = ["", "twelve bytes", "more than twelve bytes", "more than twelve bytes "];
        let mut texts: Vec<String> = ends.flat_map(|end| starts.map(|start| format!("{start}{end}"))).collect();
        texts.extend((0..40).map(|number| "\0".repeat(number)));
        let column: ArrayRef = Arc::new(StringArray::from(texts.clone()));
        let mut ids = Ids::new(DataType::Utf8View);
        ids.encode(&column).unwrap();
        let sorted = ids.column(&ids.sorted()).unwrap();
        texts.sort_unstable();
        texts.dedup();
        assert!(sorted.as_string_view().iter().flatten().eq(texts.iter().map(String::as_str)));
    }

    #[test]
    fn many_ids_keep_their_codes() {
        let mut ids = Ids::new(DataType::Utf8View);
        let texts: Vec<String> = (0..50_000).map(|number| format!("profile of number {number}")).collect();
        let column: ArrayRef = Arc::new(StringArray::from(texts.clone()));
        let codes = ids.encode(&column).unwrap();
        assert!(codes.iter().zip(0..).all(|(code, row)| *code == row));
        assert_eq!(ids.encode(&column).unwrap(), codes);
        assert!(ids.size() > texts.iter().map(String::len).sum());
        let back = ids.column(&codes).unwrap();
        assert!(back.as_string_view().iter().flatten().eq(texts.iter().map(String::as_str)));
    }

    #[test]
    fn numbers_keep_their_type() {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![Some(5), Some(-1), None, Some(5), Some(0)]));
        let mut ids = Ids::new(DataType::Int32);
        assert_eq!(ids.encode(&column).unwrap(), [0, 1, NONE, 0, 2]);
        let sorted = ids.column(&ids.sorted()).unwrap();
        assert_eq!(*sorted, Int32Array::from(vec![-1, 0, 5]));
    }

    /// Close together, further apart, and close together again, since there are so many.
    #[test]
    fn numbers_keep_their_codes_however_they_lie() {
        let mut ids = Ids::new(DataType::Int64);
        let batches: [Vec<i64>; 4] = [
            (0..1000).rev().collect(),
            vec![i64::MAX, 17, i64::MIN, i64::MAX],
            (0..3000).map(|number| number * 7919).collect(),
            (-20_000..20_000).collect(),
        ];
        let mut known: Vec<i64> = Vec::new();
        for (batch, place) in batches.iter().zip(0..) {
            let column: ArrayRef = Arc::new(Int64Array::from(batch.clone()));
            let codes = ids.encode(&column).unwrap();
            for (number, code) in batch.iter().zip(codes) {
                assert!(code as usize <= known.len(), "{code} in batch {place}");
                if code as usize == known.len() {
                    known.push(*number);
                }
                assert_eq!(known[code as usize], *number);
            }
            assert_eq!(ids.len(), known.len());
            let mut expected = known.clone();
            expected.sort_unstable();
            let found = ids.column(&ids.sorted()).unwrap();
            assert_eq!(found.as_primitive::<Int64Type>().values(), expected.as_slice());
        }
        known.sort_unstable();
        known.dedup();
        assert_eq!(ids.len(), known.len());
    }

    #[test]
    fn many_numbers_find_each_other_again() {
        let mut ids = Ids::new(DataType::Int64);
        let mut first = Vec::new();
        // Sparse at first, dense in the end.
        for start in 0..50 {
            let numbers: Vec<i64> = (0..2000).map(|number| (number * 50 + start) * 7 % 100_000).collect();
            let column: ArrayRef = Arc::new(Int64Array::from(numbers));
            first.push((ids.encode(&column).unwrap(), column));
        }
        assert_eq!(ids.len(), 100_000);
        for (codes, column) in first {
            assert_eq!(ids.encode(&column).unwrap(), codes);
        }
        assert_eq!(ids.sorted().len(), 100_000);
    }
}
