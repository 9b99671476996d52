//! Logistic regression with an L2 penalty, by Newton's method.

use datafusion_common::Result;
use nalgebra::{Cholesky, DMatrix, DVector};

use super::collected::Collected;
use super::model::LinearModel;
use super::spread::{Spread, standardise};
use crate::InvalidArgument;

/// Rows of a block: 256 of 64 features fit the second cache beside their transpose.
const BLOCK: usize = 256;

/// Newton's method needs some ten steps; halving keeps every one of them a descent.
const STEPS: usize = 100;
const HALVINGS: usize = 40;

/// The regression of the labels on the standardised features.
///
/// Minimises `Σ c × log(1 + exp(∓score)) + l2 / 2 × |weights|²`, the intercept free: scikit-learn's objective with
/// `C = 1 / l2`. With `balance` each class weighs half (`c = n / (2 × n of the class)`), otherwise `c = 1`.
///
/// # Errors
/// If a class has no rows, or if there is no minimum, since the features part the classes and `l2` is 0.
pub(super) fn fit(function: &str, mut rows: Collected, l2: f64, balance: bool) -> Result<LinearModel> {
    let invalid = |what: &str| InvalidArgument::error(format!("{function}: {what}"));
    let (count, positives) = (rows.labels.len(), rows.labels.iter().filter(|label| **label).count());
    if positives == 0 || positives == count {
        return Err(invalid(&format!(
            "there have to be rows of both classes, not {positives} of the one and {} of the other",
            count - positives
        )));
    }
    rows.sort();
    let spread = Spread::of(&rows.values, rows.width);
    let (means, scales) = (spread.means(), spread.scales());
    standardise(&mut rows.values, &means, &scales);
    let half = count as f64 / 2.0;
    let class_weights = if balance { [half / (count - positives) as f64, half / positives as f64] } else { [1.0, 1.0] };
    let problem = Problem { rows: &rows, l2, class_weights };
    let mut at = DVector::zeros(rows.width + 1);
    let mut loss = problem.loss(&at);
    for _ in 0..STEPS {
        let (gradient, hessian) = problem.derivatives(&at);
        let Some(factor) = Cholesky::new(hessian) else { break };
        let step = factor.solve(&gradient);
        let decrement = step.dot(&gradient);
        let mut length = 1.0;
        let mut next = &at - &step;
        let mut next_loss = problem.loss(&next);
        for _ in 0..HALVINGS {
            if next_loss <= loss {
                break;
            }
            length *= 0.5;
            next = &at - &step * length;
            next_loss = problem.loss(&next);
        }
        // Rounding alone can be what keeps the last step from being a descent.
        if next_loss <= loss {
            at = next;
            loss = next_loss;
        }
        if decrement <= 1e-12 * (1.0 + loss) {
            if l2 == 0.0 && problem.parted(&at) {
                break;
            }
            let intercept = at[rows.width];
            let weights = at.as_slice()[..rows.width].to_vec();
            let (rows, positives) = (count as u64, positives as u64);
            return Ok(LinearModel { kind: "logreg", intercept, weights, means, scales, rows, positives });
        }
    }
    Err(invalid(
        "the features part the classes, or depend on one another, so that no weights are best; give a larger l2",
    ))
}

struct Problem<'a> {
    rows: &'a Collected,
    l2: f64,
    class_weights: [f64; 2],
}

