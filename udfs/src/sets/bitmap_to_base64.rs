//! `bitmap_to_base64(b)`: a bitmap as text.
//!
//! * NULL: NULL. Bytes that are no bitmap are an error.
//! * The text is the Base64 (RFC 4648, with padding) of the portable Roaring bytes, not of StarRocks' own format.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion_common::Result;
use datafusion_common::arrow::array::StringArray;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::bitmap::encode;
use super::operations::of_one;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `bitmap_to_base64`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns a bitmap as Base64 text, to hand it on to programs that take text. NULL if it is NULL.",
    syntax_example = "bitmap_to_base64(b)",
    sql_example = r#"```sql
> SELECT bitmap_to_base64(bitmap_from_array([3, 9])) AS text;
+----------------------------------------------+
| text                                         |
+----------------------------------------------+
| AQAAAAAAAAAAAAAAOjAAAAEAAAAAAAEAEAAAAAMACQA= |
+----------------------------------------------+
```"#,
    argument(name = "b", description = "A bitmap.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapToBase64;

impl ScalarUDFImpl for BitmapToBase64 {
    named!("bitmap_to_base64");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("bitmap_to_base64", types, &[("b", Taken::Bytes)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = of_one("bitmap_to_base64", &args, |set, _| {
            Ok(Some(STANDARD.encode(encode("bitmap_to_base64", &mut set.clone())?)))
        })?;
        rows::constant_for_constants(&args.args, Arc::new(StringArray::from(texts)))
    }
}
