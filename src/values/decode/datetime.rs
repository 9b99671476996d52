//! date, time, timestamp and timestamptz.
//!
//! Text is taken in the ISO order only, year first: any other order would depend on a setting, and a wrong
//! guess would be a wrong date.

use datafusion::common::ScalarValue;

use super::{fixed, invalid_text, text, trimmed};
use crate::error::{Error, Result, SqlState};
use crate::values::encode::Zone;
use crate::values::encode::calendar::{self, MICROS_PER_DAY, POSTGRES_EPOCH_DAYS, POSTGRES_EPOCH_MICROS};
use crate::values::pg_type::{name_of, oid};

/// 4714-11-24 BC, the first day PostgreSQL knows.
const FIRST_DAY: i64 = -2_440_588;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// Abbreviations of PostgreSQL's default set that are no names of regions: hours east of Greenwich.
const ABBREVIATIONS: [(&str, i32); 20] = [
    ("Z", 0),
    ("ZULU", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("WET", 0),
    ("WEST", 1),
    ("BST", 1),
    ("CET", 1),
    ("CEST", 2),
    ("EET", 2),
    ("EEST", 3),
    ("MSK", 3),
];

/// date
pub(super) fn date(bytes: &[u8], binary: bool) -> Result<ScalarValue> {
    let days = if binary {
        match i32::from_be_bytes(fixed(bytes, oid::DATE)?) {
            i32::MAX | i32::MIN => return Err(infinite(oid::DATE)),
            days => i64::from(days) + POSTGRES_EPOCH_DAYS,
        }
    } else {
        let given = text(bytes)?;
        moment(given, oid::DATE)?.days
    };
    let days = i32::try_from(days).ok().filter(|days| i64::from(*days) >= FIRST_DAY);
    Ok(ScalarValue::Date32(Some(days.ok_or_else(|| out_of_range("date"))?)))
}

/// time without time zone; a zone after it is read and means nothing, as in PostgreSQL.
pub(super) fn time(bytes: &[u8], binary: bool) -> Result<ScalarValue> {
    let micros = if binary {
        let micros = i64::from_be_bytes(fixed(bytes, oid::TIME)?);
        if !(0..=MICROS_PER_DAY).contains(&micros) {
            return Err(out_of_range("time"));
        }
        micros
    } else {
        let given = text(bytes)?;
        let read = clock(trimmed(given)).and_then(|(micros, rest)| zone(rest).map(|_| micros));
        read.map_err(|fault| fault.error(given, oid::TIME))?
    };
    Ok(ScalarValue::Time64Microsecond(Some(micros)))
}

/// timestamp without time zone; an offset after it is read and means nothing, as in PostgreSQL.
pub(super) fn timestamp(bytes: &[u8], binary: bool) -> Result<ScalarValue> {
    let micros =
        if binary { received(bytes, oid::TIMESTAMP)? } else { moment(text(bytes)?, oid::TIMESTAMP)?.local()? };
    Ok(ScalarValue::TimestampMicrosecond(Some(micros), None))
}

/// timestamp with time zone; text without an offset is a time in `session`.
pub(super) fn timestamptz(bytes: &[u8], binary: bool, session: Zone) -> Result<ScalarValue> {
    let micros = if binary {
        received(bytes, oid::TIMESTAMPTZ)?
    } else {
        let moment = moment(text(bytes)?, oid::TIMESTAMPTZ)?;
        let local = moment.local()?;
        let east = moment.zone.unwrap_or(session).east_at_local(local.div_euclid(MICROS_PER_SECOND));
        local.checked_sub(i64::from(east) * MICROS_PER_SECOND).ok_or_else(|| out_of_range("timestamp"))?
    };
    Ok(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())))
}

/// Microseconds since 1970 from binary ones since 2000.
fn received(bytes: &[u8], oid: u32) -> Result<i64> {
    match i64::from_be_bytes(fixed(bytes, oid)?) {
        i64::MAX | i64::MIN => Err(infinite(oid)),
        micros => micros
            .checked_add(POSTGRES_EPOCH_MICROS)
            .filter(|micros| *micros >= FIRST_DAY * MICROS_PER_DAY)
            .ok_or_else(|| out_of_range("timestamp")),
    }
}

fn infinite(oid: u32) -> Error {
    let message = format!("infinity is not supported for type {}", name_of(oid));
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message).with_hint("use NULL, or a date far away")
}

fn out_of_range(what: &str) -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range"))
}

/// What a text says about a point in time.
struct Moment {
    days: i64,
    micros: i64,
    zone: Option<Zone>,
}

impl Moment {
    /// Microseconds since 1970 by the clock that the text is about.
    fn local(&self) -> Result<i64> {
        self.days
            .checked_mul(MICROS_PER_DAY)
            .and_then(|midnight| midnight.checked_add(self.micros))
            .filter(|_| self.days >= FIRST_DAY)
            .ok_or_else(|| out_of_range("timestamp"))
    }
}

/// Why a text is no point in time.
pub(super) enum Fault {
    /// It has not the form of one.
    Form,
    /// It names a month, day, hour… that does not exist.
    Field,
}

impl Fault {
    fn error(self, given: &str, oid: u32) -> Error {
        match self {
            Fault::Form => match oid {
                oid::TIME => invalid_text(oid, given),
                _ => invalid_text(oid, given).with_hint("write dates as YYYY-MM-DD and times as HH:MM:SS"),
            },
            Fault::Field => {
                let message = format!("date/time field value out of range: \"{given}\"");
                Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
            }
        }
    }
}

/// `date [[T]time] [zone] [BC]`
fn moment(given: &str, oid: u32) -> Result<Moment> {
    let trimmed = trimmed(given);
    let word = trimmed.trim_start_matches(['+', '-']);
    if word.eq_ignore_ascii_case("infinity") {
        return Err(infinite(oid));
    }
    read(trimmed).map_err(|fault| fault.error(given, oid))
}

