//! `haversine_distance(lat1, lng1, lat2, lng2)`: the distance of two places on the Earth.
//!
//! The great circle on a sphere with the Earth's mean radius, 6371008.8 m (IUGG), by the haversine formula: within
//! 0.6 % of the ellipsoid's distance.
//!
//! * A NULL argument: NULL. A place that is none is an error.
//! * Cost: six trigonometric functions a row.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, Float64Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::place::Places;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `haversine_distance`.
#[user_doc(
    doc_section(label = "Place Functions"),
    description = "Returns the distance of two places on the Earth in metres, along a great circle of a sphere with the mean radius. NULL if any argument is NULL; an error for what is no latitude or longitude.",
    syntax_example = "haversine_distance(lat1, lng1, lat2, lng2)",
    sql_example = r#"```sql
> SELECT round(haversine_distance(48.8566, 2.3522, 51.5074, -0.1278)) AS paris_london;
+--------------+
| paris_london |
+--------------+
| 343557.0     |
+--------------+
```"#,
    argument(name = "lat1", description = "Latitude of the first place in degrees, from -90 to 90."),
    argument(name = "lng1", description = "Its longitude in degrees, from -180 to 180."),
    argument(name = "lat2", description = "Latitude of the second place."),
    argument(name = "lng2", description = "Its longitude.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct HaversineDistance;

impl ScalarUDFImpl for HaversineDistance {
    named!("haversine_distance");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce(
            "haversine_distance",
            types,
            &[("lat1", Taken::Number), ("lng1", Taken::Number), ("lat2", Taken::Number), ("lng2", Taken::Number)],
            4,
        )
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [lat1, lng1, lat2, lng2] = columns else {
                return plan_err!("haversine_distance takes two places");
            };
            let from = Places::new("haversine_distance", lat1, lng1);
            let to = Places::new("haversine_distance", lat2, lng2);
            let distances = (0..lat1.len()).map(|row| {
                let (from, to) = (from.get(row)?, to.get(row)?);
                Ok(from.zip(to).map(|(from, to)| from.distance(to)))
            });
            Ok(Arc::new(distances.collect::<Result<Float64Array>>()?))
        })
    }
}
