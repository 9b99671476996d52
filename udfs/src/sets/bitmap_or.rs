//! `bitmap_or(a, b)`: the ids in any of two bitmaps.
//!
//! * A NULL argument: NULL. An empty bitmap is a set like any other.
//! * Cost: that of both bitmaps' bytes. The name is StarRocks'.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::bitmap::{bytes, encode};
use super::operations::of_two;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `bitmap_or`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the bitmap of the ids that are in any of two bitmaps. NULL if any argument is NULL.",
    syntax_example = "bitmap_or(a, b)",
    sql_example = r#"```sql
> SELECT bitmap_to_array(bitmap_or(bitmap_from_array([1, 2, 3]), bitmap_from_array([2, 3, 4]))) AS ids;
+--------------+
| ids          |
+--------------+
| [1, 2, 3, 4] |
+--------------+
```"#,
    argument(name = "a", description = "A bitmap."),
    argument(name = "b", description = "A bitmap.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapOr;

impl ScalarUDFImpl for BitmapOr {
    named!("bitmap_or", alias "bitmapor");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("bitmap_or", types, &[("a", Taken::Bytes), ("b", Taken::Bytes)], 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let sets = of_two("bitmap_or", &args, |a, b| encode("bitmap_or", &mut (a | b)))?;
        rows::constant_for_constants(&args.args, bytes(sets.into_iter().map(Ok))?)
    }
}
