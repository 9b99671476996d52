//! `h3_cell_from_string(text)`: an H3 cell from text.
//!
//! * NULL: NULL. Text that is no cell is an error.
//! * Cost: a few operations a row.

use std::sync::Arc;

use datafusion_common::arrow::array::{AsArray, Int64Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;
use h3o::CellIndex;

use super::h3::bigint;
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `h3_cell_from_string`.
#[user_doc(
    doc_section(label = "Place Functions"),
    description = "Returns the H3 cell that hexadecimal text names, as a bigint. NULL if it is NULL; an error for what is no cell.",
    syntax_example = "h3_cell_from_string(text)",
    sql_example = r#"```sql
> SELECT h3_cell_from_string('8928308280fffff') AS cell;
+--------------------+
| cell               |
+--------------------+
| 617700169958293503 |
+--------------------+
```"#,
    argument(name = "text", description = "The cell as text.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct H3CellFromString;

impl ScalarUDFImpl for H3CellFromString {
    named!("h3_cell_from_string");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("h3_cell_from_string", types, &[("text", Taken::Text)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [texts] = columns else {
                return plan_err!("h3_cell_from_string takes a text");
            };
            let cells = texts.as_string_view().iter().map(|text| text.map(parsed).transpose());
            Ok(Arc::new(cells.collect::<Result<Int64Array>>()?))
        })
    }
}

fn parsed(text: &str) -> Result<i64> {
    let cell = text.parse::<CellIndex>();
    cell.map(bigint).map_err(|error| InvalidArgument::error(format!("h3_cell_from_string: \"{text}\": {error}")))
}