fn read(text: &str) -> Result<Moment, Fault> {
    let (text, before_christ) = match split_era(text) {
        Some((text, before_christ)) => (text, before_christ),
        None => (text, false),
    };
    let end = text.find(|c: char| c.is_ascii_whitespace() || matches!(c, 'T' | 't')).unwrap_or(text.len());
    let (date, rest) = text.split_at(end);
    let days = days(date, before_christ)?;
    let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest).trim_start();
    let (micros, rest) = match rest.bytes().next() {
        Some(b'0'..=b'9') => clock(rest)?,
        _ => (0, rest),
    };
    Ok(Moment { days, micros, zone: zone(rest)? })
}

/// Takes `BC` or `AD` off the end; true for BC.
fn split_era(text: &str) -> Option<(&str, bool)> {
    let (rest, era) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let before_christ = era.eq_ignore_ascii_case("BC");
    let known = before_christ || era.eq_ignore_ascii_case("AD");
    (known && rest.ends_with(|c: char| c.is_ascii_whitespace() || c.is_ascii_digit()))
        .then(|| (rest.trim_end(), before_christ))
}

/// `YYYY-MM-DD`, with slashes, or without separators; the year has at least three digits.
fn days(date: &str, before_christ: bool) -> Result<i64, Fault> {
    let parts: Vec<&str> = match date.find(['-', '/']) {
        Some(at) => date.split(&date[at..=at]).collect(),
        None if date.len() >= 8 && date.is_ascii() => {
            let (year, rest) = date.split_at(date.len() - 4);
            let (month, day) = rest.split_at(2);
            vec![year, month, day]
        }
        None => return Err(Fault::Form),
    };
    let [year, month, day] = parts.as_slice() else {
        return Err(Fault::Form);
    };
    if !(3..=7).contains(&year.len()) {
        return Err(Fault::Form);
    }
    let year = i64::from(number(year, 7)?);
    let (month, day) = (number(month, 2)?, number(day, 2)?);
    let exists = year > 0 && day > 0;
    let year = if before_christ { 1 - year } else { year };
    if !exists || day > calendar::days_in_month(year, month) {
        return Err(Fault::Field);
    }
    Ok(calendar::days(year, month, day))
}

/// A field of one to `most` digits.
fn number(digits: &str, most: usize) -> Result<u32, Fault> {
    let known = (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| known).ok_or(Fault::Form)
}

/// `HH:MM[:SS[.ffffff]]` or `HHMM[SS[.ffffff]]`: microseconds since midnight, and what follows.
fn clock(text: &str) -> Result<(i64, &str), Fault> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).unwrap_or(text.len());
    let (clock, rest) = text.split_at(end);
    let (whole, fraction) = match clock.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (clock, None),
    };
    let parts: Vec<&str> = match whole.len() {
        4 | 6 if !whole.contains(':') => (0..whole.len()).step_by(2).map(|at| &whole[at..at + 2]).collect(),
        _ => whole.split(':').collect(),
    };
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] if fraction.is_none() => (hours, minutes, &"0"),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return Err(Fault::Form),
    };
    let (hours, minutes, seconds) = (number(hours, 2)?, number(minutes, 2)?, number(seconds, 2)?);
    // A minute may have a sixtieth second: it is the next minute.
    if minutes > 59 || seconds > 60 {
        return Err(Fault::Field);
    }
    let micros = fraction.map_or(Ok(0), fraction_micros)?;
    let total = i64::from(hours * 3600 + minutes * 60 + seconds) * MICROS_PER_SECOND + micros;
    if total > MICROS_PER_DAY {
        return Err(Fault::Field);
    }
    Ok((total, rest.trim_start()))
}

/// The digits after a point, rounded to microseconds.
pub(super) fn fraction_micros(digits: &str) -> Result<i64, Fault> {
    if digits.is_empty() {
        return Ok(0);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Form);
    }
    let fraction: f64 = format!("0.{digits}").parse().map_err(|_| Fault::Form)?;
    Ok((fraction * 1e6).round_ties_even() as i64)
}

/// An offset, an abbreviation or a region; nothing at all is no zone.
fn zone(text: &str) -> Result<Option<Zone>, Fault> {
    match text.bytes().next() {
        None => Ok(None),
        Some(b'+' | b'-') => offset(text).map(Some),
        Some(first) if first.is_ascii_alphabetic() => {
            let short = ABBREVIATIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
            let zone = match short {
                Some((_, hours)) => Some(Zone::at_offset(hours * 3600)),
                None => Zone::parse(text),
            };
            zone.map(Some).ok_or(Fault::Form)
        }
        Some(_) => Err(Fault::Form),
    }
}

/// `+HH`, `+HHMM` or `+HH:MM[:SS]`, at most fifteen hours as in PostgreSQL.
fn offset(text: &str) -> Result<Zone, Fault> {
    let digits = &text[1..];
    let parts: Vec<&str> = match digits.len() {
        4 if digits.is_ascii() && !digits.contains(':') => vec![&digits[..2], &digits[2..]],
        _ => digits.split(':').collect(),
    };
    if parts.len() > 3 {
        return Err(Fault::Form);
    }
    let field = |index: usize| parts.get(index).map_or(Ok(0), |part| number(part, 2));
    let (hours, minutes, seconds) = (field(0)?, field(1)?, field(2)?);
    if hours > 15 || minutes > 59 || seconds > 59 {
        return Err(Fault::Field);
    }
    let east = (hours * 3600 + minutes * 60 + seconds) as i32;
    Ok(Zone::at_offset(if text.starts_with('-') { -east } else { east }))
}
