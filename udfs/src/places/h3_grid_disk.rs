//! `h3_grid_disk(cell, k)`: the H3 cells round a cell.
//!
//! * A NULL argument: NULL. A bigint that is no cell, and a k beyond 200, are errors. The name is that of h3-pg, where
//!   it returns rows: unnest makes them of the array.
//! * Cost: 3k(k+1) + 1 cells a row.

use std::sync::Arc;

use datafusion_common::arrow::array::{AsArray, Int64Builder, ListBuilder};
use datafusion_common::arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::h3::{bigint, cell};
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `h3_grid_disk`.
#[user_doc(
    doc_section(label = "Place Functions"),
    description = "Returns the H3 cells that are at most k steps from a cell, itself among them, as an array of bigints in ascending order. NULL if any argument is NULL; an error for what is no cell.",
    syntax_example = "h3_grid_disk(cell, k)",
    sql_example = r#"```sql
> SELECT cardinality(h3_grid_disk(h3_cell_from_string('8928308280fffff'), 2)) AS cells;
+-------+
| cells |
+-------+
| 19    |
+-------+
```"#,
    argument(name = "cell", description = "The cell, a bigint."),
    argument(name = "k", description = "The number of steps, from 0 to 200.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct H3GridDisk;

impl ScalarUDFImpl for H3GridDisk {
    named!("h3_grid_disk");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(DataType::Int64, true))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("h3_grid_disk", types, &[("cell", Taken::Integer), ("k", Taken::Integer)], 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [cells, steps] = columns else {
                return plan_err!("h3_grid_disk takes a cell and a number of steps");
            };
            let mut disks = ListBuilder::new(Int64Builder::new());
            let cells = cells.as_primitive::<Int64Type>().iter();
            for (given, k) in cells.zip(steps.as_primitive::<Int64Type>()) {
                let disk = given.zip(k).map(|(given, k)| disk(given, k)).transpose()?;
                disks.values().append_slice(disk.as_deref().unwrap_or_default());
                disks.append(disk.is_some());
            }
            Ok(Arc::new(disks.finish()))
        })
    }
}

const MAX_STEPS: u32 = 200;

fn disk(given: i64, k: i64) -> Result<Vec<i64>> {
    let centre = cell("h3_grid_disk", given)?;
    let steps = u32::try_from(k).ok().filter(|steps| *steps <= MAX_STEPS);
    let Some(steps) = steps else {
        return Err(InvalidArgument::error(format!("h3_grid_disk: k has to be from 0 to {MAX_STEPS}, not {k}")));
    };
    let mut cells: Vec<i64> = centre.grid_disk::<Vec<_>>(steps).into_iter().map(bigint).collect();
    cells.sort_unstable();
    Ok(cells)
}
