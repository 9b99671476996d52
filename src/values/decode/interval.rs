//! interval, from PostgreSQL's units, the SQL standard's forms and ISO 8601.

use datafusion::arrow::datatypes::IntervalMonthDayNano;
use datafusion::common::ScalarValue;

use super::datetime::{Fault, fraction_micros};
use super::{fixed, invalid_text, text, trimmed};
use crate::error::{Error, Result, SqlState};
use crate::values::pg_type::oid;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Reads either form.
pub(super) fn decode(bytes: &[u8], binary: bool) -> Result<ScalarValue> {
    let interval = if binary {
        // Microseconds, days and months, in this order.
        let both = i128::from_be_bytes(fixed(bytes, oid::INTERVAL)?);
        let calendar = both as i64;
        Sum { micros: (both >> 64) as i64, days: calendar >> 32, months: i64::from(calendar as i32), seen: 0 }
    } else {
        let given = text(bytes)?;
        read(trimmed(given)).map_err(|fault| match fault {
            Fault::Form => invalid_text(oid::INTERVAL, given),
            Fault::Field => {
                let message = format!("interval field value out of range: \"{given}\"");
                Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
            }
        })?
    };
    let out_of_range = || Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range");
    let months = i32::try_from(interval.months).map_err(|_| out_of_range())?;
    let days = i32::try_from(interval.days).map_err(|_| out_of_range())?;
    // Arrow counts nanoseconds: 292 years of hours is where they end.
    let nanos = interval.micros.checked_mul(1000).ok_or_else(out_of_range)?;
    Ok(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(months, days, nanos))))
}

/// A unit of time: its length, and the fields that may be given once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Years(i64),
    Months,
    Weeks,
    Days,
    /// So many microseconds.
    Time(i64),
}

const MILLENNIUM: Unit = Unit::Years(1000);
const CENTURY: Unit = Unit::Years(100);
const DECADE: Unit = Unit::Years(10);
const YEAR: Unit = Unit::Years(1);

/// The units by PostgreSQL's names for them.
fn unit(name: &str) -> Option<Unit> {
    Some(match name.to_ascii_lowercase().as_str() {
        "mil" | "mils" | "millennium" | "millennia" => MILLENNIUM,
        "c" | "cent" | "century" | "centuries" => CENTURY,
        "dec" | "decs" | "decade" | "decades" => DECADE,
        "y" | "yr" | "yrs" | "year" | "years" => YEAR,
        "mon" | "mons" | "month" | "months" => Unit::Months,
        "w" | "week" | "weeks" => Unit::Weeks,
        "d" | "day" | "days" => Unit::Days,
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Time(HOUR),
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Time(MINUTE),
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Time(SECOND),
        "ms" | "msec" | "msecs" | "mseconds" | "millisecon" | "millisecond" | "milliseconds" => Unit::Time(1000),
        "us" | "usec" | "usecs" | "useconds" | "microsecon" | "microsecond" | "microseconds" => Unit::Time(1),
        _ => return None,
    })
}

impl Unit {
    /// The unit as one bit.
    fn bit(self) -> u32 {
        match self {
            Unit::Years(length) => 1 << length.ilog10(),
            Unit::Months => 1 << 4,
            Unit::Weeks => 1 << 5,
            Unit::Days => 1 << 6,
            Unit::Time(HOUR) => 1 << 7,
            Unit::Time(MINUTE) => 1 << 8,
            Unit::Time(SECOND) => 1 << 9,
            Unit::Time(1000) => 1 << 10,
            Unit::Time(_) => 1 << 11,
        }
    }
}

/// A count with its fraction, which has the same sign.
#[derive(Debug, Clone, Copy)]
struct Count {
    whole: i64,
    fraction: f64,
}

