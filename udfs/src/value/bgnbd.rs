//! The BG/NBD model of repeat purchases (Fader, Hardie and Lee 2005): while a customer is alive, purchases come at a
//! constant rate, which differs among customers as a gamma distribution (`r`, `alpha`); after each of them the customer
//! leaves for good with a probability that differs as a beta distribution (`a`, `b`).

use super::gamma::{digamma, ln_gamma};
use super::maximum::{Maximum, maximum};

/// What the model knows of a customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Customer {
    /// Repeat purchases, a whole number.
    pub(super) x: f64,
    /// The time from the first purchase to the last one.
    pub(super) t_x: f64,
    /// The time from the first purchase to the end of what was observed.
    pub(super) t: f64,
}

impl Customer {
    /// A customer as the model wants one, or what is wrong with it.
    pub(super) fn new(x: f64, t_x: f64, t: f64) -> Result<Self, String> {
        if ![x, t_x, t].iter().all(|number| number.is_finite() && *number >= 0.0) {
            return Err(format!("x, t_x and t have to be finite and not negative, not {x}, {t_x} and {t}"));
        }
        if x.fract() != 0.0 {
            return Err(format!("x, the number of repeat purchases, has to be whole, not {x}"));
        }
        if t_x > t {
            return Err(format!("t_x, the time of the last purchase, is after the end of observation: {t_x} > {t}"));
        }
        // Without a repeat purchase there is no time of one.
        Ok(Self { x, t_x: if x == 0.0 { 0.0 } else { t_x }, t })
    }
}

/// The parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BgNbd {
    pub(super) r: f64,
    pub(super) alpha: f64,
    pub(super) a: f64,
    pub(super) b: f64,
}

impl BgNbd {
    /// The parameters, or what is wrong with them.
    pub(super) fn new(r: f64, alpha: f64, a: f64, b: f64) -> Result<Self, String> {
        if [r, alpha, a, b].iter().all(|parameter| parameter.is_finite() && *parameter > 0.0) {
            Ok(Self { r, alpha, a, b })
        } else {
            Err(format!("the model's parameters have to be above 0, not r {r}, alpha {alpha}, a {a} and b {b}"))
        }
    }

    /// The probability that the customer has not left.
    pub(super) fn p_alive(&self, customer: &Customer) -> f64 {
        let Customer { x, t_x, t } = *customer;
        if x == 0.0 {
            return 1.0;
        }
        let left = self.a / (self.b + x - 1.0);
        1.0 / (1.0 + left * ((self.r + x) * ((self.alpha + t) / (self.alpha + t_x)).ln()).exp())
    }

    /// The expected number of purchases in a time of `horizon` from the end of observation; `None` if the horizon is
    /// so much longer than what was observed that the series does not end in reasonable time.
    ///
    /// With z = horizon / (alpha + t + horizon) the model's formula has (1 - z)^(r+x) 2F1(r+x, b+x; a+b+x-1; z). Terms
    /// of that series grow without bound in x. Euler's transformation makes it
    /// (1 - z)^(a-1) 2F1(a+b-1-r, a-1; a+b+x-1; z), whose terms shrink as x grows.
    pub(super) fn expected(&self, horizon: f64, customer: &Customer) -> Option<f64> {
        let Self { r, alpha, a, b } = *self;
        let Customer { x, t, .. } = *customer;
        if horizon == 0.0 {
            return Some(0.0);
        }
        let z = horizon / (alpha + t + horizon);
        // ln(1 - z) without the loss of digits for a small z.
        let log = -(horizon / (alpha + t)).ln_1p();
        let (beta, gamma) = (a - 1.0, a + b + x - 1.0);
        let alive = if beta > 100.0 && beta > r + x {
            // Nearly all leave soon: the formula as it stands has the smaller terms.
            let scale = ((r + x) * log).exp();
            gamma / beta * (1.0 - scale * (1.0 + hypergeometric_tail(r + x, b + x, gamma, z)?))
        } else {
            // gamma / beta × (1 - (1-z)^beta (1 + beta S)), written so that a = 1, where beta is 0, is no exception.
            let shrunk = (beta * log).exp();
            let first = if beta == 0.0 { -log } else { -(beta * log).exp_m1() / beta };
            gamma * first - shrunk * tail_over_beta(a + b - 1.0 - r, beta, gamma, z)?
        };
        let expected = alive * self.p_alive(customer);
        expected.is_finite().then_some(expected.max(0.0))
    }
}

const TERMS: usize = 2_000_000;

