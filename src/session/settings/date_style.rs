//! `DateStyle`: an output format and an order of day, month and year, each of which can be set alone.

use std::fmt;

use super::definition::{Basis, Rejection};

/// The form in which dates and times are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DateFormat {
    /// `1997-12-17 07:37:16-08`
    Iso,
    /// `12/17/1997 07:37:16.00 PST`
    Sql,
    /// `Wed Dec 17 07:37:16 1997 PST`
    Postgres,
    /// `17.12.1997 07:37:16.00 PST`
    German,
}

/// The order of day, month and year in ambiguous input, and in the SQL and Postgres forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DateOrder {
    /// Month, day, year.
    Mdy,
    /// Day, month, year.
    Dmy,
    /// Year, month, day.
    Ymd,
}

/// A complete DateStyle. `Display` is the form that clients parse: `ISO, MDY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DateStyle {
    /// The form of output.
    format: DateFormat,
    /// The order of day, month and year.
    order: DateOrder,
}

impl DateStyle {
    /// Reads a complete style in the form that `Display` prints; anything else is the default, `ISO, MDY`.
    fn from_setting(text: &str) -> Self {
        let default = Self { format: DateFormat::Iso, order: DateOrder::Mdy };
        combine(text, default, default).unwrap_or(default)
    }
}

impl fmt::Display for DateStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = match self.format {
            DateFormat::Iso => "ISO",
            DateFormat::Sql => "SQL",
            DateFormat::Postgres => "Postgres",
            DateFormat::German => "German",
        };
        let order = match self.order {
            DateOrder::Mdy => "MDY",
            DateOrder::Dmy => "DMY",
            DateOrder::Ymd => "YMD",
        };
        write!(f, "{format}, {order}")
    }
}

/// Brings a style, possibly partial, into its complete form.
pub(super) fn check(text: &str, basis: &Basis<'_>) -> Result<String, Rejection> {
    let (current, reset) = (DateStyle::from_setting(basis.current), DateStyle::from_setting(basis.reset));
    combine(text, current, reset).map(|style| style.to_string()).ok_or_else(|| Rejection::Invalid {
        hint: Some("available values: ISO, SQL, Postgres, German, and MDY, DMY, YMD".to_owned()),
    })
}

/// The style that `text` makes of `current`. Words may come in any order, the same thing must not be said twice
/// differently. German alone also means day before month. DEFAULT fills what is not said from `reset`.
fn combine(text: &str, current: DateStyle, reset: DateStyle) -> Option<DateStyle> {
    let (mut format, mut order, mut rest) = (None, None, current);
    for word in text.split(',').map(|word| word.trim().to_ascii_lowercase()) {
        let agrees = match word.as_str() {
            "iso" => agrees(&mut format, DateFormat::Iso),
            "sql" => agrees(&mut format, DateFormat::Sql),
            "german" => agrees(&mut format, DateFormat::German),
            word if word.starts_with("postgres") => agrees(&mut format, DateFormat::Postgres),
            "ymd" => agrees(&mut order, DateOrder::Ymd),
            "mdy" | "us" => agrees(&mut order, DateOrder::Mdy),
            "dmy" => agrees(&mut order, DateOrder::Dmy),
            word if word.starts_with("noneuro") => agrees(&mut order, DateOrder::Mdy),
            word if word.starts_with("euro") => agrees(&mut order, DateOrder::Dmy),
            "default" => {
                rest = reset;
                true
            }
            _ => false,
        };
        if !agrees {
            return None;
        }
    }
    let usual = if format == Some(DateFormat::German) { DateOrder::Dmy } else { rest.order };
    Some(DateStyle { format: format.unwrap_or(rest.format), order: order.unwrap_or(usual) })
}

/// Notes `value` if nothing was said yet; whether what was said is the same.
fn agrees<T: Copy + PartialEq>(said: &mut Option<T>, value: T) -> bool {
    *said.get_or_insert(value) == value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Option<String> {
        check(text, &Basis { current: "SQL, DMY", reset: "ISO, MDY", zone: "UTC" }).ok()
    }

    #[test]
    fn parts_combine_with_the_current_style() {
        assert_eq!(set("iso").as_deref(), Some("ISO, DMY"));
        assert_eq!(set("YMD").as_deref(), Some("SQL, YMD"));
        assert_eq!(set("European, Postgres").as_deref(), Some("Postgres, DMY"));
        assert_eq!(set("German").as_deref(), Some("German, DMY"));
        assert_eq!(set("mdy, german").as_deref(), Some("German, MDY"));
        assert_eq!(set("default, dmy").as_deref(), Some("ISO, DMY"));
        assert_eq!(set("iso, iso").as_deref(), Some("ISO, DMY"));
    }

    #[test]
    fn contradictions_and_nonsense_are_refused() {
        assert_eq!(set("ISO, SQL"), None);
        assert_eq!(set("mdy, ymd"), None);
        assert_eq!(set("julian"), None);
        assert_eq!(set(""), None);
    }
}
