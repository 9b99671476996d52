//! The accumulator of expressions over the bitmaps of several keys: those of one key are united, the rest is skipped.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, BinaryViewBuilder, BooleanArray, Int64Array, ListBuilder,
};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::format_state_name;
use datafusion_expr::{EmitTo, GroupsAccumulator};
use roaring::RoaringTreemap;

use super::bitmap::{bigint, bytes, decode, encode, size};
use super::expression::Expression;
use crate::InvalidArgument;
use crate::arguments::{constant, text};
use crate::rows::Taken;
use crate::single_group::{Groups, passes};

/// What becomes of the selected ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Bitmap,
    Count,
}

/// What is selected, the same for all groups.
#[derive(Debug)]
struct Plan {
    function: &'static str,
    expression: Expression,
    output: Output,
    /// The place of each key's set among those of a group.
    places: HashMap<String, usize>,
}

/// The places of sets that a batch has changed, and the sizes that they had before.
type Changed = HashMap<usize, usize>;

/// Collects the sets that an expression is about.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    plan: Arc<Plan>,
    /// For each group as many as there are keys.
    sets: Vec<RoaringTreemap>,
    /// What the sets hold beyond themselves.
    held: usize,
}

impl Selection {
    pub(super) fn new(function: &'static str, expression: Expression, output: Output) -> Self {
        let places = expression.places();
        Self { plan: Arc::new(Plan { function, expression, output, places }), sets: Vec::new(), held: 0 }
    }

    /// By the expression that is the third argument.
    ///
    /// # Errors
    /// If it is not a constant text, or makes no sense.
    pub(super) fn of_expression(function: &'static str, args: &AccumulatorArgs, output: Output) -> Result<Self> {
        let given = constant(function, "the expression", args, 2)?;
        let given = text(function, "the expression", &given)?;
        match Expression::parse(given) {
            Ok(expression) => Ok(Self::new(function, expression, output)),
            Err(message) => Err(InvalidArgument::error(format!("{function}: {message}: {given}"))),
        }
    }

    /// How many sets a group has; no expression is without a key.
    fn width(&self) -> usize {
        self.plan.places.len()
    }

    /// Unites a set with another. Sets are measured once in a batch: it takes as long as a set has parts.
    fn unite(&mut self, group: usize, place: usize, bitmap: &[u8], changed: &mut Changed) -> Result<()> {
        let at = group * self.width() + place;
        let Some(set) = self.sets.get_mut(at) else { return Ok(()) };
        changed.entry(at).or_insert_with(|| size(set));
        *set |= decode(self.plan.function, bitmap)?;
        Ok(())
    }

    fn measure(&mut self, changed: &Changed) {
        let now: usize = changed.keys().filter_map(|at| self.sets.get(*at)).map(size).sum();
        self.held = (self.held + now).saturating_sub(changed.values().sum());
    }

    fn take(&mut self, emit_to: EmitTo) -> Self {
        let sets = match emit_to {
            EmitTo::All => EmitTo::All,
            EmitTo::First(groups) => EmitTo::First(groups * self.width()),
        }
        .take_needed(&mut self.sets);
        let held = sets.iter().map(size).sum();
        self.held = self.held.saturating_sub(held);
        Self { plan: Arc::clone(&self.plan), sets, held }
    }
}

impl Groups for Selection {
    fn open(&mut self, groups: usize) {
        let sets = groups * self.width();
        self.sets.resize_with(sets.max(self.sets.len()), RoaringTreemap::new);
    }

    fn results(&mut self) -> Result<ArrayRef> {
        let Plan { function, expression, output, .. } = &*self.plan;
        let selected = self.sets.chunks_exact(self.width()).map(|sets| expression.evaluate(sets));
        match output {
            Output::Bitmap => bytes(selected.map(|mut set| encode(function, &mut set).map(Some))),
            Output::Count => Ok(Arc::new(selected.map(|set| Some(bigint(set.len()))).collect::<Int64Array>())),
        }
    }

    fn states(&mut self) -> Result<Vec<ArrayRef>> {
        let (function, width) = (self.plan.function, self.width());
        let mut states = ListBuilder::new(BinaryViewBuilder::new());
        for sets in self.sets.chunks_exact_mut(width) {
            for set in sets {
                let filled = if set.is_empty() { None } else { Some(encode(function, set)?) };
                states.values().append_option(filled);
            }
            states.append(true);
        }
        Ok(vec![Arc::new(states.finish())])
    }
}

/// The types of a bitmap and a key, and of what follows, which are keys or an expression.
///
/// # Errors
/// If there are not as many as there have to be, or one has another type.
pub(super) fn coerce(function: &str, types: &[DataType], most: usize) -> Result<Vec<DataType>> {
    let [bitmap, texts @ ..] = types else {
        return plan_err!("{function} takes a bitmap, a key and more");
    };
    if texts.len() < 2 || texts.len() > most {
        return plan_err!("{function} does not take {} arguments", types.len());
    }
    let Some(bitmap) = Taken::Bytes.coerced(bitmap) else {
        return plan_err!("{function} takes a bitmap as bytes, not as {bitmap}");
    };
    if let Some(other) = texts.iter().find(|key| !(key.is_string() || key.is_integer() || key.is_null())) {
        return plan_err!("{function} takes keys as text or integers, not as {other}");
    }
    Ok(std::iter::once(bitmap).chain(texts.iter().map(|_| DataType::Utf8View)).collect())
}

/// The state: a bitmap for each key.
pub(super) fn state_fields(args: &StateFieldsArgs) -> Vec<FieldRef> {
    let list = DataType::new_list(DataType::BinaryView, true);
    vec![Field::new(format_state_name(args.name, "sets"), list, true).into()]
}

