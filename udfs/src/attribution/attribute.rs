//! `attribute(channel, ts, model [, conversion_ts [, lookback [, half_life]]])`: the credit that each touch of a path has
//! in its conversion.
//!
//! Models and their conventions are those of web analytics; `linear` shares by touch, as the package ChannelAttribution
//! does, not by different channel; `time_decay` is 2^(-age / half-life), with Google Analytics' half-life of 7 days.
//!
//! * A path is a group; its touches are ordered by ts and, where that is equal, by channel.
//! * Touches after conversion_ts do not count, nor those more than `lookback` before it; at exactly that distance they
//!   do. Without conversion_ts the conversion is the last touch.
//! * Rows whose channel, ts or conversion_ts is NULL do not count; without a touch the result is NULL.
//! * With DISTINCT touches that are the same in channel and ts count once.
//! * Cost: O(n log n); 16 bytes a touch and the different names of channels.

use std::sync::Arc;

use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::names::text_type;
use super::touches::{Touches, credit_fields, state_fields};
use crate::InvalidArgument;
use crate::arguments::{DURATION, constant, duration, instant_type, text};
use crate::named::named;
use crate::single_group::SingleGroup;

/// Seven days, in microseconds.
const HALF_LIFE: f64 = 7.0 * 86_400_000_000.0;

/// The function `attribute`.
#[user_doc(
    doc_section(label = "Attribution Functions"),
    description = "Shares the conversion of a group's touches among them, as a list of structs of channel, ts and credit in the order of time; the credits add up to 1, and touches that are owed nothing by the model are left out. Touches at the same time are ordered by channel. Rows whose channel, ts or conversion_ts is NULL do not count; NULL if there is no touch. With DISTINCT touches that are the same in channel and ts count once.",
    syntax_example = "attribute(channel, ts, model [, conversion_ts [, lookback [, half_life]]])",
    sql_example = r#"```sql
> SELECT c['channel'] AS channel, c['credit'] AS credit FROM (
    SELECT unnest(attribute(channel, at, 'position', DATE '2024-05-20')) AS c
    FROM (VALUES ('ad', DATE '2024-05-01'), ('mail', DATE '2024-05-08'), ('search', DATE '2024-05-20'), ('ad', DATE '2024-05-21')) AS t (channel, at)
  ) AS path;
+---------+--------+
| channel | credit |
+---------+--------+
| ad      | 0.4    |
| mail    | 0.2    |
| search  | 0.4    |
+---------+--------+
```"#,
    argument(name = "channel", description = "What was touched, as text."),
    argument(name = "ts", description = "The time of the touch: a timestamp or a date."),
    argument(
        name = "model",
        description = "A constant. first, last: all to that touch. last_non_direct: all to the last one whose channel is not direct or (direct), to the last if all are. linear: the same to every touch. position: 40 % each to the first and the last, 20 % to those between; half each to two. time_decay: in proportion to 2^(-age / half_life)."
    ),
    argument(
        name = "conversion_ts",
        description = "When the path was converted, the same for all rows of a group; later touches do not count. Without it the conversion is the last touch."
    ),
    argument(
        name = "lookback",
        description = "How long before the conversion a touch counts, a constant interval without months; NULL if however long."
    ),
    argument(
        name = "half_life",
        description = "For time_decay, a constant interval without months; 7 days if not given."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Attribute;

impl AggregateUDFImpl for Attribute {
    named!("attribute");

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let zone = match types.get(1) {
            Some(DataType::Timestamp(_, zone)) => zone.clone(),
            _ => None,
        };
        Ok(DataType::new_list(DataType::Struct(credit_fields(zone)), true))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (channel, ts) = match types {
            [channel, ts, _, ..] if types.len() <= 6 => (channel, ts),
            _ => {
                return plan_err!(
                    "attribute takes a channel, a timestamp, a model and at most conversion_ts, lookback and half_life"
                );
            }
        };
        let mut taken =
            vec![text_type("attribute", "a channel", channel)?, instant_type("attribute", ts)?, DataType::Utf8];
        if let Some(conversion) = types.get(3) {
            taken.push(instant_type("attribute", conversion)?);
        }
        for interval in types.iter().skip(4) {
            match interval {
                DataType::Interval(_) | DataType::Null => taken.push(DURATION),
                other => return plan_err!("attribute takes lookback and half_life as intervals, not as {other}"),
            }
        }
        Ok(taken)
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields().into_iter().map(Arc::<Field>::new).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(SingleGroup::new(touches(&args)?)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(touches(&args)?))
    }
}

fn touches(args: &AccumulatorArgs) -> Result<Touches> {
    let invalid = |message: String| InvalidArgument::error(format!("attribute: {message}"));
    let model = constant("attribute", "model", args, 2)?;
    let model = text("attribute", "model", &model)?.parse().map_err(invalid)?;
    let given = |name, place| match args.exprs.len() > place {
        true => constant("attribute", name, args, place).map(Some),
        false => Ok(None),
    };
    let lookback = match given("lookback", 4)?.filter(|lookback| !lookback.is_null()) {
        Some(lookback) => Some(duration("attribute", "lookback", &lookback)?),
        None => None,
    };
    let half_life = match given("half_life", 5)? {
        Some(half_life) => duration("attribute", "half_life", &half_life)? as f64,
        None => HALF_LIFE,
    };
    if half_life <= 0.0 {
        return Err(invalid("half_life must be longer than 0".to_owned()));
    }
    let zone = match args.expr_fields.get(1).map(|field| field.data_type()) {
        Some(DataType::Timestamp(_, zone)) => zone.clone(),
        _ => None,
    };
    Ok(Touches::new(model, lookback, half_life, args.is_distinct, zone))
}
