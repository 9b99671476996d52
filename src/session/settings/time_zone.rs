//! `TimeZone`: names of the IANA database, hours east of Greenwich, and POSIX zones, read as PostgreSQL reads them.
//!
//! A bare number counts hours east (`5.5`), and is shown as a POSIX zone. A POSIX zone, which is what every other
//! offset is, counts west: `UTC-3` and `-03:00` are three hours east of Greenwich. PostgreSQL has this trap, and
//! drivers rely on it (pgjdbc turns the sign of Java's `GMT+03:00` round).

use chrono_tz::{TZ_VARIANTS, Tz};

use super::definition::{Basis, Rejection};

/// Brings a zone into the form it is shown in.
pub(super) fn check(text: &str, _: &Basis<'_>) -> Result<String, Rejection> {
    let text = text.trim();
    let whole_minutes = |seconds: Option<i32>| match seconds {
        Some(seconds) if seconds % 60 != 0 => Err(Rejection::Unsupported("offsets are whole minutes".to_owned())),
        Some(seconds) => Ok(seconds / 60),
        None => Err(Rejection::Invalid { hint: Some("give a name such as Europe/Berlin, or UTC".to_owned()) }),
    };
    if let Some(tz) = region(text) {
        return Ok(tz.name().to_owned());
    }
    if let Some(seconds) = hours_east(text) {
        return whole_minutes(Some(seconds)).map(shown_as_posix);
    }
    whole_minutes(posix(text)).map(|_| text.to_owned())
}

/// A checked zone as Arrow and DataFusion name it: the region's name, or `+05:30` counted east.
pub(super) fn arrow_name(checked: &str) -> String {
    if let Some(tz) = region(checked) {
        return tz.name().to_owned();
    }
    // What has been checked is one or the other.
    let east = posix(checked).unwrap_or(0) / 60;
    let sign = if east < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", east.abs() / 60, east.abs() % 60)
}

fn region(name: &str) -> Option<Tz> {
    name.parse().ok().or_else(|| TZ_VARIANTS.iter().copied().find(|tz| tz.name().eq_ignore_ascii_case(name)))
}

/// Seconds east of a bare number of hours.
fn hours_east(text: &str) -> Option<i32> {
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.')) {
        return None;
    }
    let seconds = (text.parse::<f64>().ok()? * 3600.0).round();
    (seconds.abs() < 86_400.0).then_some(seconds as i32)
}

fn shown_as_posix(east: i32) -> String {
    let (name, value) = if east < 0 { ('-', '+') } else { ('+', '-') };
    let (hours, minutes) = (east.abs() / 60, east.abs() % 60);
    let offset = if minutes == 0 { format!("{hours:02}") } else { format!("{hours:02}:{minutes:02}") };
    format!("<{name}{offset}>{value}{offset}")
}

/// Seconds east of `name±h[h][:mm[:ss]]` or `<name>±…`, where the name may be missing and the offset counts west.
fn posix(text: &str) -> Option<i32> {
    let west = match text.strip_prefix('<') {
        Some(rest) => rest.split_once('>')?.1,
        None => text.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
    };
    let (sign, west) = match west.strip_prefix('-') {
        Some(rest) => (1, rest),
        None => (-1, west.strip_prefix('+').unwrap_or(west)),
    };
    let mut seconds = 0;
    for (place, part) in west.split(':').enumerate() {
        let digits = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let value = part.parse::<i32>().ok().filter(|value| digits && (place == 0 || *value < 60))?;
        seconds += value * [3600, 60, 1].get(place)?;
    }
    (seconds < 86_400).then_some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Option<String> {
        check(text, &Basis { current: "", reset: "", zone: "UTC" }).ok()
    }

    #[test]
    fn names_in_any_case() {
        assert_eq!(set("europe/berlin").as_deref(), Some("Europe/Berlin"));
        assert_eq!(set(" utc ").as_deref(), Some("UTC"));
        assert_eq!(arrow_name("Europe/Berlin"), "Europe/Berlin");
        for bad in ["Mars/Base", "", "25", "UTC+1:75", "EST5EDT4"] {
            assert_eq!(set(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_count_east_and_posix_zones_west() {
        for (text, shown, arrow) in [
            ("5", "<+05>-05", "+05:00"),
            ("-3.5", "<-03:30>+03:30", "-03:30"),
            ("+05:30", "+05:30", "-05:30"),
            ("GMT-03:00", "GMT-03:00", "+03:00"),
            ("<+03>-03", "<+03>-03", "+03:00"),
            ("0", "<+00>-00", "+00:00"),
        ] {
            assert_eq!(set(text).as_deref(), Some(shown));
            assert_eq!(arrow_name(shown), arrow, "{text}");
        }
        assert_eq!(set("UTC+1:00:30"), None);
    }
}
