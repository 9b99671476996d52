//! `bitmap_contains(b, x)`: whether an id is in a bitmap.
//!
//! * A NULL argument: NULL. A negative id is in none.
//! * Cost: O(log n) a row for a bitmap that is constant or repeated by a join; else that of each bitmap's bytes. The
//!   name is StarRocks'.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_common::arrow::array::{Array, BooleanArray};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::operations::{integers, of_one};
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `bitmap_contains`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns whether an id is in a bitmap. NULL if any argument is NULL.",
    syntax_example = "bitmap_contains(b, x)",
    sql_example = r#"```sql
> SELECT bitmap_contains(bitmap_from_array([1, 5]), 5) AS five, bitmap_contains(bitmap_from_array([1, 5]), 2) AS two;
+------+-------+
| five | two   |
+------+-------+
| true | false |
+------+-------+
```"#,
    argument(name = "b", description = "A bitmap."),
    argument(name = "x", description = "An id.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapContains;

impl ScalarUDFImpl for BitmapContains {
    named!("bitmap_contains", alias "bitmapcontains");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("bitmap_contains", types, &[("b", Taken::Bytes), ("x", Taken::Integer)], 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ids = integers("bitmap_contains", &args, 1)?;
        let found = of_one("bitmap_contains", &args, |set, row| {
            let id = ids.is_valid(row).then(|| ids.value(row));
            Ok(id.map(|id| u64::try_from(id).is_ok_and(|id| set.contains(id))))
        })?;
        rows::constant_for_constants(&args.args, Arc::new(BooleanArray::from(found)))
    }
}
