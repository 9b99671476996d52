//! `intersect_count(bitmap, key, value1 [, value2, ...])`: how many ids several tags have in common.
//!
//! As in StarRocks: the bitmaps of each value of the key are united, and the sizes of what all of them share counted.
//!
//! * Rows with a NULL, and keys that are not among the values, do not count. Without rows, or with a value that has
//!   none: 0.
//! * Cost: one scan, and that of the bytes of the bitmaps of these keys.

use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::expression::Expression;
use super::selection::{Output, Selection, coerce, state_fields};
use crate::arguments::{constant, text};
use crate::named::named;
use crate::single_group::SingleGroup;

/// The function `intersect_count`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the number of ids that the bitmaps of several keys have in common: with days as keys, who came on all of them. Rows of one key are united; rows with a NULL do not count.",
    syntax_example = "intersect_count(bitmap, key, value1 [, value2, ...])",
    sql_example = r#"```sql
> SELECT intersect_count(b, day, 'mon', 'tue') AS both FROM (SELECT day, bitmap_agg(id) AS b FROM (VALUES ('mon', 1), ('mon', 2), ('tue', 2), ('tue', 3)) AS visits (day, id) GROUP BY day) AS days;
+------+
| both |
+------+
| 1    |
+------+
```"#,
    argument(name = "bitmap", description = "A bitmap."),
    argument(name = "key", description = "Its key: text, or an integer."),
    argument(name = "value", description = "A constant value of the key.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct IntersectCount;

impl AggregateUDFImpl for IntersectCount {
    named!("intersect_count");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce("intersect_count", types, usize::MAX)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(SingleGroup::new(selection(&args)?)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(selection(&args)?))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn default_value(&self, _: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::from(0_i64))
    }
}

fn selection(args: &AccumulatorArgs) -> Result<Selection> {
    let keys = (2..args.exprs.len()).map(|place| {
        let key = constant("intersect_count", "a value of the key", args, place)?;
        text("intersect_count", "a value of the key", &key).map(str::to_owned)
    });
    let expression = Expression::intersection(keys.collect::<Result<Vec<_>>>()?);
    Ok(Selection::new("intersect_count", expression, Output::Count))
}
