//! The Gamma-Gamma model of monetary value (Fader and Hardie 2013): what a customer spends varies round a mean as a
//! gamma distribution (`p`), and the means differ among customers as another (`q`, `v`), whatever the frequency.

use super::gamma::{digamma, ln_gamma};
use super::maximum::{Maximum, maximum};

/// The parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GammaGamma {
    pub(super) p: f64,
    pub(super) q: f64,
    pub(super) v: f64,
}

impl GammaGamma {
    /// The parameters, or what is wrong with them.
    pub(super) fn new(p: f64, q: f64, v: f64) -> Result<Self, String> {
        if [p, q, v].iter().all(|parameter| parameter.is_finite() && *parameter > 0.0) {
            Ok(Self { p, q, v })
        } else {
            Err(format!("the model's parameters have to be above 0, not p {p}, q {q} and v {v}"))
        }
    }

    /// The expected mean of a customer whose `x` purchases had the mean `z`; `None` if it is infinite, which it is
    /// without purchases under a model with q of at most 1.
    pub(super) fn expected(&self, x: f64, z: f64) -> Option<f64> {
        let known = self.p * x + self.q - 1.0;
        (known > 0.0).then(|| self.p * (self.v + x * z) / known)
    }
}

/// A mean spend as the model wants one, or what is wrong with it.
pub(super) fn check(x: f64, z: f64) -> Result<(), String> {
    if !(x.is_finite() && x >= 0.0) {
        return Err(format!("x, the number of repeat purchases, has to be finite and not negative, not {x}"));
    }
    if x > 0.0 && !(z.is_finite() && z > 0.0) {
        return Err(format!(
            "z, the mean value of repeat purchases, has to be above 0, not {z}; leave such customers out"
        ));
    }
    Ok(())
}

/// Customers as x, z and how many there are of them.
struct Likelihood<'a> {
    customers: &'a [([f64; 2], f64)],
    n: f64,
}

impl Likelihood<'_> {
    /// The logarithm of the likelihood, and its gradient by the logarithms of p, q and v.
    fn at(&self, &[p, q, v]: &[f64; 3]) -> (f64, [f64; 3]) {
        let mut value = self.n * (q * v.ln() - ln_gamma(q));
        let (mut by_p, mut by_q, mut by_v) = (0.0, self.n * (v.ln() - digamma(q)), self.n * q / v);
        for alike in self.customers.chunk_by(|([one, _], _), ([next, _], _)| one == next) {
            let x = alike.first().map_or(0.0, |([x, _], _)| *x);
            let (before, after) = (p * x, p * x + q);
            let constant = ln_gamma(after) - ln_gamma(before) + before * x.ln();
            let (rate, shape) = (digamma(after), x * (digamma(after) - digamma(before) + x.ln()));
            for ([_, z], n) in alike {
                let total = x * z + v;
                let log_total = total.ln();
                value += n * (constant + (before - 1.0) * z.ln() - after * log_total);
                by_p += n * (shape + x * (z.ln() - log_total));
                by_q += n * (rate - log_total);
                by_v -= n * after / total;
            }
        }
        (value, [by_p * p, by_q * q, by_v * v])
    }
}

/// The model under which what the customers spent is most likely, and the logarithm of that likelihood; `None` if there
/// is none. Each customer is x and z, sorted, with how many there are of them.
pub(super) fn fit(customers: &[([f64; 2], f64)]) -> Option<(GammaGamma, f64)> {
    let n: f64 = customers.iter().map(|(_, n)| n).sum();
    let unit = customers.iter().map(|([_, z], n)| z * n).sum::<f64>() / n;
    if customers.len() < 2 || !(unit.is_finite() && unit > 0.0) {
        return None;
    }
    // In units of the mean, so that the start and the bounds do not depend on the currency.
    let scaled: Vec<_> = customers.iter().map(|([x, z], n)| ([*x, z / unit], *n)).collect();
    let likelihood = Likelihood { customers: &scaled, n };
    let Maximum { parameters: [p, q, v], value } = maximum(|parameters| likelihood.at(parameters))?;
    // The density of z is one by the unit of z.
    Some((GammaGamma { p, q, v: v * unit }, value - n * unit.ln()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the Python package lifetimes.
    #[test]
    fn expected_values() {
        let model = GammaGamma::new(6.248_802_496_075_312, 3.744_588_460_923_114, 15.447_748_064_929_14).unwrap();
        for (x, z, expected) in [
            (2.0, 22.35, 24.658_616_189_236_472),
            (1.0, 11.77, 18.911_479_869_929_11),
            (0.0, 0.0, 35.171_002_152_506_65),
        ] {
            let got = model.expected(x, z).unwrap();
            assert!((got - expected).abs() < 1e-9, "{x}: {got}");
        }
        assert_eq!(GammaGamma::new(1.0, 0.9, 1.0).unwrap().expected(0.0, 0.0), None);
    }

    #[test]
    fn gradient_is_that_of_the_value() {
        let customers = [([1.0, 0.5], 2.0), ([1.0, 1.5], 1.0), ([7.0, 0.9], 3.0)];
        let likelihood = Likelihood { customers: &customers, n: 6.0 };
        let at = [2.0, 3.0, 0.8_f64];
        let (_, gradient) = likelihood.at(&at);
        for i in 0..3 {
            let moved = |offset: f64| {
                let mut moved = at;
                moved[i] *= offset.exp();
                likelihood.at(&moved).0
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope - gradient[i]).abs() < 1e-6, "{i}: {slope} {}", gradient[i]);
        }
    }

    #[test]
    fn spends_are_checked() {
        assert!(check(0.0, 0.0).is_ok());
        assert!(check(1.0, 0.0).unwrap_err().contains("above 0"));
        assert!(check(1.0, f64::NAN).is_err());
        assert!(check(-1.0, 1.0).is_err());
        assert_eq!(fit(&[([1.0, 5.0], 3.0)]), None);
    }
}
