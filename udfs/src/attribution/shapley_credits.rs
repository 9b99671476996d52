//! `shapley_credits(path, conversions)`: what each channel is owed by its Shapley value.
//!
//! The value of a coalition of channels is the number of conversions of paths that use no others. Then Shapley's value
//! has a simple form: each path shares its conversions equally among its different channels (Zhao et al., "Shapley Value
//! Methods for Attribution Modeling in Online Advertising", 2018). So there is no need to go through coalitions.
//!
//! * A path is a list of texts, or a text parted by `>`. Paths without a channel do not count, nor NULLs within one; a
//!   NULL number of conversions is 0, a negative one an error.
//! * Without any path the result is NULL.
//! * Cost: a row its length times its different channels; memory for each channel and number of channels that paths
//!   with it have. Conversions are added up before they are shared, so that whole numbers give the same result whatever
//!   their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, AsArray, Float64Array, StringArray, StructArray, UInt32Array};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, UInt32Type};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::markov_credits::list;
use super::names::{Names, texts};
use super::paths::{each_path, path_type, weight_type};
use crate::arguments::refuse_distinct;
use crate::named::named;

/// The function `shapley_credits`.
#[user_doc(
    doc_section(label = "Attribution Functions"),
    description = "Shares the conversions of all paths among channels by Shapley's value, where a coalition of channels is worth the conversions of the paths that use no others: a list of structs of channel and conversions, by name. Each path shares its conversions equally among its different channels. Paths without a channel do not count, nor do NULLs within one. NULL if there is no path.",
    syntax_example = "shapley_credits(path, conversions)",
    sql_example = r#"```sql
> SELECT c['channel'] AS channel, c['conversions'] AS conversions FROM (
    SELECT unnest(shapley_credits(path, won)) AS c
    FROM (VALUES ('ad > mail > ad', 3), ('ad', 1), ('mail', 0)) AS t (path, won)
  ) AS credits;
+---------+-------------+
| channel | conversions |
+---------+-------------+
| ad      | 2.5         |
| mail    | 1.5         |
+---------+-------------+
```"#,
    argument(
        name = "path",
        description = "The channels in any order: a list of texts, or a text in which > parts them."
    ),
    argument(name = "conversions", description = "How often the path ended in a conversion; NULL is 0.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ShapleyCredits;

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("channel", DataType::Utf8, false),
        Field::new("conversions", DataType::Float64, false),
    ])
}

impl AggregateUDFImpl for ShapleyCredits {
    named!("shapley_credits");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(DataType::Struct(fields()), true))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [path, conversions] = types else {
            return plan_err!("shapley_credits takes a path and its conversions");
        };
        Ok(vec![path_type("shapley_credits", path)?, weight_type("shapley_credits", conversions)?])
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = |name, of| Arc::new(Field::new_list(name, Field::new_list_field(of, true), true));
        Ok(vec![
            list("channels", DataType::Utf8),
            list("among", DataType::UInt32),
            list("conversions", DataType::Float64),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct("shapley_credits", &args, "paths that are alike still count")?;
        Ok(Box::new(Shares::default()))
    }
}

#[derive(Debug, Default)]
struct Shares {
    names: Names,
    /// The conversions of the paths that have a channel and so many different ones.
    conversions: BTreeMap<(u32, u32), f64>,
}

impl Accumulator for Shares {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut different = Vec::new();
        each_path("shapley_credits", values, &mut self.names, |path, [converted]| {
            different.clear();
            different.extend_from_slice(path);
            different.sort_unstable();
            different.dedup();
            for channel in &different {
                *self.conversions.entry((*channel, different.len() as u32)).or_default() += converted;
            }
        })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.conversions.is_empty() {
            return Ok(ScalarValue::new_null_list(DataType::Struct(fields()), true, 1));
        }
        let mut credits: BTreeMap<&str, f64> = BTreeMap::new();
        for ((channel, among), converted) in &self.conversions {
            *credits.entry(self.names.name(*channel)).or_default() += converted / f64::from(*among);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(credits.keys())),
            Arc::new(Float64Array::from_iter_values(credits.values().copied())),
        ];
        list(Arc::new(StructArray::try_new(fields(), columns, None)?))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let channels = self.conversions.keys().map(|(channel, _)| self.names.name(*channel));
        Ok(vec![
            list(Arc::new(StringArray::from_iter_values(channels)))?,
            list(Arc::new(UInt32Array::from_iter_values(self.conversions.keys().map(|(_, among)| *among))))?,
            list(Arc::new(Float64Array::from_iter_values(self.conversions.values().copied())))?,
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = |place: usize| states.get(place).and_then(|array| array.as_list_opt::<i32>());
        let (Some(channels), Some(among), Some(converted)) = (lists(0), lists(1), lists(2)) else {
            return plan_err!("shapley_credits: a state is channels, how many of them, and conversions");
        };
        for ((channels, among), converted) in channels.iter().zip(among.iter()).zip(converted.iter()) {
            let (Some(channels), Some(among), Some(converted)) = (channels, among, converted) else { continue };
            let (among, converted) = (among.as_primitive::<UInt32Type>(), converted.as_primitive::<Float64Type>());
            for ((channel, among), converted) in texts(&channels)?.zip(among).zip(converted) {
                if let (Some(channel), Some(among), Some(converted)) = (channel, among, converted) {
                    *self.conversions.entry((self.names.number(channel), among)).or_default() += converted;
                }
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.names.size() + self.conversions.len() * 2 * size_of::<((u32, u32), f64)>()
    }
}
