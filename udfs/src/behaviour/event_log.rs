//! The events of many groups: collected in any order, handed out group by group, in order of time.
//!
//! Events lie in buckets of 4,096 groups each, 16 bytes an event. So gathering a bucket by group stays within the
//! processor's cache, and needs room for one bucket only.

use std::cmp::{Ordering, Reverse};

use datafusion_common::{Result, exec_datafusion_err};

use super::event_state::{read, write};
use super::names::Names;

/// The groups of a bucket.
const GROUPS: usize = 4096;

/// A row that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    /// Microseconds since 1970.
    pub(super) at: i64,
    /// Bit `i` for the condition `i`, counted from 0.
    pub(super) mask: u32,
    /// The group within its bucket.
    group: u32,
}

/// What a log keeps beside time and conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// What orders events of equal times.
    pub(super) ties: bool,
    /// A text.
    pub(super) labels: bool,
    /// Equal events count once.
    pub(super) distinct: bool,
}

/// A row as it comes in. What the log's shape has no place for is not kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) at: i64,
    pub(super) mask: u32,
    pub(super) tie: i64,
    pub(super) label: &'a str,
}

/// A group's events by time, tie-breaker, label and conditions, the first condition first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a> {
    pub(super) events: &'a [Event],
    /// One an event, or none at all.
    ties: &'a [i64],
    labels: &'a [u32],
    names: &'a Names,
}

impl<'a> Group<'a> {
    /// Runs of events that happened at once: at equal times, with equal tie-breakers.
    pub(super) fn moments(self) -> impl Iterator<Item = &'a [Event]> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let (first, rest) = self.events.get(start..)?.split_first()?;
            let at_once = |(place, event): &(usize, &Event)| {
                event.at == first.at && (self.ties.is_empty() || self.ties.get(*place) == self.ties.get(start))
            };
            let end = start + 1 + (start + 1..).zip(rest).take_while(at_once).count();
            let moment = self.events.get(start..end)?;
            start = end;
            Some(moment)
        })
    }

    /// The text of an event.
    pub(super) fn label(self, event: usize) -> &'a str {
        self.labels.get(event).map_or("", |label| self.names.text(*label))
    }
}

/// All events of all groups.
#[derive(Debug)]
pub(super) struct EventLog {
    shape: Shape,
    buckets: Vec<Bucket>,
    names: Names,
}

/// The events of [`GROUPS`] groups that follow one another.
#[derive(Debug, Default)]
struct Bucket {
    events: Vec<Event>,
    ties: Vec<i64>,
    labels: Vec<u32>,
}

impl EventLog {
    pub(super) fn new(shape: Shape) -> Self {
        Self { shape, buckets: Vec::new(), names: Names::default() }
    }

    pub(super) fn push(&mut self, group: usize, row: Row) {
        let bucket = group / GROUPS;
        if bucket >= self.buckets.len() {
            self.buckets.resize_with(bucket + 1, Bucket::default);
        }
        let Some(bucket) = self.buckets.get_mut(bucket) else { return };
        bucket.events.push(Event { at: row.at, mask: row.mask, group: (group % GROUPS) as u32 });
        if self.shape.ties {
            bucket.ties.push(row.tie);
        }
        if self.shape.labels {
            bucket.labels.push(self.names.number(row.label));
        }
    }

    /// Shows the first `groups` groups in their order, each with its events in theirs. Nothing is forgotten.
    pub(super) fn visit(&mut self, groups: usize, mut visit: impl FnMut(Group) -> Result<()>) -> Result<()> {
        let Self { shape, buckets, names } = self;
        for bucket in buckets.iter_mut().take(groups.div_ceil(GROUPS)) {
            bucket.gather();
            bucket.sort(*shape, names);
        }
        self.walk(groups, &mut visit)
    }

    /// The first `groups` groups as partial states, from which [`EventLog::read`] makes events again.
    pub(super) fn states(&mut self, groups: usize, mut state: impl FnMut(&[u8])) -> Result<()> {
        for bucket in self.buckets.iter_mut().take(groups.div_ceil(GROUPS)) {
            bucket.gather();
        }
        let shape = self.shape;
        let mut bytes = Vec::new();
        self.walk(groups, &mut |group| {
            bytes.clear();
            for (place, event) in group.events.iter().enumerate() {
                let tie = group.ties.get(place).copied().unwrap_or_default();
                write(shape, Row { at: event.at, mask: event.mask, tie, label: group.label(place) }, &mut bytes);
            }
            state(&bytes);
            Ok(())
        })
    }

