//! How many different values every group has, exactly.
//!
//! Values are appended as they come, and sorted to drop the double ones whenever they have doubled in number: memory
//! stays within twice what is needed, and there is no hash table for each group.

use std::sync::Arc;

use datafusion_common::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Int64Array, ListArray, PrimitiveArray,
};
use datafusion_common::arrow::buffer::OffsetBuffer;
use datafusion_common::arrow::datatypes::{ArrowNativeType, Field, FieldRef, Int32Type, Int64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::EmitTo;

/// From this number on doubles are dropped.
const SOME: usize = 4096;

/// What can be counted: a number that has an array.
pub(super) trait Value: ArrowNativeType + Ord {
    /// What its arrays are made of.
    type Arrow: ArrowPrimitiveType<Native = Self>;
}

impl Value for i32 {
    type Arrow = Int32Type;
}

impl Value for i64 {
    type Arrow = Int64Type;
}

/// The values of groups.
#[derive(Debug, Clone)]
pub(super) struct Distinct<V> {
    groups: usize,
    /// Group and value: sorted and different up to `settled`.
    values: Vec<(u32, V)>,
    settled: usize,
}

impl<V> Default for Distinct<V> {
    fn default() -> Self {
        Self { groups: 0, values: Vec::new(), settled: 0 }
    }
}

impl<V: Value> Distinct<V> {
    pub(super) fn open(&mut self, groups: usize) {
        self.groups = self.groups.max(groups);
    }

    /// Groups are numbered by the engine, in 32 bits for as many as memory holds.
    pub(super) fn push(&mut self, group: usize, value: V) {
        let pair = (group as u32, value);
        if self.values.last() == Some(&pair) {
            return;
        }
        self.values.push(pair);
        if self.values.len() >= SOME && self.values.len() >= self.settled * 2 {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.values.sort_unstable();
        self.values.dedup();
        self.settled = self.values.len();
    }

    /// The number of values of each of the groups that are to be emitted.
    pub(super) fn counts(&mut self, emit: EmitTo) -> Int64Array {
        let (groups, values) = self.take(emit);
        let mut counts = vec![0; groups];
        for (group, _) in values {
            if let Some(count) = counts.get_mut(group as usize) {
                *count += 1;
            }
        }
        counts.into()
    }

    /// The values of each of the groups that are to be emitted.
    pub(super) fn lists(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let (groups, values) = self.take(emit);
        let mut lengths = vec![0; groups];
        for (group, _) in &values {
            if let Some(length) = lengths.get_mut(*group as usize) {
                *length += 1;
            }
        }
        list(OffsetBuffer::from_lengths(lengths), values.into_iter().map(|(_, value)| value))
    }

    fn take(&mut self, emit: EmitTo) -> (usize, Vec<(u32, V)>) {
        self.settle();
        let groups = match emit {
            EmitTo::All => self.groups,
            EmitTo::First(groups) => groups,
        };
        let end = self.values.partition_point(|(group, _)| (*group as usize) < groups);
        let rest =
            self.values.split_off(end).into_iter().map(|(group, value)| (group - groups as u32, value)).collect();
        let taken = std::mem::replace(&mut self.values, rest);
        self.groups = self.groups.saturating_sub(groups);
        self.settled = self.values.len();
        (groups, taken)
    }

    /// Takes up what [`Self::lists`] gave, list by list.
    pub(super) fn merge(&mut self, lists: &ArrayRef, groups: &[usize]) -> Result<()> {
        let Some(lists) = lists.as_list_opt::<i32>() else {
            return plan_err!("a state of different values is a list, not {}", lists.data_type());
        };
        for (list, group) in lists.iter().zip(groups) {
            let Some(list) = list else { continue };
            for value in list.as_primitive::<V::Arrow>().values() {
                self.push(*group, *value);
            }
        }
        Ok(())
    }

    pub(super) fn size(&self) -> usize {
        self.values.capacity() * size_of::<(u32, V)>()
    }
}

/// What a state is made of.
pub(super) fn state_field<V: Value>(name: &str) -> FieldRef {
    Arc::new(Field::new_list(name, Field::new_list_field(V::Arrow::DATA_TYPE, false), true))
}

/// Lists of values.
pub(super) fn list<V: Value>(offsets: OffsetBuffer<i32>, values: impl IntoIterator<Item = V>) -> Result<ArrayRef> {
    let values = PrimitiveArray::<V::Arrow>::from_iter_values(values);
    let item = Arc::new(Field::new_list_field(V::Arrow::DATA_TYPE, false));
    Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(values), None)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact_and_merge() {
        let (mut a, mut b) = (Distinct::<i32>::default(), Distinct::<i32>::default());
        for i in 0..40_000_i32 {
            a.push((i % 7) as usize, i % 100);
            b.push((i % 7) as usize, i % 130);
        }
        a.open(9);
        b.open(7);
        assert!(a.size() < 40_000);
        let lists = b.lists(EmitTo::All).unwrap();
        a.merge(&lists, &[0, 1, 2, 3, 4, 5, 8]).unwrap();
        assert_eq!(a.counts(EmitTo::First(2)).values(), &[130, 130]);
        assert_eq!(a.counts(EmitTo::All).values(), &[130, 130, 130, 130, 100, 0, 130]);
        assert_eq!(a.counts(EmitTo::All).len(), 0);
    }
}
