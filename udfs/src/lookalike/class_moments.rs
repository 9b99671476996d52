//! Counts and means of two classes, and the scatter of their members about the mean of their own class: all that a
//! linear discriminant needs, gathered in one pass and mergeable.
//!
//! Rows are taken in blocks: each is centred by its own means, and blocks are joined by the formula of Chan, Golub and
//! LeVeque (1979), which loses no digits to large means as sums of squares do.
//!
//! A row with an unknown feature is kept aside until the means are known, and then takes them.

use datafusion_common::Result;
use nalgebra::{DMatrix, DVector};

use super::features::same_width;

/// Rows of a block: 256 of 64 features fit the second cache beside their transpose.
const BLOCK: usize = 256;

/// The moments of two classes, the second of them the positive one.
#[derive(Debug, Clone, Default)]
pub(super) struct ClassMoments {
    width: usize,
    counts: [u64; 2],
    means: [DVector<f64>; 2],
    within: DMatrix<f64>,
    /// Rows with unknown features, class by class.
    incomplete: [Vec<f64>; 2],
}

impl ClassMoments {
    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn counts(&self) -> [u64; 2] {
        self.counts
    }

    pub(super) fn means(&self) -> &[DVector<f64>; 2] {
        &self.means
    }

    pub(super) fn within(&self) -> &DMatrix<f64> {
        &self.within
    }

    /// Bytes on the heap.
    pub(super) fn size(&self) -> usize {
        let numbers = self.width * (self.width + 2) + self.incomplete.iter().map(Vec::capacity).sum::<usize>();
        numbers * size_of::<f64>()
    }

