//! `fs_weight(model, levels [, frequencies])`: what the levels of a pair say about its being a match.
//!
//! The sum, as base 2 logarithms, of the odds that any two records match, `lambda / (1 - lambda)`, and of `m / u` of
//! each comparison's level. With frequencies, a comparison at its top level counts `m / frequency` instead: to share a
//! rare name says more than to share a common one (Splink's term frequency adjustment, at full weight).
//!
//! * A level of NULL, and one whose m or u is NULL in the model, is no evidence: 0.
//! * A model or an array of levels that is NULL: NULL. A level that the model does not have: an error.
//! * Cost: some nanoseconds a comparison.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Float64Builder, ListArray};
use datafusion_common::arrow::datatypes::{DataType, Field, Float64Type, Int16Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::model::{Models, Weights, is_model};
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{constant_for_constants, row_count};

/// The function `fs_weight`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "The match weight of a pair: the base 2 logarithm of the odds that its records match, by the model of Fellegi and Sunter, from the levels of its comparisons. A level of NULL is no evidence. NULL if the model or the levels are NULL.",
    syntax_example = "fs_weight(model, levels [, frequencies])",
    sql_example = r#"```sql
> SELECT levels, fs_weight(named_struct('lambda', 0.5, 'm', ARRAY[ARRAY[0.25, 0.75], ARRAY[0.5, 0.5]], 'u', ARRAY[ARRAY[0.5, 0.5], ARRAY[0.875, 0.125]]), levels) AS weight FROM (VALUES (ARRAY[0, 1]), (ARRAY[NULL, 1]), (ARRAY[NULL, NULL])) AS t (levels);
+--------+--------+
| levels | weight |
+--------+--------+
| [0, 1] | 1.0    |
| [, 1]  | 2.0    |
| [, ]   | 0.0    |
+--------+--------+
```"#,
    argument(
        name = "model",
        description = "A struct with lambda, the share of all pairs that match, and m and u, arrays of an array for each comparison with the probability of each of its levels, from 0 to the top, among matches and among other pairs; fs_train returns one. NULL for a level without evidence."
    ),
    argument(name = "levels", description = "An array of the levels of the comparisons; see fs_compare."),
    argument(
        name = "frequencies",
        description = "An array with, for each comparison, the share of records that have the value, the larger if there are two; it replaces u at the top level. NULL for a comparison without, and for none at all."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FsWeight;

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

impl ScalarUDFImpl for FsWeight {
    named!("fs_weight");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [model, lists @ ..] = types else { return plan_err!("fs_weight takes a model and levels") };
        if !(1..=2).contains(&lists.len()) {
            return plan_err!("fs_weight takes a model, levels and at most frequencies");
        }
        if !is_model(model) {
            return plan_err!("fs_weight takes a model, a struct with the fields lambda, m and u, not {model}");
        }
        if let Some(other) = lists.iter().find(|given| !(given.is_list() || given.is_null())) {
            return plan_err!("fs_weight takes levels and frequencies as arrays, not as {other}");
        }
        let taken = [model.clone(), list(DataType::Int16), list(DataType::Float64)];
        Ok(taken.into_iter().take(types.len()).collect())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [model, lists @ ..] = args.args.as_slice() else { return plan_err!("fs_weight takes a model and levels") };
        let rows = row_count(&args);
        let one_model = matches!(model, ColumnarValue::Scalar(_));
        let models = Models::new(&model.to_array(if one_model { 1 } else { rows })?)?;
        let lists = lists.iter().map(|list| list.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let (levels, frequencies) = match lists.as_slice() {
            [levels] => (levels.as_list::<i32>(), None),
            [levels, frequencies] => (levels.as_list::<i32>(), Some(frequencies.as_list::<i32>())),
            _ => return plan_err!("fs_weight takes a model, levels and at most frequencies"),
        };
        constant_for_constants(&args.args, weights(&models, one_model, levels, frequencies)?)
    }
}

fn invalid(message: impl std::fmt::Display) -> datafusion_common::DataFusionError {
    InvalidArgument::error(format!("fs_weight: {message}"))
}

fn weights(models: &Models, one_model: bool, levels: &ListArray, frequencies: Option<&ListArray>) -> Result<ArrayRef> {
    let all_levels = levels.values().as_primitive::<Int16Type>();
    let all_frequencies = frequencies.map(|lists| lists.values().as_primitive::<Float64Type>());
    let mut result = Float64Builder::with_capacity(levels.len());
    let mut current: Option<Weights> = None;
    for row in 0..levels.len() {
        if row == 0 || !(one_model || models.repeats(row)) {
            current = models.row(row).map(|model| model.weights()).transpose().map_err(invalid)?;
        }
        let Some(weights) = current.as_ref().filter(|_| levels.is_valid(row)) else {
            result.append_null();
            continue;
        };
        let given = levels.value_length(row) as usize;
        if given != weights.comparisons() {
            return Err(invalid(format!("{given} levels for a model of {} comparisons", weights.comparisons())));
        }
        let start = levels.value_offsets().get(row).map_or(0, |start| *start as usize);
        // Where the frequencies of this pair start, if it has any.
        let frequency_start = match frequencies.filter(|lists| lists.is_valid(row)) {
            Some(lists) if lists.value_length(row) as usize != given => {
                let message = format!("{} frequencies for {given} comparisons, give one each", lists.value_length(row));
                return Err(invalid(message));
            }
            Some(lists) => lists.value_offsets().get(row).map(|start| *start as usize),
            None => None,
        };
        let mut weight = weights.prior();
        for comparison in 0..given {
            if all_levels.is_null(start + comparison) {
                continue;
            }
            let level = all_levels.value(start + comparison);
            let frequency = match (all_frequencies, frequency_start) {
                (Some(all), Some(start)) if all.is_valid(start + comparison) => Some(all.value(start + comparison)),
                _ => None,
            };
            if let Some(wrong) = frequency.filter(|frequency| !(*frequency > 0.0 && *frequency <= 1.0)) {
                return Err(invalid(format!("a frequency has to be above 0 and at most 1, not {wrong}")));
            }
            weight += weights
                .evidence(comparison, level, frequency)
                .ok_or_else(|| invalid(format!("comparison {} of the model has no level {level}", comparison + 1)))?;
        }
        result.append_value(weight);
    }
    Ok(Arc::new(result.finish()))
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::array::{Float64Array, ListArray, StructArray};
    use datafusion_common::arrow::array::{Float64Builder, ListBuilder};

    use super::*;

    fn lists(rows: &[&[Option<f64>]]) -> ArrayRef {
        let mut list = ListBuilder::new(ListBuilder::new(Float64Builder::new()));
        for levels in rows {
            levels.iter().for_each(|known| list.values().values().append_option(*known));
            list.values().append(true);
        }
        list.append(true);
        Arc::new(list.finish())
    }

    fn models(lambda: f64, m: &[&[Option<f64>]], u: &[&[Option<f64>]]) -> Models {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![lambda]));
        let field = |name: &str, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
        let columns = [("lambda", numbers), ("m", lists(m)), ("u", lists(u))];
        let columns: Vec<_> = columns.into_iter().map(|(name, array)| (field(name, &array), array)).collect();
        Models::new(&(Arc::new(StructArray::from(columns)) as ArrayRef)).unwrap()
    }

    fn levels(rows: Vec<Option<Vec<Option<i16>>>>) -> ListArray {
        ListArray::from_iter_primitive::<Int16Type, _, _>(rows)
    }

    /// The surest pair of FEBRL 1 by the model of Splink: two comparisons of it.
    #[test]
    fn logarithms_of_odds_add_up() {
        let models = models(
            0.0010543877210543876,
            &[
                &[Some(0.19), Some(0.12), Some(0.6867838626116631)],
                &[Some(0.04403956263673106), Some(0.9035543936264864)],
            ],
            &[
                &[Some(0.96), Some(0.03), Some(0.004611123696498907)],
                &[Some(0.9988432125383158), Some(0.0009204787389666332)],
            ],
        );
        let levels = levels(vec![Some(vec![Some(2), Some(1)]), Some(vec![None, Some(0)]), None]);
        let frequencies = ListArray::from_iter_primitive::<Float64Type, _, _>([
            Some(vec![Some(0.002), None]),
            Some(vec![Some(0.002), Some(0.1)]),
            None,
        ]);
        let weights = weights(&models, true, &levels, Some(&frequencies)).unwrap();
        let weights = weights.as_primitive::<Float64Type>();
        // The frequency stands for u.
        let prior = 0.0010543877210543876_f64 / (1.0 - 0.0010543877210543876);
        let first = prior * (0.6867838626116631 / 0.002) * (0.9035543936264864 / 0.0009204787389666332);
        assert!((weights.value(0) - first.log2()).abs() < 1e-12);
        let second = prior * (0.04403956263673106 / 0.9988432125383158);
        assert!((weights.value(1) - second.log2()).abs() < 1e-12);
        assert!(weights.is_null(2));
    }

    #[test]
    fn what_does_not_fit_the_model() {
        let even: &[&[Option<f64>]] = &[&[Some(0.5), Some(0.5)]];
        let of = |models: &Models, row: Vec<Option<i16>>| weights(models, true, &levels(vec![Some(row)]), None);
        assert!(of(&models(0.5, even, even), vec![Some(1)]).is_ok());
        assert!(of(&models(0.5, even, even), vec![Some(2)]).is_err());
        assert!(of(&models(0.5, even, even), vec![Some(-1)]).is_err());
        assert!(of(&models(0.5, even, even), vec![Some(1), Some(1)]).is_err());
        assert!(of(&models(1.0, even, even), vec![Some(1)]).is_err());
        assert!(of(&models(0.5, even, &[&[Some(0.5), Some(0.0)]]), vec![Some(1)]).is_err());
        assert!(of(&models(0.5, even, &[&[Some(1.0)]]), vec![Some(1)]).is_err());
        assert!(of(&models(f64::NAN, even, even), vec![Some(1)]).is_err());
    }
}
