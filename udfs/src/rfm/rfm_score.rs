//! `rfm_score(value [, bins [, method [, direction]]]) OVER (…)`: a customer's score among the customers of the window.
//!
//! The conventions are those of the programs in use (see [`Method`]); `quantile` is the default, since it gives equal
//! customers equal scores and depends on nothing but the values. Its source for ties, reversal and thresholds are R's
//! package `rfm`, pandas' `qcut` and SQL's window functions.
//!
//! * A NULL value scores NULL and does not count for the others.
//! * The whole window counts, whatever its frame; ORDER BY in it matters to `ntile` alone, which splits ties by it.
//! * Cost: sorts the window's values, O(n log n); 24 bytes a row beside the values.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use datafusion_common::arrow::compute::cast;
use datafusion_common::arrow::datatypes::{
    DataType, Field, FieldRef, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, WindowUDFImpl};
use datafusion_macros::user_doc;

use super::method::{Method, scores};
use crate::InvalidArgument;
use crate::named::named;

const MICROS_PER_DAY: f64 = 86_400_000_000.0;

/// How many scores there are at the most.
const MAX_BINS: i64 = 10_000;

/// The function `rfm_score`.
#[user_doc(
    doc_section(label = "RFM Functions"),
    description = "Scores a value against the others of its window, from 1 to bins. Equal values score the same, but for the method ntile. A NULL value scores NULL and does not count for the others.",
    syntax_example = "rfm_score(value [, bins [, method [, direction]]]) OVER ([PARTITION BY ...] [ORDER BY ...])",
    sql_example = r#"```sql
