//! `h3_cell_to_string(cell)`: an H3 cell as text.
//!
//! * NULL: NULL. A bigint that is no cell is an error.
//! * Cost: a few operations a row.

use std::sync::Arc;

use datafusion_common::arrow::array::{AsArray, StringArray};
use datafusion_common::arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::h3::cell;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `h3_cell_to_string`.
#[user_doc(
    doc_section(label = "Place Functions"),
    description = "Returns an H3 cell as most programs write it: hexadecimal text of 15 characters. NULL if it is NULL; an error for what is no cell.",
    syntax_example = "h3_cell_to_string(cell)",
    sql_example = r#"```sql
> SELECT h3_cell_to_string(617700169958293503) AS text;
+-----------------+
| text            |
+-----------------+
| 8928308280fffff |
+-----------------+
```"#,
    argument(name = "cell", description = "The cell, a bigint.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct H3CellToString;

impl ScalarUDFImpl for H3CellToString {
    named!("h3_cell_to_string");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("h3_cell_to_string", types, &[("cell", Taken::Integer)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [cells] = columns else {
                return plan_err!("h3_cell_to_string takes a cell");
            };
            let texts = cells.as_primitive::<Int64Type>().iter().map(|given| {
                let known = given.map(|given| cell("h3_cell_to_string", given)).transpose()?;
                Ok(known.map(|known| known.to_string()))
            });
            Ok(Arc::new(texts.collect::<Result<StringArray>>()?))
        })
    }
}
