//! The touches of many paths, in one list: 16 bytes each, whatever the number of paths.

use std::ops::Range;
use std::sync::Arc;

use datafusion_common::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Builder, Int64Array, Int64Builder, ListArray, StringArray,
    StringBuilder, StructArray, TimestampMicrosecondArray,
};
use datafusion_common::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion_common::arrow::datatypes::{DataType, Field, Fields, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{EmitTo, GroupsAccumulator};

use super::model::{Model, Touch};
use super::names::{Names, texts};
use crate::InvalidArgument;
use crate::single_group::Groups;

/// What the conversion of a path is owed to.
#[derive(Debug, Clone)]
pub(super) struct Touches {
    pub(super) model: Model,
    /// How long before the conversion a touch counts, in microseconds.
    pub(super) lookback: Option<i64>,
    /// In microseconds.
    pub(super) half_life: f64,
    /// Whether touches that are the same in time and channel count once.
    pub(super) distinct: bool,
    /// The time zone of the touches.
    pub(super) zone: Option<Arc<str>>,
    names: Names,
    /// Group, time and channel.
    touches: Vec<(u32, i64, u32)>,
    /// The conversion of each group, where its instant is given.
    conversions: Vec<Option<i64>>,
}

impl Touches {
    pub(super) fn new(
        model: Model,
        lookback: Option<i64>,
        half_life: f64,
        distinct: bool,
        zone: Option<Arc<str>>,
    ) -> Self {
        let (names, touches, conversions) = (Names::default(), Vec::new(), Vec::new());
        Self { model, lookback, half_life, distinct, zone, names, touches, conversions }
    }

    /// Whether a touch lies before the conversion and not too long before it.
    fn counts(&self, instant: i64, conversion: i64) -> bool {
        let long = self.lookback.is_some_and(|longest| conversion.saturating_sub(instant) > longest);
        instant <= conversion && !long
    }

    /// A group has one conversion.
    fn convert(&mut self, group: usize, conversion: i64) -> Result<()> {
        match self.conversions.get_mut(group) {
            Some(known) if known.is_none_or(|known| known == conversion) => *known = Some(conversion),
            _ => {
                return Err(InvalidArgument::error(
                    "attribute: conversion_ts has to be the same for all rows of a group; group by the conversion, too",
                ));
            }
        }
        Ok(())
    }

    /// Takes out the touches of the groups that are to be emitted, sorted, with channels by rank. The list of names and
    /// the number of groups come with them.
    fn take(&mut self, emit: EmitTo) -> (Vec<Arc<str>>, usize, Vec<(u32, i64, u32)>) {
        let groups = match emit {
            EmitTo::All => self.conversions.len(),
            EmitTo::First(groups) => groups,
        };
        let mut taken = Vec::new();
        match emit {
            EmitTo::All => taken = std::mem::take(&mut self.touches),
            EmitTo::First(first) => self.touches.retain_mut(|touch| {
                let leaves = (touch.0 as usize) < first;
                if leaves {
                    taken.push(*touch);
                } else {
                    touch.0 -= first as u32;
                }
                !leaves
            }),
        }
        let (names, ranks) = self.names.ranked();
        for touch in &mut taken {
            touch.2 = ranks.get(touch.2 as usize).copied().unwrap_or(touch.2);
        }
        gather(&mut taken, groups);
        for path in taken.chunk_by_mut(|a, b| a.0 == b.0).filter(|path| !path.is_sorted()) {
            path.sort_unstable();
        }
        if self.distinct {
            taken.dedup();
        }
        (names, groups, taken)
    }
}

/// Puts the touches of each group beside one another, in place: each is swapped to where its group has room. Most come
/// in the order of their groups, and stay where they are.
fn gather(touches: &mut [(u32, i64, u32)], groups: usize) {
    if touches.is_sorted_by_key(|touch| touch.0) {
        return;
    }
    let mut ends = vec![0_usize; groups];
    for touch in &*touches {
        ends[touch.0 as usize] += 1;
    }
    let (mut next, mut all) = (Vec::with_capacity(groups), 0);
    for end in &mut ends {
        next.push(all);
        all += *end;
        *end = all;
    }
    for group in 0..groups {
        while next[group] < ends[group] {
            let place = next[group];
            let home = touches[place].0 as usize;
            touches.swap(place, next[home]);
            next[home] += 1;
        }
    }
}

/// The touches of every group, which may have none.
fn by_group(groups: usize, touches: &[(u32, i64, u32)]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    (0..groups).map(move |group| {
        let rest = touches.get(start..).unwrap_or_default();
        let end = start + rest.iter().take_while(|touch| touch.0 as usize == group).count();
        std::mem::replace(&mut start, end)..end
    })
}

/// `STRUCT(channel, ts, credit)`.
pub(super) fn credit_fields(zone: Option<Arc<str>>) -> Fields {
    Fields::from(vec![
        Field::new("channel", DataType::Utf8, false),
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, zone), false),
        Field::new("credit", DataType::Float64, false),
    ])
}

