//! `bitmap_expr_count(bitmap, key, expression)`: how many ids an expression over tags selects.
//!
//! As `orthogonal_bitmap_expr_calculate_count` of Apache Doris; see `expression` for the operators. Bitmaps of one key are
//! united first; a key without rows is an empty set.
//!
//! * Rows with a NULL, and keys that the expression does not name, do not count. Without rows: 0.
//! * Cost: one scan, and that of the bytes of the bitmaps that the expression names.

use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::selection::{Output, Selection, coerce, state_fields};
use crate::named::named;
use crate::single_group::SingleGroup;

/// The function `bitmap_expr_count`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the number of ids that an expression over the keys of a group selects, in one scan. Operators are & (and), | (or), - (without) and ^ (exactly one of two); all have the same rank and are done from left to right, so use parentheses. Rows of one key are united; rows with a NULL do not count.",
    syntax_example = "bitmap_expr_count(bitmap, key, expression)",
    sql_example = r#"```sql
> SELECT bitmap_expr_count(b, tag, 'women&buyers-lapsed') AS ids FROM (SELECT tag, bitmap_agg(id) AS b FROM (VALUES ('women', 1), ('women', 2), ('women', 3), ('buyers', 2), ('buyers', 3), ('lapsed', 3)) AS tagged (tag, id) GROUP BY tag) AS tags;
+-----+
| ids |
+-----+
| 1   |
+-----+
```"#,
    argument(name = "bitmap", description = "A bitmap."),
    argument(name = "key", description = "Its key: text, or an integer."),
    argument(
        name = "expression",
        description = "A constant text such as '(a|b)&c-d'; a backslash makes the next character part of a key."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BitmapExprCount;

impl AggregateUDFImpl for BitmapExprCount {
    named!("bitmap_expr_count", alias "orthogonal_bitmap_expr_calculate_count");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce("bitmap_expr_count", types, 2)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let selection = Selection::of_expression("bitmap_expr_count", &args, Output::Count)?;
        Ok(Box::new(SingleGroup::new(selection)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Selection::of_expression("bitmap_expr_count", &args, Output::Count)?))
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