/// Calls `each` with the row, the place of the key and the bitmap of all rows that count.
fn each_known(
    plan: &Plan,
    values: &[ArrayRef],
    filter: Option<&BooleanArray>,
    mut each: impl FnMut(usize, usize, &[u8]) -> Result<()>,
) -> Result<()> {
    let [bitmaps, keys, ..] = values else {
        return plan_err!("{} takes a bitmap and a key", plan.function);
    };
    for (row, (bitmap, key)) in bitmaps.as_binary_view().iter().zip(keys.as_string_view()).enumerate() {
        let place = key.and_then(|key| plan.places.get(key));
        if let (Some(bitmap), Some(place)) = (bitmap, place)
            && passes(filter, row)
        {
            each(row, *place, bitmap)?;
        }
    }
    Ok(())
}

impl GroupsAccumulator for Selection {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.open(total_num_groups);
        let (plan, mut changed) = (Arc::clone(&self.plan), Changed::new());
        each_known(&plan, values, opt_filter, |row, place, bitmap| match group_indices.get(row) {
            Some(group) => self.unite(*group, place, bitmap, &mut changed),
            None => Ok(()),
        })?;
        self.measure(&changed);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.take(emit_to).results()
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.take(emit_to).states()
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.open(total_num_groups);
        let Some(states) = values.first() else { return Ok(()) };
        let mut changed = Changed::new();
        for (state, group) in states.as_list::<i32>().iter().zip(group_indices) {
            let Some(state) = state else { continue };
            for (place, bitmap) in state.as_binary_view().iter().enumerate() {
                if let Some(bitmap) = bitmap {
                    self.unite(*group, place, bitmap, &mut changed)?;
                }
            }
        }
        self.measure(&changed);
        Ok(())
    }

    /// Bitmaps go on as they are: they are not decoded here, but where they are merged.
    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |column| column.len());
        let mut states = ListBuilder::new(BinaryViewBuilder::new());
        let skip_to = |states: &mut ListBuilder<BinaryViewBuilder>, row: usize| {
            while states.len() < row {
                states.append_null();
            }
        };
        each_known(&self.plan, values, opt_filter, |row, place, bitmap| {
            skip_to(&mut states, row);
            (0..self.width()).for_each(|other| states.values().append_option((other == place).then_some(bitmap)));
            states.append(true);
            Ok(())
        })?;
        skip_to(&mut states, rows);
        Ok(vec![Arc::new(states.finish())])
    }

    fn size(&self) -> usize {
        // The keys are in the plan three times: in the expression, in its steps and by place.
        let keys: usize = self.plan.places.keys().map(|key| key.capacity() + size_of::<(String, usize)>()).sum();
        3 * keys + self.sets.capacity() * size_of::<RoaringTreemap>() + self.held
    }
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::array::{BinaryViewArray, StringViewArray};

    use super::*;
    use crate::sets::bitmap::encode;

    fn selection() -> Selection {
        Selection::new("f", Expression::parse("a&b").unwrap(), Output::Count)
    }

    /// Row by row a key and ids.
    fn rows(rows: &[(Option<&str>, &[u64])]) -> [ArrayRef; 2] {
        let of = |ids: &[u64]| encode("f", &mut ids.iter().copied().collect()).unwrap();
        let bitmaps = BinaryViewArray::from_iter_values(rows.iter().map(|(_, ids)| of(ids)));
        let keys: StringViewArray = rows.iter().map(|(key, _)| *key).collect();
        [Arc::new(bitmaps), Arc::new(keys)]
    }

    fn counts(array: &ArrayRef) -> Vec<i64> {
        array.as_primitive::<datafusion_common::arrow::datatypes::Int64Type>().values().to_vec()
    }

    #[test]
    fn groups_and_their_parts() {
        let all = rows(&[
            (Some("a"), &[1, 2, 3]),
            (Some("b"), &[2, 3, 4]),
            (Some("c"), &[2]),
            (None, &[2]),
            (Some("a"), &[4]),
            (Some("b"), &[9]),
        ]);
        let groups = [0, 0, 0, 0, 2, 2];
        let mut whole = selection();
        whole.update_batch(&all, &groups, None, 3).unwrap();
        let empty = selection().size();
        assert!(whole.size() > empty + 4 * size_of::<RoaringTreemap>());

        // The same by states of parts, and of rows alone.
        let mut merged = selection();
        let parts = whole.clone().state(EmitTo::All).unwrap();
        merged.merge_batch(&parts, &[0, 1, 2], 3).unwrap();
        let alone = whole.convert_to_state(&all, None).unwrap();
        assert_eq!(alone[0].len(), 6);
        assert_eq!(alone[0].null_count(), 2);
        let mut of_rows = selection();
        of_rows.merge_batch(&alone, &groups, 3).unwrap();
        for mut selection in [whole, merged, of_rows] {
            assert_eq!(counts(&selection.evaluate(EmitTo::First(1)).unwrap()), [2]);
            assert_eq!(counts(&selection.results().unwrap()), [0, 0]);
            assert_eq!(counts(&selection.evaluate(EmitTo::All).unwrap()), [0, 0]);
            assert_eq!(selection.held, 0);
        }
    }

    #[test]
    fn what_is_filtered_does_not_count() {
        let all = rows(&[(Some("a"), &[1, 2]), (Some("b"), &[1]), (Some("b"), &[2])]);
        let filter = BooleanArray::from(vec![Some(true), Some(true), None]);
        let mut selection = selection();
        selection.update_batch(&all, &[0, 0, 0], Some(&filter), 1).unwrap();
        assert_eq!(counts(&selection.results().unwrap()), [1]);
        assert_eq!(selection.convert_to_state(&all, Some(&filter)).unwrap()[0].null_count(), 1);
    }
}
