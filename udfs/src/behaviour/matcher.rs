//! Finds patterns in the events of a group, as ClickHouse does.
//!
//! Without conditions on time a pattern is a small automaton, whose states are the bits of words: O(events). With them
//! it is tried by going back: the shortest gap first, as ClickHouse does it, and with its limit on the number of tries.
//! What was tried before from the same event and failed is not tried again, so that the limit is met later than there.

use datafusion_common::DataFusionError;

use super::event_log::Event;
use super::pattern::{Part, Pattern};
use crate::InvalidArgument;

/// How many tries a search may take, unless the pattern and the events are so long that it takes more to see them all.
const MAX_TRIES: usize = 1_000_000;

/// A pattern that is looked for in one group after another.
#[derive(Debug)]
pub(super) struct Matcher {
    pattern: Pattern,
    /// None where the pattern has conditions on time, or more parts than the automaton has states.
    automaton: Option<Automaton>,
    /// Where else the search could have gone on.
    stack: Vec<Place>,
    /// For each event from the first of the search on, as bits, the parts with which the search has come there.
    tried: Vec<u64>,
    /// The events of the pattern's conditions, as far as they are found.
    found: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    part: usize,
    event: usize,
    /// The event from which a condition on time counts.
    base: usize,
    found: usize,
}

/// A search that takes too long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooHard;

impl TooHard {
    pub(super) fn of(self, function: &str) -> DataFusionError {
        InvalidArgument::error(format!("{function}: the pattern takes too many tries to find, make it stricter"))
    }
}

impl Matcher {
    pub(super) fn new(pattern: Pattern) -> Self {
        let automaton = Automaton::new(&pattern);
        Self { pattern, automaton, stack: Vec::new(), tried: Vec::new(), found: Vec::new() }
    }

    /// Whether the pattern is in the events.
    pub(super) fn is_in(&mut self, events: &[Event]) -> Result<bool, TooHard> {
        if !self.may_be_in(events) {
            return Ok(false);
        }
        match &self.automaton {
            Some(automaton) => Ok(automaton.accepts(events)),
            None => Ok(self.search(events, 0)?.is_some()),
        }
    }

    /// How often the pattern is in the events, each of which counts once.
    pub(super) fn count(&mut self, events: &[Event]) -> Result<i64, TooHard> {
        let (mut count, mut start) = (0, 0);
        if !self.may_be_in(events) {
            return Ok(0);
        }
        while start < events.len() {
            let Some(end) = self.search(events, start)? else { break };
            count += 1;
            start = end;
        }
        Ok(count)
    }

    /// The events of the pattern's conditions where it is found first; none if it is not.
    pub(super) fn events(&mut self, events: &[Event]) -> Result<&[usize], TooHard> {
        self.found.clear();
        if self.may_be_in(events) && self.search(events, 0)?.is_none() {
            self.found.clear();
        }
        Ok(&self.found)
    }

    /// Whether every condition of the pattern holds somewhere.
    fn may_be_in(&self, events: &[Event]) -> bool {
        let missing = events.iter().fold(self.pattern.conditions(), |missing, event| missing & !event.mask);
        missing == 0
    }

    /// Looks for the pattern from the event `start` on. Returns the event after it.
    fn search(&mut self, events: &[Event], start: usize) -> Result<Option<usize>, TooHard> {
        let Self { pattern, stack, tried, found, .. } = self;
        let parts = pattern.parts.as_slice();
        stack.clear();
        found.clear();
        tried.clear();
        let limit = MAX_TRIES.max(2 * parts.len() * events.len().saturating_sub(start));
        let mut now = Place { part: 0, event: start, base: start, found: 0 };
        let mut tries = 0;
        while let (Some(part), Some(event)) = (parts.get(now.part), events.get(now.event)) {
            tries += 1;
            if tries > limit {
                return Err(TooHard);
            }
            let since = || events.get(now.base).map_or(0, |base| event.at.saturating_sub(base.at));
            // Conditions on time depend on where they count from, so that coming there twice is not the same.
            let known = match part {
                Part::Event(_) | Part::Any | Part::Star => mark(tried, now.event - start, now.part),
                _ => false,
            };
            let holds = !known
                && match part {
                    Part::Event(bit) => event.mask & bit != 0,
                    Part::Any | Part::Star => true,
                    Part::AtMost(limit) => since() <= *limit,
                    Part::Below(limit) => since() < *limit,
                    Part::AtLeast(limit) => since() >= *limit,
                    Part::Above(limit) => since() > *limit,
                    Part::Equal(limit) => since() == *limit,
                };
            match part {
                Part::Event(_) | Part::Any if holds => {
                    if matches!(part, Part::Event(_)) {
                        found.truncate(now.found);
                        found.push(now.event);
                        now.found += 1;
                    }
                    (now.base, now.event) = (now.event, now.event + 1);
                    now.part += 1;
                }
                _ if holds => {
                    stack.push(now);
                    now.base = now.event;
                    now.part += 1;
                }
                // More time passes with the next event.
                Part::AtLeast(_) | Part::Above(_) | Part::Equal(_) if now.event + 1 < events.len() => now.event += 1,
                _ => match back(stack, events.len()) {
                    Some(place) => now = place,
                    None => {
                        now = Place { part: 0, event: events.len(), base: start, found: 0 };
                        break;
                    }
                },
            }
        }
        // What is left may be nothing at all.
        let rest = parts.get(now.part..).unwrap_or_default();
        let empty = |part: &Part| matches!(part, Part::Star | Part::AtMost(_) | Part::Below(_) | Part::AtLeast(0));
        found.truncate(now.found);
        Ok(rest.iter().all(empty).then_some(now.event.max(start + 1)))
    }
}

