//! How far a sequence of events gets through the steps of a funnel: ClickHouse's `windowFunnel`, in all its modes.
//!
//! A chain starts at an event of the first step and goes on with later events of the following steps, as long as they
//! lie within the window after its start. Events that happen at once are taken in the order of the steps, so that one
//! event of which several conditions hold may be several steps, unless a mode forbids it.

use super::event_log::{Event, Group};
use super::funnel_modes::Modes;

/// The most steps, one bit each.
const MAX_STEPS: usize = 32;

/// A funnel that events are let through, group after group.
#[derive(Debug)]
pub(super) struct Funnel {
    steps: usize,
    window: i64,
    modes: Modes,
    /// For each step that was reached, the start of the chain that reached it last, and the time of the step.
    chains: [Chain; MAX_STEPS],
    /// The number of steps that were reached.
    reached: usize,
    /// The times of those chains, if they are asked for.
    paths: Option<Box<Paths>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Chain {
    start: i64,
    last: i64,
}

/// The times of the chain of each step, and of the first chain that got farthest.
#[derive(Debug, Clone)]
struct Paths {
    steps: [[i64; MAX_STEPS]; MAX_STEPS],
    farthest: [i64; MAX_STEPS],
}

impl Funnel {
    /// Times are wanted by [`Funnel::times`].
    pub(super) fn new(steps: usize, window: i64, modes: Modes, times: bool) -> Self {
        let paths = Paths { steps: [[0; MAX_STEPS]; MAX_STEPS], farthest: [0; MAX_STEPS] };
        let paths = times.then(|| Box::new(paths));
        let chains = [Chain::default(); MAX_STEPS];
        Self { steps: steps.min(MAX_STEPS), window, modes, chains, reached: 0, paths }
    }

    /// The number of steps that the events of a group reach.
    pub(super) fn level(&mut self, group: Group) -> usize {
        self.reached = 0;
        if self.modes.strict_once {
            self.run_once(group);
        } else {
            for moment in group.moments() {
                if self.pass(moment) {
                    break;
                }
            }
        }
        self.reached
    }

    /// The times of the first chain that got as far as [`Funnel::level`] says.
    pub(super) fn times(&self) -> &[i64] {
        self.paths.as_ref().and_then(|paths| paths.farthest.get(..self.reached)).unwrap_or_default()
    }

    /// An event that is no step comes first in its moment. True if it ends the search.
    fn ends_at_other(&self, moment: &[Event]) -> bool {
        self.modes.strict_order && self.reached > 0 && moment.iter().any(|event| event.mask == 0)
    }

    /// Takes the events of a moment where an event may be several steps. True if the search is over.
    fn pass(&mut self, moment: &[Event]) -> bool {
        if self.ends_at_other(moment) {
            return true;
        }
        let mut open = moment.iter().fold(0, |mask, event| mask | event.mask);
        while open != 0 {
            let step = open.trailing_zeros() as usize;
            open &= open - 1;
            // The same step again changes nothing but for strict_deduplication.
            let times = if self.modes.strict_deduplication { holding(moment, step) } else { 1 };
            let at = moment.first().map_or(0, |event| event.at);
            for _ in 0..times {
                if self.step(step, at) {
                    return true;
                }
            }
        }
        false
    }

    /// Takes one event as a step. True if the search is over.
    fn step(&mut self, step: usize, at: i64) -> bool {
        if step == 0 {
            self.reach(0, 0, Chain { start: at, last: at }, None);
            return self.reached == self.steps;
        }
        match self.refuses(step) {
            Some(over) => return over,
            None if step > self.reached => return false,
            None => {}
        }
        let Some(chain) = self.chains.get(step - 1).copied() else { return false };
        if self.in_window(chain, at) && (!self.modes.strict_increase || chain.last < at) {
            self.reach(step, step, Chain { start: chain.start, last: at }, None);
        }
        self.reached == self.steps
    }

    /// Whether a mode does without this step, which is not the first; true if the search is over with it.
    fn refuses(&self, step: usize) -> Option<bool> {
        if self.modes.strict_deduplication && step < self.reached {
            return Some(true);
        }
        let early = self.modes.strict_order && self.reached > 0 && step > self.reached;
        early.then_some(!self.modes.allow_reentry)
    }

