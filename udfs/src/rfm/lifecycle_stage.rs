//! `lifecycle_stage(first_at, last_at, as_of [, stages])`: new, active, at_risk, dormant or lost.
//!
//! Customers are new for 30 days after their first event; then it is the last event that decides: active for 30 days,
//! at_risk for 90, dormant for 365, lost from then on. The bounds are conventions, which every business sets by its own
//! rhythm of purchases, so they can be given. Time is what has elapsed, not days of the calendar.
//!
//! * An age of exactly a bound belongs to the younger stage.
//! * NULL if an argument is NULL, or if `first_at <= last_at <= as_of` does not hold: then the events given are not
//!   those that were known at as_of.
//! * Cost: O(1) a row.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, AsArray, StringBuilder};
use datafusion_common::arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::stages::Stages;
use crate::InvalidArgument;
use crate::arguments::instant_type;
use crate::named::named;
use crate::rows::evaluate_some;

/// The function `lifecycle_stage`.
#[user_doc(
    doc_section(label = "RFM Functions"),
    description = "Returns the stage of a customer at an instant: new up to 30 days after the first event; otherwise active up to 30 days after the last one, at_risk up to 90, dormant up to 365, and lost after that. NULL if an argument is NULL, or if first_at <= last_at <= as_of does not hold.",
    syntax_example = "lifecycle_stage(first_at, last_at, as_of [, stages])",
    sql_example = r#"```sql
> SELECT lifecycle_stage(first_at, last_at, DATE '2024-06-01') AS stage, lifecycle_stage(first_at, last_at, DATE '2024-06-01', 'new: 7; active: 14') AS weekly
  FROM (VALUES (DATE '2024-05-20', DATE '2024-05-20'), (DATE '2023-01-01', DATE '2024-05-20'), (DATE '2023-01-01', DATE '2024-04-01')) AS t (first_at, last_at);
+---------+---------+
| stage   | weekly  |
+---------+---------+
| new     | active  |
| active  | active  |
| at_risk | at_risk |
+---------+---------+
```"#,
    argument(name = "first_at", description = "The time of the customer's first event: a timestamp or a date."),
    argument(name = "last_at", description = "The time of the last event at or before as_of."),
    argument(name = "as_of", description = "The instant to look from, such as now()."),
    argument(
        name = "stages",
        description = "A constant, the days that stages last: 'new: 30; active: 30; at_risk: 90; dormant: 365' is the default; what is left out keeps its default. The last three have to rise."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LifecycleStage;

impl ScalarUDFImpl for LifecycleStage {
    named!("lifecycle_stage");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if !(3..=4).contains(&types.len()) {
            return plan_err!("lifecycle_stage takes the first and the last event, as_of and at most stages");
        }
        let instants = types.iter().take(3).map(|instant| instant_type("lifecycle_stage", instant));
        instants.chain(types.get(3).map(|_| Ok(DataType::Utf8))).collect()
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let stages = match args.args.get(3) {
            None => Ok(Stages::default()),
            Some(ColumnarValue::Scalar(ScalarValue::Utf8(Some(stages)))) => stages.parse(),
            Some(ColumnarValue::Scalar(ScalarValue::Utf8(None))) => {
                return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None)));
            }
            Some(_) => Err("stages have to be a constant".to_owned()),
        };
        let stages = stages.map_err(|message| InvalidArgument::error(format!("lifecycle_stage: {message}")))?;
        let Some(instants) = args.args.get(..3) else {
            return plan_err!("lifecycle_stage takes the first and the last event, and as_of");
        };
        evaluate_some(&args, instants, |instants| of(instants, stages))
    }
}

fn of(instants: &[ArrayRef], stages: Stages) -> Result<ArrayRef> {
    let column = |place: usize| instants.get(place).and_then(|a| a.as_primitive_opt::<TimestampMicrosecondType>());
    let (Some(first), Some(last), Some(as_of)) = (column(0), column(1), column(2)) else {
        return plan_err!("lifecycle_stage takes timestamps");
    };
    let mut result = StringBuilder::new();
    for ((first, last), as_of) in first.iter().zip(last).zip(as_of) {
        let stage = match (first, last, as_of) {
            (Some(first), Some(last), Some(as_of)) => stages.stage(first, last, as_of),
            _ => None,
        };
        result.append_option(stage);
    }
    Ok(Arc::new(result.finish()))
}