/// Marks that the search came to a part with an event. True if it had come there before.
fn mark(tried: &mut Vec<u64>, event: usize, part: usize) -> bool {
    let Some(bit) = u32::try_from(part).ok().and_then(|part| 1_u64.checked_shl(part)) else { return false };
    if tried.len() <= event {
        tried.resize(event + 1, 0);
    }
    let Some(parts) = tried.get_mut(event) else { return false };
    let before = *parts & bit != 0;
    *parts |= bit;
    before
}

/// The last place from which the search can go on with a later event.
fn back(stack: &mut Vec<Place>, events: usize) -> Option<Place> {
    while let Some(place) = stack.pop() {
        if place.event + 1 < events {
            return Some(Place { event: place.event + 1, ..place });
        }
    }
    None
}

/// A pattern without conditions on time. The state `i` is bit `i`: the first `i` events of the pattern are found.
#[derive(Debug)]
struct Automaton {
    /// The states that an event of each condition leads on from.
    by_condition: [u64; 32],
    /// The states that every event leads on from.
    by_any: u64,
    /// The states in which events may be passed over.
    waiting: u64,
    last: u64,
}

impl Automaton {
    fn new(pattern: &Pattern) -> Option<Self> {
        let mut automaton = Self { by_condition: [0; 32], by_any: 0, waiting: 0, last: 1 };
        for part in &pattern.parts {
            match part {
                Part::Star => automaton.waiting |= automaton.last,
                Part::Any => {
                    automaton.by_any |= automaton.last;
                    automaton.last = automaton.last.checked_mul(2)?;
                }
                Part::Event(bit) => {
                    *automaton.by_condition.get_mut(bit.trailing_zeros() as usize)? |= automaton.last;
                    automaton.last = automaton.last.checked_mul(2)?;
                }
                _ => return None,
            }
        }
        Some(automaton)
    }

