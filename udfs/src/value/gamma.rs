//! The logarithm of the gamma function and its derivative.

/// The logarithm of the gamma function, for arguments above 0.
pub(super) fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// The derivative of [`ln_gamma`], for arguments above 0: steps up to 8, from where the asymptotic series
/// (Abramowitz and Stegun 6.3.18) is exact to the last digits.
pub(super) fn digamma(x: f64) -> f64 {
    let mut x = x;
    let mut below = 0.0;
    while x < 8.0 {
        below -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32_760.0, 1.0 / 12.0];
    let tail = series.iter().rev().fold(0.0, |sum, coefficient| square * (coefficient + sum));
    below + x.ln() - 0.5 / x - tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let euler = 0.577_215_664_901_532_9;
        assert!((digamma(1.0) + euler).abs() < 1e-14);
        assert!((digamma(0.5) + euler + 2.0 * 2_f64.ln()).abs() < 1e-14);
        assert!((digamma(10.0) - 2.251_752_589_066_721).abs() < 1e-14);
        assert!((digamma(1e-6) + 1e6 + euler).abs() < 1e-5);
        assert!((ln_gamma(5.0) - 24_f64.ln()).abs() < 1e-14);
    }

    #[test]
    fn it_is_the_derivative() {
        for x in [0.01, 0.3, 2.5, 7.9, 8.1, 123.0, 1e5] {
            let step = x * 1e-6;
            let slope = (ln_gamma(x + step) - ln_gamma(x - step)) / (2.0 * step);
            assert!((digamma(x) - slope).abs() < 1e-5 * slope.abs().max(1.0), "{x}");
        }
    }
}
