//! `bitmap_min(b)`: the smallest id of a bitmap.
//!
//! * NULL, or an empty bitmap: NULL.
//! * Cost: that of the bitmap's bytes. The name is StarRocks'.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_common::arrow::array::Int64Array;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::bitmap::bigint;
use super::operations::of_one;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `bitmap_min`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the smallest id in a bitmap. NULL if it is NULL or empty.",
    syntax_example = "bitmap_min(b)",
    sql_example = r#"```sql
> SELECT bitmap_min(bitmap_from_array([3, 1, 9])) AS id;
+----+
| id |
+----+
| 1  |
+----+
```"#,
    argument(name = "b", description = "A bitmap.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapMin;

impl ScalarUDFImpl for BitmapMin {
    named!("bitmap_min");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("bitmap_min", types, &[("b", Taken::Bytes)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ids = of_one("bitmap_min", &args, |set, _| Ok(set.min().map(bigint)))?;
        rows::constant_for_constants(&args.args, Arc::new(Int64Array::from(ids)))
    }
}
