//! `h3_latlng_to_cell(lat, lng, resolution)`: the H3 cell of a place.
//!
//! Uber's hexagonal grid, version 4, as the library h3o has it; the name is that of h3-pg, with the place as two numbers.
//! Cells are bigints: the 64-bit index, of which the first bit is 0.
//!
//! * A NULL argument: NULL. A place that is none, and a resolution that is none, are errors.
//! * Cost: some tens of trigonometric functions a row.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, AsArray, Int64Array};
use datafusion_common::arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;
use h3o::LatLng;

use super::h3::{bigint, resolution};
use super::place::Places;
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `h3_latlng_to_cell`.
#[user_doc(
    doc_section(label = "Place Functions"),
    description = "Returns the H3 cell that a place is in, as a bigint. NULL if any argument is NULL; an error for what is no latitude, longitude or resolution.",
    syntax_example = "h3_latlng_to_cell(lat, lng, resolution)",
    sql_example = r#"```sql
> SELECT h3_latlng_to_cell(37.7752702151959, -122.418307270836, 9) AS cell;
+--------------------+
| cell               |
+--------------------+
| 617700169958293503 |
+--------------------+
```"#,
    argument(name = "lat", description = "Latitude in degrees, from -90 to 90."),
    argument(name = "lng", description = "Longitude in degrees, from -180 to 180."),
    argument(
        name = "resolution",
        description = "The resolution, from 0 (cells of 4.4 million square kilometres) to 15 (a square metre); 9 is about a block."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct H3LatlngToCell;

impl ScalarUDFImpl for H3LatlngToCell {
    named!("h3_latlng_to_cell");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce(
            "h3_latlng_to_cell",
            types,
            &[("lat", Taken::Number), ("lng", Taken::Number), ("resolution", Taken::Integer)],
            3,
        )
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [lat, lng, resolutions] = columns else {
                return plan_err!("h3_latlng_to_cell takes a latitude, a longitude and a resolution");
            };
            let places = Places::new("h3_latlng_to_cell", lat, lng);
            let resolutions = resolutions.as_primitive::<Int64Type>();
            let cells = (0..lat.len()).map(|row| {
                let (Some(place), true) = (places.get(row)?, resolutions.is_valid(row)) else { return Ok(None) };
                let resolution = resolution("h3_latlng_to_cell", resolutions.value(row))?;
                let place = LatLng::new(place.lat, place.lng);
                let place = place.map_err(|error| InvalidArgument::error(format!("h3_latlng_to_cell: {error}")))?;
                Ok(Some(bigint(place.to_cell(resolution))))
            });
            Ok(Arc::new(cells.collect::<Result<Int64Array>>()?))
        })
    }
}
