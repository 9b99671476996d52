//! `geohash(lat, lng [, precision])`: a place as a geohash.
//!
//! Niemeyer's geohash (2008): each character narrows the cell to a thirty-second, and cells of a common beginning are
//! near each other. 90 degrees north and 180 degrees east belong to the last cell.
//!
//! * A NULL argument: NULL. A place that is none is an error.
//! * Cost: a few operations a row.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, AsArray, StringArray};
use datafusion_common::arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;
use geohash::{Coord, encode};

use super::place::{Place, Places};
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};

/// The function `geohash`.
#[user_doc(
    doc_section(label = "Place Functions"),
    description = "Returns the geohash of a place: text that names the cell of a grid the place is in. NULL if any argument is NULL; an error for what is no latitude or longitude.",
    syntax_example = "geohash(lat, lng [, precision])",
    sql_example = r#"```sql
> SELECT geohash(57.64911, 10.40744) AS fine, geohash(57.64911, 10.40744, 5) AS coarse;
+--------------+--------+
| fine         | coarse |
+--------------+--------+
| u4pruydqqvj8 | u4pru  |
+--------------+--------+
```"#,
    argument(name = "lat", description = "Latitude in degrees, from -90 to 90."),
    argument(name = "lng", description = "Longitude in degrees, from -180 to 180."),
    argument(
        name = "precision",
        description = "The number of characters, from 1 to 12 (the default): 5 is a cell of 4.9 km, 9 one of 5 m."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Geohash;

impl ScalarUDFImpl for Geohash {
    named!("geohash");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce(
            "geohash",
            types,
            &[("lat", Taken::Number), ("lng", Taken::Number), ("precision", Taken::Integer)],
            2,
        )
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [lat, lng, rest @ ..] = columns else {
                return plan_err!("geohash takes a latitude and a longitude");
            };
            let places = Places::new("geohash", lat, lng);
            let precisions = rest.first().map(|column| column.as_primitive::<Int64Type>());
            let hashes = (0..lat.len()).map(|row| {
                let precision = match precisions {
                    None => Some(12),
                    Some(given) => given.is_valid(row).then(|| given.value(row)),
                };
                match (places.get(row)?, precision) {
                    (Some(place), Some(precision)) => hash(place, precision).map(Some),
                    _ => Ok(None),
                }
            });
            Ok(Arc::new(hashes.collect::<Result<StringArray>>()?))
        })
    }
}

fn hash(place: Place, precision: i64) -> Result<String> {
    // The library counts the northern and the eastern end of the world round to the other one.
    let end = 1e-9;
    let place = Coord { x: place.lng.min(180.0 - end), y: place.lat.min(90.0 - end) };
    let invalid = || InvalidArgument::error(format!("geohash: the precision has to be from 1 to 12, not {precision}"));
    let length = usize::try_from(precision).ok().filter(|length| (1..=12).contains(length)).ok_or_else(invalid)?;
    encode(place, length).map_err(|error| InvalidArgument::error(format!("geohash: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_the_world() {
        let of = |lat, lng| hash(Place { lat, lng }, 6).unwrap();
        assert_eq!(of(90.0, 180.0), "zzzzzz");
        assert_eq!(of(-90.0, -180.0), "000000");
        assert_eq!(of(90.0, -180.0), "bpbpbp");
        assert_eq!(of(0.0, 0.0), "s00000");
    }
}