    fn accepts(&self, events: &[Event]) -> bool {
        let mut states = 1;
        for event in events {
            if states & self.last != 0 || states == 0 {
                break;
            }
            let mut leading = self.by_any;
            let mut open = event.mask;
            while open != 0 {
                leading |= self.by_condition.get(open.trailing_zeros() as usize).copied().unwrap_or_default();
                open &= open - 1;
            }
            states = ((states & leading) << 1) | (states & self.waiting);
        }
        states & self.last != 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::event_log::{EventLog, Row, Shape};
    use super::*;

    /// ClickHouse's own example: the conditions that hold at these seconds.
    const EXAMPLE: [(i64, u32); 12] =
        [(0, 1), (1, 1), (2, 1), (3, 1), (4, 2), (5, 4), (6, 1), (7, 1), (8, 1), (9, 1), (10, 2), (11, 2)];

    fn on<T>(events: &[(i64, u32)], see: impl FnOnce(&[Event]) -> T) -> T {
        let mut log = EventLog::new(Shape { ties: false, labels: false, distinct: false });
        for (second, mask) in events {
            log.push(0, Row { at: second * 1_000_000, mask: *mask, tie: 0, label: "" });
        }
        let (mut seen, mut see) = (None, Some(see));
        log.visit(1, |group| {
            seen = see.take().map(|see| see(group.events));
            Ok(())
        })
        .unwrap();
        seen.unwrap()
    }

    fn matcher(pattern: &str) -> Matcher {
        Matcher::new(pattern.parse().unwrap())
    }

    #[test]
    fn published_examples() {
        let cases = [
            ("", true, 12, vec![]),
            (".", true, 12, vec![]),
            (".*", true, 12, vec![]),
            ("(?1)", true, 8, vec![0]),
            ("(?2)", true, 3, vec![4]),
            ("(?3)", true, 1, vec![5]),
            ("(?4)", false, 0, vec![]),
            ("(?1)(?1)", true, 4, vec![0, 1]),
            ("(?1)(?1)(?1)", true, 2, vec![0, 1, 2]),
            ("(?1)(?1)(?1)(?1)", true, 2, vec![0, 1, 2, 3]),
            ("(?1)(?1)(?1)(?1)(?1)", false, 0, vec![]),
            ("(?1)(?1)(?1)(?1)(?2)", true, 2, vec![0, 1, 2, 3, 4]),
            ("(?1)(?t>10)(?2)", true, 1, vec![0, 11]),
            ("(?1)(?t>11)(?2)", false, 0, vec![]),
            ("(?1)(?t<11)(?2)", true, 2, vec![0, 4]),
            ("(?1)(?t<3)(?3)", true, 1, vec![3, 5]),
            ("(?1)(?t<=2)(?3)", true, 1, vec![3, 5]),
            ("(?1)(?t<2)(?3)", false, 0, vec![]),
            ("(?2)(?t>=7)(?2)", true, 1, vec![4, 11]),
            ("(?2)(?t>7)(?2)", false, 0, vec![]),
            ("(?2)(?3)(?1)", true, 1, vec![4, 5, 6]),
            ("(?1).(?3)", true, 1, vec![3, 5]),
        ];
        for (pattern, found, count, events) in cases {
            on(&EXAMPLE, |example| {
                let mut matcher = matcher(pattern);
                assert_eq!(matcher.is_in(example), Ok(found), "{pattern}");
                assert_eq!(matcher.count(example), Ok(count), "{pattern}");
                assert_eq!(matcher.events(example), Ok(events.as_slice()), "{pattern}");
            });
        }
        let exact: Vec<(i64, u32)> = EXAMPLE.iter().map(|(at, mask)| (*at, mask >> 1)).filter(|e| e.1 != 0).collect();
        on(&exact, |events| {
            assert_eq!(matcher("(?1)(?t==2)(?2)").is_in(events), Ok(false));
            assert_eq!(matcher("(?1)(?t==1)(?2)").is_in(events), Ok(true));
        });
    }

    #[test]
    fn nothing_is_in_nothing() {
        on(&[], |events| {
            assert_eq!(matcher("(?1)").is_in(events), Ok(false));
            assert_eq!(matcher("(?1)(?t<5)").count(events), Ok(0));
            assert_eq!(matcher("").is_in(events), Ok(true));
        });
    }

    #[test]
    fn both_ways_agree() {
        let patterns = ["(?1)(?2)", "(?1).*(?2)", "(?1).(?2)", "(?1).*(?2)(?1)", ".(?3).*.", "(?1)(?1).*(?2).*(?3)"];
        let mut seed = 7_u64;
        for case in 0..2000 {
            let events: Vec<(i64, u32)> = (0..case % 9)
                .map(|at| {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    (at, 1 + (seed >> 33) as u32 % 7)
                })
                .collect();
            let pattern = patterns[case as usize % patterns.len()];
            on(&events, |events| {
                let fast = matcher(pattern).is_in(events).unwrap();
                let slow = Matcher { automaton: None, ..matcher(pattern) }.is_in(events).unwrap();
                assert_eq!(fast, slow, "{pattern} in {events:?}");
            });
        }
    }

    #[test]
    fn hard_patterns() {
        // 2,000 starts with 2,000 gaps each are too many.
        let mask = |at| match at {
            0 => 3,
            1999 => 4,
            _ => 1,
        };
        let events: Vec<(i64, u32)> = (0..2000).map(|at| (at, mask(at))).collect();
        on(&events, |events| {
            assert_eq!(matcher("(?1)(?t>=0)(?1)(?t>=1)(?1)(?2)").is_in(events), Err(TooHard));
            assert_eq!(matcher("(?1).*(?1).*(?1).*(?1).*(?2)").count(events), Ok(0));
        });
    }
}
