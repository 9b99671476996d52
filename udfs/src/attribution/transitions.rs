//! How often paths went from where to where, and what a channel's removal would cost.
//!
//! A state is the last `order` channels of a path, fewer near its beginning; from there a path goes on to a channel, is
//! converted, or ends without. The chance of conversion is exact, by solving the absorbing chain rather than walking it
//! at random: with Q the chances between states and r those of conversion, it is x = (I - Q)^-1 r.
//!
//! Without a channel c every path that would come to it is lost. With N = (I - Q)^-1 and S the states that end in c, the
//! chances f of coming to S first in each of its states solve f N[S,S] = N[start,S]; what is lost is f x[S]. So one
//! inverse serves all channels.

use std::collections::HashMap;

use datafusion_common::Result;
use nalgebra::{DMatrix, DVector};

use super::names::Names;
use crate::InvalidArgument;

/// What a path goes on to that is not a channel.
pub(super) const CONVERSION: u32 = u32::MAX;
pub(super) const NOTHING: u32 = u32::MAX - 1;

/// The largest number of states: the inverse takes 32 MB for as many, and seconds.
const MAX_STATES: usize = 2000;

/// Transitions of paths over channels with numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Transitions {
    /// From the last channels to what comes next.
    next: HashMap<Box<[u32]>, HashMap<u32, f64>>,
    /// How many paths were converted.
    pub(super) converted: f64,
    entries: usize,
}

/// What a channel is owed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Effect {
    pub(super) channel: u32,
    /// Its share of all conversions.
    pub(super) conversions: f64,
    /// The share of conversions that would be lost without it; none if there are no conversions.
    pub(super) removal: Option<f64>,
}

impl Transitions {
    /// Adds a path with at least one channel.
    pub(super) fn add(&mut self, order: usize, path: &[u32], converted: f64, lost: f64) {
        if converted + lost <= 0.0 {
            return;
        }
        for (place, channel) in path.iter().enumerate() {
            self.count(last(order, path.get(..place).unwrap_or_default()), *channel, converted + lost);
        }
        for (end, times) in [(CONVERSION, converted), (NOTHING, lost)] {
            if times > 0.0 {
                self.count(last(order, path), end, times);
            }
        }
        self.converted += converted;
    }

    /// Counts transitions from a state.
    pub(super) fn count(&mut self, from: &[u32], to: u32, times: f64) {
        if !self.next.contains_key(from) {
            self.entries += from.len();
            self.next.insert(from.into(), HashMap::new());
        }
        if let Some(next) = self.next.get_mut(from) {
            *next.entry(to).or_insert_with(|| {
                self.entries += 8;
                0.0
            }) += times;
        }
    }

    /// Every transition: from where, to where, how often.
    pub(super) fn all(&self) -> impl Iterator<Item = (&[u32], u32, f64)> {
        self.next.iter().flat_map(|(from, next)| next.iter().map(move |(to, times)| (&**from, *to, *times)))
    }

    /// What it takes, with what solving it will take.
    pub(super) fn size(&self) -> usize {
        let states = self.next.len().min(MAX_STATES);
        self.next.capacity() * 80 + self.entries * 4 + 3 * states * states * size_of::<f64>()
    }

    /// What each channel is owed, by name; nothing if there is no path.
    ///
    /// # Errors
    /// If there are too many states.
    pub(super) fn effects(&self, function: &str, order: usize, names: &Names) -> Result<Vec<Effect>> {
        if self.next.len() > MAX_STATES {
            return Err(InvalidArgument::error(format!(
                "{function}: paths of order {order} have {} states, more than {MAX_STATES}; give a lower order, or gather \
                 channels",
                self.next.len()
            )));
        }
        let (_, ranks) = names.ranked();
        let rank = |number: &u32| ranks.get(*number as usize).copied().unwrap_or(*number);
        let mut states: Vec<&[u32]> = self.next.keys().map(|state| &**state).collect();
        // By name, so that the result does not depend on the order in which channels were seen. The start comes first.
        states.sort_by_cached_key(|state| (state.len(), state.iter().map(rank).collect::<Vec<_>>()));
        let places: HashMap<&[u32], usize> = states.iter().copied().zip(0..).collect();
        let mut left = DMatrix::<f64>::identity(states.len(), states.len());
        let mut ends = DVector::<f64>::zeros(states.len());
        for (place, state) in states.iter().enumerate() {
            let Some(next) = self.next.get(*state) else { continue };
            let mut next: Vec<(u32, f64)> = next.iter().map(|(to, times)| (*to, *times)).collect();
            next.sort_by_key(|(to, _)| rank(to));
            let all: f64 = next.iter().map(|(_, times)| times).sum();
            for (to, times) in next {
                let path: Vec<u32> = state.iter().copied().chain([to]).collect();
                match (to, places.get(last(order, &path))) {
                    (CONVERSION, _) => ends[place] += times / all,
                    (NOTHING, _) | (_, None) => {}
                    (_, Some(to)) => left[(place, *to)] -= times / all,
                }
            }
        }
        let singular = || InvalidArgument::error(format!("{function}: some paths never end"));
        let visits = left.try_inverse().ok_or_else(singular)?;
        let chances = &visits * ends;
        let chance = chances.iter().next().copied().unwrap_or_default();
        let mut channels: Vec<u32> = (0..names.all().len() as u32).collect();
        channels.sort_by_key(rank);
        let mut effects = Vec::with_capacity(channels.len());
        for channel in channels {
            let ending: Vec<usize> =
                (0..).zip(&states).filter(|(_, s)| s.last() == Some(&channel)).map(|(i, _)| i).collect();
            if ending.is_empty() {
                continue;
            }
            let among = DMatrix::from_fn(ending.len(), ending.len(), |to, from| visits[(ending[from], ending[to])]);
            let reached = DVector::from_iterator(ending.len(), ending.iter().map(|state| visits[(0, *state)]));
            let first = among.lu().solve(&reached).ok_or_else(singular)?;
            let lost: f64 = first.iter().zip(&ending).map(|(reached, state)| reached * chances[*state]).sum();
            let removal = (chance > 0.0).then(|| (lost / chance).clamp(0.0, 1.0));
            effects.push(Effect { channel, conversions: 0.0, removal });
        }
        let all: f64 = effects.iter().filter_map(|effect| effect.removal).sum();
        for effect in &mut effects {
            effect.conversions = effect.removal.map_or(0.0, |removal| self.converted * removal / all);
        }
        Ok(effects)
    }
}

