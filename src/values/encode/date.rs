//! date, from days or milliseconds.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, Date32Array, Date64Array};

use super::calendar::{self, POSTGRES_EPOCH_DAYS, Point};
use super::formatting::DateStyle;
use super::{Formatting, Values, digits, json};
use crate::error::{Error, Result, SqlState};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// The two Arrow forms of a date.
pub(super) enum Days {
    Days(Date32Array),
    Millis(Date64Array),
}

pub(super) struct Dates {
    pub(super) days: Days,
    pub(super) formatting: Formatting,
}

impl Dates {
    /// The largest and smallest numbers of days are PostgreSQL's infinities, as other engines write them.
    fn point(&self, row: usize) -> Point {
        match &self.days {
            Days::Days(array) => match array.value(row) {
                i32::MAX => Point::Infinity,
                i32::MIN => Point::NegativeInfinity,
                days => Point::Finite(days.into()),
            },
            Days::Millis(array) => match array.value(row) {
                i64::MAX => Point::Infinity,
                i64::MIN => Point::NegativeInfinity,
                millis => Point::Finite(millis.div_euclid(MILLIS_PER_DAY)),
            },
        }
    }
}

impl Values for Dates {
    fn is_null(&self, row: usize) -> bool {
        match &self.days {
            Days::Days(array) => array.is_null(row),
            Days::Millis(array) => array.is_null(row),
        }
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        if let Some(days) = finite(self.point(row), out) {
            print(days, &self.formatting, out);
        }
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_i32(match self.point(row) {
            Point::Infinity => i32::MAX,
            Point::NegativeInfinity => i32::MIN,
            Point::Finite(days) => i32::try_from(days - POSTGRES_EPOCH_DAYS)
                .map_err(|_| Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range"))?,
        });
        Ok(())
    }

    /// JSON has ISO dates whatever the date style.
    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let start = out.len();
        if let Some(days) = finite(self.point(row), out) {
            print(days, &Formatting { date_style: DateStyle::Iso, ..self.formatting }, out);
        }
        json::quote_tail(out, start);
        Ok(())
    }
}

/// The count of a finite point; prints the word for an infinite one.
pub(super) fn finite(point: Point, out: &mut BytesMut) -> Option<i64> {
    match point {
        Point::Finite(count) => return Some(count),
        Point::Infinity => out.put_slice(b"infinity"),
        Point::NegativeInfinity => out.put_slice(b"-infinity"),
    }
    None
}

/// The year as PostgreSQL counts it: 1 BC follows 1 AD backwards. The second value is true for BC.
pub(super) fn era(year: i64) -> (u64, bool) {
    if year > 0 { (year.unsigned_abs(), false) } else { ((1 - year).unsigned_abs(), true) }
}

fn print(days: i64, formatting: &Formatting, out: &mut BytesMut) {
    let (year, month, day) = calendar::civil(days);
    let (year, before_christ) = era(year);
    let separated = |out: &mut BytesMut, first: u32, second: u32, separator: u8| {
        digits::two(out, first.into());
        out.put_u8(separator);
        digits::two(out, second.into());
        out.put_u8(separator);
        digits::padded(out, year, 4);
    };
    match formatting.date_style {
        DateStyle::Iso => {
            digits::padded(out, year, 4);
            out.put_u8(b'-');
            digits::two(out, month.into());
            out.put_u8(b'-');
            digits::two(out, day.into());
        }
        DateStyle::German => separated(out, day, month, b'.'),
        DateStyle::Sql | DateStyle::Postgres => {
            let separator = if formatting.date_style == DateStyle::Sql { b'/' } else { b'-' };
            let (first, second) = if formatting.day_first { (day, month) } else { (month, day) };
            separated(out, first, second, separator);
        }
    }
    if before_christ {
        out.put_slice(b" BC");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(days: i32, date_style: DateStyle, day_first: bool) -> String {
        let formatting = Formatting { date_style, day_first, ..Formatting::default() };
        let dates = Dates { days: Days::Days(Date32Array::from(vec![days])), formatting };
        let mut out = BytesMut::new();
        assert!(dates.text(0, &mut out).is_ok());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn every_style_and_both_eras() {
        assert_eq!(text(18_262, DateStyle::Iso, false), "2020-01-01");
        assert_eq!(text(18_292, DateStyle::Sql, false), "01/31/2020");
        assert_eq!(text(18_292, DateStyle::Sql, true), "31/01/2020");
        assert_eq!(text(18_292, DateStyle::Postgres, false), "01-31-2020");
        assert_eq!(text(18_292, DateStyle::German, false), "31.01.2020");
        assert_eq!(text(-735_160, DateStyle::Iso, false), "0044-03-15 BC");
        assert_eq!(text(2_932_896, DateStyle::Iso, false), "9999-12-31");
        assert_eq!(text(2_932_897, DateStyle::Iso, false), "10000-01-01");
        assert_eq!(text(i32::MAX, DateStyle::Iso, false), "infinity");
        assert_eq!(text(i32::MIN, DateStyle::Iso, false), "-infinity");
    }

    #[test]
    fn binary_counts_from_2000() {
        let dates =
            Dates { days: Days::Millis(Date64Array::from(vec![-1, i64::MAX])), formatting: Formatting::default() };
        let mut out = BytesMut::new();
        assert!(dates.binary(0, &mut out).is_ok() && dates.binary(1, &mut out).is_ok());
        assert_eq!(out, [(-10_958i32).to_be_bytes(), i32::MAX.to_be_bytes()].concat()[..]);
        let first =
            Dates { days: Days::Days(Date32Array::from(vec![i32::MIN + 1])), formatting: Formatting::default() };
        assert!(first.binary(0, &mut out).is_err());
    }
}