impl Problem<'_> {
    /// The scores of all rows with their labels; the intercept is the last of the weights.
    fn scores(&self, at: &DVector<f64>) -> impl Iterator<Item = (f64, bool)> {
        let weights = &at.as_slice()[..self.rows.width];
        let intercept = at[self.rows.width];
        let score = move |row: &[f64]| super::pairs::dot(row, weights) + intercept;
        self.rows.rows().map(score).zip(self.rows.labels.iter().copied())
    }

    fn loss(&self, at: &DVector<f64>) -> f64 {
        let of_row = |(score, label): (f64, bool)| {
            let against = if label { -score } else { score };
            // log(1 + exp(x)) that does not overflow.
            self.class_weights[usize::from(label)] * (against.max(0.0) + (-against.abs()).exp().ln_1p())
        };
        let weights = at.rows(0, self.rows.width);
        self.scores(at).map(of_row).sum::<f64>() + 0.5 * self.l2 * weights.norm_squared()
    }

    fn derivatives(&self, at: &DVector<f64>) -> (DVector<f64>, DMatrix<f64>) {
        let width = self.rows.width;
        let mut gradient = at * self.l2;
        gradient[width] = 0.0;
        let mut hessian = DMatrix::from_diagonal_element(width + 1, width + 1, self.l2);
        hessian[(width, width)] = 0.0;
        let mut scores = self.scores(at);
        for block in self.rows.values.chunks(BLOCK * width) {
            let mut rows = DMatrix::from_element(width + 1, block.len() / width, 1.0);
            for (mut column, row) in rows.column_iter_mut().zip(block.chunks_exact(width)) {
                let Some((score, label)) = scores.next() else { break };
                column.as_mut_slice()[..width].copy_from_slice(row);
                let probability = 1.0 / (1.0 + (-score).exp());
                let weight = self.class_weights[usize::from(label)];
                gradient.axpy(weight * (probability - f64::from(u8::from(label))), &column, 1.0);
                column *= (weight * probability * (1.0 - probability)).sqrt();
            }
            hessian.gemm(1.0, &rows, &rows.transpose(), 1.0);
        }
        for feature in 0..=width {
            // What does not vary has no weight, whatever the penalty.
            if hessian[(feature, feature)] == 0.0 {
                hessian[(feature, feature)] = 1.0;
            }
        }
        (gradient, hessian)
    }

    /// Whether the scores tell the classes apart without a fault.
    fn parted(&self, at: &DVector<f64>) -> bool {
        self.scores(at).all(|(score, label)| (score > 0.0) == label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 rows of three features, the last of them constant.
    fn rows() -> Collected {
        let values = (0..40).flat_map(|i| [f64::from(i * 7 % 11), f64::from(i * 5 % 13) * 0.5, 4.0]).collect();
        let labels = (0..40).map(|i| (i * 7 % 11) + (i * 3 % 5) > 7).collect();
        Collected { width: 3, values, labels }
    }

    /// Intercept and weights by scikit-learn 1.9.1 on features that were scaled as by `StandardScaler`:
    /// `LogisticRegression(C=1, tol=1e-12)`, and with `C=0.1, class_weight='balanced'`.
    const PLAIN: [f64; 3] = [-0.465376208, 2.44062712, 0.17276723];
    const BALANCED: [f64; 3] = [-0.0865032104, 0.887574246, 0.112684946];

    #[test]
    fn weights_are_those_of_scikit_learn() {
        let plain = fit("f", rows(), 1.0, false).unwrap();
        let balanced = fit("f", rows(), 10.0, true).unwrap();
        for (model, expected) in [(plain, PLAIN), (balanced, BALANCED)] {
            let found = [model.intercept, model.weights[0], model.weights[1]];
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-7, "{found} {expected}");
            }
            assert_eq!((model.weights[2], model.scales[2]), (0.0, 1.0));
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let mut turned = rows();
        turned.values = rows().values.chunks(3).rev().flatten().copied().collect();
        turned.labels.reverse();
        assert_eq!(fit("f", turned, 1.0, false).unwrap(), fit("f", rows(), 1.0, false).unwrap());
    }

    #[test]
    fn parted_classes_need_a_penalty() {
        let parted =
            || Collected { width: 1, values: vec![1.0, 2.0, 3.0, 4.0], labels: vec![false, false, true, true] };
        assert!(fit("f", parted(), 0.0, false).unwrap_err().to_string().contains("larger l2"));
        let model = fit("f", parted(), 1e-6, false).unwrap();
        assert!(model.weights[0] > 5.0 && model.weights[0].is_finite());
        let one = Collected { width: 1, values: vec![1.0, 2.0], labels: vec![true, true] };
        assert!(fit("f", one, 1.0, false).unwrap_err().to_string().contains("both classes"));
    }
}
