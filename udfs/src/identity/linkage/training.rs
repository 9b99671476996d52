//! Estimates a model from pairs: expectation and maximization over the patterns of their levels.
//!
//! Two kinds of pairs are seen: those that blocking finds, among which nearly all matches are, and random ones, among
//! which nearly none is. The population is all pairs of records; what blocking does not find counts as no match. So
//! each round
//!
//! * gives each pattern the probability of a match, by the model so far,
//! * takes m from the pairs found, weighted by it, and u from the random ones, weighted by its complement: a small
//!   table's random pairs hold matches, which must not pass for coincidence,
//! * and lambda is the matches expected, over all pairs there are.
//!
//! No comparison has to be left out for being blocked on, as it has to where a block is the population (Splink), and a
//! pair counts once, however many blocks it is in. What is left of chance is a prior of one pair for each comparison,
//! so that no level becomes impossible.
//!
//! Cost: the number of distinct patterns times the number of rounds, whatever the number of pairs.

use super::model::Model;

const MAX_ROUNDS: usize = 500;
const CONVERGED: f64 = 1e-9;

/// How often a pattern was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Seen {
    /// Among the pairs that blocking found.
    pub(super) found: u64,
    /// Among random pairs.
    pub(super) random: u64,
}

/// A pattern: the level of each comparison, None for no evidence.
pub(super) type Pattern = Vec<Option<u8>>;

/// Fits a model to patterns, in their order, of comparisons with so many levels, among so many pairs of records.
pub(super) fn fit(patterns: &[(Pattern, Seen)], levels: &[usize], pairs: f64) -> Model {
    let prior_m: Vec<Vec<f64>> = levels.iter().map(|levels| start_of_m(*levels)).collect();
    let prior_u: Vec<Vec<f64>> = levels.iter().map(|levels| vec![1.0 / *levels as f64; *levels]).collect();
    let found: f64 = patterns.iter().map(|(_, seen)| seen.found as f64).sum();
    let mut m = prior_m.clone();
    let mut u = estimate(patterns, &prior_u, |_, seen| seen.random as f64);
    // At first, some of what was found matches.
    let mut lambda = proportion(0.1 * found, pairs);
    let mut matching = vec![0.0; patterns.len()];
    for _ in 0..MAX_ROUNDS {
        for (probability, (pattern, _)) in matching.iter_mut().zip(patterns) {
            let mut log_odds = (lambda / (1.0 - lambda)).ln();
            for (level, (m, u)) in pattern.iter().zip(m.iter().zip(&u)) {
                if let Some((m, u)) = level.and_then(|level| m.get(usize::from(level)).zip(u.get(usize::from(level)))) {
                    log_odds += (m / u).ln();
                }
            }
            *probability = 1.0 / (1.0 + (-log_odds).exp());
        }
        let next_m =
            estimate(patterns, &prior_m, |place, seen| seen.found as f64 * matching.get(place).copied().unwrap_or(0.0));
        let next_u = estimate(patterns, &prior_u, |place, seen| {
            seen.random as f64 * (1.0 - matching.get(place).copied().unwrap_or(0.0))
        });
        let expected: f64 =
            matching.iter().zip(patterns).map(|(probability, (_, seen))| probability * seen.found as f64).sum();
        let next_lambda = proportion(expected, pairs);
        let change = |one: &[Vec<f64>], other: &[Vec<f64>]| {
            one.iter().flatten().zip(other.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        let moved = change(&m, &next_m).max(change(&u, &next_u)).max((lambda / next_lambda - 1.0).abs());
        (m, u, lambda) = (next_m, next_u, next_lambda);
        if moved < CONVERGED {
            break;
        }
    }
    let known = |levels: Vec<Vec<f64>>| levels.into_iter().map(|l| l.into_iter().map(Some).collect()).collect();
    Model { lambda, m: known(m), u: known(u) }
}

/// A share of all pairs that is neither none nor all of them.
fn proportion(some: f64, pairs: f64) -> f64 {
    (some.max(0.5) / pairs.max(1.0)).min(0.5)
}

/// Most matches agree, and the less the fewer.
fn start_of_m(levels: usize) -> Vec<f64> {
    let shares: Vec<f64> =
        (0..levels).map(|level| if level + 1 == levels { 9.0 } else { 1.0 / (levels - 1) as f64 }).collect();
    shares.iter().map(|share| share / 10.0).collect()
}

/// The share of each level of each comparison, where patterns count by `weight`, and the prior for one more.
fn estimate(patterns: &[(Pattern, Seen)], prior: &[Vec<f64>], weight: impl Fn(usize, &Seen) -> f64) -> Vec<Vec<f64>> {
    let mut counts = prior.to_vec();
    for (place, (pattern, seen)) in patterns.iter().enumerate() {
        let weight = weight(place, seen);
        for (level, counts) in pattern.iter().zip(&mut counts) {
            if let Some(count) = level.and_then(|level| counts.get_mut(usize::from(level))) {
                *count += weight;
            }
        }
    }
    for counts in &mut counts {
        let all: f64 = counts.iter().sum();
        counts.iter_mut().for_each(|count| *count /= all);
    }
    counts
}
