//! `bitmap_intersect(b)`: the intersection of a group's bitmaps.
//!
//! * NULLs do not count; without other rows NULL. DISTINCT changes nothing. The name is StarRocks'.
//! * Cost: that of the bitmaps' bytes.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::function::AccumulatorArgs;
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;
use roaring::RoaringTreemap;

use super::combined::{Combination, Combined};
use super::gathering::{Gathering, GatheringGroups};
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `bitmap_intersect`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the intersection of the bitmaps of a group. NULLs do not count; without other rows it is NULL.",
    syntax_example = "bitmap_intersect(b)",
    sql_example = r#"```sql
> SELECT bitmap_to_array(bitmap_intersect(b)) AS ids FROM (SELECT bitmap_agg(id) AS b FROM (VALUES ('mon', 1), ('mon', 2), ('tue', 2), ('tue', 3)) AS visits (day, id) GROUP BY day) AS days;
+-----+
| ids |
+-----+
| [2] |
+-----+
```"#,
    argument(name = "b", description = "A bitmap.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapIntersect;

impl AggregateUDFImpl for BitmapIntersect {
    named!("bitmap_intersect");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce("bitmap_intersect", types, &[("b", Taken::Bytes)], 1)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Gathering::<Combined<Self>>::new(&())?))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(GatheringGroups::<Combined<Self>>::new(())))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

impl Combination for BitmapIntersect {
    const NAME: &'static str = "bitmap_intersect";

    fn combine(all: &mut RoaringTreemap, next: RoaringTreemap) {
        *all &= next;
    }
}
