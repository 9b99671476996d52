//! `sub_bitmap(b, offset, len)`: some ids of a bitmap, by their places.
//!
//! * A NULL argument: NULL. Past the end: an empty bitmap (in StarRocks: NULL).
//! * Cost: that of the bitmap's bytes. The name and the negative offset are StarRocks'.

use datafusion_common::Result;
use datafusion_common::arrow::array::Array;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;
use roaring::RoaringTreemap;

use super::bitmap::{bytes, encode, from_place};
use super::operations::{integers, of_one};
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `sub_bitmap`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the bitmap of at most len ids of a bitmap, in the order of the ids from the place offset on: a sample of fixed size, or a page. NULL if any argument is NULL.",
    syntax_example = "sub_bitmap(b, offset, len)",
    sql_example = r#"```sql
> SELECT bitmap_to_array(sub_bitmap(bitmap_from_array([5, 6, 7, 8]), 1, 2)) AS second, bitmap_to_array(sub_bitmap(bitmap_from_array([5, 6, 7, 8]), -1, 9)) AS last;
+--------+------+
| second | last |
+--------+------+
| [6, 7] | [8]  |
+--------+------+
```"#,
    argument(name = "b", description = "A bitmap."),
    argument(
        name = "offset",
        description = "The place of the first id: 0 is that of the smallest, -1 that of the largest."
    ),
    argument(name = "len", description = "How many ids, from 0.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SubBitmap;

impl ScalarUDFImpl for SubBitmap {
    named!("sub_bitmap", alias "subbitmap");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce(
            "sub_bitmap",
            types,
            &[("b", Taken::Bytes), ("offset", Taken::Integer), ("len", Taken::Integer)],
            3,
        )
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (offsets, limits) = (integers("sub_bitmap", &args, 1)?, integers("sub_bitmap", &args, 2)?);
        let sets = of_one("sub_bitmap", &args, |set, row| {
            if offsets.is_null(row) || limits.is_null(row) {
                return Ok(None);
            }
            let Ok(limit) = u64::try_from(limits.value(row)) else {
                let message = format!("sub_bitmap: the number of ids must not be negative: {}", limits.value(row));
                return Err(InvalidArgument::error(message));
            };
            let offset = offsets.value(row);
            let part = match u64::try_from(offset) {
                Ok(offset) => from_place(set, offset, limit),
                // Before the first place there is nothing.
                Err(_) => match set.len().checked_sub(offset.unsigned_abs()) {
                    Some(offset) => from_place(set, offset, limit),
                    None => RoaringTreemap::new(),
                },
            };
            encode("sub_bitmap", &mut { part }).map(Some)
        })?;
        rows::constant_for_constants(&args.args, bytes(sets.into_iter().map(Ok))?)
    }
}
