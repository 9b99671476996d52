//! Codes of numbers that lie close together, found by their place: no hash, no search, and no sort afterwards.

use std::mem::size_of;

/// A table takes at most so many places for each number when it is made, and twice as many before it is given up.
const SPARSE: u64 = 4;

/// The codes of the numbers of a range.
#[derive(Debug)]
pub(super) struct Direct {
    /// The number of the first place.
    first: i64,
    /// Code + 1 of each number from there on; 0 is none.
    codes: Vec<u32>,
}

impl Direct {
    /// Whether a table of a range is worth its memory, for so many numbers.
    pub(super) fn pays(low: i64, high: i64, numbers: usize, exists: bool) -> bool {
        high.abs_diff(low) / (SPARSE << u32::from(exists)) < numbers as u64
    }

    /// A table of a range that [`Direct::pays`], for numbers in the order of their codes.
    pub(super) fn new(low: i64, high: i64, numbers: impl Iterator<Item = i64>) -> Self {
        let mut table = Self { first: low, codes: vec![0; high.abs_diff(low) as usize + 1] };
        for (number, code) in numbers.zip(1..) {
            *table.at(number) = code;
        }
        table
    }

    /// Makes room for a range that holds what there is.
    pub(super) fn reach(&mut self, low: i64, high: i64) {
        if low < self.first {
            // Twice as far as now, at least, so that numbers that go down move the table seldom.
            let first = low.min(self.first.saturating_sub(self.codes.len() as i64));
            let more = self.first.abs_diff(first) as usize;
            let mut codes = vec![0; more];
            codes.append(&mut self.codes);
            *self = Self { first, codes };
        }
        let places = high.abs_diff(self.first) as usize + 1;
        if places > self.codes.len() {
            self.codes.resize(places, 0);
        }
    }

    /// Code + 1 of a number within reach, or 0.
    pub(super) fn at(&mut self, number: i64) -> &mut u32 {
        &mut self.codes[number.wrapping_sub(self.first) as usize]
    }

    /// All codes in the order of their numbers.
    pub(super) fn sorted(&self) -> Vec<u32> {
        self.codes.iter().filter_map(|code| code.checked_sub(1)).collect()
    }

    pub(super) fn size(&self) -> usize {
        self.codes.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_codes_as_the_table_grows() {
        let mut table = Direct::new(5, 9, [7, 5].into_iter());
        table.reach(-3, 20);
        *table.at(-3) = 3;
        *table.at(20) = 4;
        assert_eq!(table.sorted(), [2, 1, 0, 3]);
        assert_eq!((*table.at(5), *table.at(6)), (2, 0));
        assert!(table.size() >= 24 * size_of::<u32>());
    }

    #[test]
    fn the_ends_of_all_numbers_are_numbers() {
        assert!(!Direct::pays(i64::MIN, i64::MAX, 1 << 40, true));
        for (low, high) in [(i64::MIN, i64::MIN + 2), (i64::MAX - 2, i64::MAX)] {
            assert!(Direct::pays(low, high, 2, false));
            let mut table = Direct::new(high, high, [high].into_iter());
            table.reach(low, high);
            *table.at(low) = 2;
            assert_eq!(table.sorted(), [1, 0]);
        }
    }

    #[test]
    fn a_table_is_kept_longer_than_it_is_made() {
        assert!(Direct::pays(0, 39, 10, false));
        assert!(!Direct::pays(0, 40, 10, false));
        assert!(Direct::pays(0, 79, 10, true));
        assert!(!Direct::pays(0, 80, 10, true));
    }
}