    fn in_window(&self, chain: Chain, at: i64) -> bool {
        at <= chain.start.saturating_add(self.window)
    }

    /// Writes down that a chain reached `step`. Its steps from `from` on were taken at the time of this one, those
    /// before by the chain that reached the step before `from`, as `paths` has it.
    fn reach(&mut self, step: usize, from: usize, chain: Chain, paths: Option<&Paths>) {
        if let Some(place) = self.chains.get_mut(step) {
            *place = chain;
        }
        let farther = step == self.reached;
        self.reached += usize::from(farther);
        let Some(own) = &mut self.paths else { return };
        let before = from.checked_sub(1).and_then(|before| paths.unwrap_or(own).steps.get(before));
        let mut path = before.copied().unwrap_or_default();
        path.iter_mut().take(step + 1).skip(from).for_each(|at| *at = chain.last);
        if farther {
            own.farthest = path;
        }
        if let Some(place) = own.steps.get_mut(step) {
            *place = path;
        }
    }

    /// Takes all events where an event is one step at most.
    ///
    /// Of the chains that reached a step before, only the one that started last matters: what is within the window of
    /// another is within its window, too. A moment adds what its events can reach as different events, which is a
    /// matching between steps and events; so this needs neither the paths of all chains nor exponential time.
    fn run_once(&mut self, group: Group) {
        let mut before = Before { chains: self.chains, reached: 0, paths: self.paths.clone() };
        let mut last = None;
        for moment in group.moments() {
            let Some(at) = moment.first().map(|event| event.at) else { continue };
            if !self.modes.strict_increase || last != Some(at) {
                before.chains = self.chains;
                before.reached = self.reached;
                before.paths.clone_from(&self.paths);
                last = Some(at);
            }
            if self.ends_at_other(moment) {
                return;
            }
            let mut open = moment.iter().fold(0, |mask, event| mask | event.mask);
            while open != 0 {
                let step = open.trailing_zeros() as usize;
                open &= open - 1;
                if self.step_once(moment, step, at, &before) {
                    return;
                }
            }
        }
    }

