//! `bitmap_overlap(a, b)`: how much two bitmaps share.
//!
//! * A NULL argument: NULL. Of two empty bitmaps the Jaccard index, nothing by nothing, is NULL.
//! * Cost: that of both bitmaps' bytes; neither the union nor the intersection is made.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_common::arrow::array::{ArrayRef, Float64Array, Int64Array, StructArray};
use datafusion_common::arrow::datatypes::{DataType, Field, Fields};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::bitmap::bigint;
use super::operations::of_two;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `bitmap_overlap`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns how much two bitmaps share as STRUCT(intersection, union, jaccard): the number of ids in both, in any, and the former by the latter. NULL if any argument is NULL; jaccard is NULL if both are empty.",
    syntax_example = "bitmap_overlap(a, b)",
    sql_example = r#"```sql
> SELECT bitmap_overlap(bitmap_from_array([1, 2, 3]), bitmap_from_array([2, 3, 4])) AS overlap;
+-------------------------------------------+
| overlap                                   |
+-------------------------------------------+
| {intersection: 2, union: 4, jaccard: 0.5} |
+-------------------------------------------+
```"#,
    argument(name = "a", description = "A bitmap."),
    argument(name = "b", description = "A bitmap.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapOverlap;

impl ScalarUDFImpl for BitmapOverlap {
    named!("bitmap_overlap");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("bitmap_overlap", types, &[("a", Taken::Bytes), ("b", Taken::Bytes)], 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let counts = of_two("bitmap_overlap", &args, |a, b| Ok((a.intersection_len(b), a.union_len(b))))?;
        let shared = counts.iter().map(|counts| counts.map(|(shared, _)| bigint(shared)));
        let all = counts.iter().map(|counts| counts.map(|(_, all)| bigint(all)));
        let jaccard = counts.iter().map(|counts| {
            let (shared, all) = counts.filter(|(_, all)| *all > 0)?;
            Some(shared as f64 / all as f64)
        });
        let columns: Vec<ArrayRef> = vec![
            Arc::new(shared.collect::<Int64Array>()),
            Arc::new(all.collect::<Int64Array>()),
            Arc::new(jaccard.collect::<Float64Array>()),
        ];
        let nulls = counts.iter().map(Option::is_some).collect();
        rows::constant_for_constants(&args.args, Arc::new(StructArray::try_new(fields(), columns, Some(nulls))?))
    }
}

fn fields() -> Fields {
    let count = |name| Field::new(name, DataType::Int64, true);
    Fields::from(vec![count("intersection"), count("union"), Field::new("jaccard", DataType::Float64, true)])
}
