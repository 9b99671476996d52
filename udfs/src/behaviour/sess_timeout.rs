//! `sess_timeout(ts, timeout) OVER (… ORDER BY ts)`: the session of an event and its place in it, as in Adobe Experience
//! Platform's Query Service.
//!
//! * A session ends when more than `timeout` passes until the next event.
//! * An event whose ts is NULL gets NULL and is passed over. Ties in ts share a session.
//! * The order is the window's; its frame, which Adobe wants to be given, does not matter.
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
use crate::window::{constant, timeout, timeout_type};

/// The function `sess_timeout`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Returns the session of an event, as Adobe's function of this name, as a struct: timestamp_diff, the whole seconds since the event before (0 for the first); num, the number of the session from 1; is_new, whether the event is the first of its session; depth, the number of the event in its session from 1. A session ends when more than the timeout passes. NULL if ts is NULL; such an event is passed over. The window's frame does not matter.",
    syntax_example = "sess_timeout(ts, timeout) OVER ([PARTITION BY ...] ORDER BY ts)",
    sql_example = r#"```sql
> SELECT at, sess_timeout(at, 1800) OVER (ORDER BY at) AS session
  FROM (VALUES (TIMESTAMP '2024-05-01 10:00:00'), (TIMESTAMP '2024-05-01 10:00:58'), (TIMESTAMP '2024-05-01 11:00:58')) AS t (at);
+---------------------+--------------------------------------------------------+
| at                  | session                                                |
+---------------------+--------------------------------------------------------+
| 2024-05-01T10:00:00 | {timestamp_diff: 0, num: 1, is_new: true, depth: 1}    |
| 2024-05-01T10:00:58 | {timestamp_diff: 58, num: 1, is_new: false, depth: 2}  |
| 2024-05-01T11:00:58 | {timestamp_diff: 3600, num: 2, is_new: true, depth: 1} |
+---------------------+--------------------------------------------------------+
```"#,
    argument(name = "ts", description = "The time of the event: a timestamp or a date."),
    argument(
        name = "timeout",
        description = "The longest pause within a session: a constant number of seconds, or an interval."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SessTimeout;

impl WindowUDFImpl for SessTimeout {
    named!("sess_timeout");

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [ts, timeout] = types else {
            return plan_err!("sess_timeout takes a timestamp and a timeout");
        };
        Ok(vec![instant_type("sess_timeout", ts)?, timeout_type("sess_timeout", timeout)?])
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let value = constant("sess_timeout", "timeout", &args, 1)?;
        let timeout = Some(timeout("sess_timeout", "timeout", &value)?);
        Ok(Box::new(Sessions { function: "sess_timeout", timeout, mark: Mark::None }))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), session_type(), true)))
    }
}
