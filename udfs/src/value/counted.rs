//! Rows of numbers with how often each occurs: customers who bought alike are one row to a likelihood.

use std::collections::HashMap;

use datafusion_common::{Result, internal_err};

/// Rows of `N` numbers, each with its count.
#[derive(Debug, Default)]
pub(super) struct Counted<const N: usize> {
    /// By the bits of the numbers.
    counts: HashMap<[u64; N], u64>,
}

impl<const N: usize> Counted<N> {
    pub(super) fn new() -> Self {
        Self { counts: HashMap::new() }
    }

    /// Counts a row; its numbers are finite and none is negative.
    pub(super) fn add(&mut self, row: [f64; N], count: u64) {
        // The sum makes 0 of -0.
        let counted = self.counts.entry(row.map(|number| (number + 0.0).to_bits())).or_default();
        *counted = counted.saturating_add(count);
    }

    /// All rows in order, which is that of the numbers, with their counts.
    pub(super) fn rows(&self) -> Vec<([f64; N], u64)> {
        let mut rows: Vec<_> = self.counts.iter().map(|(row, count)| (*row, *count)).collect();
        // The bits of numbers that are not negative are in the order of the numbers.
        rows.sort_unstable();
        rows.into_iter().map(|(row, count)| (row.map(f64::from_bits), count)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The rows as bytes, for [`Self::merge`].
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.counts.len() * (N + 1) * 8);
        for (row, count) in self.rows() {
            for number in row {
                bytes.extend(number.to_bits().to_le_bytes());
            }
            bytes.extend(count.to_le_bytes());
        }
        bytes
    }

    pub(super) fn merge(&mut self, bytes: &[u8]) -> Result<()> {
        let (words, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() || words.len() % (N + 1) != 0 {
            return internal_err!("a state of counted rows has {} bytes", bytes.len());
        }
        for words in words.chunks_exact(N + 1) {
            let mut numbers = words.iter().map(|word| u64::from_le_bytes(*word));
            let row = std::array::from_fn(|_| f64::from_bits(numbers.next().unwrap_or_default()));
            self.add(row, numbers.next().unwrap_or_default());
        }
        Ok(())
    }

    pub(super) fn size(&self) -> usize {
        // A hash table has a byte of control and an eighth of its slots free for every row.
        self.counts.capacity() * 8 / 7 * (size_of::<([u64; N], u64)>() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_rows_are_one() {
        let mut some = Counted::new();
        some.add([1.0, -0.0], 1);
        some.add([1.0, 0.0], 2);
        some.add([0.5, 7.0], 1);
        let mut all = Counted::<2>::new();
        all.merge(&some.to_bytes()).unwrap();
        all.merge(&some.to_bytes()).unwrap();
        assert_eq!(all.rows(), [([0.5, 7.0], 2), ([1.0, 0.0], 6)]);
        assert!(all.merge(&[1, 2, 3]).is_err());
        assert!(all.size() > 0);
    }
}