    /// Adds rows with their classes.
    ///
    /// # Errors
    /// If a row has another width than those before.
    pub(super) fn add<'a>(&mut self, function: &str, rows: impl IntoIterator<Item = (&'a [f64], bool)>) -> Result<()> {
        let mut blocks = [Vec::new(), Vec::new()];
        for (row, positive) in rows {
            let before = self.width;
            same_width(function, &mut self.width, row.len())?;
            if before == 0 {
                self.means = [DVector::zeros(self.width), DVector::zeros(self.width)];
                self.within = DMatrix::zeros(self.width, self.width);
            }
            let class = usize::from(positive);
            if row.iter().any(|value| value.is_nan()) {
                self.incomplete[class].extend_from_slice(row);
                continue;
            }
            blocks[class].extend_from_slice(row);
            if blocks[class].len() == BLOCK * self.width {
                self.add_block(class, &blocks[class]);
                blocks[class].clear();
            }
        }
        for (class, block) in blocks.iter().enumerate() {
            self.add_block(class, block);
        }
        Ok(())
    }

    /// Adds complete rows of one class.
    fn add_block(&mut self, class: usize, rows: &[f64]) {
        if rows.is_empty() {
            return;
        }
        // Rows after one another are the columns of a matrix.
        let mut block = DMatrix::from_column_slice(self.width, rows.len() / self.width, rows);
        let mean = block.column_mean();
        for mut row in block.column_iter_mut() {
            row -= &mean;
        }
        self.within.gemm(1.0, &block, &block.transpose(), 1.0);
        self.join(class, block.ncols() as u64, &mean);
    }

    /// Joins the mean of more members of a class, whose scatter about it has been added.
    fn join(&mut self, class: usize, count: u64, mean: &DVector<f64>) {
        let before = self.counts[class];
        let (had, came, all) = (before as f64, count as f64, (before + count) as f64);
        let shift = mean - &self.means[class];
        self.means[class].axpy(came / all, &shift, 1.0);
        if before > 0 {
            self.within.ger(had * came / all, &shift, &shift, 1.0);
        }
        self.counts[class] += count;
    }

    /// Adds what another has gathered.
    ///
    /// # Errors
    /// If its rows have another width.
    pub(super) fn merge(&mut self, function: &str, other: Self) -> Result<()> {
        if other.width == 0 {
            return Ok(());
        }
        if self.width == 0 {
            *self = other;
            return Ok(());
        }
        same_width(function, &mut self.width, other.width)?;
        self.within += &other.within;
        for (class, rows) in other.incomplete.iter().enumerate() {
            if other.counts[class] > 0 {
                self.join(class, other.counts[class], &other.means[class]);
            }
            self.incomplete[class].extend_from_slice(rows);
        }
        Ok(())
    }

    /// The moments of all rows, where those with unknown features have taken the mean of all that are known; a feature
    /// that is never known is 0.
    pub(super) fn completed(&self) -> Self {
        let mut completed = Self { incomplete: Default::default(), ..self.clone() };
        let complete = (self.counts[0] + self.counts[1]) as f64;
        let sums = &self.means[0] * self.counts[0] as f64 + &self.means[1] * self.counts[1] as f64;
        let mut known: Vec<(f64, f64)> = sums.iter().map(|sum| (*sum, complete)).collect();
        for row in self.incomplete.iter().flat_map(|rows| rows.chunks(self.width.max(1))) {
            for ((sum, count), value) in known.iter_mut().zip(row).filter(|(_, value)| !value.is_nan()) {
                *sum += value;
                *count += 1.0;
            }
        }
        let means: Vec<f64> = known.iter().map(|(sum, count)| sum / count.max(1.0)).collect();
        for (class, rows) in self.incomplete.iter().enumerate() {
            for rows in rows.chunks(BLOCK * self.width.max(1)) {
                let values = rows.iter().zip(means.iter().cycle());
                let filled: Vec<f64> = values.map(|(x, mean)| if x.is_nan() { *mean } else { *x }).collect();
                completed.add_block(class, &filled);
            }
        }
        completed
    }

    /// All of it as numbers.
    pub(super) fn into_state(self) -> [Vec<f64>; 3] {
        if self.width == 0 {
            return Default::default();
        }
        let [negative, positive] = self.means;
        let mut moments = vec![self.width as f64, self.counts[0] as f64, self.counts[1] as f64];
        moments.extend(negative.iter().chain(positive.iter()).chain(self.within.iter()));
        let [negative, positive] = self.incomplete;
        [moments, negative, positive]
    }

    /// From [`Self::into_state`]; nothing of no numbers.
    pub(super) fn from_state([moments, negative, positive]: [Vec<f64>; 3]) -> Option<Self> {
        let (head, numbers) = moments.split_at_checked(3)?;
        let width = head[0] as usize;
        let (first, rest) = numbers.split_at_checked(width)?;
        let (second, within) = rest.split_at_checked(width)?;
        (within.len() == width * width).then(|| Self {
            width,
            counts: [head[1] as u64, head[2] as u64],
            means: [DVector::from_column_slice(first), DVector::from_column_slice(second)],
            within: DMatrix::from_column_slice(width, width, within),
            incomplete: [negative, positive],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<([f64; 2], bool)> {
        (0..1000).map(|i| ([1e9 + f64::from(i % 10), f64::from(i * i % 17)], i % 3 == 0)).collect()
    }

    fn gathered(rows: &[([f64; 2], bool)]) -> ClassMoments {
        let mut moments = ClassMoments::default();
        moments.add("f", rows.iter().map(|(row, class)| (&row[..], *class))).unwrap();
        moments
    }

    #[test]
    fn blocks_and_merges_are_the_plain_moments() {
        let rows = rows();
        let whole = gathered(&rows);
        let mut merged = ClassMoments::default();
        for part in rows.chunks(300) {
            let state = gathered(part).into_state();
            merged.merge("f", ClassMoments::from_state(state).unwrap()).unwrap();
        }
        let mean = |class: bool, j: usize| {
            let members: Vec<f64> = rows.iter().filter(|row| row.1 == class).map(|row| row.0[j] - 1e9).collect();
            members.iter().sum::<f64>() / members.len() as f64
        };
        let means = [[mean(false, 0), mean(false, 1)], [mean(true, 0), mean(true, 1)]];
        for moments in [whole, merged] {
            assert_eq!(moments.counts(), [666, 334]);
            for j in 0..2 {
                for k in 0..2 {
                    let plain: f64 = rows
                        .iter()
                        .map(|(row, class)| {
                            let means = means[usize::from(*class)];
                            (row[j] - 1e9 - means[j]) * (row[k] - 1e9 - means[k])
                        })
                        .sum();
                    assert!((moments.within()[(j, k)] / plain - 1.0).abs() < 1e-6, "{j} {k}");
                }
            }
        }
    }

    #[test]
    fn unknown_features_take_the_mean() {
        let known = gathered(&[([1.0, 4.0], true), ([3.0, 8.0], false), ([2.0, 6.0], false)]);
        let unknown = gathered(&[([1.0, 4.0], true), ([3.0, 8.0], false), ([f64::NAN, 6.0], false)]);
        assert_eq!(unknown.counts(), [1, 1]);
        let completed = unknown.completed();
        assert_eq!(completed.counts(), known.counts());
        assert!((completed.within() - known.within()).norm() < 1e-12);
    }

    #[test]
    fn other_widths_are_errors() {
        let mut moments = gathered(&rows());
        assert!(moments.add("f", [(&[1.0][..], true)]).is_err());
        assert!(ClassMoments::from_state(ClassMoments::default().into_state()).is_none());
    }
}
