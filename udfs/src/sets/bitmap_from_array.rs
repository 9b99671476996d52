//! `bitmap_from_array(ids)`: a bitmap of ids.
//!
//! * NULL: NULL. NULLs in the array do not count; a negative id is an error.
//! * Cost: a sort of each array.

use std::sync::LazyLock;

use datafusion_common::arrow::array::{ArrayRef, AsArray};
use datafusion_common::arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::bitmap::{bytes, encode, id};
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

static ALIASES: LazyLock<Vec<String>> = LazyLock::new(|| vec!["bitmapbuild".to_owned()]);

impl ScalarUDFImpl for BitmapFromArray {
    fn name(&self) -> &str {
        "bitmap_from_array"
    }

    fn aliases(&self) -> &[String] {
        &ALIASES
    }

    fn signature(&self) -> &Signature {
        &rows::SIGNATURE
    }

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

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn bitmap(list: &ArrayRef) -> Result<Vec<u8>> {
    let given = list.as_primitive::<Int64Type>().iter().flatten();
    let mut ids = given.map(|given| id("bitmap_from_array", given)).collect::<Result<Vec<_>>>()?;
    ids.sort_unstable();
    encode("bitmap_from_array", &mut ids.into_iter().collect())
}
