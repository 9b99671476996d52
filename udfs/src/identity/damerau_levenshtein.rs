//! `damerau_levenshtein(a, b)`: the number of mistakes in typing that lie between two texts.
//!
//! The true distance of Damerau and Levenshtein: insertions, deletions, substitutions, and transpositions of neighbours
//! between which there may be other edits (Lowrance and Wagner, An extension of the string-to-string correction
//! problem, 1975), a metric; as in DuckDB and RapidFuzz. 'ca' and 'abc' are 2 apart, which the restricted form (optimal
//! string alignment) takes for 3.
//!
//! * Compared character by character as they stand.
//! * NULL if either is.
//! * Cost: O(length²) beyond a common start and end.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, AsArray, Int32Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::distance::{self, Scratch};
use super::texts::text_types;
use crate::named::named;
use crate::rows::evaluate;

/// The function `damerau_levenshtein`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns the distance of two texts by Damerau and Levenshtein: how many characters have to be inserted, deleted, replaced, or swapped with their neighbour to make one of the other. NULL if either is NULL.",
    syntax_example = "damerau_levenshtein(a, b)",
    sql_example = r#"```sql
> SELECT damerau_levenshtein('dupont', 'dupnot') AS swapped, damerau_levenshtein('ca', 'abc') AS more, levenshtein('dupont', 'dupnot') AS plain;
+---------+------+-------+
| swapped | more | plain |
+---------+------+-------+
| 1       | 2    | 2     |
+---------+------+-------+
```"#,
    argument(name = "a", description = "A text."),
    argument(name = "b", description = "Another.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DamerauLevenshtein;

impl ScalarUDFImpl for DamerauLevenshtein {
    named!("damerau_levenshtein");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        text_types(self.name(), types, 2, 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        evaluate(&args, |columns| {
            let [a, b] = columns else { return plan_err!("damerau_levenshtein takes two texts") };
            let rows = a.as_string_view().iter().zip(b.as_string_view());
            let mut scratch = Scratch::default();
            let distances: Int32Array =
                rows.map(|(a, b)| Some(distance::damerau_levenshtein(a?, b?, &mut scratch) as i32)).collect();
            Ok(Arc::new(distances) as ArrayRef)
        })
    }
}
