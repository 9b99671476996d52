//! `within_radius(lat, lng, centre_lat, centre_lng, metres)`: whether a place is within a circle.
//!
//! The distance is that of `haversine_distance`; a place at exactly the distance is within.
//!
//! * A NULL argument: NULL. A place that is none, and a radius that is negative or NaN, are errors.
//! * Cost: two comparisons for what is too far north or south; else six trigonometric functions.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, AsArray, BooleanArray};
use datafusion_common::arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::place::Places;
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `within_radius`.
#[user_doc(
    doc_section(label = "Place Functions"),
    description = "Returns whether a place is at most so many metres from a centre. NULL if any argument is NULL; an error for what is no latitude or longitude.",
    syntax_example = "within_radius(lat, lng, centre_lat, centre_lng, metres)",
    sql_example = r#"```sql
> SELECT within_radius(48.8584, 2.2945, 48.8566, 2.3522, 5000) AS near, within_radius(51.5074, -0.1278, 48.8566, 2.3522, 5000) AS far;
+------+-------+
| near | far   |
+------+-------+
| true | false |
+------+-------+
```"#,
    argument(name = "lat", description = "Latitude in degrees, from -90 to 90."),
    argument(name = "lng", description = "Longitude in degrees, from -180 to 180."),
    argument(name = "centre_lat", description = "Latitude of the centre."),
    argument(name = "centre_lng", description = "Longitude of the centre."),
    argument(name = "metres", description = "The radius in metres, from 0.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WithinRadius;

impl ScalarUDFImpl for WithinRadius {
    named!("within_radius");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce(
            "within_radius",
            types,
            &[
                ("lat", Taken::Number),
                ("lng", Taken::Number),
                ("centre_lat", Taken::Number),
                ("centre_lng", Taken::Number),
                ("metres", Taken::Number),
            ],
            5,
        )
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [lat, lng, centre_lat, centre_lng, metres] = columns else {
                return plan_err!("within_radius takes a place, a centre and metres");
            };
            let places = Places::new("within_radius", lat, lng);
            let centres = Places::new("within_radius", centre_lat, centre_lng);
            let metres = metres.as_primitive::<Float64Type>();
            let within = (0..lat.len()).map(|row| {
                let (Some(place), Some(centre)) = (places.get(row)?, centres.get(row)?) else { return Ok(None) };
                if metres.is_null(row) {
                    return Ok(None);
                }
                let metres = metres.value(row);
                if metres.is_nan() || metres < 0.0 {
                    let message = format!("within_radius: the radius must not be negative or NaN: {metres}");
                    return Err(InvalidArgument::error(message));
                }
                Ok(Some(place.is_within(centre, metres)))
            });
            Ok(Arc::new(within.collect::<Result<BooleanArray>>()?))
        })
    }
}
