//! interval, from every Arrow interval and duration, in PostgreSQL's four styles.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Int64Array, IntervalDayTimeArray, IntervalMonthDayNanoArray,
    IntervalYearMonthArray,
};
use datafusion::arrow::datatypes::{Int64Type, TimeUnit};

use super::calendar::MICROS_PER_DAY;
use super::formatting::IntervalStyle;
use super::{Values, digits};
use crate::error::{Error, Result, SqlState};

const SECOND: u64 = 1_000_000;

/// The Arrow forms of an interval. PostgreSQL keeps microseconds: what is finer is cut towards zero.
pub(super) enum Spans {
    Months(IntervalYearMonthArray),
    Days(IntervalDayTimeArray),
    Calendar(IntervalMonthDayNanoArray),
    Elapsed(Int64Array, TimeUnit),
}

impl Spans {
    /// Durations, which are counts of `unit`.
    pub(super) fn elapsed<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef, unit: TimeUnit) -> Self {
        Spans::Elapsed(array.as_primitive::<T>().reinterpret_cast::<Int64Type>(), unit)
    }
}

pub(super) struct Intervals {
    pub(super) spans: Spans,
    pub(super) style: IntervalStyle,
}

/// PostgreSQL's interval: three counts, each with its own sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interval {
    months: i32,
    days: i32,
    micros: i64,
}