    /// About as many bytes as the states of all groups take.
    pub(super) fn bytes_of_states(&self) -> usize {
        let events: usize = self.buckets.iter().map(|bucket| bucket.events.len()).sum();
        events * (12 + 8 * usize::from(self.shape.ties) + 12 * usize::from(self.shape.labels))
    }

    fn walk(&self, groups: usize, visit: &mut impl FnMut(Group) -> Result<()>) -> Result<()> {
        let nothing = Bucket::default();
        for first in (0..groups).step_by(GROUPS) {
            let bucket = self.buckets.get(first / GROUPS).unwrap_or(&nothing);
            let mut start = 0;
            for group in 0..(groups - first).min(GROUPS) {
                let rest = bucket.events.get(start..).unwrap_or_default();
                let end = start + rest.iter().take_while(|event| event.group == group as u32).count();
                visit(Group {
                    events: bucket.events.get(start..end).unwrap_or_default(),
                    ties: bucket.ties.get(start..end).unwrap_or_default(),
                    labels: bucket.labels.get(start..end).unwrap_or_default(),
                    names: &self.names,
                })?;
                start = end;
            }
        }
        Ok(())
    }

    /// Adds the events of a state.
    pub(super) fn read(&mut self, group: usize, mut state: &[u8]) -> Result<()> {
        while !state.is_empty() {
            let (row, rest) =
                read(self.shape, state).ok_or_else(|| exec_datafusion_err!("a state of events is cut"))?;
            self.push(group, row);
            state = rest;
        }
        Ok(())
    }

    /// Forgets the first groups; the others move up.
    pub(super) fn forget(&mut self, groups: usize) {
        let shape = self.shape;
        let buckets = std::mem::take(&mut self.buckets);
        for (place, bucket) in buckets.into_iter().enumerate().skip(groups / GROUPS) {
            for (row, event) in bucket.events.iter().enumerate() {
                let Some(group) = (place * GROUPS + event.group as usize).checked_sub(groups) else { continue };
                let moved = group / GROUPS;
                if moved >= self.buckets.len() {
                    self.buckets.resize_with(moved + 1, Bucket::default);
                }
                let Some(kept) = self.buckets.get_mut(moved) else { continue };
                kept.events.push(Event { group: (group % GROUPS) as u32, ..*event });
                if shape.ties {
                    kept.ties.extend(bucket.ties.get(row));
                }
                if shape.labels {
                    kept.labels.extend(bucket.labels.get(row));
                }
            }
        }
    }

    /// Bytes, with what it takes to bring the largest bucket into order.
    pub(super) fn size(&self) -> usize {
        let sizes = self.buckets.iter().map(Bucket::size);
        let largest = self.buckets.iter().map(Bucket::size).max().unwrap_or_default();
        sizes.sum::<usize>() + largest + self.buckets.capacity() * size_of::<Bucket>() + self.names.size()
    }
}

impl Bucket {
    fn size(&self) -> usize {
        self.events.capacity() * size_of::<Event>() + self.ties.capacity() * 8 + self.labels.capacity() * 4
    }

    /// Puts the events of each group beside one another.
    fn gather(&mut self) {
        if self.events.is_sorted_by_key(|event| event.group) {
            return;
        }
        let mut next = [0; GROUPS + 1];
        for event in &self.events {
            next[event.group as usize + 1] += 1;
        }
        for group in 1..=GROUPS {
            next[group] += next[group - 1];
        }
        let mut order = vec![0; self.events.len()];
        for (row, event) in self.events.iter().enumerate() {
            let place = &mut next[event.group as usize];
            order[*place] = row as u32;
            *place += 1;
        }
        self.take(&order);
    }

    /// Sorts the events of each group, once they are gathered.
    fn sort(&mut self, shape: Shape, names: &Names) {
        if !shape.ties && !shape.labels {
            let in_order = |group: &&mut [Event]| group.is_sorted_by(|a, b| by_time(a, b).is_le());
            for group in self.events.chunk_by_mut(|a, b| a.group == b.group).filter(|group| !in_order(group)) {
                group.sort_unstable_by(by_time);
            }
            if shape.distinct {
                self.events.dedup();
            }
            return;
        }
        let Self { events, ties, labels } = &*self;
        let compare = |a: &u32, b: &u32| {
            let (a, b) = (*a as usize, *b as usize);
            let (one, other) = (events[a], events[b]);
            let label = |row: usize| labels.get(row).map(|label| names.text(*label));
            let by_tie = || ties.get(a).cmp(&ties.get(b)).then_with(|| label(a).cmp(&label(b)));
            one.at.cmp(&other.at).then_with(by_tie).then_with(|| by_time(&one, &other))
        };
        let mut order: Vec<u32> = (0..events.len() as u32).collect();
        let mut start = 0;
        for group in events.chunk_by(|a, b| a.group == b.group) {
            let range = start..start + group.len();
            start = range.end;
            order[range].sort_unstable_by(compare);
        }
        if shape.distinct {
            let same = |a: &mut u32, b: &mut u32| {
                events[*a as usize].group == events[*b as usize].group && compare(a, b) == Ordering::Equal
            };
            order.dedup_by(same);
        }
        self.take(&order);
    }

