//! `bitmap_to_array(b)`: the ids of a bitmap.
//!
//! * NULL: NULL. An empty bitmap: an empty array.
//! * Cost: 8 bytes for every id; a bitmap of a hundred million ids is an array of 800 MB.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_common::arrow::array::{Int64Builder, ListBuilder};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::bitmap::bigint;
use super::operations::of_one;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `bitmap_to_array`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the ids of a bitmap as an array of bigints, the smallest first; unnest makes rows of them. NULL if it is NULL.",
    syntax_example = "bitmap_to_array(b)",
    sql_example = r#"```sql
> SELECT bitmap_to_array(bitmap_from_array([9, 1, 9])) AS ids;
+--------+
| ids    |
+--------+
| [1, 9] |
+--------+
```"#,
    argument(name = "b", description = "A bitmap.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapToArray;

impl ScalarUDFImpl for BitmapToArray {
    named!("bitmap_to_array", alias "bitmaptoarray");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(DataType::Int64, true))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("bitmap_to_array", types, &[("b", Taken::Bytes)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut lists = ListBuilder::new(Int64Builder::new());
        let lengths = of_one("bitmap_to_array", &args, |set, _| Ok(Some(set.iter().map(bigint).collect::<Vec<_>>())))?;
        for ids in lengths {
            let known = ids.is_some();
            lists.values().append_slice(&ids.unwrap_or_default());
            lists.append(known);
        }
        rows::constant_for_constants(&args.args, Arc::new(lists.finish()))
    }
}
