//! `markov_credits(path, conversions, nulls [, order])`: what each channel is owed by a Markov chain of all paths.
//!
//! The chain's states are the last `order` channels. The removal effect of a channel is the share of conversions that
//! would be lost if every path that comes to it ended there; conversions are shared in proportion to it. This is the
//! model of Anderl et al., "Mapping the customer journey" (2016), and of the package ChannelAttribution, which simulates
//! the chain; here it is solved, so that the result is exact and always the same. Orders above 1 drop the states that
//! end in the channel.
//!
//! * A path is a list of texts, or a text parted by `>`. Paths without a channel do not count, nor NULLs within one; a
//!   NULL number of conversions or nulls is 0, a negative one an error.
//! * Without any path the result is NULL; without conversions the removal effects are NULL, and nothing is owed.
//! * Cost: a row its length; memory for each different run of `order` + 1 channels; solving is cubic in the number of
//!   states, of which there may be 2000.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, AsArray, Float64Array, StringArray, StructArray, UInt32Array};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, UInt32Type};
use datafusion_common::utils::SingleRowListArrayBuilder;
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::names::{Names, texts};
use super::paths::{each_path, path_type, weight_type};
use super::transitions::{CONVERSION, NOTHING, Transitions};
use crate::InvalidArgument;
use crate::arguments::{constant, refuse_distinct};
use crate::named::named;

/// The longest memory of a chain.
const MAX_ORDER: i64 = 8;

/// The function `markov_credits`.
#[user_doc(
    doc_section(label = "Attribution Functions"),
    description = "Shares the conversions of all paths among channels by their removal effects in a Markov chain, solved exactly: a list of structs of channel, conversions and removal_effect, the share of conversions that would be lost without the channel, by name. Paths without a channel do not count, nor do NULLs within one. NULL if there is no path; without any conversion the removal effects are NULL.",
    syntax_example = "markov_credits(path, conversions, nulls [, order])",
    sql_example = r#"```sql
> SELECT c['channel'] AS channel, round(c['conversions'], 2) AS conversions, round(c['removal_effect'], 2) AS removal_effect FROM (
    SELECT unnest(markov_credits(path, won, lost)) AS c
    FROM (VALUES ('C1 > C2 > C3', 1, 0), ('C1', 0, 1), ('C2 > C3', 0, 1)) AS t (path, won, lost)
  ) AS credits;
+---------+-------------+----------------+
| channel | conversions | removal_effect |
+---------+-------------+----------------+
| C1      | 0.2         | 0.5            |
| C2      | 0.4         | 1.0            |
| C3      | 0.4         | 1.0            |
+---------+-------------+----------------+
```"#,
    argument(name = "path", description = "The channels in order: a list of texts, or a text in which > parts them."),
    argument(name = "conversions", description = "How often the path ended in a conversion; NULL is 0."),
    argument(name = "nulls", description = "How often it ended without; NULL is 0."),
    argument(
        name = "order",
        description = "How many channels the chain remembers, a constant from 1 (the default) to 8."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MarkovCredits;

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("channel", DataType::Utf8, false),
        Field::new("conversions", DataType::Float64, false),
        Field::new("removal_effect", DataType::Float64, true),
    ])
}

impl AggregateUDFImpl for MarkovCredits {
    named!("markov_credits");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(DataType::Struct(fields()), true))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let ([path, conversions, nulls] | [path, conversions, nulls, _]) = types else {
            return plan_err!("markov_credits takes a path, its conversions, its nulls and at most an order");
        };
        let weight = |given| weight_type("markov_credits", given);
        let taken = [path_type("markov_credits", path)?, weight(conversions)?, weight(nulls)?, DataType::Int64];
        Ok(taken.into_iter().take(types.len()).collect())
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = |name, of| Arc::new(Field::new_list(name, Field::new_list_field(of, true), true));
        Ok(vec![
            list("channels", DataType::Utf8),
            list("transitions", DataType::UInt32),
            list("times", DataType::Float64),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct("markov_credits", &args, "paths that are alike still count")?;
        let order = match args.exprs.len() {
            4.. => constant("markov_credits", "order", &args, 3)?,
            _ => ScalarValue::Int64(Some(1)),
        };
        let ScalarValue::Int64(Some(order @ 1..=MAX_ORDER)) = order else {
            return Err(InvalidArgument::error(format!("markov_credits: the order has to be from 1 to {MAX_ORDER}")));
        };
        let (names, transitions) = (Names::default(), Transitions::default());
        Ok(Box::new(Chain { order: order as usize, names, transitions }))
    }
}

#[derive(Debug)]
struct Chain {
    order: usize,
    names: Names,
    transitions: Transitions,
}

impl Accumulator for Chain {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each_path("markov_credits", values, &mut self.names, |path, [converted, lost]| {
            self.transitions.add(self.order, path, converted, lost);
        })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let item = DataType::Struct(fields());
        let effects = self.transitions.effects("markov_credits", self.order, &self.names)?;
        if effects.is_empty() {
            return Ok(ScalarValue::new_null_list(item, true, 1));
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(effects.iter().map(|effect| self.names.name(effect.channel)))),
            Arc::new(Float64Array::from_iter_values(effects.iter().map(|effect| effect.conversions))),
            Arc::new(effects.iter().map(|effect| effect.removal).collect::<Float64Array>()),
        ];
        list(Arc::new(StructArray::try_new(fields(), columns, None)?))
    }

    /// Transitions one after another, each the number of channels it comes from, those, and where it goes.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (mut transitions, mut times) = (Vec::new(), Vec::new());
        for (from, to, often) in self.transitions.all() {
            transitions.push(from.len() as u32);
            transitions.extend_from_slice(from);
            transitions.push(to);
            times.push(often);
        }
        // What was converted can be told from the transitions.
        Ok(vec![
            list(Arc::new(StringArray::from_iter_values(self.names.all())))?,
            list(Arc::new(UInt32Array::from(transitions)))?,
            list(Arc::new(Float64Array::from(times)))?,
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = |place: usize| states.get(place).and_then(|array| array.as_list_opt::<i32>());
        let (Some(names), Some(transitions), Some(times)) = (lists(0), lists(1), lists(2)) else {
            return plan_err!("markov_credits: a state is channels, transitions and how often they were");
        };
        for ((names, transitions), times) in names.iter().zip(transitions.iter()).zip(times.iter()) {
            let (Some(names), Some(transitions), Some(times)) = (names, transitions, times) else { continue };
            let numbers: Vec<u32> = texts(&names)?.flatten().map(|name| self.names.number(name)).collect();
            let number = |given: &u32| match *given {
                CONVERSION | NOTHING => *given,
                given => numbers.get(given as usize).copied().unwrap_or(NOTHING),
            };
            let mut rest: &[u32] = transitions.as_primitive::<UInt32Type>().values();
            for often in times.as_primitive::<Float64Type>().values() {
                let Some((length, more)) = rest.split_first() else { break };
                let Some((transition, more)) = more.split_at_checked(*length as usize + 1) else { break };
                let transition: Vec<u32> = transition.iter().map(number).collect();
                if let Some((to, from)) = transition.split_last() {
                    self.transitions.count(from, *to, *often);
                    if *to == CONVERSION {
                        self.transitions.converted += often;
                    }
                }
                rest = more;
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.names.size() + self.transitions.size()
    }
}

/// One list of values.
pub(super) fn list(values: ArrayRef) -> Result<ScalarValue> {
    Ok(SingleRowListArrayBuilder::new(values).with_nullable(true).build_list_scalar())
}
