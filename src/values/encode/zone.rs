//! The session's time zone, parsed once: from an instant to its offset and back.

use std::str::FromStr;

use bytes::{BufMut, BytesMut};
use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{OffsetName, TZ_VARIANTS, Tz};

use super::{calendar, digits};

const DAY: i64 = 86_400;
/// Offsets of a week and more are no zones to PostgreSQL.
const WIDEST: i32 = 7 * 86_400;
/// 2100-01-01, where chrono-tz's table of transitions ends.
const END_OF_TABLE: i64 = 4_102_444_800;
/// Zones that are UTC under another name; they skip the table.
const UTC_NAMES: [&str; 8] = ["UTC", "Etc/UTC", "UCT", "Etc/UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"];

/// A value of the setting `TimeZone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// A zone of the IANA database.
    Region(Tz),
    /// A constant offset.
    Fixed {
        /// Seconds east of Greenwich.
        east: i32,
        /// What the non-ISO date styles print for it.
        abbreviation: Abbreviation,
    },
}

/// A zone abbreviation such as `UTC`: at most ten bytes, as many as PostgreSQL prints. May be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abbreviation {
    bytes: [u8; 10],
    len: usize,
}

impl Abbreviation {
    fn new(text: &str) -> Self {
        let mut bytes = [0; 10];
        let len = text.len().min(bytes.len());
        bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
        Self { bytes, len }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Zone {
    /// Coordinated universal time.
    pub(crate) fn utc() -> Self {
        Zone::Fixed { east: 0, abbreviation: Abbreviation::new("UTC") }
    }

    /// A constant offset in seconds east of Greenwich, which is also its abbreviation.
    pub(crate) fn at_offset(east: i32) -> Self {
        Zone::Fixed { east, abbreviation: Abbreviation::new("") }
    }

    /// Reads what PostgreSQL takes as a `TimeZone`: a region's name in any case, hours east of Greenwich
    /// (`-3.5`), or a POSIX zone without daylight saving (`<+03>-03`, whose sign counts west). `None` if it
    /// is none of these.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        let region = Tz::from_str(name)
            .ok()
            .or_else(|| TZ_VARIANTS.iter().copied().find(|tz| tz.name().eq_ignore_ascii_case(name)));
        match region {
            Some(tz) if UTC_NAMES.contains(&tz.name()) => Some(Self::utc()),
            Some(tz) => Some(Zone::Region(tz)),
            None => hours_east(name).or_else(|| posix(name)),
        }
    }

    /// The zone that Arrow calls by this name: a constant offset is counted east there.
    pub(crate) fn of_arrow(name: &str) -> Option<Self> {
        Self::parse(&Self::posix_name(name))
    }

    /// Arrow's name of a zone as PostgreSQL takes it: a constant offset without a name is counted west there.
    pub(crate) fn posix_name(name: &str) -> String {
        match (name.strip_prefix('+'), name.strip_prefix('-')) {
            (Some(offset), _) => format!("-{offset}"),
            (_, Some(offset)) => format!("+{offset}"),
            _ => name.to_owned(),
        }
    }

    /// Seconds east of Greenwich at an instant given in seconds since 1970-01-01 UTC.
    pub(crate) fn east(&self, instant: i64) -> i32 {
        match self {
            Zone::Fixed { east, .. } => *east,
            Zone::Region(tz) => tz.offset_from_utc_datetime(&tabled(instant)).fix().local_minus_utc(),
        }
    }

    /// Seconds east of Greenwich at a local time given in seconds since 1970-01-01 00:00 local.
    ///
    /// As PostgreSQL does it, a time that the clocks skipped counts with the offset before the change, and
    /// one that they showed twice with the offset after it.
    pub(crate) fn east_at_local(&self, local: i64) -> i32 {
        match self {
            Zone::Fixed { east, .. } => *east,
            Zone::Region(tz) => match tz.offset_from_local_datetime(&tabled(local)) {
                MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(_, offset) => {
                    offset.fix().local_minus_utc()
                }
                MappedLocalTime::None => self.east(local - DAY),
            },
        }
    }

    /// Appends the zone's abbreviation at an instant; the offset if it has none.
    pub(super) fn abbreviation(&self, instant: i64, out: &mut BytesMut) {
        match self {
            Zone::Fixed { east, abbreviation } if abbreviation.len == 0 => offset(*east, out),
            Zone::Fixed { abbreviation, .. } => out.put_slice(abbreviation.as_bytes()),
            Zone::Region(tz) => {
                let at = tz.offset_from_utc_datetime(&tabled(instant));
                match at.abbreviation() {
                    Some(name) => out.put_slice(name.as_bytes()),
                    None => offset(at.fix().local_minus_utc(), out),
                }
            }
        }
    }
}

/// Appends an offset as `+HH`, with minutes and seconds where they are not zero.
pub(super) fn offset(east: i32, out: &mut BytesMut) {
    out.put_u8(if east < 0 { b'-' } else { b'+' });
    let seconds = u64::from(east.unsigned_abs());
    digits::two(out, seconds / 3600);
    if seconds % 3600 != 0 {
        out.put_u8(b':');
        digits::two(out, seconds / 60 % 60);
    }
    if seconds % 60 != 0 {
        out.put_u8(b':');
        digits::two(out, seconds % 60);
    }
}

/// The same moment within chrono-tz's table.
///
/// Later years are looked up as a year of the table that has the same length and begins on the same day of
/// the week: there the zone's last rule gives the same dates. This is what keeps 9999-12-31 in summer time
/// on the southern half of the earth.
fn tabled(seconds: i64) -> NaiveDateTime {
    let mut seconds = seconds;
    if seconds >= END_OF_TABLE {
        let (year, _, _) = calendar::civil(seconds.div_euclid(DAY));
        let start = calendar::days(year, 1, 1);
        let alike = (2060..2088).map(|other| (other, calendar::days(other, 1, 1))).find(|(other, first)| {
            calendar::weekday(*first) == calendar::weekday(start)
                && calendar::is_leap(*other) == calendar::is_leap(year)
        });
        if let Some((_, first)) = alike {
            seconds -= (start - first) * DAY;
        }
    }
    // Before chrono's first year every zone still keeps its first local mean time.
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MIN_UTC).naive_utc()
}

