//! Chance that is the same everywhere: one seed gives one warehouse, on every machine and in every order of work.
//!
//! Each person, street or product has a generator of its own, named by seed, topic and number, so that any part can be
//! made without the others. Only integers and the basic operations of floats decide anything: `exp` of one C library
//! differs from that of another in its last bit, and that would be another purchase somewhere.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What a generator decides about; different topics with the same number are independent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Topic {
    Assortment = 1,
    Street = 2,
    Journey = 3,
    Device = 4,
}

/// A source of decisions.
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    pub(super) fn new(seed: u64, topic: Topic, number: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(topic as u64).to_le_bytes());
        key[16..24].copy_from_slice(&number.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// From 0 up to and without 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 up to and without `end`.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(end)) >> 32) as u32
    }

    /// From `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + ((u128::from(self.0.next_u64()) * (high - low + 1) as u128) >> 64) as i64
    }

    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u32) as usize]
    }

    /// One of a list whose first items are the most frequent ones.
    pub(super) fn pick_early<T: Copy>(&mut self, items: &[T]) -> T {
        let (a, b) = (self.unit(), self.unit());
        items[((a * b).max(a * 0.35) * items.len() as f64) as usize]
    }

    /// The standard normal distribution, as the sum of twelve.
    pub(super) fn normal(&mut self) -> f64 {
        let mut sum = 0u32;
        for _ in 0..3 {
            let bits = self.0.next_u64();
            sum += (0..4).map(|part| (bits >> (16 * part)) as u32 & 0xffff).sum::<u32>();
        }
        (f64::from(sum) - 12.0 * 32767.5) / 65536.0
    }

    /// Mostly near the median, sometimes far above it.
    pub(super) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp(sigma * self.normal())
    }

    /// How often something happens that happens `mean` times on average (Poisson).
    pub(super) fn count(&mut self, mean: f64) -> u32 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32;
        }
        let (limit, mut product, mut count) = (exp(-mean), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

/// A choice among numbered things by their weights.
pub(super) struct Weights(Vec<f64>);

impl Weights {
    pub(super) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let cumulative = std::iter::once(0.0).chain(weights.into_iter().map(|weight| {
            sum += weight;
            sum
        }));
        Self(cumulative.collect())
    }

    pub(super) fn draw(&self, chance: &mut Chance) -> usize {
        self.draw_within(0, self.0.len() - 1, chance).unwrap_or(0)
    }

    /// One from `first` up to and without `end`; `None` if nothing there has any weight.
    pub(super) fn draw_within(&self, first: usize, end: usize, chance: &mut Chance) -> Option<usize> {
        let end = end.min(self.0.len() - 1);
        let (low, high) = (*self.0.get(first)?, self.0[end]);
        if first >= end || high <= low {
            return None;
        }
        let at = low + chance.unit() * (high - low);
        Some((self.0.partition_point(|sum| *sum <= at) - 1).clamp(first, end - 1))
    }

    /// The share of all weight that lies from `first` up to and without `end`.
    pub(super) fn share(&self, first: usize, end: usize) -> f64 {
        let last = self.0.len() - 1;
        let (first, end) = (first.min(last), end.min(last));
        if first >= end { 0.0 } else { (self.0[end] - self.0[first]) / self.0[last] }
    }
}

/// The exponential function from basic operations alone; good to ten digits for what is asked of it here.
fn exp(x: f64) -> f64 {
    let y = x.clamp(-500.0, 500.0) / 1024.0;
    let mut power = 1.0 + y * (1.0 + y / 2.0 * (1.0 + y / 3.0 * (1.0 + y / 4.0)));
    for _ in 0..10 {
        power *= power;
    }
    power
}

/// A number that looks like nothing, made of two: for identifiers.
pub(super) fn scramble(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    for _ in 0..2 {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_sequence() {
        let draw = |seed, topic, number| {
            let mut chance = Chance::new(seed, topic, number);
            [chance.below(1 << 30), chance.below(1 << 30), chance.between(0, 1 << 40) as u32]
        };
        assert_eq!(draw(1, Topic::Journey, 7), draw(1, Topic::Journey, 7));
        for other in [draw(2, Topic::Journey, 7), draw(1, Topic::Street, 7), draw(1, Topic::Journey, 8)] {
            assert_ne!(draw(1, Topic::Journey, 7), other);
        }
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut chance = Chance::new(1, Topic::Journey, 0);
        let mut mean =
            |draw: &mut dyn FnMut(&mut Chance) -> f64| (0..100_000).map(|_| draw(&mut chance)).sum::<f64>() / 100_000.0;
        assert!((mean(&mut |c| c.unit()) - 0.5).abs() < 0.01);
        assert!(mean(&mut |c| c.normal()).abs() < 0.02);
        assert!((mean(&mut |c| c.normal().powi(2)) - 1.0).abs() < 0.02);
        assert!((mean(&mut |c| f64::from(c.count(3.0))) - 3.0).abs() < 0.05);
        assert!((mean(&mut |c| f64::from(c.count(50.0))) - 50.0).abs() < 0.2);
        // A lognormal's mean is exp(sigma² / 2) times its median.
        assert!((mean(&mut |c| c.lognormal(2.0, 0.5)) - 2.0 * 0.125f64.exp()).abs() < 0.03);
    }

    #[test]
    fn exp_is_exp() {
        for x in [-8.0, -1.0, 0.0, 0.3, 1.0, 6.5] {
            assert!((exp(x) / f64::exp(x) - 1.0).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn weights_are_drawn_where_asked() {
        let weights = Weights::new([1.0, 0.0, 3.0, 0.0]);
        let mut chance = Chance::new(1, Topic::Journey, 0);
        let mut drawn = [0u32; 4];
        for _ in 0..4_000 {
            drawn[weights.draw(&mut chance)] += 1;
        }
        assert_eq!((drawn[1], drawn[3]), (0, 0));
        assert!(drawn[2].abs_diff(3_000) < 150, "{drawn:?}");
        assert_eq!(weights.draw_within(1, 3, &mut chance), Some(2));
        assert_eq!(weights.draw_within(1, 2, &mut chance), None);
        assert_eq!(weights.draw_within(9, 12, &mut chance), None);
        assert_eq!(weights.share(2, 4), 0.75);
    }
}
