//! `bitmap_agg(x)`: the bitmap of a group's ids.
//!
//! * NULLs do not count; without other rows NULL, as StarRocks has it. A negative id is an error. DISTINCT changes
//!   nothing.
//! * Cost: O(n log n); about two bytes an id or less in memory.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::function::AccumulatorArgs;
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::collected::Collected;
use super::gathering::{Gathering, GatheringGroups};
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `bitmap_agg`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the bitmap of the ids of a group: an exact set, of two bytes an id or less. NULLs do not count; without other rows it is NULL. Ids that are text get a number from a dictionary: see id_dictionary.",
    syntax_example = "bitmap_agg(x)",
    sql_example = r#"```sql
> SELECT bitmap_count(bitmap_agg(x)) AS people FROM (VALUES (1), (2), (2), (NULL)) AS visits (x);
+--------+
| people |
+--------+
| 2      |
+--------+
```"#,
    argument(name = "x", description = "The id, a bigint from 0.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapAgg;

impl AggregateUDFImpl for BitmapAgg {
    named!("bitmap_agg");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce("bitmap_agg", types, &[("x", Taken::Integer)], 1)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Gathering::<Collected>::new(&())?))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(GatheringGroups::<Collected>::new(())))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}
