//! `h3_cell_to_parent(cell, resolution)`: the larger H3 cell that a cell is in.
//!
//! * A NULL argument: NULL. A bigint that is no cell, and a resolution finer than the cell's, are errors. The name is
//!   that of h3-pg.
//! * Cost: a few operations a row.

use std::sync::Arc;

use datafusion_common::arrow::array::{AsArray, Int64Array};
use datafusion_common::arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::h3::{bigint, cell, resolution};
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `h3_cell_to_parent`.
#[user_doc(
    doc_section(label = "Place Functions"),
    description = "Returns the H3 cell of a coarser resolution that a cell belongs to. NULL if any argument is NULL; an error for what is no cell, or for a finer resolution.",
    syntax_example = "h3_cell_to_parent(cell, resolution)",
    sql_example = r#"```sql
> SELECT h3_cell_to_string(h3_cell_to_parent(h3_cell_from_string('8928308280fffff'), 5)) AS parent;
+-----------------+
| parent          |
+-----------------+
| 85283083fffffff |
+-----------------+
```"#,
    argument(name = "cell", description = "The cell, a bigint."),
    argument(name = "resolution", description = "The resolution, from 0 to that of the cell.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct H3CellToParent;

impl ScalarUDFImpl for H3CellToParent {
    named!("h3_cell_to_parent");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("h3_cell_to_parent", types, &[("cell", Taken::Integer), ("resolution", Taken::Integer)], 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [cells, resolutions] = columns else {
                return plan_err!("h3_cell_to_parent takes a cell and a resolution");
            };
            let cells = cells.as_primitive::<Int64Type>().iter();
            let parents = cells.zip(resolutions.as_primitive::<Int64Type>()).map(|(given, resolution)| {
                given.zip(resolution).map(|(given, resolution)| parent(given, resolution)).transpose()
            });
            Ok(Arc::new(parents.collect::<Result<Int64Array>>()?))
        })
    }
}

fn parent(given: i64, coarser: i64) -> Result<i64> {
    let child = cell("h3_cell_to_parent", given)?;
    let parent = child.parent(resolution("h3_cell_to_parent", coarser)?);
    parent.map(bigint).ok_or_else(|| {
        let own = u8::from(child.resolution());
        InvalidArgument::error(format!("h3_cell_to_parent: the resolution {coarser} is finer than {own}, the cell's"))
    })
}