> SELECT orders, rfm_score(orders, 5) OVER () AS score FROM (VALUES (1), (1), (2), (5), (9)) AS t (orders);
+--------+-------+
| orders | score |
+--------+-------+
| 1      | 1     |
| 1      | 1     |
| 2      | 3     |
| 5      | 4     |
| 9      | 5     |
+--------+-------+
```"#,
    argument(
        name = "value",
        description = "The number to score; a date or timestamp counts as its number of days. NaN and infinity are errors."
    ),
    argument(
        name = "bins",
        description = "The number of scores, 5 if not given; from 1 to 10000, the same for the whole window."
    ),
    argument(
        name = "method",
        description = "quantile (the default): 1 + the number of type 7 quantiles the value exceeds. ntile: equal numbers of rows, ties split by the window's ORDER BY. r_rfm: as R's package rfm, quantiles plus one. cume_dist: ceil(bins * cume_dist). percent_rank: 1 + floor(bins * percent_rank)."
    ),
    argument(
        name = "direction",
        description = "asc (the default): the largest value scores highest. desc: the smallest does, as for days since the last purchase."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RfmScore;

impl WindowUDFImpl for RfmScore {
    named!("rfm_score");

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if types.is_empty() || types.len() > 4 {
            return plan_err!("rfm_score takes a value, and at most bins, method and direction");
        }
        let value = match &types[0] {
            DataType::Date32 | DataType::Date64 => DataType::Date32,
            DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            number if number.is_numeric() || number.is_null() => DataType::Float64,
            other => return plan_err!("rfm_score takes a number, a date or a timestamp, not {other}"),
        };
        let rest = [DataType::Int64, DataType::Utf8, DataType::Utf8];
        Ok([value].into_iter().chain(rest).take(types.len()).collect())
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Scores))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Int32, true)))
    }
}

/// Scores whole windows.
#[derive(Debug)]
struct Scores;

impl PartitionEvaluator for Scores {
    fn evaluate_all(&mut self, values: &[ArrayRef], _: usize) -> Result<ArrayRef> {
        let Some((value, options)) = values.split_first() else {
            return plan_err!("rfm_score needs a value");
        };
        let bins = match options.first() {
            Some(bins) => bins_of(bins)?,
            None => 5,
        };
        let method = match options.get(1) {
            Some(method) => word(method, "method")?.parse::<Method>().map_err(invalid)?,
            None => Method::Quantile,
        };
        let descending = match options.get(2) {
            Some(direction) => match word(direction, "direction")?.as_str() {
                "asc" => false,
                "desc" => true,
                other => return Err(invalid(format!("unknown direction \"{other}\", there are asc and desc"))),
            },
            None => false,
        };
        let numbers = numbers(value)?;
        let known: Vec<f64> = numbers.iter().copied().flatten().collect();
        if known.iter().any(|number| !number.is_finite()) {
            return Err(invalid("NaN and infinity can't be scored, filter them out"));
        }
        let mut scored = scores(&known, bins, method, descending).into_iter();
        let result: Int32Array = numbers.iter().map(|number| number.and_then(|_| scored.next())).collect();
        Ok(Arc::new(result))
    }
}

fn invalid(message: impl std::fmt::Display) -> datafusion_common::DataFusionError {
    InvalidArgument::error(format!("rfm_score: {message}"))
}

fn numbers(value: &ArrayRef) -> Result<Vec<Option<f64>>> {
    Ok(match value.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => value
            .as_primitive::<TimestampMicrosecondType>()
            .iter()
            .map(|micros| micros.map(|micros| micros as f64 / MICROS_PER_DAY))
            .collect(),
        DataType::Date32 => {
            cast(&cast(value, &DataType::Int32)?, &DataType::Float64)?.as_primitive::<Float64Type>().iter().collect()
        }
        _ => cast(value, &DataType::Float64)?.as_primitive::<Float64Type>().iter().collect(),
    })
}

fn bins_of(array: &ArrayRef) -> Result<u32> {
    let array = array.as_primitive::<Int64Type>();
    let first = array.iter().next().flatten();
    if array.iter().any(|bins| bins != first) {
        return Err(invalid("the number of bins has to be the same for the whole window"));
    }
    match first {
        Some(bins @ 1..=MAX_BINS) => Ok(bins as u32),
        Some(bins) => Err(invalid(format!("{bins} bins are not possible, from 1 to {MAX_BINS} are"))),
        None => Err(invalid("the number of bins is NULL")),
    }
}

fn word(array: &ArrayRef, what: &str) -> Result<String> {
    let array = array.as_string::<i32>();
    let first = array.iter().next().flatten();
    if array.iter().any(|word| word != first) {
        return Err(invalid(format!("the {what} has to be the same for the whole window")));
    }
    first.map(str::to_owned).ok_or_else(|| invalid(format!("the {what} is NULL")))
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::array::{
        Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };

    use super::*;

    fn score(values: &[ArrayRef]) -> Result<Vec<Option<i32>>> {
        let array = Scores.evaluate_all(values, values[0].len())?;
        Ok(array.as_primitive::<datafusion_common::arrow::datatypes::Int32Type>().iter().collect())
    }

    fn column(array: impl Array + 'static) -> ArrayRef {
        Arc::new(array)
    }

    #[test]
    fn nulls_do_not_count() {
        let values = column(Float64Array::from(vec![Some(1.0), None, Some(2.0)]));
        let bins = column(Int64Array::from(vec![2, 2, 2]));
        assert_eq!(score(&[values, bins]).unwrap(), [Some(1), None, Some(2)]);
        assert_eq!(score(&[column(Float64Array::from(vec![None, None]))]).unwrap(), [None, None]);
    }

    #[test]
    fn days_count_the_same_however_they_are_given() {
        let days = [0, 10, 20, 400];
        let dates = column(Date32Array::from(days.to_vec()));
        let micros: Vec<i64> = days.iter().map(|day| i64::from(*day) * 86_400_000_000).collect();
        let moments = column(TimestampMicrosecondArray::from(micros));
        assert_eq!(score(&[dates]).unwrap(), score(&[moments]).unwrap());
    }

    #[test]
    fn options_are_checked() {
        let value = || column(Float64Array::from(vec![1.0, 2.0]));
        let bins = |bins: [Option<i64>; 2]| column(Int64Array::from(bins.to_vec()));
        let words = |word: &str| column(StringArray::from(vec![word, word]));
        for bad in [[Some(0), Some(0)], [Some(5), Some(4)], [None, None], [Some(10_001), Some(10_001)]] {
            assert!(score(&[value(), bins(bad)]).is_err(), "{bad:?}");
        }
        let five = || bins([Some(5), Some(5)]);
        assert!(score(&[value(), five(), words("median")]).unwrap_err().to_string().contains("cume_dist"));
        assert!(score(&[value(), five(), words("ntile"), words("down")]).is_err());
        assert_eq!(score(&[value(), five(), words("ntile"), words("desc")]).unwrap(), [Some(2), Some(1)]);
        assert!(score(&[column(Float64Array::from(vec![1.0, f64::NAN]))]).is_err());
    }
}
