//! `rfm_segment(r, f, m [, map])`: the segment that three scores make, by the map of R's package `rfm`.
//!
//! Segments are tried in order and the first that fits wins; scores that fit none are `Others`. The published maps are
//! for scores from 1 to 5.
//!
//! * A NULL score, or a NULL map: NULL.
//! * Cost: O(segments) a row.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, AsArray, StringBuilder};
use datafusion_common::arrow::datatypes::{DataType, Int32Type};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::segment_map::SegmentMap;
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::evaluate_some;

/// The function `rfm_segment`.
#[user_doc(
    doc_section(label = "RFM Functions"),
    description = "Returns the segment that scores of recency, frequency and monetary value make: Champions, Potential Loyalist, Loyal Customers, Promising, New Customers, Can't Lose Them, At Risk, Need Attention, About To Sleep or Lost, and Others if none fits. NULL if any argument is NULL.",
    syntax_example = "rfm_segment(r, f, m [, map])",
    sql_example = r#"```sql
> SELECT rfm_segment(5, 5, 5) AS best, rfm_segment(1, 3, 5) AS gone, rfm_segment(4, 1, 2, 'new: 4-5, 1, 1-5') AS own;
+-----------+-----------------+-----+
| best      | gone            | own |
+-----------+-----------------+-----+
| Champions | Can't Lose Them | new |
+-----------+-----------------+-----+
```"#,
    argument(name = "r", description = "Score of recency, 5 for the most recent; see rfm_score."),
    argument(name = "f", description = "Score of frequency."),
    argument(name = "m", description = "Score of monetary value."),
    argument(
        name = "map",
        description = "A constant: rfm_0_3 (the default) or rfm_0_2, the maps of these versions of R's package rfm; or a map of one's own, rules 'name: r, f, m' parted by semicolons, each score a number or a range such as 4-5."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RfmSegment;

impl ScalarUDFImpl for RfmSegment {
    named!("rfm_segment");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if !(3..=4).contains(&types.len()) {
            return plan_err!("rfm_segment takes three scores and at most a map");
        }
        if let Some(score) = types[..3].iter().find(|score| !score.is_integer() && !score.is_null()) {
            return plan_err!("rfm_segment takes scores as integers, not as {score}");
        }
        let taken = [DataType::Int32, DataType::Int32, DataType::Int32, DataType::Utf8];
        Ok(taken.into_iter().take(types.len()).collect())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let map = match args.args.get(3) {
            None => "rfm_0_3".parse::<SegmentMap>(),
            Some(ColumnarValue::Scalar(ScalarValue::Utf8(Some(map)))) => map.parse(),
            Some(ColumnarValue::Scalar(ScalarValue::Utf8(None))) => {
                return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None)));
            }
            Some(_) => Err("the map has to be a constant".to_owned()),
        };
        let map = map.map_err(|message| InvalidArgument::error(format!("rfm_segment: {message}")))?;
        let Some(scores) = args.args.get(..3) else {
            return plan_err!("rfm_segment takes three scores");
        };
        evaluate_some(&args, scores, |scores| Ok(segments(scores, &map)))
    }
}

fn segments(scores: &[ArrayRef], map: &SegmentMap) -> ArrayRef {
    let [r, f, m] = [0, 1, 2].map(|place| scores[place].as_primitive::<Int32Type>());
    let mut segments = StringBuilder::new();
    for ((r, f), m) in r.iter().zip(f).zip(m) {
        match (r, f, m) {
            (Some(r), Some(f), Some(m)) => segments.append_value(map.segment(r, f, m)),
            _ => segments.append_null(),
        }
    }
    Arc::new(segments.finish())
}