impl Groups for Touches {
    fn open(&mut self, groups: usize) {
        self.conversions.resize(groups.max(self.conversions.len()), None);
    }
}

impl GroupsAccumulator for Touches {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.open(total);
        let instants = |place: usize| values.get(place).and_then(|a| a.as_primitive_opt::<TimestampMicrosecondType>());
        let (Some(channels), Some(times)) = (values.first(), instants(1)) else {
            return plan_err!("attribute takes a channel and a timestamp");
        };
        let conversions = instants(3);
        for (row, ((channel, time), group)) in texts(channels)?.zip(times).zip(groups).enumerate() {
            if filter.is_some_and(|filter| !filter.is_valid(row) || !filter.value(row)) {
                continue;
            }
            let conversion = match conversions {
                Some(conversions) if conversions.is_null(row) => continue,
                Some(conversions) => Some(conversions.value(row)),
                None => None,
            };
            if let Some(conversion) = conversion {
                self.convert(*group, conversion)?;
            }
            if let (Some(channel), Some(time)) = (channel, time) {
                if conversion.is_none_or(|conversion| self.counts(time, conversion)) {
                    let channel = self.names.number(channel);
                    self.touches.push((*group as u32, time, channel));
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let (names, groups, touches) = self.take(emit);
        let given = emit.take_needed(&mut self.conversions);
        let (mut channels, mut times, mut credits) = (StringBuilder::new(), Vec::new(), Float64Builder::new());
        let (mut lengths, mut known) = (Vec::with_capacity(groups), Vec::with_capacity(groups));
        let mut path: Vec<Touch> = Vec::new();
        for (range, given) in by_group(groups, &touches).zip(given) {
            path.clear();
            path.extend(touches.get(range).unwrap_or_default().iter().map(|(_, time, channel)| (*time, *channel)));
            // Without an instant of its own the conversion is the last touch.
            if let (None, Some((last, _))) = (given, path.last().copied()) {
                path.retain(|(time, _)| self.counts(*time, last));
            }
            let before = times.len();
            self.model.share(&path, &names, self.half_life, |(time, channel), credit| {
                channels.append_value(names.get(channel as usize).map_or("", |name| name));
                times.push(time);
                credits.append_value(credit);
            });
            lengths.push(times.len() - before);
            known.push(!path.is_empty());
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(channels.finish()),
            Arc::new(TimestampMicrosecondArray::from(times).with_timezone_opt(self.zone.clone())),
            Arc::new(credits.finish()),
        ];
        let fields = credit_fields(self.zone.clone());
        let item = Arc::new(Field::new_list_field(DataType::Struct(fields.clone()), true));
        let shares = Arc::new(StructArray::try_new(fields, columns, None)?);
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(item, offsets, shares, Some(NullBuffer::from(known)))?))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let (names, groups, touches) = self.take(emit);
        let conversions = Int64Array::from(emit.take_needed(&mut self.conversions));
        let name = |rank: u32| names.get(rank as usize).map_or("", |name| &**name);
        let channels = StringArray::from_iter_values(touches.iter().map(|(_, _, channel)| name(*channel)));
        let times = Int64Array::from_iter_values(touches.iter().map(|(_, time, _)| *time));
        let lengths: Vec<usize> = by_group(groups, &touches).map(|range| range.len()).collect();
        states(lengths, channels, times, conversions)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.open(total);
        let lists = |place: usize| states.get(place).and_then(|array| array.as_list_opt::<i32>());
        let conversions = states.get(2).and_then(|array| array.as_primitive_opt::<Int64Type>());
        let (Some(channels), Some(times), Some(conversions)) = (lists(0), lists(1), conversions) else {
            return plan_err!("attribute: a state is channels, times and the conversion");
        };
        // All lists at once: a list of its own for each group would cost more than its touches.
        let (names, instants) = (held(channels), held(times));
        let (names, instants) = (texts(&names)?, instants.as_primitive::<Int64Type>());
        let mut touches = names.zip(instants);
        let lengths = channels.offsets().lengths().zip(times.offsets().lengths());
        for (((channels, times), conversion), group) in lengths.zip(conversions).zip(groups) {
            if channels != times {
                return plan_err!("attribute: a state has as many times as channels");
            }
            if let Some(conversion) = conversion {
                self.convert(*group, conversion)?;
            }
            for touch in touches.by_ref().take(channels) {
                if let (Some(channel), Some(time)) = touch {
                    let channel = self.names.number(channel);
                    self.touches.push((*group as u32, time, channel));
                }
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let instants = |place: usize| values.get(place).and_then(|a| a.as_primitive_opt::<TimestampMicrosecondType>());
        let (Some(channels), Some(times)) = (values.first(), instants(1)) else {
            return plan_err!("attribute takes a channel and a timestamp");
        };
        let (mut names, mut kept, mut lengths) = (StringBuilder::new(), Int64Builder::new(), Vec::new());
        let mut conversions = Int64Builder::new();
        for (row, (channel, time)) in texts(channels)?.zip(times).enumerate() {
            let passes = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            let conversion = match instants(3) {
                Some(conversions) => (conversions.is_valid(row) && passes).then(|| Some(conversions.value(row))),
                None => passes.then_some(None),
            };
            conversions.append_option(conversion.flatten());
            match (conversion, channel, time) {
                (Some(conversion), Some(channel), Some(time))
                    if conversion.is_none_or(|conversion| self.counts(time, conversion)) =>
                {
                    names.append_value(channel);
                    kept.append_value(time);
                    lengths.push(1);
                }
                _ => lengths.push(0),
            }
        }
        states(lengths, names.finish(), kept.finish(), conversions.finish())
    }

    fn size(&self) -> usize {
        self.names.size()
            + self.touches.capacity() * size_of::<(u32, i64, u32)>()
            // With what it takes to gather the touches.
            + self.conversions.capacity() * (size_of::<Option<i64>>() + 2 * size_of::<usize>())
    }
}

/// The items of all lists, which may be a part of a longer array.
fn held(lists: &ListArray) -> ArrayRef {
    let offsets = lists.value_offsets();
    let (first, last) = (offsets.first().copied().unwrap_or_default(), offsets.last().copied().unwrap_or_default());
    lists.values().slice(first as usize, (last - first) as usize)
}

/// What a state is made of.
pub(super) fn state_fields() -> Vec<Field> {
    let list = |name, of| Field::new_list(name, Field::new_list_field(of, false), true);
    vec![
        list("channels", DataType::Utf8),
        list("times", DataType::Int64),
        Field::new("conversion", DataType::Int64, true),
    ]
}

fn states(
    lengths: Vec<usize>,
    channels: StringArray,
    times: Int64Array,
    conversions: Int64Array,
) -> Result<Vec<ArrayRef>> {
    let offsets = OffsetBuffer::from_lengths(lengths);
    let list = |of: DataType, values: ArrayRef| {
        ListArray::try_new(Arc::new(Field::new_list_field(of, false)), offsets.clone(), values, None)
    };
    Ok(vec![
        Arc::new(list(DataType::Utf8, Arc::new(channels))?),
        Arc::new(list(DataType::Int64, Arc::new(times))?),
        Arc::new(conversions),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touches(zone: Option<Arc<str>>) -> Touches {
        Touches::new(Model::Linear, None, 1.0, false, zone)
    }

    #[test]
    fn groups_are_gathered_from_any_order() {
        let mut mixed: Vec<(u32, i64, u32)> = (0..40).map(|i| ((i * 7) % 5, i64::from(i), i % 3)).collect();
        mixed.retain(|touch| touch.0 != 2);
        let mut sorted = mixed.clone();
        sorted.sort_unstable();
        gather(&mut mixed, 6);
        assert!(mixed.is_sorted_by_key(|touch| touch.0));
        mixed.sort_unstable();
        assert_eq!(mixed, sorted);
    }

    #[test]
    fn states_that_are_part_of_others_are_merged() {
        let mut all = touches(None);
        let channels: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "b", "a"]));
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![5, 4, 3, 2, 1]));
        all.update_batch(&[channels, times], &[2, 0, 1, 2, 1], None, 4).unwrap();
        let states = all.state(EmitTo::All).unwrap();
        let part: Vec<ArrayRef> = states.iter().map(|state| state.slice(1, 3)).collect();
        let mut merged = touches(None);
        merged.merge_batch(&part, &[1, 0, 2], 3).unwrap();
        let (names, groups, taken) = merged.take(EmitTo::All);
        let shown: Vec<_> = taken.iter().map(|(group, at, name)| (*group, *at, &*names[*name as usize])).collect();
        assert_eq!(groups, 3);
        assert_eq!(shown, [(0, 2, "b"), (0, 5, "a"), (1, 1, "a"), (1, 3, "c")]);
    }
}
