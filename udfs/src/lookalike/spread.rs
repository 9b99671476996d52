//! Means and standard deviations of features, of what is known of them; mergeable.

use super::discriminant::is_constant;

/// Count, mean and sum of squared deviations of every feature.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Spread(Vec<[f64; 3]>);

impl Spread {
    /// Of rows of equal width after one another, where what is unknown is NaN.
    pub(super) fn of(values: &[f64], width: usize) -> Self {
        let mut spread = vec![[0.0; 3]; width];
        let rows = || values.chunks_exact(width.max(1));
        for row in rows() {
            for ([count, sum, _], value) in spread.iter_mut().zip(row) {
                if !value.is_nan() {
                    *count += 1.0;
                    *sum += value;
                }
            }
        }
        for [count, mean, _] in &mut spread {
            *mean /= count.max(1.0);
        }
        for row in rows() {
            for ([_, mean, squares], value) in spread.iter_mut().zip(row) {
                let apart = value - *mean;
                *squares += if apart.is_nan() { 0.0 } else { apart * apart };
            }
        }
        Self(spread)
    }

    /// Joins that of other rows.
    pub(super) fn merge(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        for ([count, mean, squares], [more, other_mean, other_squares]) in self.0.iter_mut().zip(&other.0) {
            let all = (*count + more).max(1.0);
            let apart = other_mean - *mean;
            *squares += other_squares + apart * apart * *count * more / all;
            *mean += apart * more / all;
            *count += more;
        }
    }

    pub(super) fn width(&self) -> usize {
        self.0.len()
    }

    /// As numbers.
    pub(super) fn into_state(self) -> Vec<f64> {
        self.0.into_iter().flatten().collect()
    }

    /// From [`Self::into_state`].
    pub(super) fn from_state(state: &[f64]) -> Self {
        Self(state.as_chunks().0.to_vec())
    }

    /// The means.
    pub(super) fn means(&self) -> Vec<f64> {
        self.0.iter().map(|[_, mean, _]| *mean).collect()
    }

    /// The standard deviations; 1 of what does not vary.
    pub(super) fn scales(&self) -> Vec<f64> {
        self.0
            .iter()
            .map(|[count, mean, squares]| {
                let deviation = (squares / count.max(1.0)).sqrt();
                if is_constant(deviation, *mean) { 1.0 } else { deviation }
            })
            .collect()
    }
}

/// Takes the means off and divides by the scales; what is unknown becomes 0, the mean.
pub(super) fn standardise(values: &mut [f64], means: &[f64], scales: &[f64]) {
    for row in values.chunks_exact_mut(means.len().max(1)) {
        for ((value, mean), scale) in row.iter_mut().zip(means).zip(scales) {
            let standard = (*value - mean) / scale;
            *value = if standard.is_nan() { 0.0 } else { standard };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_the_whole() {
        let values: Vec<f64> =
            (0..300).map(|i| if i % 11 == 0 { f64::NAN } else { 1e6 + f64::from(i * i % 97) }).collect();
        let whole = Spread::of(&values, 3);
        let mut parts = Spread::default();
        for part in values.chunks(90) {
            parts.merge(&Spread::from_state(&Spread::of(part, 3).into_state()));
        }
        for (a, b) in whole.scales().iter().zip(parts.scales()) {
            assert!((a / b - 1.0).abs() < 1e-9);
        }
        assert_eq!(Spread::of(&[0.1; 1000], 1).scales(), [1.0]);
    }

    #[test]
    fn unknown_is_the_mean() {
        let mut values = [1.0, f64::NAN, 3.0, 5.0];
        standardise(&mut values, &[2.0, 5.0], &[1.0, 2.0]);
        assert_eq!(values, [-1.0, 0.0, 1.0, 0.0]);
    }
}
