//! `bitmap_from_base64(text)`: a bitmap from text.
//!
//! * NULL: NULL. Text that is no Base64 of a bitmap is an error.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion_common::arrow::array::AsArray;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::bitmap::{bytes, decode, encode};
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `bitmap_from_base64`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the bitmap that bitmap_to_base64, or another program, has written as the Base64 of a portable 64-bit Roaring bitmap. NULL if it is NULL; anything else is an error.",
    syntax_example = "bitmap_from_base64(text)",
    sql_example = r#"```sql
> SELECT bitmap_to_array(bitmap_from_base64('AQAAAAAAAAAAAAAAOjAAAAEAAAAAAAEAEAAAAAMACQA=')) AS ids;
+--------+
| ids    |
+--------+
| [3, 9] |
+--------+
```"#,
    argument(name = "text", description = "The text.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapFromBase64;

impl ScalarUDFImpl for BitmapFromBase64 {
    named!("bitmap_from_base64");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("bitmap_from_base64", types, &[("text", Taken::Text)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [texts] = columns else {
                return plan_err!("bitmap_from_base64 takes a text");
            };
            bytes(texts.as_string_view().iter().map(|text| text.map(bitmap).transpose()))
        })
    }
}

fn bitmap(text: &str) -> Result<Vec<u8>> {
    let given = STANDARD.decode(text);
    let given = given.map_err(|error| InvalidArgument::error(format!("bitmap_from_base64: no Base64: {error}")))?;
    encode("bitmap_from_base64", &mut decode("bitmap_from_base64", &given)?)
}