/// 2F1(a, b; c; z) - 1, for 0 <= z < 1 and positive parameters.
fn hypergeometric_tail(a: f64, b: f64, c: f64, z: f64) -> Option<f64> {
    summed(a * b / c * z, z, |k| (a + k) * (b + k) / ((c + k) * (k + 1.0)), 0.0)
}

/// (2F1(a, beta; gamma; z) - 1) × gamma / beta: finite also where beta or gamma is 0.
fn tail_over_beta(a: f64, beta: f64, gamma: f64, z: f64) -> Option<f64> {
    summed(a * z, z, |k| (a + k) * (beta + k) / ((gamma + k) * (k + 1.0)), a.abs())
}

/// The sum of terms of which the first has k = 1 and each next one is `ratio(k)` z times the one before. From `calm`
/// on they have one sign, and their ratio tends to z.
fn summed(first: f64, z: f64, ratio: impl Fn(f64) -> f64, calm: f64) -> Option<f64> {
    let (mut term, mut sum) = (first, 0.0);
    for k in 1..TERMS {
        sum += term;
        let factor = ratio(k as f64) * z;
        term *= factor;
        if term == 0.0 {
            return Some(sum);
        }
        let last = k as f64 > calm && factor < 1.0 && term.abs() / (1.0 - factor.max(z)) <= 1e-17 * f64::abs(sum);
        if last {
            return Some(sum + term);
        }
        if !term.is_finite() {
            return None;
        }
    }
    None
}

/// Customers who are alike are counted together, and what depends on x alone is computed once for each x.
#[derive(Debug)]
struct Likelihood {
    customers: Vec<(Customer, f64)>,
    /// Every x with its number of customers.
    by_x: Vec<(f64, f64)>,
    n: f64,
}

impl Likelihood {
    /// Of customers sorted by x.
    fn new(customers: Vec<(Customer, f64)>) -> Self {
        let by_x = customers.chunk_by(|(one, _), (next, _)| one.x == next.x);
        let by_x = by_x.filter_map(|alike| Some((alike.first()?.0.x, alike.iter().map(|(_, n)| n).sum())));
        let n = customers.iter().map(|(_, n)| n).sum();
        Self { by_x: by_x.collect(), n, customers }
    }

    /// The logarithm of the likelihood, and its gradient by the logarithms of r, alpha, a and b.
    ///
    /// Everything is a difference that keeps its digits also for parameters at their bounds.
    fn at(&self, &[r, alpha, a, b]: &[f64; 4]) -> (f64, [f64; 4]) {
        let (mut value, mut by_r, mut by_a, mut by_b) = (0.0, 0.0, 0.0, 0.0);
        let mut by_alpha = self.n * r / alpha;
        let (mut bought, mut stayed) = (Rising::default(), Staying::default());
        let mut before = 0.0;
        for (x, n) in &self.by_x {
            bought.step(r + before, x - before);
            stayed.step(a, b + before, x - before);
            before = *x;
            value += n * (bought.log + stayed.log);
            by_r += n * bought.slope;
            by_a += n * stayed.by_a;
            by_b += n * stayed.by_b;
        }
        let log_alpha = alpha.ln();
        for (Customer { x, t_x, t }, n) in &self.customers {
            let purchases = r + x;
            // The logarithms of (alpha + t) / alpha and (alpha + t_x) / alpha.
            let grown = (t / alpha).ln_1p();
            value -= n * (r * grown + x * (log_alpha + grown));
            if *x == 0.0 {
                by_r -= n * grown;
                by_alpha -= n * purchases / (alpha + t);
                continue;
            }
            let grown_last = (t_x / alpha).ln_1p();
            // Of the two ways to have bought no more, gone since the last purchase against still alive.
            let odds = a.ln() - (b + x - 1.0).ln() + purchases * (grown - grown_last);
            let (alive, gone) = (1.0 / (1.0 + odds.exp()), 1.0 / (1.0 + (-odds).exp()));
            value += n * (odds.max(0.0) + (-odds.abs()).exp().ln_1p());
            by_r -= n * (alive * grown + gone * grown_last);
            by_alpha -= n * purchases * (alive / (alpha + t) + gone / (alpha + t_x));
            by_a += n * gone / a;
            by_b -= n * gone / (b + x - 1.0);
        }
        (value, [by_r * r, by_alpha * alpha, by_a * a, by_b * b])
    }
}

/// Steps up to which a product is cheaper and more exact than a difference of logarithms of the gamma function.
const FEW: f64 = 64.0;

/// The logarithm of s (s + 1) … (s + x - 1), which is the gamma function of s + x by that of s, and its slope by s.
#[derive(Debug, Default)]
struct Rising {
    log: f64,
    slope: f64,
}

