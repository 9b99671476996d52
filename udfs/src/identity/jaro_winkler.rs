//! `jaro_winkler(a, b)`: how alike two short texts are, from 0 to 1.
//!
//! Jaro's similarity (Advances in record-linkage methodology, 1989), raised by Winkler's bonus of a tenth for each of
//! at most four first characters that agree, if it is above 0.7: as in DuckDB, Splink and RapidFuzz.
//!
//! * Compared character by character as they stand: see normalize_name for case and accents.
//! * Two empty texts: 1; one empty: 0. NULL if either is.
//! * Cost: for ASCII up to 64 bytes, which names are, O(length) by bits; else O(length²).

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, AsArray, Float64Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::distance::{self, Scratch};
use super::texts::text_types;
use crate::named::named;
use crate::rows::evaluate;

/// The function `jaro_winkler`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns the similarity of two texts by Jaro and Winkler, from 0 for nothing in common to 1 for equal. It is made for names: a common start counts more than a common end. NULL if either is NULL.",
    syntax_example = "jaro_winkler(a, b)",
    sql_example = r#"```sql
> SELECT round(jaro_winkler('martha', 'marhta'), 4) AS a, jaro_winkler('dupont', 'dupont') AS b, jaro_winkler('ada', 'bo') AS c;
+--------+-----+-----+
| a      | b   | c   |
+--------+-----+-----+
| 0.9611 | 1.0 | 0.0 |
+--------+-----+-----+
```"#,
    argument(name = "a", description = "A text."),
    argument(name = "b", description = "Another.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JaroWinkler;

impl ScalarUDFImpl for JaroWinkler {
    named!("jaro_winkler", alias "jaro_winkler_similarity");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        text_types(self.name(), types, 2, 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        evaluate(&args, |columns| {
            let [a, b] = columns else { return plan_err!("jaro_winkler takes two texts") };
            let rows = a.as_string_view().iter().zip(b.as_string_view());
            let mut scratch = Scratch::default();
            let similar: Float64Array = rows.map(|(a, b)| Some(distance::jaro_winkler(a?, b?, &mut scratch))).collect();
            Ok(Arc::new(similar) as ArrayRef)
        })
    }
}
