//! `audience.as_of`: an instant, kept with its offset so that a new `TimeZone` does not move it.

use chrono::{DateTime, FixedOffset, Utc};
use datafusion::scalar::ScalarValue;

use super::definition::{Basis, Rejection};
use crate::error::Result as SqlResult;
use crate::values::decode::instant as read;
use crate::values::encode::Zone;

/// The form in which a checked value is kept and shown.
const FORM: &str = "%Y-%m-%d %H:%M:%S%.f%:z";

/// Reads an instant as a timestamptz, in the session's zone where it has none. Nothing is now.
pub(super) fn check(text: &str, basis: &Basis<'_>) -> Result<String, Rejection> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    let invalid = |hint: &str| Rejection::Invalid { hint: Some(hint.to_owned()) };
    let form = "give an instant such as '2021-03-01' or '2021-03-01 12:30+01', or '' for now";
    let zone = Zone::parse(basis.zone).unwrap_or_else(Zone::utc);
    let micros = match micros(read(text, zone)) {
        Some(micros) => micros,
        None => return Err(invalid(form)),
    };
    let instant = DateTime::from_timestamp_micros(micros).ok_or_else(|| invalid(form))?;
    if instant > Utc::now() {
        return Err(invalid("it is in the future, which nobody knows"));
    }
    let offset = FixedOffset::east_opt(zone.east(instant.timestamp())).ok_or_else(|| invalid(form))?;
    // Offsets of before there were time zones have seconds, which the form has no place for.
    let offset = if offset.local_minus_utc() % 60 == 0 { Some(offset) } else { FixedOffset::east_opt(0) };
    let offset = offset.ok_or_else(|| invalid(form))?;
    Ok(instant.with_timezone(&offset).format(FORM).to_string())
}

fn micros(read: SqlResult<ScalarValue>) -> Option<i64> {
    match read {
        Ok(ScalarValue::TimestampMicrosecond(micros, _)) => micros,
        _ => None,
    }
}

/// The instant of a checked value.
pub(super) fn instant(checked: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_str(checked, FORM).ok().map(|instant| instant.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_kept_with_their_offset() {
        let checked = |text: &str| check(text, &Basis { current: "", reset: "", zone: "Europe/Paris" });
        assert_eq!(checked(" "), Ok(String::new()));
        assert_eq!(checked("2021-03-01"), Ok("2021-03-01 00:00:00+01:00".to_owned()));
        assert_eq!(checked("2020-07-01 12:30:00.25-03"), Ok("2020-07-01 17:30:00.250+02:00".to_owned()));
        assert_eq!(instant("2021-03-01 00:00:00+01:00").unwrap().to_rfc3339(), "2021-02-28T23:00:00+00:00");
        for wrong in ["yesterdayish", "infinity", "2999-01-01", "2021-13-01"] {
            assert!(matches!(checked(wrong), Err(Rejection::Invalid { hint: Some(_) })), "{wrong}");
        }
    }
}