impl Rising {
    /// Goes on from `at` = s + x by some whole steps.
    fn step(&mut self, at: f64, steps: f64) {
        if steps > FEW {
            self.log += ln_gamma(at + steps) - ln_gamma(at);
            self.slope += digamma(at + steps) - digamma(at);
            return;
        }
        for k in 0..steps as u32 {
            let factor = at + f64::from(k);
            self.log += factor.ln();
            self.slope += 1.0 / factor;
        }
    }
}

/// The logarithm of the probability to stay after each of x purchases, b (b + 1) … by (a + b) (a + b + 1) …, and its
/// slopes.
#[derive(Debug, Default)]
struct Staying {
    log: f64,
    by_a: f64,
    by_b: f64,
}

impl Staying {
    /// Goes on from `at` = b + x by some whole steps.
    fn step(&mut self, a: f64, at: f64, steps: f64) {
        if steps > FEW {
            let (stay, all) = (digamma(at + steps) - digamma(at), digamma(a + at + steps) - digamma(a + at));
            self.log += ln_gamma(at + steps) - ln_gamma(at) - ln_gamma(a + at + steps) + ln_gamma(a + at);
            self.by_a -= all;
            self.by_b += stay - all;
            return;
        }
        for k in 0..steps as u32 {
            let stay = at + f64::from(k);
            self.log -= (a / stay).ln_1p();
            self.by_a -= 1.0 / (a + stay);
            self.by_b += a / (stay * (a + stay));
        }
    }
}

