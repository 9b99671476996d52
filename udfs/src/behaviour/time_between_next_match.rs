//! `time_between_next_match(ts, condition [, unit]) OVER (… ORDER BY ts)`: the time until the next event that fulfils a
//! condition, as in Adobe Experience Platform's Query Service.
//!
//! * An event that fulfils the condition itself is at a distance of 0; until one to come the number is negative.
//! * NULL if there is no such event, or if ts is NULL; an event without a ts fulfils no condition.
//! * The order is the window's, ties in ts included; its frame does not matter.
//! * Cost: O(n) after the window's sort; 8 bytes an event.

use std::sync::Arc;

use datafusion_common::arrow::array::ArrayRef;
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, WindowUDFImpl};
use datafusion_macros::user_doc;

use super::matches::{Unit, apart};
use crate::arguments::{instant_type, text};
use crate::named::named;
use crate::window::{condition_type, conditions, constant, instants};

/// The function `time_between_next_match`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Returns the time until the next event of the window that fulfils a condition, as a negative number, fractions included; 0 for an event that fulfils it itself. NULL if there is none, or if ts is NULL. A condition of NULL is not fulfilled. The window's frame does not matter.",
    syntax_example = "time_between_next_match(ts, condition [, unit]) OVER ([PARTITION BY ...] ORDER BY ts)",
    sql_example = r#"```sql
> SELECT at, page, time_between_next_match(at, page = 'offer', 'minutes') OVER (ORDER BY at) AS minutes
  FROM (VALUES (TIMESTAMP '2024-05-01 10:00:00', 'home'), (TIMESTAMP '2024-05-01 10:01:00', 'offer'), (TIMESTAMP '2024-05-01 10:02:30', 'cart')) AS t (at, page);
+---------------------+-------+---------+
| at                  | page  | minutes |
+---------------------+-------+---------+
| 2024-05-01T10:00:00 | home  | -1.0    |
| 2024-05-01T10:01:00 | offer | 0.0     |
| 2024-05-01T10:02:30 | cart  |         |
+---------------------+-------+---------+
```"#,
    argument(name = "ts", description = "The time of the event: a timestamp or a date."),
    argument(name = "condition", description = "Which event is meant, a boolean."),
    argument(name = "unit", description = "A constant: seconds (the default), minutes, hours or days.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TimeBetweenNextMatch;

impl WindowUDFImpl for TimeBetweenNextMatch {
    named!("time_between_next_match");

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (ts, condition) = match types {
            [ts, condition] | [ts, condition, _] => (ts, condition),
            _ => return plan_err!("time_between_next_match takes a timestamp, a condition and at most a unit"),
        };
        let taken = [
            instant_type("time_between_next_match", ts)?,
            condition_type("time_between_next_match", condition)?,
            DataType::Utf8,
        ];
        Ok(taken.into_iter().take(types.len()).collect())
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let unit = match args.input_exprs().len() {
            3.. => Unit::parse(
                "time_between_next_match",
                text("time_between_next_match", "unit", &constant("time_between_next_match", "unit", &args, 2)?)?,
            )?,
            _ => Unit::Seconds,
        };
        Ok(Box::new(Distances(unit)))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Float64, true)))
    }
}

#[derive(Debug)]
struct Distances(Unit);

impl PartitionEvaluator for Distances {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let (instants, matches) =
            (instants("time_between_next_match", values)?, conditions("time_between_next_match", values, 1)?);
        Ok(Arc::new(apart(instants, matches, (0..rows).rev(), self.0)))
    }
}
