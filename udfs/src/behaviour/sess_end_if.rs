//! `sess_end_if(ts, condition [, timeout]) OVER (… ORDER BY ts)`: sessions that end with an event that fulfils a condition, as in Adobe
//! Experience Platform's Query Service, which has no time-out here.
//!
//! * An event that fulfils the condition is the last of its session: the next one begins another; a condition of NULL is not fulfilled.
//! * An event whose ts is NULL gets NULL and is passed over, whatever its condition.
//! * The order is the window's, ties in ts included; its frame does not matter.
//! * Cost: O(n) after the window's sort; 25 bytes an event.

use std::sync::Arc;

use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, WindowUDFImpl};
use datafusion_macros::user_doc;

use super::sessions::{Mark, Sessions, session_type};
use crate::arguments::instant_type;
use crate::named::named;
use crate::window::{condition_type, constant, timeout, timeout_type};

/// The function `sess_end_if`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Returns the session of an event as sess_timeout does, as a struct of timestamp_diff, num, is_new and depth. An event that fulfils the condition is the last of its session: the next one begins another; a condition of NULL is not fulfilled. NULL if ts is NULL; such an event is passed over. The window's frame does not matter.",
    syntax_example = "sess_end_if(ts, condition [, timeout]) OVER ([PARTITION BY ...] ORDER BY ts)",
    sql_example = r#"```sql
> SELECT at, sess_end_if(at, page = 'login') OVER (ORDER BY at) AS session
  FROM (VALUES (TIMESTAMP '2024-05-01 10:00:00', 'home'), (TIMESTAMP '2024-05-01 10:01:00', 'login'), (TIMESTAMP '2024-05-01 10:01:30', 'cart')) AS t (at, page);
+---------------------+-------------------------------------------------------+
| at                  | session                                               |
+---------------------+-------------------------------------------------------+
| 2024-05-01T10:00:00 | {timestamp_diff: 0, num: 1, is_new: true, depth: 1}   |
| 2024-05-01T10:01:00 | {timestamp_diff: 60, num: 1, is_new: false, depth: 2} |
| 2024-05-01T10:01:30 | {timestamp_diff: 30, num: 2, is_new: true, depth: 1}  |
+---------------------+-------------------------------------------------------+
```"#,
    argument(name = "ts", description = "The time of the event: a timestamp or a date."),
    argument(name = "condition", description = "What tells the last event of a session, a boolean."),
    argument(
        name = "timeout",
        description = "The longest pause within a session too: a constant number of seconds, or an interval. Without it no pause ends a session, as in Adobe's function."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SessEndIf;

impl WindowUDFImpl for SessEndIf {
    named!("sess_end_if");

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (ts, condition, timeout) = match types {
            [ts, condition] => (ts, condition, None),
            [ts, condition, timeout] => (ts, condition, Some(timeout)),
            _ => return plan_err!("sess_end_if takes a timestamp, a condition and at most a timeout"),
        };
        let timeout = timeout.map(|timeout| timeout_type("sess_end_if", timeout)).transpose()?;
        let taken = [instant_type("sess_end_if", ts)?, condition_type("sess_end_if", condition)?];
        Ok(taken.into_iter().chain(timeout).collect())
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let timeout = match args.input_exprs().len() {
            3.. => Some(timeout("sess_end_if", "timeout", &constant("sess_end_if", "timeout", &args, 2)?)?),
            _ => None,
        };
        Ok(Box::new(Sessions { function: "sess_end_if", timeout, mark: Mark::End }))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), session_type(), true)))
    }
}
