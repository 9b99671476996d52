//! timestamp and timestamptz: from any unit, in the session's date style and time zone.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::{
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

use super::calendar::{self, MICROS_PER_DAY, POSTGRES_EPOCH_MICROS, Point};
use super::date::{era, finite};
use super::formatting::DateStyle;
use super::time::micros;
use super::zone::offset;
use super::{Formatting, Values, Zone, digits, json};
use crate::error::{Error, Result, SqlState};

const DAY_NAMES: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTH_NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

struct Timestamps<T: ArrowPrimitiveType<Native = i64>> {
    array: PrimitiveArray<T>,
    unit: TimeUnit,
    /// The session's zone for timestamptz; none for timestamp, whose values are what a clock showed.
    zone: Option<Zone>,
    formatting: Formatting,
}

/// Timestamps counted in `unit`; `zoned` for those that are instants (their own Arrow zone does not matter).
pub(super) fn timestamps(array: &ArrayRef, unit: TimeUnit, zoned: bool, formatting: &Formatting) -> Box<dyn Values> {
    fn of<T: ArrowPrimitiveType<Native = i64>>(
        array: &ArrayRef,
        unit: TimeUnit,
        zoned: bool,
        formatting: &Formatting,
    ) -> Box<dyn Values> {
        let zone = zoned.then_some(formatting.zone);
        Box::new(Timestamps { array: array.as_primitive::<T>().clone(), unit, zone, formatting: *formatting })
    }
    match unit {
        TimeUnit::Second => of::<TimestampSecondType>(array, unit, zoned, formatting),
        TimeUnit::Millisecond => of::<TimestampMillisecondType>(array, unit, zoned, formatting),
        TimeUnit::Microsecond => of::<TimestampMicrosecondType>(array, unit, zoned, formatting),
        TimeUnit::Nanosecond => of::<TimestampNanosecondType>(array, unit, zoned, formatting),
    }
}

impl<T: ArrowPrimitiveType<Native = i64>> Timestamps<T> {
    /// Microseconds since 1970; the largest and smallest counts are PostgreSQL's infinities.
    fn point(&self, row: usize) -> Result<Point> {
        Ok(match self.array.value(row) {
            i64::MAX => Point::Infinity,
            i64::MIN => Point::NegativeInfinity,
            count => Point::Finite(micros(count, self.unit).ok_or_else(out_of_range)?),
        })
    }

    fn print(&self, row: usize, style: Style, out: &mut BytesMut) -> Result<()> {
        let Some(instant) = finite(self.point(row)?, out) else {
            return Ok(());
        };
        let Some(zone) = self.zone else {
            print(instant, style, None, out);
            return Ok(());
        };
        let seconds = instant.div_euclid(1_000_000);
        let east = zone.east(seconds);
        let local = instant.checked_add(i64::from(east) * 1_000_000).ok_or_else(out_of_range)?;
        print(local, style, Some(Place { zone, seconds, east }), out);
        Ok(())
    }
}

impl<T: ArrowPrimitiveType<Native = i64>> Values for Timestamps<T> {
    fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let style = match self.formatting.date_style {
            DateStyle::Iso => Style::Iso(b' '),
            DateStyle::Sql => Style::Sql { day_first: self.formatting.day_first },
            DateStyle::Postgres => Style::Postgres { day_first: self.formatting.day_first },
            DateStyle::German => Style::German,
        };
        self.print(row, style, out)
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_i64(match self.point(row)? {
            Point::Infinity => i64::MAX,
            Point::NegativeInfinity => i64::MIN,
            Point::Finite(micros) => micros.checked_sub(POSTGRES_EPOCH_MICROS).ok_or_else(out_of_range)?,
        });
        Ok(())
    }

    /// JSON has ISO 8601 whatever the date style: `2020-01-01T00:00:00+00:00`.
    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let start = out.len();
        self.print(row, Style::Iso(b'T'), out)?;
        json::quote_tail(out, start);
        Ok(())
    }
}

fn out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

/// A date style with what it leaves open; ISO with the byte between date and time.
#[derive(Clone, Copy)]
enum Style {
    Iso(u8),
    Sql { day_first: bool },
    Postgres { day_first: bool },
    German,
}

/// Where a timestamptz is shown: the zone, the instant in seconds, and the offset in force then.
struct Place {
    zone: Zone,
    seconds: i64,
    east: i32,
}

