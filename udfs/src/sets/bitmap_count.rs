//! `bitmap_count(b)`: how many ids a bitmap has.
//!
//! * NULL: NULL.
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

/// The function `bitmap_count`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the number of ids in a bitmap. NULL if it is NULL.",
    syntax_example = "bitmap_count(b)",
    sql_example = r#"```sql
> SELECT bitmap_count(bitmap_from_array([1, 2, 2, 9])) AS ids;
+-----+
| ids |
+-----+
| 3   |
+-----+
```"#,
    argument(name = "b", description = "A bitmap.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapCount;

impl ScalarUDFImpl for BitmapCount {
    named!("bitmap_count", alias "bitmap_cardinality", alias "bitmapcardinality");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("bitmap_count", types, &[("b", Taken::Bytes)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let counts = of_one("bitmap_count", &args, |set, _| Ok(Some(bigint(set.len()))))?;
        rows::constant_for_constants(&args.args, Arc::new(Int64Array::from(counts)))
    }
}