/// Reads hours east of Greenwich: `-7`, `5.5`.
fn hours_east(text: &str) -> Option<Zone> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.')) {
        return None;
    }
    let east = (f64::from_str(text).ok()? * 3600.0).round();
    (east.abs() < f64::from(WIDEST)).then(|| Zone::at_offset(east as i32))
}

/// Reads `<name>offset` or `nameoffset` with an offset `[+-]h[h][:mm[:ss]]` that counts west of Greenwich.
fn posix(text: &str) -> Option<Zone> {
    let (name, west) = match text.strip_prefix('<') {
        Some(rest) => rest.split_once('>')?,
        None => text.split_at(text.find(|c: char| !c.is_ascii_alphabetic())?),
    };
    let (negative, west) = match west.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, west.strip_prefix('+').unwrap_or(west)),
    };
    let mut seconds = 0;
    let mut unit = 3600;
    for part in west.split(':') {
        let known = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let value = part.parse::<i32>().ok().filter(|value| known && unit > 0 && (unit == 3600 || *value < 60))?;
        seconds += value * unit;
        unit /= 60;
    }
    let east = if negative { seconds } else { -seconds };
    (seconds < WIDEST).then(|| Zone::Fixed { east, abbreviation: Abbreviation::new(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(year: i64, month: u32, day: u32) -> i64 {
        calendar::days(year, month, day) * DAY
    }

    fn east(zone: &str, instant: i64) -> Option<i32> {
        Zone::parse(zone).map(|zone| zone.east(instant))
    }

    #[test]
    fn names_in_the_forms_postgresql_takes() {
        let noon = seconds(2020, 1, 1);
        assert_eq!(east("america/new_york", noon), Some(-5 * 3600));
        assert_eq!(east("5.5", noon), Some(19_800));
        assert_eq!(east("-7", noon), Some(-7 * 3600));
        assert_eq!(east("<+03>-03", noon), Some(3 * 3600));
        assert_eq!(east("UTC-3", noon), Some(3 * 3600));
        // A sign and minutes make it POSIX, whose sign counts west: PostgreSQL has this trap as well.
        assert_eq!(east("+05:30", noon), Some(-19_800));
        assert_eq!([east("Mars/Base", noon), east("", noon), east("200", noon), east("UTC+1:75", noon)], [None; 4]);
    }

    #[test]
    fn rules_go_on_after_the_table_ends() {
        assert_eq!(east("Australia/Sydney", seconds(2150, 12, 31)), Some(11 * 3600));
        assert_eq!(east("Australia/Sydney", seconds(2150, 6, 30)), Some(10 * 3600));
        assert_eq!(east("Australia/Sydney", seconds(294_276, 12, 30)), Some(11 * 3600));
        assert_eq!(east("America/New_York", seconds(1800, 1, 1)), Some(-(4 * 3600 + 56 * 60 + 2)));
    }

    #[test]
    fn skipped_and_repeated_local_times() {
        let zone = Zone::parse("America/New_York").unwrap_or(Zone::utc());
        let at = |day: u32, month: u32, minutes: i64| seconds(2024, month, day) + minutes * 60;
        assert_eq!(zone.east_at_local(at(10, 3, 150)), -5 * 3600); // 02:30, skipped
        assert_eq!(zone.east_at_local(at(3, 11, 90)), -5 * 3600); // 01:30, twice
        assert_eq!(zone.east_at_local(at(4, 7, 90)), -4 * 3600);
    }

    #[test]
    fn abbreviations() {
        let print = |zone: &str, instant| {
            let mut out = BytesMut::new();
            Zone::parse(zone).unwrap_or(Zone::utc()).abbreviation(instant, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        assert_eq!(print("America/New_York", seconds(2020, 7, 1)), "EDT");
        assert_eq!(print("America/Sao_Paulo", seconds(2020, 7, 1)), "-03");
        assert_eq!(print("5.5", 0), "+05:30");
        assert_eq!(print("UTC", 0), "UTC");
    }
}
