//! `to_bitmap(x)`: a bitmap of one id.
//!
//! * NULL: NULL. A negative id is an error (in StarRocks: NULL).
//! * Cost: an allocation a row; to gather the ids of many rows `bitmap_agg` is far cheaper than a union of these.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::bitmap::{bytes, encode, id};
use super::operations::integers;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `to_bitmap`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns a bitmap of one id. NULL if it is NULL; a negative id is an error.",
    syntax_example = "to_bitmap(x)",
    sql_example = r#"```sql
> SELECT bitmap_to_array(to_bitmap(7)) AS ids;
+-----+
| ids |
+-----+
| [7] |
+-----+
```"#,
    argument(name = "x", description = "The id, a bigint from 0.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ToBitmap;

impl ScalarUDFImpl for ToBitmap {
    named!("to_bitmap");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("to_bitmap", types, &[("x", Taken::Integer)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ids = integers("to_bitmap", &args, 0)?;
        let sets = ids.iter().map(|given| {
            let known = given.map(|given| id("to_bitmap", given)).transpose()?;
            known.map(|known| encode("to_bitmap", &mut [known].into_iter().collect())).transpose()
        });
        rows::constant_for_constants(&args.args, bytes(sets)?)
    }
}
