//! `tcf_special_feature(tc, feature)`: whether a consent string holds the opt-in to a special feature.
//!
//! Source and cost as of `tcf_purpose`.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::tc_string::SPECIAL_FEATURES;
use super::tcf_ask::{Number, answered, coerced, small};
use crate::named::named;

/// The function `tcf_special_feature`.
#[user_doc(
    doc_section(label = "Destination Functions"),
    description = "Returns whether a TC string holds the person's opt-in to a special feature: 1 is precise location, 2 scanning a device's characteristics. False, never NULL, for NULL and for a string that can't be read in full.",
    syntax_example = "tcf_special_feature(tc, feature)",
    sql_example = r#"```sql
> SELECT tcf_special_feature('COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA', 1) AS location, tcf_special_feature('COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA', 2) AS scanning;
+----------+----------+
| location | scanning |
+----------+----------+
| true     | false    |
+----------+----------+
```"#,
    argument(name = "tc", description = "A TC string of version 2, with or without its further segments."),
    argument(name = "feature", description = "The number of the special feature, from 1 to 12.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TcfSpecialFeature;

const NUMBERS: [Number; 1] = [Number("special feature", SPECIAL_FEATURES as i64)];

impl ScalarUDFImpl for TcfSpecialFeature {
    named!("tcf_special_feature");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced(self.name(), types, 1, &NUMBERS)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        answered(self.name(), &args, &NUMBERS, |tc, numbers| {
            numbers.iter().all(|feature| tc.special_features.contains(small(*feature)))
        })
    }
}
