//! Numbers with units: `5s`, `1.5 min`, and a bare number in the setting's base unit.

use super::definition::Rejection;

/// What a setting's number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    None,
    /// Time; a bare number is milliseconds.
    Milliseconds,
}

impl Unit {
    /// Names and sizes in base units, largest first. Names are case-sensitive, as in PostgreSQL.
    fn names(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::None => &[],
            Self::Milliseconds => {
                &[("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1000.0), ("ms", 1.0), ("us", 0.001)]
            }
        }
    }

    /// The base unit's name, as `pg_settings.unit` shows it.
    pub(super) fn base(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Milliseconds => Some("ms"),
        }
    }

    /// Reads a number, in base units, rounded to the nearest.
    pub(super) fn parse(self, text: &str) -> Result<i64, Rejection> {
        let text = text.trim();
        let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
        let (number, name) = (&text[..end], text[end..].trim_start());
        // Whole numbers without a unit stay exact beyond 2^53.
        if let ("", Ok(whole)) = (name, number.parse::<i64>()) {
            return Ok(whole);
        }
        let factor = match self.names().iter().find(|(known, _)| *known == name) {
            Some((_, factor)) => *factor,
            None if name.is_empty() => 1.0,
            None => return Err(self.unknown_unit()),
        };
        let value = number.parse::<f64>().map_err(|_| Rejection::Invalid { hint: None })? * factor;
        // `as` saturates, and the setting's bounds refuse what is out of range.
        Ok(value.round_ties_even() as i64)
    }

    /// Prints a number in the largest unit that divides it; what is not positive stays bare.
    pub(super) fn display(self, value: i64) -> String {
        let fits = |(_, size): &&(&str, f64)| *size >= 1.0 && value % (*size as i64) == 0;
        match self.names().iter().find(fits) {
            Some((name, size)) if value > 0 => format!("{}{name}", value / (*size as i64)),
            _ => value.to_string(),
        }
    }

    fn unknown_unit(self) -> Rejection {
        let known: Vec<String> = self.names().iter().rev().map(|(name, _)| format!("\"{name}\"")).collect();
        let hint = (!known.is_empty()).then(|| format!("valid units for this parameter are {}", known.join(", ")));
        Rejection::Invalid { hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds() {
        let parse = |text| Unit::Milliseconds.parse(text).ok();
        assert_eq!(parse("250"), Some(250));
        assert_eq!(parse(" 5s "), Some(5000));
        assert_eq!(parse("1.5 min"), Some(90_000));
        assert_eq!(parse("-1"), Some(-1));
        assert_eq!(parse("1500us"), Some(2));
        assert_eq!(parse("5S"), None);
        assert_eq!(parse("fast"), None);
        assert_eq!(parse(""), None);
        assert_eq!(Unit::None.parse("5s").ok(), None);
        assert_eq!(Unit::None.parse("9007199254740993").ok(), Some(9_007_199_254_740_993));
    }

    #[test]
    fn shown_in_the_largest_unit_that_divides() {
        let shown: Vec<String> = [0, -1, 250, 5000, 90_000, 3_600_000].map(|v| Unit::Milliseconds.display(v)).into();
        assert_eq!(shown, ["0", "-1", "250ms", "5s", "90s", "1h"]);
        assert_eq!(Unit::None.display(7), "7");
    }
}
