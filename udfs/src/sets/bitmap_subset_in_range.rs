//! `bitmap_subset_in_range(b, start, end)`: the ids of a bitmap within a range.
//!
//! * A NULL argument: NULL. A range that ends before it starts has no ids.
//! * Cost: that of the bitmap's bytes. The name is StarRocks'.

use datafusion_common::Result;
use datafusion_common::arrow::array::Array;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::bitmap::{bytes, encode};
use super::operations::{integers, of_one};
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `bitmap_subset_in_range`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the bitmap of the ids of a bitmap that are at least start and below end. NULL if any argument is NULL.",
    syntax_example = "bitmap_subset_in_range(b, start, end)",
    sql_example = r#"```sql
> SELECT bitmap_to_array(bitmap_subset_in_range(bitmap_from_array([1, 5, 9]), 5, 9)) AS ids;
+-----+
| ids |
+-----+
| [5] |
+-----+
```"#,
    argument(name = "b", description = "A bitmap."),
    argument(name = "start", description = "The first id of the range."),
    argument(name = "end", description = "The first id after the range.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapSubsetInRange;

impl ScalarUDFImpl for BitmapSubsetInRange {
    named!("bitmap_subset_in_range", alias "bitmapsubsetinrange");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce(
            "bitmap_subset_in_range",
            types,
            &[("b", Taken::Bytes), ("start", Taken::Integer), ("end", Taken::Integer)],
            3,
        )
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = "bitmap_subset_in_range";
        let (starts, ends) = (integers(name, &args, 1)?, integers(name, &args, 2)?);
        let sets = of_one(name, &args, |set, row| {
            if starts.is_null(row) || ends.is_null(row) {
                return Ok(None);
            }
            // No id is negative.
            let start = u64::try_from(starts.value(row)).unwrap_or(0);
            let end = u64::try_from(ends.value(row)).unwrap_or(0);
            let mut part = set.clone();
            part.remove_range(..start);
            part.remove_range(end.max(start)..);
            encode(name, &mut part).map(Some)
        })?;
        rows::constant_for_constants(&args.args, bytes(sets.into_iter().map(Ok))?)
    }
}
