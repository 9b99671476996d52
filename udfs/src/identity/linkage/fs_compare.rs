//! `fs_compare(compare, l, r)`: how alike two values are, as a level from 0 (unlike) to the top (equal).
//!
//! The language and the levels are those of [`super::comparison`], which holds what Splink's usual comparisons are in
//! it. NULL where a value is NULL, or no date or number where one is compared: the pair says nothing about a match.
//!
//! Values are compared as texts, letter by letter: bring them into one form first (case, accents, spaces).
//! Cost: some 20 to 100 ns for names; bounded edit distances end at once for texts whose letters are too different.

use std::sync::Arc;

use datafusion_common::arrow::array::{AsArray, Int16Array, StringViewArray};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::comparison::Comparison;
use crate::InvalidArgument;
use crate::identity::distance::Scratch;
use crate::named::named;
use crate::rows::evaluate_some;

/// The function `fs_compare`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "How alike two values are, as a level of a comparison: 0 for unlike, up to the top for equal. NULL if a value is NULL, or is no date or number where these are compared. An array of such levels is what fs_train and fs_weight take.",
    syntax_example = "fs_compare(compare, l, r)",
    sql_example = r#"```sql
> SELECT l, r, fs_compare('jw:0.92,0.88,0.7', l, r) AS level FROM (VALUES ('martha', 'martha'), ('martha', 'marhta'), ('dwayne', 'duane'), ('ada', 'zoe'), ('ada', NULL)) AS t (l, r);
+--------+--------+-------+
| l      | r      | level |
+--------+--------+-------+
| martha | martha | 4     |
| martha | marhta | 3     |
| dwayne | duane  | 1     |
| ada    | zoe    | 0     |
| ada    |        |       |
+--------+--------+-------+
```"#,
    argument(
        name = "compare",
        description = "A constant: tests parted by +, the strictest first. exact; jw:0.92,0.88 (Jaro-Winkler similarity of at least so much); lev:1,2 and dl:1,2 (at most so many edits of Levenshtein, or of Damerau-Levenshtein, where a swap is one); date:1 month,1 year (dates YYYY-MM-DD or YYYYMMDD at most so far apart; a month has 30.4375 days, a year 365.25); num:1,5 (numbers that differ by so much at most). Each threshold is a level, equality one more."
    ),
    argument(name = "l", description = "A value of one record: text, or what is compared by its text."),
    argument(name = "r", description = "The value of the other record.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FsCompare;

impl ScalarUDFImpl for FsCompare {
    named!("fs_compare");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int16)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [compare, values @ ..] = types else { return plan_err!("fs_compare takes a comparison and two values") };
        if values.len() != 2 || !(compare.is_string() || compare.is_null()) {
            return plan_err!("fs_compare takes a comparison as text, and two values");
        }
        if let Some(nested) = values.iter().find(|value| value.is_nested() || value.is_binary()) {
            return plan_err!("fs_compare compares texts, numbers and dates, not {nested}");
        }
        Ok(vec![DataType::Utf8, DataType::Utf8View, DataType::Utf8View])
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [compare, values @ ..] = args.args.as_slice() else {
            return plan_err!("fs_compare takes a comparison and two values");
        };
        let compare: Comparison = match compare {
            ColumnarValue::Scalar(ScalarValue::Utf8(Some(compare))) => compare.parse().map_err(invalid)?,
            ColumnarValue::Scalar(ScalarValue::Utf8(None)) => return Ok(ScalarValue::Int16(None).into()),
            _ => return Err(invalid("the comparison has to be a constant")),
        };
        evaluate_some(&args, values, |values| match values {
            [l, r] => Ok(Arc::new(levels(&compare, l.as_string_view(), r.as_string_view()))),
            _ => plan_err!("fs_compare takes a comparison and two values"),
        })
    }
}

fn invalid(message: impl std::fmt::Display) -> datafusion_common::DataFusionError {
    InvalidArgument::error(format!("fs_compare: {message}"))
}

fn levels(compare: &Comparison, l: &StringViewArray, r: &StringViewArray) -> Int16Array {
    let mut scratch = Scratch::default();
    let pairs = l.iter().zip(r);
    pairs.map(|(l, r)| compare.level(l?, r?, &mut scratch)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn nulls_say_nothing() {
        let l = StringViewArray::from_iter([Some("ada"), None, Some("ada"), None]);
        let r = StringViewArray::from_iter([Some("ada"), Some("ada"), None, None]);
        let compare = "jw:0.9".parse().unwrap();
        assert_eq!(levels(&compare, &l, &r), Int16Array::from(vec![Some(2), None, None, None]));
    }

    /// Prints how many pairs of five columns one core compares in a second.
    #[test]
    #[ignore = "a timing"]
    fn speed() {
        let names = ["martha", "johanna", "william", "benjamin", "charlotte", "zoe", "mackenzie", "jo", "alexandra"];
        let name = |place: usize| format!("{}{}", names[place % names.len()], place % 7);
        let rows = 100_000;
        let column = |of: &dyn Fn(usize) -> String| StringViewArray::from_iter_values((0..rows).map(of));
        let name_l = column(&|row| name(row * 31));
        let name_r = column(&|row| name(row * 17 + 3));
        let id_l = column(&|row| format!("{:07}", row * 7919 % 9_999_991));
        let id_r = column(&|row| format!("{:07}", row * 104_729 % 9_999_991));
        let day_l = column(&|row| format!("{}{:02}{:02}", 1930 + row % 80, row % 12 + 1, row % 28 + 1));
        let day_r = column(&|row| format!("{}{:02}{:02}", 1930 + row * 7 % 80, row * 5 % 12 + 1, row * 3 % 28 + 1));
        let columns = [
            ("jw:0.92,0.88,0.7", &name_l, &name_r),
            ("jw:0.92,0.88,0.7", &name_r, &name_l),
            ("lev:1+date:1 month,1 year,10 years", &day_l, &day_r),
            ("dl:1,2", &id_l, &id_r),
            ("dl:2", &id_r, &id_l),
        ];
        let mut total = 0.0;
        for (compare, l, r) in columns {
            let compare = compare.parse().unwrap();
            let start = Instant::now();
            let sum: i64 = levels(&compare, l, r).iter().flatten().map(i64::from).sum();
            let seconds = start.elapsed().as_secs_f64();
            total += seconds;
            println!("{compare:?}: {:.0} ns ({sum})", seconds / rows as f64 * 1e9);
        }
        println!("{:.0} pairs/s", rows as f64 / total);
    }
}
