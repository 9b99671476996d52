//! `geohash_decode(text)`: the place of a geohash.
//!
//! * NULL: NULL. Text that is no geohash of 1 to 12 characters is an error; capital letters count as small ones.
//! * Cost: a few operations a row.

use std::sync::Arc;

use crate::InvalidArgument;
use crate::named::named;
use crate::rows::{self, Taken};
use datafusion_common::arrow::array::{ArrayRef, AsArray, Float64Array, StructArray};
use datafusion_common::arrow::datatypes::{DataType, Field, Fields};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;
use geohash::decode;

/// The function `geohash_decode`.
#[user_doc(
    doc_section(label = "Place Functions"),
    description = "Returns the middle of a geohash's cell and how far it reaches, as STRUCT(lat, lng, lat_error, lng_error) in degrees. NULL if it is NULL; an error for text that is no geohash.",
    syntax_example = "geohash_decode(text)",
    sql_example = r#"```sql
> SELECT geohash_decode('u4pru') AS place;
+------------------------------------------------------------------------------------------------+
| place                                                                                          |
+------------------------------------------------------------------------------------------------+
| {lat: 57.63427734375, lng: 10.39306640625, lat_error: 0.02197265625, lng_error: 0.02197265625} |
+------------------------------------------------------------------------------------------------+
```"#,
    argument(name = "text", description = "The geohash, of 1 to 12 characters.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct GeohashDecode;

impl ScalarUDFImpl for GeohashDecode {
    named!("geohash_decode");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        rows::coerce("geohash_decode", types, &[("text", Taken::Text)], 1)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rows::evaluate(&args, |columns| {
            let [texts] = columns else {
                return plan_err!("geohash_decode takes a text");
            };
            let places = texts.as_string_view().iter().map(|text| text.map(place).transpose());
            let places = places.collect::<Result<Vec<_>>>()?;
            let part = |part: fn(&[f64; 4]) -> f64| -> ArrayRef {
                Arc::new(places.iter().map(|place| place.as_ref().map(part)).collect::<Float64Array>())
            };
            let columns = vec![part(|all| all[0]), part(|all| all[1]), part(|all| all[2]), part(|all| all[3])];
            let nulls = places.iter().map(Option::is_some).collect();
            Ok(Arc::new(StructArray::try_new(fields(), columns, Some(nulls))?))
        })
    }
}

fn fields() -> Fields {
    let names = ["lat", "lng", "lat_error", "lng_error"];
    names.into_iter().map(|name| Field::new(name, DataType::Float64, true)).collect()
}

fn place(text: &str) -> Result<[f64; 4]> {
    let invalid = |what: &str| InvalidArgument::error(format!("geohash_decode: {what}: \"{text}\""));
    if !(1..=12).contains(&text.len()) {
        return Err(invalid("a geohash has from 1 to 12 characters"));
    }
    let (middle, lng_error, lat_error) =
        decode(&text.to_ascii_lowercase()).map_err(|_| invalid("a character is not one of geohashes"))?;
    Ok([middle.y, middle.x, lat_error, lng_error])
}
