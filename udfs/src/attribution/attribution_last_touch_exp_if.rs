//! `attribution_last_touch_exp_if(ts, name, value, condition [, before]) OVER (… ORDER BY ts)`: the last touch of the stretch that a condition ends, as in
//! Adobe Experience Platform's Query Service.
//!
//! * A touch is an event whose value is not NULL. NULL if there is none, or if ts is NULL; such an event is passed over.
//! * The order is the window's, ties in ts included; its frame, which Adobe wants to be given, does not matter.
//! * Cost: O(n) after the window's sort; 24 bytes an event beside the result.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, WindowUDFImpl};
use datafusion_macros::user_doc;

use super::touch::{TouchOf, Until, coerced, field};
use crate::named::named;

/// The function `attribution_last_touch_exp_if`.
#[user_doc(
    doc_section(label = "Attribution Functions"),
    description = "Returns the last touch of the stretch of events that the event is in, also of a later one. A stretch ends with an event that fulfils the condition or, if before is true, with the one before that; a condition of NULL is not fulfilled. The result is a struct: name, the name that was given; value and timestamp of the touch; fraction, the credit of the touch, 1. A touch is an event whose value is not NULL. NULL if there is none, or if ts is NULL; such an event is passed over. The window's frame does not matter.",
    syntax_example = "attribution_last_touch_exp_if(ts, name, value, condition [, before]) OVER ([PARTITION BY ...] ORDER BY ts)",
    sql_example = r#"```sql
> SELECT at, touch['value'] AS value FROM (
    SELECT at, attribution_last_touch_exp_if(at, 'paid', channel, bought) OVER (ORDER BY at) AS touch
    FROM (VALUES (TIMESTAMP '2024-05-01 10:00:00', 'ad', false), (TIMESTAMP '2024-05-02 10:00:00', 'mail', false), (TIMESTAMP '2024-05-03 10:00:00', NULL, true), (TIMESTAMP '2024-05-20 10:00:00', 'search', false)) AS t (at, channel, bought)
  ) AS touches ORDER BY at;
+---------------------+--------+
| at                  | value  |
+---------------------+--------+
| 2024-05-01T10:00:00 | mail   |
| 2024-05-02T10:00:00 | mail   |
| 2024-05-03T10:00:00 | mail   |
| 2024-05-20T10:00:00 | search |
+---------------------+--------+
```"#,
    argument(name = "ts", description = "The time of the event: a timestamp or a date."),
    argument(name = "name", description = "What the result is to be called, as text."),
    argument(name = "value", description = "The channel of the event, of any type; NULL if the event is no touch."),
    argument(name = "condition", description = "What ends a stretch of events, a boolean."),
    argument(
        name = "before",
        description = "A constant: whether the event that fulfils the condition begins the next stretch, as for the first event of a session, rather than ending its own; false if not given."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct AttributionLastTouchExpIf;

impl WindowUDFImpl for AttributionLastTouchExpIf {
    named!("attribution_last_touch_exp_if");

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced("attribution_last_touch_exp_if", types, Until::Condition)
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        TouchOf::evaluator("attribution_last_touch_exp_if", true, Until::Condition, &args)
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        field(&args)
    }
}
