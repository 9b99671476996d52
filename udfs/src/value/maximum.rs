//! The maximum of a smooth function of a few positive parameters, found in their logarithms.
//!
//! Newton's method along the axes of the curvature: also where the function is not concave every step goes uphill, and
//! it is halved until it climbs. The curvature is taken from differences of the exact gradient. A parameter that runs
//! off stays at a bound: there the likelihood of our models has become flat, and the model with that bound is as good
//! as any beyond.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// The natural logarithm of the largest parameter and, negative, of the smallest: a million and a millionth.
const BOUND: f64 = 13.815_510_557_964_274;

const ITERATIONS: usize = 500;
const HALVINGS: i32 = 40;

/// A point and the function there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Maximum<const N: usize> {
    pub(super) parameters: [f64; N],
    pub(super) value: f64,
}

/// The maximum that is reached from parameters of 1; `None` if there is none to be found.
///
/// `function` gives its value and its gradient with respect to the logarithms of the parameters.
pub(super) fn maximum<const N: usize>(function: impl Fn(&[f64; N]) -> (f64, [f64; N])) -> Option<Maximum<N>> {
    let at_logs = |logs: &[f64; N]| function(&logs.map(f64::exp));
    let mut logs = [0.0; N];
    let (mut value, mut gradient) = at_logs(&logs);
    for _ in 0..ITERATIONS {
        if !value.is_finite() || gradient.iter().any(|slope| !slope.is_finite()) {
            return None;
        }
        let free: Vec<usize> = (0..N).filter(|i| !is_held(logs[*i], gradient[*i])).collect();
        let slope = free.iter().map(|i| gradient[*i].abs()).fold(0.0, f64::max);
        if slope <= 1e-11 * (1.0 + value.abs()) {
            return Some(Maximum { parameters: logs.map(f64::exp), value });
        }
        let uphill = uphill(curvature(&at_logs, &logs, &free), &gradient, &free)?;
        let steps = (0..HALVINGS).map(|halvings| moved(&logs, &free, &uphill, 0.5_f64.powi(halvings)));
        let reached = steps.map(|next| (next, at_logs(&next))).find(|(_, (higher, _))| *higher > value);
        match reached {
            Some((next, (higher, slopes))) => (logs, value, gradient) = (next, higher, slopes),
            // No step climbs any more: the top, as far as digits can tell, or a failure.
            None => {
                let flat = slope <= 1e-6 * (1.0 + value.abs());
                return flat.then(|| Maximum { parameters: logs.map(f64::exp), value });
            }
        }
    }
    None
}

/// Whether a parameter is at a bound that the function would push it over.
fn is_held(log: f64, slope: f64) -> bool {
    (log >= BOUND && slope > 0.0) || (log <= -BOUND && slope < 0.0)
}

/// The point after a part of a step, which changes no parameter by more than a factor of about 7.
fn moved<const N: usize>(logs: &[f64; N], free: &[usize], step: &DVector<f64>, part: f64) -> [f64; N] {
    let shrunk = part * (2.0 / step.amax()).min(1.0);
    let mut next = *logs;
    for (i, step) in free.iter().zip(step.iter()) {
        next[*i] = (next[*i] + shrunk * step).clamp(-BOUND, BOUND);
    }
    next
}

/// The second derivatives, with their sign turned.
fn curvature<const N: usize>(
    at_logs: &impl Fn(&[f64; N]) -> (f64, [f64; N]),
    logs: &[f64; N],
    free: &[usize],
) -> DMatrix<f64> {
    const STEP: f64 = 1e-4;
    let mut matrix = DMatrix::zeros(free.len(), free.len());
    for (column, i) in free.iter().enumerate() {
        let slopes = |offset: f64| {
            let mut near = *logs;
            near[*i] += offset;
            at_logs(&near).1
        };
        let (above, below) = (slopes(STEP), slopes(-STEP));
        for (row, j) in free.iter().enumerate() {
            matrix[(row, column)] = (below[*j] - above[*j]) / (2.0 * STEP);
        }
    }
    (&matrix + matrix.transpose()) / 2.0
}

/// Newton's step where the function is concave; elsewhere the same with the curvature's sign turned.
fn uphill<const N: usize>(curvature: DMatrix<f64>, gradient: &[f64; N], free: &[usize]) -> Option<DVector<f64>> {
    let slopes = DVector::from_iterator(free.len(), free.iter().map(|i| gradient[*i]));
    let axes = SymmetricEigen::try_new(curvature, f64::EPSILON, 1000)?;
    let steepest = axes.eigenvalues.amax();
    let mut along = axes.eigenvectors.tr_mul(&slopes);
    for (along, curved) in along.iter_mut().zip(axes.eigenvalues.iter()) {
        *along /= curved.abs().max(1e-13 * steepest).max(f64::MIN_POSITIVE);
    }
    let step = &axes.eigenvectors * along;
    step.iter().all(|step| step.is_finite()).then_some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_top_is_found() {
        // Highest where the first is 3 and the second .01, in a curved valley.
        let found = maximum(|[p, q]: &[f64; 2]| {
            let (a, b) = (p.ln() - 3_f64.ln(), q.ln() - 0.01_f64.ln() - (p.ln() - 3_f64.ln()).powi(2));
            (-a * a - 10.0 * b * b, [-2.0 * a + 40.0 * b * a, -20.0 * b])
        });
        let found = found.unwrap();
        assert!((found.parameters[0] - 3.0).abs() < 1e-6, "{found:?}");
        assert!((found.parameters[1] - 0.01).abs() < 1e-8, "{found:?}");
    }

    #[test]
    fn what_has_no_top_ends_at_the_bound() {
        let found = maximum(|[p]: &[f64; 1]| (-1.0 / (1.0 + p), [p / (1.0 + p).powi(2)])).unwrap();
        assert!(found.parameters[0] > 1e5, "{found:?}");
        assert_eq!(maximum(|_: &[f64; 1]| (f64::NAN, [0.0])), None);
    }
}
