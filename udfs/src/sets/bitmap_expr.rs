//! `bitmap_expr(bitmap, key, expression)`: the ids that an expression over tags selects.
//!
//! As `orthogonal_bitmap_expr_calculate` of Apache Doris; see `expression` for the operators. Bitmaps of one key are
//! united first; a key without rows is an empty set.
//!
//! * Rows with a NULL, and keys that the expression does not name, do not count. Without rows: an empty bitmap.
//! * Cost: one scan, and that of the bytes of the bitmaps that the expression names.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::{DataType, FieldRef};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::selection::{Output, Selection, coerce, state_fields};
use crate::named::named;
use crate::single_group::SingleGroup;

/// The function `bitmap_expr`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the bitmap of the ids that an expression over the keys of a group selects, in one scan. Operators are & (and), | (or), - (without) and ^ (exactly one of two); all have the same rank and are done from left to right, so use parentheses. Rows of one key are united; rows with a NULL do not count.",
    syntax_example = "bitmap_expr(bitmap, key, expression)",
    sql_example = r#"```sql
> SELECT bitmap_to_array(bitmap_expr(b, tag, 'women&buyers-lapsed')) AS ids FROM (SELECT tag, bitmap_agg(id) AS b FROM (VALUES ('women', 1), ('women', 2), ('women', 3), ('buyers', 2), ('buyers', 3), ('lapsed', 3)) AS tagged (tag, id) GROUP BY tag) AS tags;
+-----+
| ids |
+-----+
| [2] |
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
pub struct BitmapExpr;

impl AggregateUDFImpl for BitmapExpr {
    named!("bitmap_expr", alias "orthogonal_bitmap_expr_calculate");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce("bitmap_expr", types, 2)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let selection = Selection::of_expression("bitmap_expr", &args, Output::Bitmap)?;
        Ok(Box::new(SingleGroup::new(selection)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Selection::of_expression("bitmap_expr", &args, Output::Bitmap)?))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}
