//! `audience_normalize(platform, field, value [, region])`: the text that `audience_hash` hashes, to look at.
//!
//! NULL where `audience_hash` is NULL, and for what is a hash already, whose text nobody knows.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::identifiers::{Reading, coerced, evaluated};
use crate::named::named;

/// The function `audience_normalize`.
#[user_doc(
    doc_section(label = "Destination Functions"),
    description = "Returns the text that audience_hash hashes: the value by the platform's rules, in the clear. NULL for NULL, for an empty or invalid value, and for a value that is a hash already.",
    syntax_example = "audience_normalize(platform, field, value [, region])",
    sql_example = r#"```sql
> SELECT platform, CASE platform WHEN 'meta' THEN audience_normalize('meta', 'email', email) WHEN 'google' THEN audience_normalize('google', 'email', email) ELSE audience_normalize('tiktok@2025-06', 'email', email) END AS text FROM (VALUES ('meta'), ('google'), ('tiktok')) AS p (platform), (VALUES (' J.Doe+promo@Gmail.com')) AS t (email) ORDER BY platform;
+----------+-----------------------+
| platform | text                  |
+----------+-----------------------+
| google   | jdoe@gmail.com        |
| meta     | j.doe+promo@gmail.com |
| tiktok   | j.doe@gmail.com       |
+----------+-----------------------+
```"#,
    argument(name = "platform", description = "As audience_hash takes it."),
    argument(name = "field", description = "As audience_hash takes it."),
    argument(name = "value", description = "The value: text, an integer, or a date."),
    argument(
        name = "region",
        description = "Two letters of the country that phones without a country code, zip codes and states belong to."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct AudienceNormalize;

impl ScalarUDFImpl for AudienceNormalize {
    named!("audience_normalize");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced(self.name(), types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        evaluated(self.name(), &args, |_, reading| match reading {
            Reading::Clear(clear) => Some(clear),
            Reading::Empty | Reading::Invalid | Reading::Hashed(_) => None,
        })
    }
}