/// The state that a path has come to: its last channels.
fn last(order: usize, path: &[u32]) -> &[u32] {
    path.get(path.len().saturating_sub(order)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(order: usize, paths: &[(&str, f64, f64)]) -> Vec<(String, f64, Option<f64>)> {
        let (mut names, mut transitions) = (Names::default(), Transitions::default());
        for (path, converted, lost) in paths {
            let path: Vec<u32> = path.split('>').map(|name| names.number(name)).collect();
            transitions.add(order, &path, *converted, *lost);
        }
        let round = |number: f64| (number * 1e12).round() / 1e12;
        let effects = transitions.effects("f", order, &names).unwrap();
        effects
            .into_iter()
            .map(|e| (names.name(e.channel).to_owned(), round(e.conversions), e.removal.map(round)))
            .collect()
    }

    fn owed(channel: &str, conversions: f64, removal: Option<f64>) -> (String, f64, Option<f64>) {
        (channel.to_owned(), conversions, removal)
    }

    #[test]
    fn the_published_toy() {
        let toy = [("C1>C2>C3", 1.0, 0.0), ("C1", 0.0, 1.0), ("C2>C3", 0.0, 1.0)];
        let expected = [owed("C1", 0.2, Some(0.5)), owed("C2", 0.4, Some(1.0)), owed("C3", 0.4, Some(1.0))];
        assert_eq!(effects(1, &toy), expected);
        // With three channels remembered the paths are told apart: all conversions have all three.
        let round = (1e12_f64 / 3.0).round() / 1e12;
        assert_eq!(effects(3, &toy).iter().map(|e| (e.1, e.2)).collect::<Vec<_>>(), [(round, Some(1.0)); 3]);
    }

    #[test]
    fn loops_and_what_never_converts() {
        let loops = [("a>a>b>a", 3.0, 1.0), ("b", 0.0, 2.0), ("c>c", 0.0, 5.0)];
        let of = |channel: usize| effects(1, &loops)[channel].clone();
        assert_eq!((of(0).2, of(2)), (Some(1.0), owed("c", 0.0, Some(0.0))));
        assert_eq!(effects(1, &[("a>b", 0.0, 1.0)]), [owed("a", 0.0, None), owed("b", 0.0, None)]);
        assert_eq!(effects(1, &[("a", 0.0, 0.0)]), []);
    }

    #[test]
    fn removal_is_that_of_a_chain_without_the_channel() {
        let paths = [("a>b>c", 3.0, 4.0), ("b>a>c>a", 2.0, 1.0), ("c>b", 1.0, 6.0), ("a>c>b>a>b", 5.0, 2.0)];
        for order in 1..4 {
            for (channel, _, removal) in effects(order, &paths) {
                let without = chance(order, &paths, Some(&channel)) / chance(order, &paths, None);
                assert!((removal.unwrap() - (1.0 - without)).abs() < 1e-9, "{order} {channel}");
            }
        }
    }

    /// The chance of conversion, by following the chain step by step until next to nothing is on its way.
    fn chance(order: usize, paths: &[(&str, f64, f64)], without: Option<&str>) -> f64 {
        let (mut names, mut transitions) = (Names::default(), Transitions::default());
        for (path, converted, lost) in paths {
            let path: Vec<u32> = path.split('>').map(|name| names.number(name)).collect();
            transitions.add(order, &path, *converted, *lost);
        }
        let without = without.map(|name| names.number(name));
        let mut here: HashMap<Vec<u32>, f64> = HashMap::from([(vec![], 1.0)]);
        let mut converted = 0.0;
        for _ in 0..2000 {
            let mut there: HashMap<Vec<u32>, f64> = HashMap::new();
            for (state, mass) in here {
                let next = &transitions.next[&*state];
                let all: f64 = next.values().sum();
                for (to, times) in next {
                    let mass = mass * times / all;
                    match *to {
                        CONVERSION => converted += mass,
                        NOTHING => {}
                        to if Some(to) == without => {}
                        to => {
                            let path: Vec<u32> = state.iter().copied().chain([to]).collect();
                            *there.entry(last(order, &path).to_vec()).or_default() += mass;
                        }
                    }
                }
            }
            here = there;
        }
        converted
    }
}
