//! `h3_cell_to_latlng(cell)`: the middle of an H3 cell.
//!
//! * NULL: NULL. A bigint that is no cell is an error. The name is that of h3-pg, whose result is a point.
//! * Cost: some tens of trigonometric functions a row.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, AsArray, Float64Array, StructArray};
use datafusion_common::arrow::datatypes::{DataType, Field, Fields, Int64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;
use h3o::LatLng;

use super::h3::cell;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `h3_cell_to_latlng`.
#[user_doc(
    doc_section(label = "Place Functions"),
    description = "Returns the middle of an H3 cell, as STRUCT(lat, lng) in degrees. NULL if it is NULL; an error for what is no cell.",
    syntax_example = "h3_cell_to_latlng(cell)",
    sql_example = r#"```sql
> SELECT round(place['lat'], 4) AS lat, round(place['lng'], 4) AS lng FROM (SELECT h3_cell_to_latlng(h3_cell_from_string('8928308280fffff')) AS place) AS cells;
+---------+-----------+
| lat     | lng       |
+---------+-----------+
| 37.7767 | -122.4185 |
+---------+-----------+
```"#,
    argument(name = "cell", description = "The cell, a bigint.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct H3CellToLatlng;

impl ScalarUDFImpl for H3CellToLatlng {
    named!("h3_cell_to_latlng");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("h3_cell_to_latlng", types, &[("cell", Taken::Integer)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [cells] = columns else {
                return plan_err!("h3_cell_to_latlng takes a cell");
            };
            let places = cells.as_primitive::<Int64Type>().iter().map(|given| {
                let known = given.map(|given| cell("h3_cell_to_latlng", given)).transpose()?;
                Ok(known.map(LatLng::from))
            });
            let places = places.collect::<Result<Vec<_>>>()?;
            let lat = places.iter().map(|place| place.map(LatLng::lat)).collect::<Float64Array>();
            let lng = places.iter().map(|place| place.map(LatLng::lng)).collect::<Float64Array>();
            let nulls = places.iter().map(Option::is_some).collect();
            let columns: Vec<ArrayRef> = vec![Arc::new(lat), Arc::new(lng)];
            Ok(Arc::new(StructArray::try_new(fields(), columns, Some(nulls))?))
        })
    }
}

fn fields() -> Fields {
    ["lat", "lng"].into_iter().map(|name| Field::new(name, DataType::Float64, true)).collect()
}
