//! Fisher's linear discriminant in closed form, on standardised features, its covariance shrunk towards a sphere.

use datafusion_common::Result;
use nalgebra::{Cholesky, DMatrix, DVector};

use super::class_moments::ClassMoments;
use super::model::LinearModel;
use crate::InvalidArgument;

/// A spread below this share of the mean is what rounding leaves of a constant.
const CONSTANT: f64 = 1e-13;

/// Whether a standard deviation is that of a constant.
pub(super) fn is_constant(deviation: f64, mean: f64) -> bool {
    deviation <= CONSTANT * mean.abs()
}

/// The model that parts the classes best.
///
/// Features are divided by their standard deviation over all rows; the covariance within classes becomes
/// `(1 - shrink) * C + shrink * trace(C) / d * I`, as in scikit-learn. The intercept makes the score the logarithm of
/// the odds, if classes are normal with one covariance.
///
/// # Errors
/// If a class has no rows, or if the features do not vary within the classes.
pub(super) fn fit(function: &str, gathered: &ClassMoments, shrink: f64) -> Result<LinearModel> {
    let invalid = |what: &str| InvalidArgument::error(format!("{function}: {what}"));
    let moments = gathered.completed();
    let [others, members] = moments.counts();
    if others == 0 || members == 0 {
        return Err(invalid(&format!(
            "there have to be rows of both classes, not {members} of the one and {others} of the other"
        )));
    }
    let (negatives, positives) = (others as f64, members as f64);
    let rows = negatives + positives;
    let [negative, positive] = moments.means();
    let apart = positive - negative;
    let means: Vec<f64> = negative.iter().zip(&apart).map(|(mean, apart)| mean + apart * positives / rows).collect();
    let within = moments.within();
    let deviation = |j: usize| {
        let between = negatives * positives / rows * apart[j] * apart[j];
        ((within[(j, j)] + between) / rows).sqrt()
    };
    let deviations: Vec<f64> = (0..moments.width()).map(deviation).collect();
    let varying: Vec<usize> = (0..moments.width()).filter(|j| !is_constant(deviations[*j], means[*j])).collect();
    let size = varying.len();
    let mut weights = vec![0.0; moments.width()];
    let mut intercept = (positives / negatives).ln();
    if size > 0 {
        let mut covariance = DMatrix::from_fn(size, size, |a, b| {
            let (j, k) = (varying[a], varying[b]);
            within[(j, k)] / (rows * deviations[j] * deviations[k])
        });
        let sphere = covariance.trace() / size as f64;
        covariance *= 1.0 - shrink;
        for a in 0..size {
            covariance[(a, a)] += shrink * sphere;
        }
        let apart = DVector::from_iterator(size, varying.iter().map(|j| apart[*j] / deviations[*j]));
        // The smallest pivot that is not rounding: the diagonal is of the order of 1.
        let solved = Cholesky::new(covariance)
            .filter(|factor| factor.l_dirty().diagonal().iter().all(|pivot| pivot * pivot > 1e-12))
            .map(|factor| factor.solve(&apart));
        let Some(solved) = solved else {
            return Err(invalid(
                "features depend on one another or do not vary within the classes; give a shrink above 0, or leave \
                 out those that define the classes",
            ));
        };
        // The middle between the classes' means, seen from the mean of all rows.
        intercept -= 0.5 * solved.dot(&apart) * (negatives - positives) / rows;
        for (j, weight) in varying.iter().zip(solved.iter()) {
            weights[*j] = *weight;
        }
    }
    let scales = deviations.iter().zip(&means).map(|(s, mean)| if is_constant(*s, *mean) { 1.0 } else { *s }).collect();
    Ok(LinearModel { kind: "lda", intercept, weights, means, scales, rows: others + members, positives: members })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(rows: &[([f64; 3], bool)], shrink: f64) -> Result<LinearModel> {
        let mut moments = ClassMoments::default();
        moments.add("f", rows.iter().map(|(row, class)| (&row[..], *class)))?;
        fit("f", &moments, shrink)
    }

    #[test]
    fn one_feature_by_hand() {
        let rows =
            [([0.0, 5.0, 0.0], false), ([2.0, 5.0, 0.0], false), ([4.0, 5.0, 0.0], true), ([6.0, 5.0, 0.0], true)];
        let model = model(&rows, 0.0).unwrap();
        // Means 1 and 5, variance within 1 and over all 5: (4 / sqrt 5) / (1 / 5), and 0 for the constants.
        assert!((model.weights[0] - 4.0 * 5.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(model.weights[1..], [0.0, 0.0]);
        assert_eq!((model.means[0], model.scales[1], model.intercept), (3.0, 1.0, 0.0));
        assert_eq!((model.rows, model.positives), (4, 2));
    }

    #[test]
    fn no_rows_of_a_class_and_no_spread_are_errors() {
        assert!(model(&[([1.0, 2.0, 3.0], true)], 0.2).unwrap_err().to_string().contains("both classes"));
        let defined = [([0.0, 1.0, 0.0], false), ([0.0, 1.0, 0.0], false), ([1.0, 1.0, 0.0], true)];
        assert!(model(&defined, 0.2).unwrap_err().to_string().contains("define the classes"));
    }

    #[test]
    fn shrink_keeps_dependent_features_apart() {
        let rows: Vec<([f64; 3], bool)> =
            (0..50).map(|i| ([f64::from(i % 7), f64::from(i % 7) * 2.0, f64::from(i % 4)], i % 5 > 2)).collect();
        assert!(model(&rows, 0.0).is_err());
        let model = model(&rows, 0.2).unwrap();
        assert!((model.weights[0] - model.weights[1]).abs() < 1e-9);
    }
}
