//! `h3_grid_distance(a, b)`: how many steps two H3 cells are apart.
//!
//! * A NULL argument: NULL; also for cells of which the grid cannot tell, since they are far apart or a pentagon lies
//!   between them. What is no cell, and cells of two resolutions, are errors. The name is that of h3-pg.
//! * Cost: some hundred operations a row.

use std::sync::Arc;

use datafusion_common::arrow::array::{AsArray, Int64Array};
use datafusion_common::arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::h3::cell;
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `h3_grid_distance`.
#[user_doc(
    doc_section(label = "Place Functions"),
    description = "Returns the number of steps from an H3 cell to another of the same resolution. NULL if any argument is NULL, and for cells so far apart, or with a pentagon between them, that the grid cannot tell; an error for what is no cell.",
    syntax_example = "h3_grid_distance(a, b)",
    sql_example = r#"```sql
> SELECT h3_grid_distance(h3_latlng_to_cell(48.8566, 2.3522, 7), h3_latlng_to_cell(48.8049, 2.1204, 7)) AS paris_versailles;
+------------------+
| paris_versailles |
+------------------+
| 9                |
+------------------+
```"#,
    argument(name = "a", description = "A cell, a bigint."),
    argument(name = "b", description = "A cell of the same resolution.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct H3GridDistance;

impl ScalarUDFImpl for H3GridDistance {
    named!("h3_grid_distance");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("h3_grid_distance", types, &[("a", Taken::Integer), ("b", Taken::Integer)], 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [from, to] = columns else {
                return plan_err!("h3_grid_distance takes two cells");
            };
            let (from, to) = (from.as_primitive::<Int64Type>(), to.as_primitive::<Int64Type>());
            let distances = from.iter().zip(to).map(|(from, to)| match from.zip(to) {
                Some((from, to)) => distance(from, to),
                None => Ok(None),
            });
            Ok(Arc::new(distances.collect::<Result<Int64Array>>()?))
        })
    }
}

fn distance(from: i64, to: i64) -> Result<Option<i64>> {
    let (from, to) = (cell("h3_grid_distance", from)?, cell("h3_grid_distance", to)?);
    if from.resolution() != to.resolution() {
        return Err(InvalidArgument::error(format!(
            "h3_grid_distance: the cells have the resolutions {} and {}, use h3_cell_to_parent",
            from.resolution(),
            to.resolution()
        )));
    }
    Ok(from.grid_distance(to).ok().map(i64::from))
}
