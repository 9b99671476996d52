//! `session_id(ts, gap) OVER (… ORDER BY ts)`: the number of the session that an event belongs to.
//!
//! A session ends when more than `gap` passes until the next event: a pause of exactly `gap` does not end it, as in
//! Oracle's `SESSIONS` and web analytics.
//!
//! * An event whose ts is NULL has no session and is passed over.
//! * Ties in ts share a session. The order is the window's; its frame does not matter.
//! * Cost: O(n) after the window's sort; 8 bytes an event.

use std::sync::Arc;

use datafusion_common::arrow::array::ArrayRef;
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, WindowUDFImpl};
use datafusion_macros::user_doc;

use super::sessions::numbers;
use crate::arguments::instant_type;
use crate::named::named;
use crate::window::{constant, instants, timeout, timeout_type};

/// The function `session_id`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Numbers the sessions of a window from 1: a new one begins when more than gap has passed since the event before. An event whose ts is NULL gets NULL and is passed over. The window's ORDER BY has to be ts; its frame does not matter.",
    syntax_example = "session_id(ts, gap) OVER ([PARTITION BY ...] ORDER BY ts)",
    sql_example = r#"```sql
> SELECT at, session_id(at, INTERVAL '30 minutes') OVER (ORDER BY at) AS session
  FROM (VALUES (TIMESTAMP '2024-05-01 10:00:00'), (TIMESTAMP '2024-05-01 10:30:00'), (TIMESTAMP '2024-05-01 11:01:00')) AS t (at);
+---------------------+---------+
| at                  | session |
+---------------------+---------+
| 2024-05-01T10:00:00 | 1       |
| 2024-05-01T10:30:00 | 1       |
| 2024-05-01T11:01:00 | 2       |
+---------------------+---------+
```"#,
    argument(name = "ts", description = "The time of the event: a timestamp or a date."),
    argument(
        name = "gap",
        description = "The longest pause within a session: a constant interval, or a number of seconds."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SessionId;

impl WindowUDFImpl for SessionId {
    named!("session_id");

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [ts, gap] = types else {
            return plan_err!("session_id takes a timestamp and the longest gap of a session");
        };
        Ok(vec![instant_type("session_id", ts)?, timeout_type("session_id", gap)?])
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Numbers { gap: timeout("session_id", "gap", &constant("session_id", "gap", &args, 1)?)? }))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Int64, true)))
    }
}

/// Numbers the sessions of whole windows.
#[derive(Debug)]
struct Numbers {
    gap: u64,
}

impl PartitionEvaluator for Numbers {
    fn evaluate_all(&mut self, values: &[ArrayRef], _: usize) -> Result<ArrayRef> {
        Ok(Arc::new(numbers(instants("session_id", values)?, self.gap)))
    }
}