/// The model under which what the customers did is most likely, and the logarithm of that likelihood; `None` if there
/// is none: without repeat purchases nothing tells customers who left from such as buy seldom.
pub(super) fn fit(customers: Vec<(Customer, f64)>) -> Option<(BgNbd, f64)> {
    let n: f64 = customers.iter().map(|(_, n)| n).sum();
    let purchases: f64 = customers.iter().map(|(customer, n)| customer.x * n).sum();
    let unit = customers.iter().map(|(customer, n)| customer.t * n).sum::<f64>() / n;
    if !(purchases > 0.0 && unit > 0.0) {
        return None;
    }
    // In units of the mean time, so that the start and the bounds do not depend on how time was measured.
    let scaled = customers.into_iter().map(|(Customer { x, t_x, t }, n)| {
        let scaled = Customer { x, t_x: t_x / unit, t: t / unit };
        (scaled, n)
    });
    let likelihood = Likelihood::new(scaled.collect());
    let Maximum { parameters: [r, alpha, a, b], value } = maximum(|parameters| likelihood.at(parameters))?;
    Some((BgNbd { r, alpha: alpha * unit, a, b }, value - purchases * unit.ln()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> BgNbd {
        BgNbd::new(0.242_592_928, 4.413_532_265_271_819, 0.792_885_966_440_688_2, 2.425_752_382_625_86).unwrap()
    }

    fn customer(x: f64, t_x: f64, t: f64) -> Customer {
        Customer::new(x, t_x, t).unwrap()
    }

    /// The worked example of the model's authors, and rows that the Python package lifetimes computed.
    #[test]
    fn published_example() {
        let model = BgNbd::new(0.243, 4.414, 0.793, 2.426).unwrap();
        let first = customer(2.0, 30.43, 38.86);
        assert!((model.expected(39.0, &first).unwrap() - 1.226_028_174_767_135).abs() < 1e-12);
        assert!((model.p_alive(&first) - 0.726_578_570_080_673).abs() < 1e-12);
        let model = published();
        for (x, t_x, alive, expected) in [
            (2.0, 30.43, 0.726_609_136_799_059, 1.225_910_424_174_399_9),
            (1.0, 1.71, 0.212_227_388_072_209_87, 0.203_250_624_254_190_06),
            (0.0, 0.0, 1.0, 0.194_780_857_939_477_6),
        ] {
            let customer = customer(x, t_x, 38.86);
            assert!((model.p_alive(&customer) - alive).abs() < 1e-8, "{x}");
            let got = model.expected(39.0, &customer).unwrap();
            assert!((got - expected).abs() < 1e-6 * expected, "{x}: {got}");
        }
    }

    /// The integral that the formula solves, over the probability to leave (a beta distribution after what is known),
    /// by the midpoint rule; the rate, a gamma distribution, is integrated by hand.
    fn integrated(model: &BgNbd, horizon: f64, customer: &Customer) -> f64 {
        let Customer { x, t, .. } = *customer;
        let (r, a, b) = (model.r + x, model.a, model.b + x);
        let steps = 200_000;
        let bought = (0..steps).map(|step| {
            let p = (f64::from(step) + 0.5) / f64::from(steps);
            let density = (a - 2.0) * p.ln() + (b - 1.0) * (1.0 - p).ln() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
            density.exp() * -(-r * (p * horizon / (model.alpha + t)).ln_1p()).exp_m1()
        });
        bought.sum::<f64>() / f64::from(steps) * model.p_alive(customer)
    }

    #[test]
    fn any_customer_and_any_horizon() {
        for (model, customer, horizon) in [
            (BgNbd::new(1.5, 4.0, 2.5, 6.0).unwrap(), customer(3.0, 10.0, 20.0), 50.0),
            (BgNbd::new(0.3, 4.0, 3.0, 1.5).unwrap(), customer(0.0, 0.0, 1.0), 500.0),
            (BgNbd::new(2.0, 10.0, 150.0, 30.0).unwrap(), customer(4.0, 10.0, 20.0), 52.0),
            (BgNbd::new(0.5, 2.0, 1.9, 2.0).unwrap(), customer(400.0, 100.0, 101.0), 20.0),
        ] {
            let (got, checked) = (model.expected(horizon, &customer).unwrap(), integrated(&model, horizon, &customer));
            assert!((got - checked).abs() < 1e-4 * checked, "{model:?} {customer:?}: {got} {checked}");
        }
    }

    #[test]
    fn a_of_one_is_no_exception() {
        let at = |a| {
            let model = BgNbd::new(0.25, 4.4, a, 2.4).unwrap();
            model.expected(39.0, &customer(2.0, 30.0, 38.0)).unwrap()
        };
        assert!((at(1.0) - (at(1.0 - 1e-6) + at(1.0 + 1e-6)) / 2.0).abs() < 1e-11);
        // Nor is a + b = 1 without a purchase.
        let model = BgNbd::new(0.25, 4.4, 0.5, 0.5).unwrap();
        let near = BgNbd::new(0.25, 4.4, 0.5, 0.500_000_1).unwrap();
        let none = customer(0.0, 0.0, 38.0);
        assert!((model.expected(39.0, &none).unwrap() - near.expected(39.0, &none).unwrap()).abs() < 1e-6);
    }

    #[test]
    fn extremes_stay_finite() {
        let model = published();
        for x in [1.0, 100.0, 1e4, 1e6] {
            let expected = model.expected(52.0, &customer(x, 50.0, 50.0)).unwrap();
            assert!(expected > 0.0 && expected < 1.1 * x * 52.0, "{x}: {expected}");
        }
        assert_eq!(model.expected(0.0, &customer(1.0, 1.0, 2.0)), Some(0.0));
        assert!(model.expected(1e5, &customer(1.0, 1.0, 2.0)).unwrap() > 0.0);
        assert_eq!(model.p_alive(&customer(1e6, 1.0, 100.0)), 0.0);
    }

    #[test]
    fn gradient_is_that_of_the_value() {
        let customers =
            vec![(customer(0.0, 0.0, 3.0), 5.0), (customer(2.0, 1.5, 3.0), 2.0), (customer(9.0, 2.9, 3.0), 1.0)];
        let likelihood = Likelihood::new(customers);
        let at = [0.5, 2.0, 0.7, 3.0_f64];
        let (_, gradient) = likelihood.at(&at);
        for i in 0..4 {
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
    fn without_repeat_purchases_there_is_no_model() {
        assert_eq!(fit(vec![(customer(0.0, 0.0, 10.0), 100.0)]), None);
        assert_eq!(fit(Vec::new()), None);
        // Regular customers, all alike: the rate's spread runs to its bound, and the rate is right.
        let (model, _) = fit(vec![(customer(10.0, 10.0, 10.0), 100.0)]).unwrap();
        let expected = model.expected(10.0, &customer(10.0, 10.0, 10.0)).unwrap();
        assert!((expected - 10.0).abs() < 0.1, "{model:?} {expected}");
    }

    #[test]
    fn customers_are_checked() {
        assert!(Customer::new(1.5, 1.0, 2.0).unwrap_err().contains("whole"));
        assert!(Customer::new(1.0, 3.0, 2.0).unwrap_err().contains("after the end"));
        assert!(Customer::new(f64::NAN, 1.0, 2.0).is_err());
        assert!(Customer::new(-1.0, 1.0, 2.0).is_err());
        assert!(BgNbd::new(0.0, 1.0, 1.0, 1.0).is_err());
    }
}
