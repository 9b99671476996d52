//! `fs_train(levels, random, pairs, compare)`: the model of Fellegi and Sunter that pairs of records teach.
//!
//! Nothing has to be labelled: the probabilities are estimated by expectation and maximization, see
//! [`super::training`]. The aggregate counts patterns of levels, of which there are few however many pairs there are,
//! so that it takes some dozen bytes a pattern, partial states merge, and the model does not depend on any order.
//!
//! * Pairs whose array of levels is NULL do not count; a level of NULL is no evidence for its comparison.
//! * NULL if there is no pair of either kind.
//! * DISTINCT is refused: that the same levels come up again is what is counted.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, ListBuilder, StringBuilder, StructArray, new_null_array,
};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int16Type, Int64Type};
use datafusion_common::{Result, ScalarValue, internal_err, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::comparison::Comparison;
use super::model::{Model, fields};
use super::training::{Pattern, Seen, fit};
use crate::InvalidArgument;
use crate::arguments::{constant, refuse_distinct};
use crate::named::named;

/// How many comparisons a pattern holds.
const MAX_COMPARISONS: usize = 32;

/// The function `fs_train`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Learns from pairs of records, without labels, how matches differ from other pairs: the model of Fellegi and Sunter that fs_weight takes. It sees the pairs that blocking finds, each once, and random pairs. NULL if there are none of either kind. The macro of the same name finds the pairs itself.",
    syntax_example = "fs_train(levels, random, pairs, compare)",
    sql_example = r#"```sql
> SELECT round(fs_probability(fs_weight(model, ARRAY[1, 1])), 2) AS both, round(fs_probability(fs_weight(model, ARRAY[1, 0])), 2) AS one
  FROM (
    SELECT fs_train(levels, random, 100000, ARRAY['exact', 'exact']) AS model
    FROM (
      SELECT ARRAY[1, CASE WHEN n <= 100 THEN 1 ELSE 0 END] AS levels, false AS random FROM generate_series(1, 1000) AS g (n)
      UNION ALL
      SELECT ARRAY[CASE WHEN n % 90 = 0 THEN 1 ELSE 0 END, CASE WHEN n % 91 = 0 THEN 1 ELSE 0 END], true FROM generate_series(1, 10000) AS g (n)
    ) AS pairs
  ) AS trained;
+------+-----+
| both | one |
+------+-----+
| 0.88 | 0.0 |
+------+-----+
```"#,
    argument(name = "levels", description = "An array of the levels of a pair's comparisons; see fs_compare."),
    argument(name = "random", description = "Whether the pair is a random one, not one that blocking found."),
    argument(
        name = "pairs",
        description = "How many pairs of records there are, found or not: n (n - 1) / 2 of n records, l r of two tables."
    ),
    argument(name = "compare", description = "A constant array of the comparisons, as given to fs_compare.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FsTrain;

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

impl AggregateUDFImpl for FsTrain {
    named!("fs_train");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [levels, random, pairs, compare]
                if levels.is_list()
                    && matches!(random, DataType::Boolean | DataType::Null)
                    && (pairs.is_numeric() || pairs.is_null())
                    && compare.is_list() =>
            {
                Ok(vec![list(DataType::Int16), DataType::Boolean, DataType::Int64, list(DataType::Utf8)])
            }
            _ => {
                plan_err!("fs_train takes an array of levels, a boolean, a number of pairs and an array of comparisons")
            }
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![
            Arc::new(Field::new(format!("{}[patterns]", args.name), DataType::Binary, true)),
            Arc::new(Field::new(format!("{}[pairs]", args.name), DataType::Int64, true)),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct("fs_train", &args, "it counts how often levels come up")?;
        let compare = match constant("fs_train", "compare", &args, 3)? {
            ScalarValue::List(compare) if compare.is_valid(0) => compare.value(0),
            _ => return Err(invalid("compare has to be an array of comparisons")),
        };
        let compare = compare.as_string::<i32>().iter().map(|text| match text {
            Some(text) => Ok((text.to_owned(), text.parse::<Comparison>().map_err(invalid)?.top())),
            None => Err(invalid("compare must not have NULL in it")),
        });
        let compare = compare.collect::<Result<Vec<_>>>()?;
        if compare.is_empty() || compare.len() > MAX_COMPARISONS {
            return Err(invalid(format!("compare needs from 1 to {MAX_COMPARISONS} comparisons")));
        }
        Ok(Box::new(Patterns { compare, seen: HashMap::new(), pairs: None }))
    }
}

fn invalid(message: impl std::fmt::Display) -> datafusion_common::DataFusionError {
    InvalidArgument::error(format!("fs_train: {message}"))
}

/// Counts patterns: four bits a comparison, the level and one, or 0 without.
#[derive(Debug)]
struct Patterns {
    /// Each comparison and its top level.
    compare: Vec<(String, i16)>,
    seen: HashMap<u128, Seen>,
    pairs: Option<i64>,
}

/// Bytes of a pattern and its counts in a state.
const ENTRY: usize = 32;

impl Patterns {
    fn packed(&self, levels: &[i16], valid: impl Fn(usize) -> bool) -> Result<u128> {
        let mut packed = 0_u128;
        for (place, (level, (compare, top))) in levels.iter().zip(&self.compare).enumerate() {
            if valid(place) {
                if !(0..=*top).contains(level) {
                    return Err(invalid(format!("\"{compare}\" has no level {level}, from 0 to {top}")));
                }
                packed |= (*level as u128 + 1) << (4 * place);
            }
        }
        Ok(packed)
    }

    fn unpacked(&self, packed: u128) -> Pattern {
        let level = |place| ((packed >> (4 * place)) & 15) as u8;
        (0..self.compare.len()).map(|place| level(place).checked_sub(1)).collect()
    }

    fn model(&self) -> Option<Model> {
        let mut patterns: Vec<(u128, Seen)> = self.seen.iter().map(|(pattern, seen)| (*pattern, *seen)).collect();
        // So that sums do not depend on the order of a map.
        patterns.sort_unstable_by_key(|(pattern, _)| *pattern);
        if !patterns.iter().any(|(_, seen)| seen.found > 0) || !patterns.iter().any(|(_, seen)| seen.random > 0) {
            return None;
        }
        let patterns: Vec<_> = patterns.into_iter().map(|(packed, seen)| (self.unpacked(packed), seen)).collect();
        let levels: Vec<usize> = self.compare.iter().map(|(_, top)| *top as usize + 1).collect();
        Some(fit(&patterns, &levels, self.pairs? as f64))
    }
}

impl Accumulator for Patterns {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [levels, random, pairs, ..] = values else { return internal_err!("fs_train misses an argument") };
        let (levels, random, pairs) = (levels.as_list::<i32>(), random.as_boolean(), pairs.as_primitive::<Int64Type>());
        let all = levels.values().as_primitive::<Int16Type>();
        let offsets = levels.value_offsets();
        for row in 0..levels.len() {
            if levels.is_null(row) {
                continue;
            }
            if random.is_null(row) {
                return Err(invalid("random must not be NULL"));
            }
            if pairs.is_null(row) || pairs.value(row) < 1 {
                return Err(invalid("pairs has to be the number of all pairs, above 0"));
            }
            self.pairs = self.pairs.max(Some(pairs.value(row)));
            let start = offsets.get(row).map_or(0, |start| *start as usize);
            let given = levels.value_length(row) as usize;
            let Some(of_pair) = all.values().get(start..start + given).filter(|_| given == self.compare.len()) else {
                return Err(invalid(format!("{given} levels for {} comparisons", self.compare.len())));
            };
            let pattern = self.packed(of_pair, |place| all.is_valid(start + place))?;
            let seen = self.seen.entry(pattern).or_default();
            if random.value(row) { seen.random += 1 } else { seen.found += 1 }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut bytes = Vec::with_capacity(self.seen.len() * ENTRY);
        for (pattern, seen) in &self.seen {
            bytes.extend(pattern.to_le_bytes());
            bytes.extend(seen.found.to_le_bytes());
            bytes.extend(seen.random.to_le_bytes());
        }
        Ok(vec![ScalarValue::Binary(Some(bytes)), ScalarValue::Int64(self.pairs)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [patterns, pairs] = states else { return internal_err!("fs_train has a state of two columns") };
        for bytes in patterns.as_binary::<i32>().iter().flatten() {
            let (entries, _) = bytes.as_chunks::<ENTRY>();
            for entry in entries {
                let (pattern, counts) = entry.split_at(16);
                let (found, random) = counts.split_at(8);
                let (Ok(pattern), Ok(found), Ok(random)) = (pattern.try_into(), found.try_into(), random.try_into())
                else {
                    return internal_err!("fs_train has a state of other length");
                };
                let seen = self.seen.entry(u128::from_le_bytes(pattern)).or_default();
                seen.found += u64::from_le_bytes(found);
                seen.random += u64::from_le_bytes(random);
            }
        }
        let pairs = pairs.as_primitive::<Int64Type>().iter().flatten().max();
        self.pairs = self.pairs.max(pairs);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let Some(model) = self.model() else {
            return ScalarValue::try_from_array(&new_null_array(&DataType::Struct(fields()), 1), 0);
        };
        let lambda: ArrayRef = Arc::new(
            std::iter::once(model.lambda).collect::<datafusion_common::arrow::array::PrimitiveArray<Float64Type>>(),
        );
        let mut compare = ListBuilder::new(StringBuilder::new());
        self.compare.iter().for_each(|(text, _)| compare.values().append_value(text));
        compare.append(true);
        let columns = vec![lambda, listed(&model.m), listed(&model.u), Arc::new(compare.finish())];
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(fields(), columns, None)?)))
    }

    fn size(&self) -> usize {
        let compare = self.compare.iter().map(|(text, _)| size_of::<(String, i16)>() + text.capacity()).sum::<usize>();
        // A byte of control beside each entry of the map.
        size_of_val(self) + compare + self.seen.capacity() * (size_of::<(u128, Seen)>() + 1)
    }
}

/// An array of one row.
fn listed(comparisons: &[Vec<Option<f64>>]) -> ArrayRef {
    let mut list = ListBuilder::new(ListBuilder::new(Float64Builder::new()));
    for levels in comparisons {
        levels.iter().for_each(|known| list.values().values().append_option(*known));
        list.values().append(true);
    }
    list.append(true);
    Arc::new(list.finish())
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::array::{BooleanArray, Int64Array, ListArray};

    use super::*;

    fn patterns() -> Patterns {
        let compare = [("exact", 1), ("jw:0.9", 2), ("exact", 1), ("exact", 1)];
        let compare = compare.into_iter().map(|(text, top)| (text.to_owned(), top)).collect();
        Patterns { compare, seen: HashMap::new(), pairs: None }
    }

    /// One of 1,000 numbers that look random.
    fn chance(of: u64) -> u64 {
        let mixed = of.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33) % 1000
    }

    const PAIRS: u64 = 60_000;

    /// All pairs there are, of which 600 match: a match agrees at the top level in 9 of 10 comparisons, others in 1 of
    /// 20. Found are those that agree somewhere; a sixth is the random sample, matches in it or not.
    fn rows() -> Vec<(Vec<Option<i16>>, bool)> {
        let mut rows = Vec::new();
        for pair in 0..PAIRS {
            let agreeing = if pair % 100 == 0 { 900 } else { 50 };
            let agree = |comparison: u64| i16::from(chance(4 * pair + comparison) < agreeing);
            let levels = vec![Some(agree(0)), Some(2 * agree(1)), Some(agree(2)), Some(agree(3))];
            if chance(pair + 7_000_000) < 167 {
                rows.push((levels.clone(), true));
            }
            if levels.iter().any(|level| *level != Some(0)) {
                rows.push((levels, false));
            }
        }
        rows.push((vec![None; 4], false));
        rows
    }

    fn arrays(rows: &[(Vec<Option<i16>>, bool)]) -> [ArrayRef; 3] {
        let levels = rows.iter().map(|(levels, _)| Some(levels.clone()));
        [
            Arc::new(ListArray::from_iter_primitive::<Int16Type, _, _>(levels)),
            Arc::new(rows.iter().map(|(_, random)| Some(*random)).collect::<BooleanArray>()),
            Arc::new(Int64Array::from(vec![PAIRS as i64; rows.len()])),
        ]
    }

    #[test]
    fn finds_what_made_the_pairs() {
        let mut all = patterns();
        all.update_batch(&arrays(&rows())).unwrap();
        let model = all.model().unwrap();
        assert!((model.lambda - 0.01).abs() < 0.001, "{}", model.lambda);
        for comparison in 0..4 {
            let top = |levels: &Vec<Vec<Option<f64>>>| levels[comparison].last().copied().flatten().unwrap();
            assert!((top(&model.m) - 0.9).abs() < 0.05, "{:?}", model.m);
            assert!((top(&model.u) - 0.05).abs() < 0.01, "{:?}", model.u);
        }
    }

    #[test]
    fn merged_states_give_the_same_model() {
        let rows = rows();
        let mut whole = patterns();
        whole.update_batch(&arrays(&rows)).unwrap();
        let mut merged = patterns();
        for part in rows.chunks(777) {
            let mut some = patterns();
            some.update_batch(&arrays(part)).unwrap();
            let states: Vec<_> = some.state().unwrap().iter().map(|state| state.to_array().unwrap()).collect();
            merged.merge_batch(&states).unwrap();
        }
        assert_eq!(merged.evaluate().unwrap(), whole.evaluate().unwrap());
        assert!(merged.size() > 0);
    }

    #[test]
    fn nothing_teaches_nothing() {
        assert!(patterns().evaluate().unwrap().is_null());
        let mut one_kind = patterns();
        one_kind.update_batch(&arrays(&[(vec![Some(1); 4], false)])).unwrap();
        assert!(one_kind.evaluate().unwrap().is_null());
    }

    #[test]
    fn levels_are_those_of_the_comparisons() {
        let refused = |levels: Vec<Option<i16>>| patterns().update_batch(&arrays(&[(levels, true)])).is_err();
        assert!(refused(vec![Some(2), Some(0), Some(0), Some(0)]));
        assert!(refused(vec![Some(-1), Some(0), Some(0), Some(0)]));
        assert!(refused(vec![Some(0)]));
        assert!(crate::identity::linkage::comparison::MAX_LEVEL + 1 < 16);
    }
}
