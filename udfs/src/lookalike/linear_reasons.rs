//! `linear_reasons(model, features, names [, k])`: the features that raise a row's score most.
//!
//! What a feature adds to the score is `weight × (feature - mean) / scale`: against the average row of the fit, since
//! that scores the intercept. For weights of traits it is the weight of a trait that the row has.
//!
//! * At most `k`, the largest first, ties in the order of the features; what lowers the score, or leaves it, is no
//!   reason. So a row may have none: an empty array.
//! * NULL if the model, the array or the names are; a NULL feature adds nothing.
//! * Cost: a sort of the features of each row.

use std::sync::{Arc, LazyLock};

use datafusion_common::arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, ListArray, StringBuilder, StructArray,
};
use datafusion_common::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::features::{Vectors, vector_type};
use super::model::{Models, coerced};
use super::options;
use super::scoring::Scored;
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{constant_for_constants, element};

/// The function `linear_reasons`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns the features that raise a row's score by a linear model most, with what each adds to it against the average row of the fit: an array of structs of feature and contribution, the largest first. It is empty if nothing raises the score. NULL if an argument is NULL.",
    syntax_example = "linear_reasons(model, features, names [, k])",
    sql_example = r#"```sql
> SELECT linear_reasons(traits_fit(ARRAY[app, mail], seed), ARRAY[1, 1], ARRAY['app', 'mail']) AS reasons FROM (VALUES (true, true, true), (true, false, true), (false, true, false), (false, true, false)) AS t (app, mail, seed);
+-------------------------------------+
| reasons                             |
+-------------------------------------+
| [{feature: app, contribution: 1.0}] |
+-------------------------------------+
```"#,
    argument(name = "model", description = "A model of lda_fit, logreg_fit or traits_fit."),
    argument(name = "features", description = "An array of the features of the fit, in the same order."),
    argument(name = "names", description = "An array of the features' names, a constant."),
    argument(name = "k", description = "How many features at the most, a constant; 3 if not given.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LinearReasons;

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![Field::new("feature", DataType::Utf8, true), Field::new("contribution", DataType::Float64, true)])
});

const NAME: &str = "linear_reasons";

fn item() -> FieldRef {
    Field::new_list_field(DataType::Struct(FIELDS.clone()), true).into()
}

impl ScalarUDFImpl for LinearReasons {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [model, features, names, rest @ ..] = types else {
            return plan_err!("{NAME} takes a model, features and names, and at most k");
        };
        match element(names) {
            Some(text) if text.is_string() => {}
            _ if names.is_null() => {}
            _ => return plan_err!("{NAME} takes names as an array of text, not as {names}"),
        }
        let names = DataType::List(Field::new_list_field(DataType::Utf8, true).into());
        let mut taken = vec![coerced(NAME, model)?, vector_type(NAME, features)?, names];
        match rest {
            [] => {}
            [k] if k.is_integer() || k.is_null() => taken.push(DataType::Int64),
            _ => return plan_err!("{NAME} takes a model, features and names, and at most k as an integer"),
        }
        Ok(taken)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [_, _, names, rest @ ..] = args.args.as_slice() else {
            return plan_err!("{NAME} takes a model, features and names");
        };
        let most = match rest.first() {
            None => 3,
            Some(ColumnarValue::Scalar(k)) => options::whole(NAME, "k", k, 1, 10_000)? as usize,
            Some(_) => return Err(InvalidArgument::error(format!("{NAME}: k has to be a constant"))),
        };
        let ColumnarValue::Scalar(names) = names else {
            return Err(InvalidArgument::error(format!("{NAME}: the names have to be a constant")));
        };
        let Scored { models, one_model, features, .. } = Scored::new(NAME, &args)?;
        let models = Models::new(NAME, &models, one_model)?;
        let result = reasons(models, &features, &names.to_array()?, most)?;
        constant_for_constants(&args.args, Arc::new(result))
    }
}

fn reasons(mut models: Models, features: &ArrayRef, names: &ArrayRef, most: usize) -> Result<ListArray> {
    let vectors = Vectors::new(NAME, features)?;
    let names = names.as_list::<i32>().iter().next().flatten();
    let names = names.as_ref().map(|names| names.as_string::<i32>());
    let (mut raising, mut contributions) = (StringBuilder::new(), Float64Builder::new());
    let mut lengths = Vec::with_capacity(vectors.len());
    let mut valid = Vec::with_capacity(vectors.len());
    for row in 0..vectors.len() {
        let before = contributions.values_slice().len();
        let loaded = models.load(NAME, row)?;
        let (Some(features), Some(names), true) = (vectors.get(row), names, loaded) else {
            lengths.push(0);
            valid.push(false);
            continue;
        };
        if names.len() != features.len() {
            let message = format!("{NAME}: there are {} names for {} features", names.len(), features.len());
            return Err(InvalidArgument::error(message));
        }
        let parts = models.contributions(NAME, features)?;
        let mut order: Vec<usize> = (0..parts.len()).filter(|at| parts[*at] > 0.0).collect();
        order.sort_by(|a, b| parts[*b].total_cmp(&parts[*a]));
        for at in order.into_iter().take(most) {
            raising.append_option(names.is_valid(at).then(|| names.value(at)));
            contributions.append_value(parts[at]);
        }
        lengths.push(contributions.values_slice().len() - before);
        valid.push(true);
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(raising.finish()), Arc::new(contributions.finish())];
    let values = StructArray::try_new(FIELDS.clone(), columns, None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(ListArray::try_new(item(), offsets, Arc::new(values), Some(NullBuffer::from(valid)))?)
}
