//! Places on the Earth, checked, and their distances.

use datafusion_common::Result;
use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use datafusion_common::arrow::datatypes::Float64Type;

use crate::InvalidArgument;

/// The mean radius of the Earth in metres, by the IUGG.
const RADIUS: f64 = 6_371_008.8;

/// A place in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) lat: f64,
    pub(super) lng: f64,
}

impl Place {
    /// The distance in metres, by the haversine formula.
    pub(super) fn distance(self, other: Self) -> f64 {
        let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
        let across = self.lat.to_radians().cos() * other.lat.to_radians().cos();
        let chord = half(self.lat, other.lat) + across * half(self.lng, other.lng);
        // Rounding may make a little more than 1 of places at opposite ends.
        2.0 * RADIUS * chord.clamp(0.0, 1.0).sqrt().asin()
    }

    /// Whether the distance is at most so many metres.
    pub(super) fn is_within(self, centre: Self, metres: f64) -> bool {
        // Two places are at least as far apart as their latitudes are.
        let apart = (self.lat - centre.lat).abs().to_radians() * RADIUS;
        apart <= metres * (1.0 + 1e-9) + 1e-3 && self.distance(centre) <= metres
    }
}

/// Columns of latitudes and longitudes.
pub(super) struct Places<'a> {
    function: &'static str,
    lat: &'a Float64Array,
    lng: &'a Float64Array,
}

impl<'a> Places<'a> {
    pub(super) fn new(function: &'static str, lat: &'a ArrayRef, lng: &'a ArrayRef) -> Self {
        Self { function, lat: lat.as_primitive::<Float64Type>(), lng: lng.as_primitive::<Float64Type>() }
    }

    /// The place of a row, none if a part of it is NULL.
    ///
    /// # Errors
    /// If it is not on the Earth.
    pub(super) fn get(&self, row: usize) -> Result<Option<Place>> {
        if self.lat.is_null(row) || self.lng.is_null(row) {
            return Ok(None);
        }
        let place = Place { lat: self.lat.value(row), lng: self.lng.value(row) };
        let invalid = |what: &str, limit: u8, given: f64| {
            let message = format!("{}: a {what} has to be from -{limit} to {limit}, not {given}", self.function);
            Err(InvalidArgument::error(message))
        };
        if !(-90.0..=90.0).contains(&place.lat) {
            return invalid("latitude", 90, place.lat);
        }
        if !(-180.0..=180.0).contains(&place.lng) {
            return invalid("longitude", 180, place.lng);
        }
        Ok(Some(place))
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn distances() {
        let of = |lat1, lng1, lat2, lng2| Place { lat: lat1, lng: lng1 }.distance(Place { lat: lat2, lng: lng2 });
        assert_eq!(of(12.0, 34.0, 12.0, 34.0), 0.0);
        assert!((of(0.0, 0.0, 0.0, 180.0) - PI * RADIUS).abs() < 1e-6);
        assert!((of(90.0, 0.0, -90.0, 77.0) - PI * RADIUS).abs() < 1e-6);
        // A degree along the equator, also across the line where dates change.
        assert!((of(0.0, 179.5, 0.0, -179.5) - PI * RADIUS / 180.0).abs() < 1e-6);
        // Metres apart.
        assert!((of(48.0, 2.0, 48.000_01, 2.0) - PI * RADIUS / 180.0 * 1e-5).abs() < 1e-6);
    }

    #[test]
    fn a_circle_is_what_is_near() {
        let centre = Place { lat: 60.0, lng: 179.9 };
        for (lat, lng) in [(60.0, -179.9), (60.1, 179.9), (61.0, 170.0), (-60.0, 0.0), (60.0, 179.9)] {
            let place = Place { lat, lng };
            let distance = place.distance(centre);
            assert!(place.is_within(centre, distance) && !place.is_within(centre, distance * 0.999 - 1e-9));
        }
    }

    #[test]
    fn places_are_on_the_earth() {
        let column = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![Some(value), None])) };
        let of = |lat, lng| Places::new("f", &column(lat), &column(lng)).get(0);
        assert!(of(90.0, -180.0).is_ok());
        assert!(of(90.1, 0.0).unwrap_err().to_string().contains("latitude"));
        assert!(of(0.0, 181.0).unwrap_err().to_string().contains("longitude"));
        assert!(of(f64::NAN, 0.0).is_err());
        assert!(of(0.0, f64::INFINITY).is_err());
        assert_eq!(Places::new("f", &column(1.0), &column(1.0)).get(1).unwrap(), None);
    }
}