    fn take(&mut self, order: &[u32]) {
        self.events = order.iter().map(|row| self.events[*row as usize]).collect();
        if !self.ties.is_empty() {
            self.ties = order.iter().map(|row| self.ties[*row as usize]).collect();
        }
        if !self.labels.is_empty() {
            self.labels = order.iter().map(|row| self.labels[*row as usize]).collect();
        }
    }
}

/// By time, then by the first condition that holds in one and not in the other.
fn by_time(a: &Event, b: &Event) -> Ordering {
    a.at.cmp(&b.at).then_with(|| Reverse(a.mask.reverse_bits()).cmp(&Reverse(b.mask.reverse_bits())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Shape = Shape { ties: false, labels: false, distinct: false };
    const FULL: Shape = Shape { ties: true, labels: true, distinct: false };

    fn row(at: i64, mask: u32, tie: i64, label: &str) -> Row<'_> {
        Row { at, mask, tie, label }
    }

    fn shown(log: &mut EventLog, groups: usize) -> Vec<Vec<(i64, u32, String)>> {
        let mut shown = Vec::new();
        log.visit(groups, |group| {
            let events = group.events.iter().enumerate();
            shown.push(events.map(|(i, event)| (event.at, event.mask, group.label(i).to_owned())).collect());
            Ok(())
        })
        .unwrap();
        shown
    }

    #[test]
    fn groups_come_in_order() {
        let mut log = EventLog::new(PLAIN);
        let last = 2 * GROUPS + 1;
        for (group, at, mask) in [(last, 5, 1), (0, 9, 2), (last, 3, 4), (0, 9, 1), (2, 1, 8), (0, -1, 1)] {
            log.push(group, row(at, mask, 7, "lost"));
        }
        let all = shown(&mut log, last + 1);
        assert_eq!(all.len(), last + 1);
        let event = |at, mask| (at, mask, String::new());
        assert_eq!(all[0], [event(-1, 1), event(9, 1), event(9, 2)]);
        assert!(all[1].is_empty());
        assert_eq!(all[last], [event(3, 4), event(5, 1)]);
        log.forget(2);
        let rest = shown(&mut log, last - 1);
        assert_eq!(rest[0], [event(1, 8)]);
        assert_eq!(rest[last - 2], [event(3, 4), event(5, 1)]);
    }

    #[test]
    fn ties_and_labels() {
        let mut log = EventLog::new(FULL);
        for (at, mask, tie, label) in [(1, 1, 9, "b"), (1, 2, 3, "a"), (1, 4, 9, "a"), (0, 1, 9, "z")] {
            log.push(0, row(at, mask, tie, label));
        }
        let labels: Vec<_> = shown(&mut log, 1)[0].iter().map(|event| format!("{}{}", event.2, event.1)).collect();
        assert_eq!(labels, ["z1", "a2", "a4", "b1"]);
        let mut moments = Vec::new();
        log.visit(1, |group| {
            moments.extend(group.moments().map(<[Event]>::len));
            Ok(())
        })
        .unwrap();
        assert_eq!(moments, [1, 1, 2]);
    }

    #[test]
    fn states_are_read_back() {
        for shape in [PLAIN, FULL, Shape { labels: false, ..FULL }, Shape { ties: false, ..FULL }] {
            let (mut one, mut other) = (EventLog::new(shape), EventLog::new(shape));
            for at in [3, 1, 2] {
                one.push(at as usize % 2, row(at, 1 << at, -at, "ünï"));
            }
            let mut states = Vec::new();
            one.states(2, |state| states.push(state.to_vec())).unwrap();
            for (group, state) in states.iter().enumerate() {
                other.read(group, state).unwrap();
                assert!(state.is_empty() || other.read(group, &state[..5]).is_err());
            }
            assert_eq!(shown(&mut other, 2), shown(&mut one, 2));
        }
    }

    #[test]
    fn distinct_events_count_once() {
        for shape in [Shape { distinct: true, ..PLAIN }, Shape { distinct: true, ..FULL }] {
            let mut log = EventLog::new(shape);
            for (group, at) in [(0, 1), (1, 1), (0, 1), (0, 2)] {
                log.push(group, row(at, 1, 0, "x"));
            }
            assert_eq!(shown(&mut log, 2).iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        }
    }
}