    /// Takes one of the events of a moment as a step. True if the search is over.
    fn step_once(&mut self, moment: &[Event], step: usize, at: i64, before: &Before) -> bool {
        if step > 0 {
            match self.refuses(step) {
                Some(over) => return over,
                None if step > self.reached => return false,
                None => {}
            }
        }
        let least = if self.modes.strict_increase { step } else { 0 };
        // The fewer steps were there before the moment, the later the chain has started.
        let chain = (least..=step).find_map(|from| {
            let start = match from.checked_sub(1) {
                None => at,
                Some(last) if last < before.reached => {
                    before.chains.get(last).filter(|chain| self.in_window(**chain, at))?.start
                }
                Some(_) => return None,
            };
            matches(moment, from, step).then_some((from, start))
        });
        let Some((from, start)) = chain else { return false };
        // Of several moments at one time, an earlier one may have done better.
        let better = step >= self.reached || self.chains.get(step).is_none_or(|known| known.start <= start);
        if better {
            self.reach(step, from, Chain { start, last: at }, before.paths.as_deref());
        }
        let again = self.modes.strict_deduplication && step > 0 && holding(moment, step) > 1;
        again || self.reached == self.steps
    }
}

/// What chains had reached before a moment or, where steps have to lie at rising times, before its time.
struct Before {
    chains: [Chain; MAX_STEPS],
    reached: usize,
    paths: Option<Box<Paths>>,
}

fn holding(moment: &[Event], step: usize) -> usize {
    moment.iter().filter(|event| (event.mask >> step) & 1 == 1).count()
}

/// Whether the steps `from..=to` can be given to events of a moment, another event to each.
fn matches(moment: &[Event], from: usize, to: usize) -> bool {
    if from == to {
        return holding(moment, to) > 0;
    }
    if to - from >= moment.len() {
        return false;
    }
    let mut steps = vec![None; moment.len()];
    (from..=to).all(|step| give(moment, step, &mut steps, &mut vec![false; moment.len()]))
}

/// Gives a step to an event, moving other steps to other events if need be.
fn give(moment: &[Event], step: usize, steps: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    for (place, event) in moment.iter().enumerate() {
        if (event.mask >> step) & 1 == 0 || std::mem::replace(&mut tried[place], true) {
            continue;
        }
        if steps[place].is_none_or(|other| give(moment, other, steps, tried)) {
            steps[place] = Some(step);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::event_log::{EventLog, Row, Shape};
    use super::*;

    /// The level and the times of events `(time, conditions)`, each condition a letter from `a` on.
    fn run(modes: &str, steps: usize, window: i64, events: &[(i64, &str)]) -> (usize, Vec<i64>) {
        let mut log = EventLog::new(Shape { ties: false, labels: false, distinct: false });
        let modes: Modes = modes.parse().unwrap();
        for (at, letters) in events {
            let mask = letters.bytes().map(|letter| 1_u32 << (letter - b'a')).filter(|bit| *bit < 1 << steps).sum();
            if mask != 0 || modes.strict_order {
                log.push(0, Row { at: *at, mask, tie: 0, label: "" });
            }
        }
        let mut funnel = Funnel::new(steps, window, modes, true);
        let mut level = 0;
        log.visit(1, |group| {
            level = funnel.level(group);
            Ok(())
        })
        .unwrap();
        (level, funnel.times().to_vec())
    }

    /// The level of single letters at 1, 2, 3, …
    fn level(modes: &str, steps: usize, letters: &str) -> usize {
        let events: Vec<_> = (0..letters.len()).map(|i| (1 + i as i64, &letters[i..=i])).collect();
        run(modes, steps, 1000, &events).0
    }

    #[test]
    fn published_examples() {
        assert_eq!(level("", 4, "abc"), 3);
        assert_eq!(level("", 4, "dcba"), 1);
        assert_eq!(level("", 4, "dc"), 0);
        assert_eq!(level("strict_deduplication", 4, "abcbd"), 3);
        assert_eq!(level("strict_order", 3, "abdc"), 2);
        let users = ["abc", "adbc", "aabbcc", "aaaabbcc", "aabbdcc", "ccbbaa"];
        let of = |modes| users.map(|letters| level(modes, 3, letters));
        assert_eq!(of(""), [3, 3, 3, 3, 3, 1]);
        assert_eq!(of("strict_order"), [3, 1, 3, 3, 2, 1]);
        assert_eq!(of("strict_deduplication, strict_order"), [3, 1, 2, 2, 2, 1]);
        assert_eq!(level("strict_order", 3, "acb"), 1);
    }

    #[test]
    fn reentry() {
        let users = ["abac", "ababc", "abcbd", "acb", "abcabcd"];
        let of = |modes, steps| users.map(|letters| level(modes, steps, letters));
        // `c` comes too early in the fourth.
        assert_eq!(of("strict_order", 3), [3, 3, 3, 1, 3]);
        assert_eq!(of("strict_order,allow_reentry", 3), [3, 3, 3, 2, 3]);
        assert_eq!(of("strict_order,allow_reentry,strict_deduplication", 3), [3, 2, 3, 2, 3]);
        assert_eq!(level("strict_deduplication", 4, "abcabacd"), 3);
    }

    #[test]
    fn equal_times() {
        let events = [(0, "a"), (1, "b"), (1, "c"), (1, "d"), (2, "e")];
        assert_eq!(run("", 5, 100, &events), (5, vec![0, 1, 1, 1, 2]));
        assert_eq!(run("strict_increase", 5, 100, &events), (2, vec![0, 1]));
        assert_eq!(run("", 3, 100, &[(2, "abc")]).0, 3);
        assert_eq!(run("strict_once", 3, 100, &[(2, "abc")]).0, 1);
        assert_eq!(run("strict_increase", 3, 100, &[(2, "abc")]).0, 1);
        assert_eq!(run("strict_once", 3, 100, &[(2, "abc"), (2, "ab"), (2, "a")]), (3, vec![2, 2, 2]));
        assert_eq!(run("strict_once", 3, 100, &[(2, "ac"), (2, "ac")]).0, 1);
    }

    #[test]
    fn an_event_is_one_step() {
        let users: [&[(i64, &str)]; 3] = [
            &[(180, "ab"), (220, "ab"), (250, "c")],
            &[(100, "ab"), (250, "ab")],
            &[(200, "c"), (210, "ab"), (230, "c")],
        ];
        for modes in ["strict_once,strict_increase", "strict_once", "strict_once,strict_deduplication"] {
            assert_eq!(users.map(|events| run(modes, 3, 200, events).0), [3, 2, 1], "{modes}");
        }
    }

    #[test]
    fn the_window_is_closed() {
        assert_eq!(run("", 2, 10, &[(0, "a"), (10, "b")]).0, 2);
        assert_eq!(run("", 2, 10, &[(0, "a"), (11, "b")]).0, 1);
        // A later start has more time; the first chain to get as far gives the times.
        assert_eq!(run("", 3, 10, &[(0, "a"), (5, "a"), (8, "b"), (14, "c")]), (3, vec![5, 8, 14]));
        assert_eq!(run("", 3, 10, &[(0, "a"), (8, "b"), (20, "a"), (21, "b")]), (2, vec![0, 8]));
        assert_eq!(run("", 2, i64::MAX, &[(i64::MIN, "a"), (i64::MAX, "b")]).0, 1);
    }

    /// All chains of all events, as sets of events.
    fn every_chain(steps: usize, window: i64, rising: bool, events: &[(i64, u32)]) -> (usize, Vec<i64>) {
        let mut pairs: Vec<(i64, usize, usize)> = Vec::new();
        for (id, (at, mask)) in events.iter().enumerate() {
            pairs.extend((0..steps).filter(|step| (mask >> step) & 1 == 1).map(|step| (*at, step, id)));
        }
        pairs.sort_unstable();
        let mut chains: Vec<Vec<Vec<(i64, usize)>>> = vec![Vec::new(); steps];
        for (at, step, id) in pairs {
            let longer: Vec<_> = match step {
                0 => vec![vec![(at, id)]],
                _ => chains[step - 1]
                    .iter()
                    .filter(|chain| at <= chain[0].0 + window && chain.iter().all(|event| event.1 != id))
                    .filter(|chain| !rising || chain[step - 1].0 < at)
                    .map(|chain| [chain.as_slice(), &[(at, id)]].concat())
                    .collect(),
            };
            chains[step].extend(longer);
        }
        let level = chains.iter().take_while(|chains| !chains.is_empty()).count();
        let first = level.checked_sub(1).and_then(|last| chains[last].first());
        (level, first.into_iter().flatten().map(|event| event.0).collect())
    }

    #[test]
    fn once_as_by_every_chain() {
        let mut seed = 1_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        for case in 0..3000 {
            let (steps, rows, times) = (2 + next(3) as usize, 1 + next(7), 1 + next(6));
            let events: Vec<(i64, u32)> =
                (0..rows).map(|_| (next(times) as i64, 1 + next((1 << steps) - 1) as u32)).collect();
            let window = next(6) as i64;
            let rising = case % 2 == 1;
            let letters: Vec<(i64, String)> = events
                .iter()
                .map(|(at, mask)| {
                    (*at, (0..steps as u8).filter(|s| (mask >> s) & 1 == 1).map(|s| char::from(b'a' + s)).collect())
                })
                .collect();
            let letters: Vec<(i64, &str)> = letters.iter().map(|(at, letters)| (*at, letters.as_str())).collect();
            let modes = if rising { "strict_once,strict_increase" } else { "strict_once" };
            let (level, times) = run(modes, steps, window, &letters);
            assert_eq!(level, every_chain(steps, window, rising, &events).0, "{letters:?} within {window}");
            // The times are those of a chain.
            let span = times.first().zip(times.last()).map_or(0, |(first, last)| last - first);
            assert!(times.len() == level && times.is_sorted() && span <= window, "{letters:?} {times:?}");
            let fits = |(step, at): (usize, &i64)| events.iter().any(|e| e.0 == *at && (e.1 >> step) & 1 == 1);
            assert!(times.iter().enumerate().all(fits), "{letters:?} {times:?}");
        }
    }
}
