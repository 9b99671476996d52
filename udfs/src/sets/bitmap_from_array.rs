//! `bitmap_from_array(ids)`: a bitmap of ids.
//!
//! * NULL: NULL. NULLs in the array do not count; a negative id is an error.
//! * Cost: a sort of each array.

use datafusion_common::arrow::array::{ArrayRef, AsArray};
use datafusion_common::arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::bitmap::{bytes, encode, id};
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `bitmap_from_array`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the bitmap of the ids in an array. NULL if it is NULL; NULLs in it do not count, a negative id is an error.",
    syntax_example = "bitmap_from_array(ids)",
    sql_example = r#"```sql
> SELECT bitmap_count(bitmap_from_array([4, 4, NULL, 8])) AS ids;
+-----+
| ids |
+-----+
| 2   |
+-----+
```"#,
    argument(name = "ids", description = "An array of bigints from 0.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapFromArray;

impl ScalarUDFImpl for BitmapFromArray {
    named!("bitmap_from_array", alias "bitmapbuild");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("bitmap_from_array", types, &[("ids", Taken::Integers)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [lists] = columns else {
                return plan_err!("bitmap_from_array takes an array");
            };
            bytes(lists.as_list::<i32>().iter().map(|list| list.map(|list| bitmap(&list)).transpose()))
        })
    }
}

fn bitmap(list: &ArrayRef) -> Result<Vec<u8>> {
    let given = list.as_primitive::<Int64Type>().iter().flatten();
    let mut ids = given.map(|given| id("bitmap_from_array", given)).collect::<Result<Vec<_>>>()?;
    ids.sort_unstable();
    encode("bitmap_from_array", &mut ids.into_iter().collect())
}