impl Intervals {
    fn interval(&self, row: usize) -> Result<Interval> {
        Ok(match &self.spans {
            Spans::Months(array) => Interval { months: array.value(row), days: 0, micros: 0 },
            Spans::Days(array) => {
                let value = array.value(row);
                Interval { months: 0, days: value.days, micros: i64::from(value.milliseconds) * 1000 }
            }
            Spans::Calendar(array) => {
                let value = array.value(row);
                Interval { months: value.months, days: value.days, micros: value.nanoseconds / 1000 }
            }
            Spans::Elapsed(array, unit) => {
                let count = array.value(row);
                let micros = match unit {
                    TimeUnit::Second => count.checked_mul(1_000_000),
                    TimeUnit::Millisecond => count.checked_mul(1000),
                    TimeUnit::Microsecond => Some(count),
                    TimeUnit::Nanosecond => Some(count / 1000),
                };
                let micros =
                    micros.ok_or_else(|| Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"))?;
                // The difference of two timestamps: whole days first, as PostgreSQL has it.
                let days = i32::try_from(micros / MICROS_PER_DAY)
                    .map_err(|_| Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"))?;
                Interval { months: 0, days, micros: micros % MICROS_PER_DAY }
            }
        })
    }
}

impl Values for Intervals {
    fn is_null(&self, row: usize) -> bool {
        match &self.spans {
            Spans::Months(array) => array.is_null(row),
            Spans::Days(array) => array.is_null(row),
            Spans::Calendar(array) => array.is_null(row),
            Spans::Elapsed(array, _) => array.is_null(row),
        }
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let fields = self.interval(row)?.fields();
        match self.style {
            IntervalStyle::Postgres => fields.postgres(out),
            IntervalStyle::PostgresVerbose => fields.verbose(out),
            IntervalStyle::SqlStandard => fields.sql_standard(out),
            IntervalStyle::Iso8601 => fields.iso_8601(out),
        }
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let interval = self.interval(row)?;
        out.put_i64(interval.micros);
        out.put_i32(interval.days);
        out.put_i32(interval.months);
        Ok(())
    }
}

impl Interval {
    fn fields(self) -> Fields {
        Fields {
            years: (self.months / 12).into(),
            months: (self.months % 12).into(),
            days: self.days.into(),
            behind: self.micros < 0,
            clock: self.micros.unsigned_abs(),
        }
    }
}

/// An interval taken apart for printing.
struct Fields {
    years: i64,
    months: i64,
    days: i64,
    /// Whether the time is negative.
    behind: bool,
    /// Microseconds of the time, without its sign.
    clock: u64,
}

impl Fields {
    /// `1 year 2 mons -3 days +04:05:06`: a sign shows where it is, or where the field before had one.
    fn postgres(&self, out: &mut BytesMut) {
        let start = out.len();
        let mut after_negative = false;
        for (count, unit) in [(self.years, "year"), (self.months, "mon"), (self.days, "day")] {
            if count == 0 {
                continue;
            }
            if out.len() > start {
                out.put_u8(b' ');
            }
            if after_negative && count > 0 {
                out.put_u8(b'+');
            }
            digits::signed(out, count);
            out.put_u8(b' ');
            out.put_slice(unit.as_bytes());
            if count != 1 {
                out.put_u8(b's');
            }
            after_negative = count < 0;
        }
        let nothing_yet = out.len() == start;
        if self.clock != 0 || nothing_yet {
            if !nothing_yet {
                out.put_u8(b' ');
            }
            if self.behind {
                out.put_u8(b'-');
            } else if after_negative {
                out.put_u8(b'+');
            }
            digits::clock(out, self.clock);
        }
    }

    /// `@ 1 year -2 mons ago`: the first field decides whether the whole lies in the past.
    fn verbose(&self, out: &mut BytesMut) {
        let sign = if self.behind { -1 } else { 1 };
        // At most 2 562 047 788 hours, so that these fit.
        let hours = sign * (self.clock / SECOND / 3600) as i64;
        let minutes = sign * (self.clock / SECOND / 60 % 60) as i64;
        let mut ago = None;
        out.put_u8(b'@');
        let units = [(self.years, "year"), (self.months, "mon"), (self.days, "day"), (hours, "hour"), (minutes, "min")];
        for (count, unit) in units {
            if count == 0 {
                continue;
            }
            let count = if *ago.get_or_insert(count < 0) { -count } else { count };
            out.put_u8(b' ');
            digits::signed(out, count);
            out.put_u8(b' ');
            out.put_slice(unit.as_bytes());
            if count != 1 {
                out.put_u8(b's');
            }
        }
        let (seconds, micros) = (self.clock / SECOND % 60, self.clock % SECOND);
        if seconds != 0 || micros != 0 {
            let ago = *ago.get_or_insert(self.behind);
            out.put_u8(b' ');
            if ago != self.behind {
                out.put_u8(b'-');
            }
            digits::unsigned(out, seconds);
            digits::fraction(out, micros);
            out.put_slice(b" sec");
            if seconds != 1 || micros != 0 {
                out.put_u8(b's');
            }
        }
        match ago {
            None => out.put_slice(b" 0"),
            Some(true) => out.put_slice(b" ago"),
            Some(false) => {}
        }
    }

    /// `1-2` or `3 4:05:06`; an interval that the standard cannot write has all its fields with signs.
    fn sql_standard(&self, out: &mut BytesMut) {
        let time = if self.behind { -1 } else { i64::from(self.clock != 0) };
        let signs = [self.years, self.months, self.days, time];
        let negative = signs.iter().any(|count| *count < 0);
        let positive = signs.iter().any(|count| *count > 0);
        let year_month = self.years != 0 || self.months != 0;
        let day_time = self.days != 0 || self.clock != 0;
        let signed = (negative && positive) || (year_month && day_time);
        let sign = |negative: bool| if negative { b'-' } else { b'+' };
        if !negative && !positive {
            out.put_u8(b'0');
            return;
        }
        if signed {
            out.put_u8(sign(self.years < 0 || self.months < 0));
        } else if negative {
            out.put_u8(b'-');
        }
        if signed || year_month {
            digits::unsigned(out, self.years.unsigned_abs());
            out.put_u8(b'-');
            digits::unsigned(out, self.months.unsigned_abs());
        }
        if signed {
            out.put_u8(b' ');
            out.put_u8(sign(self.days < 0));
        }
        if signed || self.days != 0 {
            digits::unsigned(out, self.days.unsigned_abs());
            out.put_u8(b' ');
        }
        if signed {
            out.put_u8(sign(self.behind));
        }
        if signed || day_time {
            let seconds = self.clock / SECOND;
            digits::unsigned(out, seconds / 3600);
            out.put_u8(b':');
            digits::two(out, seconds / 60 % 60);
            out.put_u8(b':');
            digits::two(out, seconds % 60);
            digits::fraction(out, self.clock % SECOND);
        }
    }

    /// `P1Y2M3DT4H5M6S`, each field with its own sign.
    fn iso_8601(&self, out: &mut BytesMut) {
        let seconds = self.clock / SECOND;
        let whole = |out: &mut BytesMut, negative: bool, count: u64, unit: u8| {
            if count != 0 {
                if negative {
                    out.put_u8(b'-');
                }
                digits::unsigned(out, count);
                out.put_u8(unit);
            }
        };
        out.put_u8(b'P');
        let start = out.len();
        for (count, unit) in [(self.years, b'Y'), (self.months, b'M'), (self.days, b'D')] {
            whole(out, count < 0, count.unsigned_abs(), unit);
        }
        if self.clock != 0 {
            out.put_u8(b'T');
            whole(out, self.behind, seconds / 3600, b'H');
            whole(out, self.behind, seconds / 60 % 60, b'M');
            let (seconds, micros) = (seconds % 60, self.clock % SECOND);
            if seconds != 0 || micros != 0 {
                if self.behind {
                    out.put_u8(b'-');
                }
                digits::unsigned(out, seconds);
                digits::fraction(out, micros);
                out.put_u8(b'S');
            }
        } else if out.len() == start {
            out.put_slice(b"T0S");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(months: i32, days: i32, micros: i64) -> [String; 4] {
        let fields = Interval { months, days, micros }.fields();
        let print = |style: fn(&Fields, &mut BytesMut)| {
            let mut out = BytesMut::new();
            style(&fields, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        [print(Fields::postgres), print(Fields::verbose), print(Fields::sql_standard), print(Fields::iso_8601)]
    }

    #[test]
    fn all_styles_as_postgresql_prints_them() {
        assert_eq!(
            printed(14, 3, 14_706_789_000),
            [
                "1 year 2 mons 3 days 04:05:06.789",
                "@ 1 year 2 mons 3 days 4 hours 5 mins 6.789 secs",
                "+1-2 +3 +4:05:06.789",
                "P1Y2M3DT4H5M6.789S",
            ]
        );
        assert_eq!(
            printed(0, -1, 7_384_000_000),
            ["-1 days +02:03:04", "@ 1 day -2 hours -3 mins -4 secs ago", "+0-0 -1 +2:03:04", "P-1DT2H3M4S"]
        );
        assert_eq!(
            printed(-14, 3, -14_706_700_000),
            [
                "-1 years -2 mons +3 days -04:05:06.7",
                "@ 1 year 2 mons -3 days 4 hours 5 mins 6.7 secs ago",
                "-1-2 +3 -4:05:06.7",
                "P-1Y-2M3DT-4H-5M-6.7S",
            ]
        );
        assert_eq!(printed(0, 0, 0), ["00:00:00", "@ 0", "0", "PT0S"]);
        assert_eq!(printed(0, 0, -500_000), ["-00:00:00.5", "@ 0.5 secs ago", "-0:00:00.5", "PT-0.5S"]);
        assert_eq!(printed(-1, 0, 0), ["-1 mons", "@ 1 mon ago", "-0-1", "P-1M"]);
        assert_eq!(printed(0, 1, 0), ["1 day", "@ 1 day", "1 0:00:00", "P1D"]);
        assert_eq!(printed(0, -3, -60_000_000), ["-3 days -00:01:00", "@ 3 days 1 min ago", "-3 0:01:00", "P-3DT-1M"]);
        assert_eq!(printed(0, 0, 360_000_000_000), ["100:00:00", "@ 100 hours", "100:00:00", "PT100H"]);
    }

    #[test]
    fn binary_is_time_days_months() {
        let spans = Spans::Elapsed(Int64Array::from(vec![Some(1), None, Some(i64::MAX)]), TimeUnit::Second);
        let intervals = Intervals { spans, style: IntervalStyle::Postgres };
        let mut out = BytesMut::new();
        assert!(intervals.binary(0, &mut out).is_ok());
        assert_eq!(out, [&1_000_000i64.to_be_bytes()[..], &[0; 8]].concat()[..]);
        assert!(intervals.is_null(1));
        assert!(intervals.text(2, &mut out).is_err());
    }
}
