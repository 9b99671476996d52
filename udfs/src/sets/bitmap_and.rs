//! `bitmap_and(a, b)`: the ids in both of two bitmaps.
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

/// The function `bitmap_and`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the bitmap of the ids that are in both bitmaps. NULL if any argument is NULL.",
    syntax_example = "bitmap_and(a, b)",
    sql_example = r#"```sql
> SELECT bitmap_to_array(bitmap_and(bitmap_from_array([1, 2, 3]), bitmap_from_array([2, 3, 4]))) AS ids;
+--------+
| ids    |
+--------+
| [2, 3] |
+--------+
```"#,
    argument(name = "a", description = "A bitmap."),
    argument(name = "b", description = "A bitmap.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapAnd;

impl ScalarUDFImpl for BitmapAnd {
    named!("bitmap_and", alias "bitmapand");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("bitmap_and", types, &[("a", Taken::Bytes), ("b", Taken::Bytes)], 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let sets = of_two("bitmap_and", &args, |a, b| encode("bitmap_and", &mut (a & b)))?;
        rows::constant_for_constants(&args.args, bytes(sets.into_iter().map(Ok))?)
    }
}