impl Count {
    fn read(negative: bool, digits: &str) -> Result<Self, Fault> {
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let known = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !known(whole) || !known(fraction) {
            return Err(Fault::Form);
        }
        let whole = if whole.is_empty() { 0 } else { whole.parse::<i64>().map_err(|_| Fault::Field)? };
        let fraction = format!("0.{fraction}0").parse::<f64>().map_err(|_| Fault::Form)?;
        Ok(if negative { Self { whole: -whole, fraction: -fraction } } else { Self { whole, fraction } })
    }
}

/// The three counts of an interval while they are added up.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    months: i64,
    days: i64,
    micros: i64,
    /// Units that were given already.
    seen: u32,
}

impl Sum {
    /// Notes that units were given; each may be given once.
    fn once(&mut self, bits: u32) -> Result<(), Fault> {
        if self.seen & bits != 0 {
            return Err(Fault::Form);
        }
        self.seen |= bits;
        Ok(())
    }

    /// Adds a count of a unit. A fraction goes to the smaller counts, a month as thirty days; a fraction of
    /// a year is rounded to months.
    fn add(&mut self, count: Count, unit: Unit) -> Result<(), Fault> {
        self.once(unit.bit())?;
        let Count { whole, fraction } = count;
        match unit {
            Unit::Years(length) => {
                add(&mut self.months, whole, length * 12)?;
                add(&mut self.months, (fraction * (length * 12) as f64).round_ties_even() as i64, 1)
            }
            Unit::Months => {
                add(&mut self.months, whole, 1)?;
                self.add_days(fraction * 30.0)
            }
            Unit::Weeks => {
                add(&mut self.days, whole, 7)?;
                self.add_days(fraction * 7.0)
            }
            Unit::Days => {
                add(&mut self.days, whole, 1)?;
                self.add_micros(fraction * DAY as f64)
            }
            Unit::Time(length) => {
                add(&mut self.micros, whole, length)?;
                self.add_micros(fraction * length as f64)
            }
        }
    }

    fn add_days(&mut self, days: f64) -> Result<(), Fault> {
        add(&mut self.days, days.trunc() as i64, 1)?;
        self.add_micros(days.fract() * DAY as f64)
    }

    fn add_micros(&mut self, micros: f64) -> Result<(), Fault> {
        // Half a microsecond is dropped.
        let up = if micros.fract() > 0.5 {
            1
        } else if micros.fract() < -0.5 {
            -1
        } else {
            0
        };
        add(&mut self.micros, micros.trunc() as i64 + up, 1)
    }
}

fn add(sum: &mut i64, count: i64, length: i64) -> Result<(), Fault> {
    let product = count.checked_mul(length).ok_or(Fault::Field)?;
    *sum = sum.checked_add(product).ok_or(Fault::Field)?;
    Ok(())
}

fn read(text: &str) -> Result<Sum, Fault> {
    let mut sum = Sum::default();
    match text.strip_prefix(['P', 'p']) {
        Some(fields) => iso_8601(fields, &mut sum)?,
        None => traditional(text, &mut sum)?,
    }
    // What a column of intervals cannot hold is out of range, not a failure of its own.
    let fits = i32::try_from(sum.months).is_ok() && i32::try_from(sum.days).is_ok();
    if fits { Ok(sum) } else { Err(Fault::Field) }
}

