//! The accumulator of expressions over the bitmaps of several keys: those of one key are united, the rest is skipped.

use std::collections::HashMap;

use datafusion_common::arrow::array::{ArrayRef, AsArray};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::Accumulator;
use datafusion_expr::function::StateFieldsArgs;
use datafusion_expr::utils::format_state_name;
use roaring::RoaringTreemap;

use super::bitmap::{bigint, decode, encode, size};
use super::expression::Expression;
use crate::rows::Taken;

/// What becomes of the selected ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Bitmap,
    Count,
}

/// Collects the sets that an expression is about.
#[derive(Debug)]
pub(super) struct Selection {
    function: &'static str,
    expression: Expression,
    output: Output,
    places: HashMap<String, usize>,
    sets: Vec<RoaringTreemap>,
}

impl Selection {
    pub(super) fn new(function: &'static str, expression: Expression, output: Output) -> Self {
        let places = expression.places();
        let sets = vec![RoaringTreemap::new(); places.len()];
        Self { function, expression, output, places, sets }
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

impl Accumulator for Selection {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [bitmaps, keys, ..] = values else {
            return plan_err!("{} takes a bitmap and a key", self.function);
        };
        let (bitmaps, keys) = (bitmaps.as_binary_view(), keys.as_string_view());
        for (bitmap, key) in bitmaps.iter().zip(keys) {
            let (Some(bitmap), Some(key)) = (bitmap, key) else { continue };
            let set = self.places.get(key).and_then(|place| self.sets.get_mut(*place));
            if let Some(set) = set {
                *set |= decode(self.function, bitmap)?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut selected = self.expression.evaluate(&self.sets);
        match self.output {
            Output::Bitmap => encode(self.function, &mut selected).map(|bytes| ScalarValue::BinaryView(Some(bytes))),
            Output::Count => Ok(ScalarValue::from(bigint(selected.len()))),
        }
    }

    fn size(&self) -> usize {
        let keys: usize = self.places.keys().map(|key| key.capacity() + size_of::<(String, usize)>()).sum();
        size_of_val(self) + 3 * keys + self.sets.iter().map(size).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let encoded = self.sets.iter_mut().map(|set| encode(self.function, set));
        let sets = encoded.map(|bytes| bytes.map(|bytes| ScalarValue::BinaryView(Some(bytes))));
        let sets = sets.collect::<Result<Vec<_>>>()?;
        Ok(vec![ScalarValue::List(ScalarValue::new_list(&sets, &DataType::BinaryView, true))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states.iter().flat_map(|states| states.as_list::<i32>().iter().flatten()) {
            for (set, bytes) in self.sets.iter_mut().zip(state.as_binary_view()) {
                if let Some(bytes) = bytes {
                    *set |= decode(self.function, bytes)?;
                }
            }
        }
        Ok(())
    }
}