/// Prints microseconds of local time.
fn print(local: i64, style: Style, place: Option<Place>, out: &mut BytesMut) {
    let days = local.div_euclid(MICROS_PER_DAY);
    let clock = local.rem_euclid(MICROS_PER_DAY).unsigned_abs();
    let (year, month, day) = calendar::civil(days);
    let (year, before_christ) = era(year);
    let (month_of_year, day_of_month) = (u64::from(month), u64::from(day));
    let numbers = |out: &mut BytesMut, first: u64, second: u64, separator: u8| {
        digits::two(out, first);
        out.put_u8(separator);
        digits::two(out, second);
        out.put_u8(separator);
        digits::padded(out, year, 4);
        out.put_u8(b' ');
        digits::clock(out, clock);
    };
    match style {
        Style::Iso(between) => {
            digits::padded(out, year, 4);
            out.put_u8(b'-');
            digits::two(out, month_of_year);
            out.put_u8(b'-');
            digits::two(out, day_of_month);
            out.put_u8(between);
            digits::clock(out, clock);
        }
        Style::Sql { day_first: true } => numbers(out, day_of_month, month_of_year, b'/'),
        Style::Sql { day_first: false } => numbers(out, month_of_year, day_of_month, b'/'),
        Style::German => numbers(out, day_of_month, month_of_year, b'.'),
        Style::Postgres { day_first } => {
            let name = MONTH_NAMES[month as usize - 1].as_bytes();
            out.put_slice(DAY_NAMES[calendar::weekday(days)].as_bytes());
            out.put_u8(b' ');
            if day_first {
                digits::two(out, day_of_month);
                out.put_u8(b' ');
                out.put_slice(name);
            } else {
                out.put_slice(name);
                out.put_u8(b' ');
                digits::two(out, day_of_month);
            }
            out.put_u8(b' ');
            digits::clock(out, clock);
            out.put_u8(b' ');
            digits::padded(out, year, 4);
        }
    }
    if let Some(place) = place {
        match style {
            Style::Iso(between) => {
                offset(place.east, out);
                // The XSD form always has minutes.
                if between == b'T' && place.east % 3600 == 0 {
                    out.put_slice(b":00");
                }
            }
            _ => {
                out.put_u8(b' ');
                place.zone.abbreviation(place.seconds, out);
            }
        }
    }
    if before_christ {
        out.put_slice(b" BC");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{TimestampMicrosecondArray, TimestampNanosecondArray, TimestampSecondArray};

    use super::*;

    fn formatting(zone: &str, style: &str) -> Formatting {
        let read = Formatting::from_settings(|name| match name {
            "TimeZone" => Some(zone.to_string()),
            "DateStyle" => Some(style.to_string()),
            _ => None,
        });
        read.unwrap_or_default()
    }

    fn text(micros: i64, zoned: bool, zone: &str, style: &str) -> String {
        let array: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![micros]));
        let values = timestamps(&array, TimeUnit::Microsecond, zoned, &formatting(zone, style));
        let mut out = BytesMut::new();
        assert!(values.text(0, &mut out).is_ok());
        String::from_utf8_lossy(&out).into_owned()
    }

    const NEW_YEAR_2020: i64 = 1_577_836_800_000_000;

    #[test]
    fn iso_with_trimmed_fraction_and_session_zone() {
        assert_eq!(text(NEW_YEAR_2020, false, "UTC", "ISO"), "2020-01-01 00:00:00");
        assert_eq!(text(NEW_YEAR_2020 + 120_000, true, "UTC", "ISO"), "2020-01-01 00:00:00.12+00");
        assert_eq!(text(NEW_YEAR_2020, true, "America/New_York", "ISO"), "2019-12-31 19:00:00-05");
        assert_eq!(text(NEW_YEAR_2020, true, "Asia/Kolkata", "ISO"), "2020-01-01 05:30:00+05:30");
        assert_eq!(text(NEW_YEAR_2020, false, "America/New_York", "ISO"), "2020-01-01 00:00:00");
        // 1800-01-01 00:00 UTC, when New York kept its local mean time.
        assert_eq!(text(-5_364_662_400_000_000, true, "America/New_York", "ISO"), "1799-12-31 19:03:58-04:56:02");
        assert_eq!(text(-62_167_219_200_000_000, false, "UTC", "ISO"), "0001-01-01 00:00:00 BC");
        assert_eq!(text(i64::MAX, true, "UTC", "ISO"), "infinity");
    }

    #[test]
    fn the_other_styles_name_the_zone() {
        let at = |style| text(NEW_YEAR_2020 + 500_000, true, "America/New_York", style);
        assert_eq!(at("SQL, MDY"), "12/31/2019 19:00:00.5 EST");
        assert_eq!(at("SQL, DMY"), "31/12/2019 19:00:00.5 EST");
        assert_eq!(at("German"), "31.12.2019 19:00:00.5 EST");
        assert_eq!(at("Postgres, MDY"), "Tue Dec 31 19:00:00.5 2019 EST");
        assert_eq!(at("Postgres, DMY"), "Tue 31 Dec 19:00:00.5 2019 EST");
    }

    #[test]
    fn units_become_microseconds_since_2000() {
        let mut out = BytesMut::new();
        let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1]));
        let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![946_684_801, i64::MAX - 1]));
        let nanos = timestamps(&nanos, TimeUnit::Nanosecond, false, &Formatting::default());
        let seconds = timestamps(&seconds, TimeUnit::Second, false, &Formatting::default());
        assert!(nanos.binary(0, &mut out).is_ok() && seconds.binary(0, &mut out).is_ok());
        assert_eq!(out, [(-946_684_800_000_001i64).to_be_bytes(), 1_000_000i64.to_be_bytes()].concat()[..]);
        assert!(seconds.text(1, &mut out).is_err());
    }

    #[test]
    fn json_has_its_own_form() {
        let array: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![NEW_YEAR_2020]));
        let values = timestamps(&array, TimeUnit::Microsecond, true, &formatting("UTC", "German"));
        let mut out = BytesMut::new();
        assert!(values.json(0, &mut out).is_ok());
        assert_eq!(&out[..], br#""2020-01-01T00:00:00+00:00""#);
    }
}