/// `1 year 2 mons -3 days 04:05:06`, `1-2`, `3 4:05:06`; `ago` at the end turns all signs.
fn traditional(text: &str, sum: &mut Sum) -> Result<(), Fault> {
    let (text, ago) = match text.split_at_checked(text.len().saturating_sub(3)) {
        Some((rest, word)) if word.eq_ignore_ascii_case("ago") => (rest.trim_end(), true),
        _ => (text, false),
    };
    let mut rest = text.trim_start_matches('@').trim_start();
    if rest.is_empty() {
        return Err(Fault::Form);
    }
    while !rest.is_empty() {
        let (negative, unsigned) = signed(rest);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ':')).unwrap_or(unsigned.len());
        let (digits, after) = unsigned.split_at(end);
        let months = after.strip_prefix('-').filter(|months| months.starts_with(|c: char| c.is_ascii_digit()));
        if digits.contains(':') {
            sum.once(Unit::Time(HOUR).bit() | Unit::Time(MINUTE).bit() | Unit::Time(SECOND).bit())?;
            let micros = clock(digits)?;
            add(&mut sum.micros, if negative { -micros } else { micros }, 1)?;
            rest = after;
        } else if let Some(months) = months {
            let end = months.find(|c: char| !c.is_ascii_digit()).unwrap_or(months.len());
            rest = &months[end..];
            let months: i64 = months[..end].parse().map_err(|_| Fault::Field)?;
            let years: i64 = digits.parse().map_err(|_| Fault::Form)?;
            if months > 11 {
                return Err(Fault::Field);
            }
            sum.once(Unit::Months.bit())?;
            let sign = if negative { -1 } else { 1 };
            add(&mut sum.months, years, 12 * sign)?;
            add(&mut sum.months, months, sign)?;
        } else {
            let count = Count::read(negative, digits)?;
            let after = after.trim_start();
            let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            let unit = match unit(name) {
                Some(unit) => unit,
                // A bare number is seconds at the end, and days before a time.
                None if name.is_empty() && after.is_empty() => Unit::Time(SECOND),
                None if name.is_empty() && starts_with_time(after) => Unit::Days,
                None => return Err(Fault::Form),
            };
            sum.add(count, unit)?;
            rest = after;
        }
        rest = rest.trim_start();
    }
    if ago {
        *sum = Sum { months: -sum.months, days: -sum.days, micros: -sum.micros, seen: sum.seen };
    }
    Ok(())
}

/// Takes a sign off the front, with blanks behind it; true for minus.
fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text.strip_prefix('+').map_or(text, str::trim_start)),
    }
}

fn starts_with_time(text: &str) -> bool {
    let (_, unsigned) = signed(text);
    let after = unsigned.trim_start_matches(|c: char| c.is_ascii_digit());
    after.len() < unsigned.len() && after.starts_with(':')
}

/// `HH:MM`, `HH:MM:SS[.ffffff]`, or `MM:SS.ffffff`; hours may be any number.
fn clock(text: &str) -> Result<i64, Fault> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let fields = whole.split(':').map(|digits| digits.parse::<i64>().map_err(|_| Fault::Form));
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    let (hours, minutes, seconds) = match (fields.as_slice(), fraction) {
        ([minutes, seconds], Some(_)) => (0, *minutes, *seconds),
        ([hours, minutes], None) => (*hours, *minutes, 0),
        ([hours, minutes, seconds], _) => (*hours, *minutes, *seconds),
        _ => return Err(Fault::Form),
    };
    if minutes > 59 || seconds > 60 {
        return Err(Fault::Field);
    }
    let micros = fraction.map_or(Ok(0), fraction_micros)?;
    let mut total = minutes * MINUTE + seconds * SECOND + micros;
    add(&mut total, hours, HOUR)?;
    Ok(total)
}

/// `1Y2M3W4DT5H6M7.8S` after the P.
fn iso_8601(text: &str, sum: &mut Sum) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(Fault::Form);
    }
    let mut in_time = false;
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix(['T', 't']).filter(|_| !in_time) {
            in_time = true;
            rest = time;
            continue;
        }
        let (negative, unsigned) = signed(rest);
        let end = unsigned.find(|c: char| c.is_ascii_alphabetic()).ok_or(Fault::Form)?;
        let count = Count::read(negative, &unsigned[..end])?;
        let unit = match (in_time, unsigned.as_bytes()[end].to_ascii_uppercase()) {
            (false, b'Y') => YEAR,
            (false, b'M') => Unit::Months,
            (false, b'W') => Unit::Weeks,
            (false, b'D') => Unit::Days,
            (true, b'H') => Unit::Time(HOUR),
            (true, b'M') => Unit::Time(MINUTE),
            (true, b'S') => Unit::Time(SECOND),
            _ => return Err(Fault::Form),
        };
        sum.add(count, unit)?;
        rest = &unsigned[end + 1..];
    }
    Ok(())
}
