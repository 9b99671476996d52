//! The session settings that change how values print, parsed once per result.

use super::Zone;
use crate::error::{Error, Result, SqlState};

/// How the date styles order and separate the parts of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateStyle {
    /// `1997-12-17 07:37:16-08`
    Iso,
    /// `12/17/1997 07:37:16 PST`
    Sql,
    /// `Wed Dec 17 07:37:16 1997 PST`
    Postgres,
    /// `17.12.1997 07:37:16 PST`
    German,
}

/// How intervals print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntervalStyle {
    /// `1 year 2 mons 3 days 04:05:06`
    Postgres,
    /// `@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs`
    PostgresVerbose,
    /// `+1-2 +3 +4:05:06`
    SqlStandard,
    /// `P1Y2M3DT4H5M6S`
    Iso8601,
}

/// How bytea prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteaOutput {
    /// `\xdeadbeef`
    Hex,
    /// Printable ASCII as it is, the rest as `\ooo`.
    Escape,
}

/// The settings that shape text output. Binary output depends on none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Formatting {
    pub(super) zone: Zone,
    pub(super) date_style: DateStyle,
    /// Whether the day stands before the month in the styles that leave it open.
    pub(super) day_first: bool,
    pub(super) interval_style: IntervalStyle,
    pub(super) bytea_output: ByteaOutput,
    /// Significant digits of float4 and float8; `None` for the shortest form that reads back as the same value.
    pub(super) float_digits: Option<(usize, usize)>,
}

impl Default for Formatting {
    fn default() -> Self {
        Self {
            zone: Zone::utc(),
            date_style: DateStyle::Iso,
            day_first: false,
            interval_style: IntervalStyle::Postgres,
            bytea_output: ByteaOutput::Hex,
            float_digits: None,
        }
    }
}

impl Formatting {
    /// Reads the settings `TimeZone`, `DateStyle`, `IntervalStyle`, `bytea_output` and `extra_float_digits`
    /// through `setting`; one that is not set has PostgreSQL's default (and UTC). A value PostgreSQL would
    /// not take is an error (22023) that names the setting.
    pub(crate) fn from_settings(setting: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut formatting = Self::default();
        if let Some(value) = setting("TimeZone") {
            formatting.zone = Zone::parse(&value).ok_or_else(|| invalid("TimeZone", &value))?;
        }
        if let Some(value) = setting("DateStyle") {
            formatting.take_date_style(&value).ok_or_else(|| invalid("DateStyle", &value))?;
        }
        if let Some(value) = setting("IntervalStyle") {
            formatting.interval_style = match value.to_ascii_lowercase().as_str() {
                "postgres" => IntervalStyle::Postgres,
                "postgres_verbose" => IntervalStyle::PostgresVerbose,
                "sql_standard" => IntervalStyle::SqlStandard,
                "iso_8601" => IntervalStyle::Iso8601,
                _ => return Err(invalid("IntervalStyle", &value)),
            };
        }
        if let Some(value) = setting("bytea_output") {
            formatting.bytea_output = match value.to_ascii_lowercase().as_str() {
                "hex" => ByteaOutput::Hex,
                "escape" => ByteaOutput::Escape,
                _ => return Err(invalid("bytea_output", &value)),
            };
        }
        if let Some(value) = setting("extra_float_digits") {
            let extra = value.trim().parse::<i32>().ok().filter(|extra| (-15..=3).contains(extra));
            let extra = extra.ok_or_else(|| invalid("extra_float_digits", &value))?;
            // 6 and 15 are the digits that float4 and float8 keep for certain.
            formatting.float_digits = (extra <= 0).then(|| ((6 + extra).max(1) as usize, (15 + extra).max(1) as usize));
        }
        Ok(formatting)
    }

    /// The session's time zone.
    pub(crate) fn zone(&self) -> Zone {
        self.zone
    }

    /// Reads a list such as `SQL, DMY`: a style, an order, or both.
    fn take_date_style(&mut self, value: &str) -> Option<()> {
        for word in value.split(',') {
            match word.trim().to_ascii_uppercase().as_str() {
                "ISO" => self.date_style = DateStyle::Iso,
                "SQL" => self.date_style = DateStyle::Sql,
                "POSTGRES" => self.date_style = DateStyle::Postgres,
                "GERMAN" => self.date_style = DateStyle::German,
                "DMY" | "EURO" | "EUROPEAN" => self.day_first = true,
                "MDY" | "US" | "NONEURO" | "NONEUROPEAN" | "YMD" => self.day_first = false,
                _ => return None,
            }
        }
        Some(())
    }
}

fn invalid(setting: &str, value: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{setting}\": \"{value}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> Result<Formatting> {
        Formatting::from_settings(|asked| (asked == name).then(|| value.to_string()))
    }

    #[test]
    fn settings_are_read_or_refused_by_name() {
        assert_eq!(with("none", "").ok(), Some(Formatting::default()));
        let sql = with("DateStyle", "SQL, DMY").ok().map(|f| (f.date_style, f.day_first));
        assert_eq!(sql, Some((DateStyle::Sql, true)));
        assert_eq!(with("extra_float_digits", "0").ok().and_then(|f| f.float_digits), Some((6, 15)));
        assert_eq!(with("extra_float_digits", "1").ok().and_then(|f| f.float_digits), None);
        for (name, value) in [
            ("TimeZone", "Mars/Base"),
            ("DateStyle", "Klingon"),
            ("IntervalStyle", "short"),
            ("bytea_output", "base64"),
            ("extra_float_digits", "4"),
        ] {
            let message = with(name, value).err().map(|error| error.message);
            assert_eq!(message, Some(format!("invalid value for parameter \"{name}\": \"{value}\"")));
        }
    }
}
