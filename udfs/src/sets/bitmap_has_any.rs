//! `bitmap_has_any(a, b)`: whether two bitmaps share an id.
//!
//! * A NULL argument: NULL.
//! * Cost: that of both bitmaps' bytes. The name is StarRocks'.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_common::arrow::array::BooleanArray;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::operations::of_two;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `bitmap_has_any`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns whether two bitmaps have an id in common. NULL if any argument is NULL.",
    syntax_example = "bitmap_has_any(a, b)",
    sql_example = r#"```sql
> SELECT bitmap_has_any(bitmap_from_array([1, 5]), bitmap_from_array([5, 6])) AS shared;
+--------+
| shared |
+--------+
| true   |
+--------+
```"#,
    argument(name = "a", description = "A bitmap."),
    argument(name = "b", description = "A bitmap.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapHasAny;

impl ScalarUDFImpl for BitmapHasAny {
    named!("bitmap_has_any", alias "bitmaphasany");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("bitmap_has_any", types, &[("a", Taken::Bytes), ("b", Taken::Bytes)], 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let shared = of_two("bitmap_has_any", &args, |a, b| Ok(!a.is_disjoint(b)))?;
        rows::constant_for_constants(&args.args, Arc::new(BooleanArray::from(shared)))
    }
}
