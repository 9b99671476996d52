//! Which type a column of text has, from its values.
//!
//! Only what is certain becomes a type: dates and times in ISO form, true and false, numbers without leading zeros or a
//! plus sign. `01234` is a postcode and `+33612345678` a telephone number, so their columns are text. Numbers with a
//! point are double precision; numeric is for who asks for it.

use catalog::types::PgType;

use super::json::members;
use super::records::Kind;

/// Kinds of values, a bit each.
mod seen {
    pub(super) const BOOLEAN: u16 = 1;
    pub(super) const INTEGER: u16 = 1 << 1;
    /// An integer that a double cannot hold exactly.
    pub(super) const WIDE: u16 = 1 << 2;
    /// An integer beyond bigint that numeric can hold.
    pub(super) const HUGE: u16 = 1 << 3;
    pub(super) const FLOAT: u16 = 1 << 4;
    pub(super) const DATE: u16 = 1 << 5;
    pub(super) const TIMESTAMP: u16 = 1 << 6;
    pub(super) const TIMESTAMPTZ: u16 = 1 << 7;
    pub(super) const TIME: u16 = 1 << 8;
    pub(super) const TEXT: u16 = 1 << 9;
    pub(super) const NESTED: u16 = 1 << 10;
}

/// The largest integer up to which a double holds all.
const EXACT: i64 = 1 << 53;

/// What the values of a column have been so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Guess {
    /// Values of text files.
    Seen { kinds: u16, nested: Option<Shape> },
    /// A column of a format that has types.
    Typed(PgType),
}

/// The form of nested JSON values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Array(Box<Guess>),
    Object(Vec<(String, Guess)>),
    /// Arrays and objects both.
    Mixed,
}

impl Default for Guess {
    fn default() -> Self {
        Self::Seen { kinds: 0, nested: None }
    }
}

impl Guess {
    /// Takes note of a value.
    pub(super) fn see(&mut self, kind: Kind, text: &str) {
        let Self::Seen { kinds, nested } = self else { return };
        match kind {
            Kind::Null => {}
            // An empty value in quotes is at home in every column: a text, or NULL.
            Kind::Quoted if text.is_empty() => {}
            Kind::Nested => {
                *kinds |= seen::NESTED;
                let shape = shape(text);
                match nested {
                    Some(known) => known.join(shape),
                    None => *nested = Some(shape),
                }
            }
            _ if *kinds & seen::TEXT != 0 => {}
            Kind::String => *kinds |= moment(text).unwrap_or(seen::TEXT),
            Kind::Plain | Kind::Quoted => *kinds |= classify(text),
        }
    }

    /// Takes note of a value in a folder's name: `month=01` is a number there.
    pub(super) fn see_folder(&mut self, value: Option<&str>) {
        if let Some(value) = value {
            let short = value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_digit());
            self.see(Kind::Plain, value.strip_prefix('0').filter(|_| short).unwrap_or(value));
        }
    }

    /// The type that holds all values seen; `None` if there were none.
    pub(super) fn pg_type(&self) -> Option<PgType> {
        use seen::*;
        let (kinds, nested) = match self {
            Self::Typed(pg) => return Some(pg.clone()),
            Self::Seen { kinds, nested } => (*kinds, nested),
        };
        let only = |allowed: u16| kinds & !allowed == 0;
        Some(match kinds {
            0 => return None,
            BOOLEAN => PgType::Boolean,
            DATE => PgType::Date,
            TIME => PgType::Time,
            NESTED => match nested {
                Some(Shape::Array(element)) => match element.pg_type().unwrap_or(PgType::Text) {
                    // Arrays of arrays have no PostgreSQL type of their own.
                    PgType::Array(_) => PgType::Jsonb,
                    element => PgType::Array(Box::new(element)),
                },
                Some(Shape::Object(members)) if !members.is_empty() => PgType::Row(
                    members
                        .iter()
                        .map(|(name, guess)| (name.clone(), guess.pg_type().unwrap_or(PgType::Text)))
                        .collect(),
                ),
                _ => PgType::Jsonb,
            },
            _ if only(INTEGER | WIDE) => PgType::BigInt,
            _ if only(INTEGER | WIDE | HUGE) => PgType::Numeric(38, 0),
            _ if only(INTEGER | FLOAT) => PgType::Double,
            _ if only(DATE | TIMESTAMP) => PgType::Timestamp,
            _ if only(DATE | TIMESTAMP | TIMESTAMPTZ) => PgType::Timestamptz,
            _ if kinds & NESTED != 0 => PgType::Jsonb,
            _ => PgType::Text,
        })
    }

    /// Adds what was seen elsewhere. `false`: no type holds both.
    #[must_use]
    pub(super) fn join(&mut self, other: Self) -> bool {
        match (&mut *self, other) {
            (Self::Seen { kinds, nested }, Self::Seen { kinds: more, nested: shape }) => {
                *kinds |= more;
                match (nested, shape) {
                    (Some(known), Some(shape)) => known.join(shape),
                    (none, shape) => *none = none.take().or(shape),
                }
                true
            }
            (typed, other) => {
                let (Some(known), Some(more)) = (typed.pg_type(), other.pg_type()) else {
                    if let Self::Typed(_) = other {
                        *typed = other;
                    }
                    return true;
                };
                match wider(&known, &more) {
                    Some(pg) => {
                        *typed = Self::Typed(pg);
                        true
                    }
                    None => false,
                }
            }
        }
    }
}

impl Shape {
    fn join(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Array(element), Self::Array(more)) => {
                // What is seen in text files always joins.
                let _ = element.join(*more);
            }
            (Self::Object(members), Self::Object(more)) => {
                for (name, guess) in more {
                    match members.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, known)) => {
                            let _ = known.join(guess);
                        }
                        None => members.push((name, guess)),
                    }
                }
            }
            _ => *self = Self::Mixed,
        }
    }
}

/// The form of one nested value, which is valid JSON.
fn shape(text: &str) -> Shape {
    if text.starts_with('{') {
        let mut found: Vec<(String, Guess)> = Vec::new();
        let read = members(text, |key, member| {
            let mut guess = Guess::default();
            guess.see(member.kind, &text[member.start..member.end]);
            found.push((key.to_owned(), guess));
            Ok(())
        });
        return if read.is_ok() { Shape::Object(found) } else { Shape::Mixed };
    }
    let mut element = Guess::default();
    if let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(text) {
        for value in values {
            match value {
                serde_json::Value::Null => {}
                serde_json::Value::String(text) => element.see(Kind::String, &text),
                value @ (serde_json::Value::Array(_) | serde_json::Value::Object(_)) => {
                    element.see(Kind::Nested, &value.to_string());
                }
                value => element.see(Kind::Plain, &value.to_string()),
            }
        }
    }
    Shape::Array(Box::new(element))
}

/// The narrowest type that holds the values of both; `None` if that would not be a conversion but a guess.
pub(super) fn wider(a: &PgType, b: &PgType) -> Option<PgType> {
    use PgType::*;
    if a == b {
        return Some(a.clone());
    }
    let digits = |pg: &PgType| match pg {
        SmallInt => Some((5, 0)),
        Integer => Some((10, 0)),
        BigInt => Some((19, 0)),
        Numeric(p, s) => Some((*p, *s)),
        _ => None,
    };
    Some(match (a, b) {
        (SmallInt | Integer | BigInt, SmallInt | Integer | BigInt) => {
            if matches!((a, b), (BigInt, _) | (_, BigInt)) {
                BigInt
            } else {
                Integer
            }
        }
        (Real, Double | SmallInt | Integer) | (Double | SmallInt | Integer, Real) => Double,
        (Double, SmallInt | Integer | BigInt) | (SmallInt | Integer | BigInt, Double) => Double,
        (Real, BigInt) | (BigInt, Real) => Double,
        (Date, Timestamp) | (Timestamp, Date) => Timestamp,
        (Date | Timestamp, Timestamptz) | (Timestamptz, Date | Timestamp) => Timestamptz,
        (Text | Varchar(_) | Char(_), Text | Varchar(_) | Char(_)) => Text,
        (Array(a), Array(b)) => Array(Box::new(wider(a, b)?)),
        _ => {
            let ((p, s), (q, t)) = digits(a).zip(digits(b))?;
            let scale = s.max(t);
            let whole = (p - s.unsigned_abs()).max(q - t.unsigned_abs());
            let precision = whole + scale.unsigned_abs();
            if precision > 38 {
                return None;
            }
            Numeric(precision, scale)
        }
    })
}

/// What a value is.
fn classify(text: &str) -> u16 {
    let trimmed = text.trim_ascii();
    match trimmed.as_bytes() {
        [] => seen::TEXT,
        [b'0'..=b'9' | b'-' | b'.', ..] => number(trimmed).or_else(|| moment(text)).unwrap_or(seen::TEXT),
        [b't' | b'T' | b'f' | b'F', ..] => {
            let boolean = ["true", "false", "t", "f"].iter().any(|word| trimmed.eq_ignore_ascii_case(word));
            if boolean { seen::BOOLEAN } else { seen::TEXT }
        }
        _ => seen::TEXT,
    }
}

fn number(text: &str) -> Option<u16> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if has_leading_zeros(digits) {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() {
        return match text.parse::<i64>() {
            Ok(value) if (-EXACT..=EXACT).contains(&value) => Some(seen::INTEGER),
            Ok(_) => Some(seen::WIDE),
            Err(_) if digits.len() <= 38 => Some(seen::HUGE),
            Err(_) => None,
        };
    }
    let number = digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    (number && text.parse::<f64>().is_ok_and(f64::is_finite)).then_some(seen::FLOAT)
}

/// Whether an unsigned number begins with zeros that it does not need.
pub(super) fn has_leading_zeros(digits: &str) -> bool {
    matches!(digits.as_bytes(), [b'0', b'0'..=b'9', ..])
}

/// A date or time in ISO form: its shape, and fields in their ranges.
fn moment(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || bytes.len() > 40 || !bytes[0].is_ascii_digit() {
        return None;
    }
    if bytes[2] == b':' {
        return clock(bytes).filter(|length| *length == bytes.len()).map(|_| seen::TIME);
    }
    if bytes.len() < 10 {
        return None;
    }
    let (month, day) = (pair(&bytes[5..])?, pair(&bytes[8..])?);
    let year = u32::from(pair(bytes)?) * 100 + u32::from(pair(&bytes[2..])?);
    let exists = chrono::NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month.into(), day.into()).is_some();
    if bytes[4] != b'-' || bytes[7] != b'-' || !exists || year == 0 {
        return None;
    }
    let Some(separator) = bytes.get(10) else { return Some(seen::DATE) };
    if !matches!(separator, b' ' | b'T') {
        return None;
    }
    let rest = &bytes[11..];
    let zone = &rest[clock(rest)?..];
    let zone = zone.strip_prefix(b" ").unwrap_or(zone);
    match zone {
        [] => Some(seen::TIMESTAMP),
        b"Z" | b"UTC" => Some(seen::TIMESTAMPTZ),
        [b'+' | b'-', offset @ ..] => {
            let minutes = match offset.len() {
                2 => &[][..],
                4 => &offset[2..],
                5 if offset[2] == b':' => &offset[3..],
                _ => return None,
            };
            let valid = pair(offset)? <= 15 && (minutes.is_empty() || pair(minutes)? <= 59);
            valid.then_some(seen::TIMESTAMPTZ)
        }
        _ => None,
    }
}

/// The length of `HH:MM[:SS[.ffffff]]`.
fn clock(bytes: &[u8]) -> Option<usize> {
    let valid = pair(bytes)? < 24 && bytes.get(2) == Some(&b':') && pair(bytes.get(3..)?)? < 60;
    if !valid {
        return None;
    }
    if bytes.get(5) != Some(&b':') {
        return Some(5);
    }
    if pair(bytes.get(6..)?)? > 59 {
        return None;
    }
    if bytes.get(8) != Some(&b'.') {
        return Some(8);
    }
    let fraction = bytes[9..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=9).contains(&fraction).then_some(9 + fraction)
}

/// Two digits as a number.
fn pair(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', ..] => Some((a - b'0') * 10 + (b - b'0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> String {
        let mut guess = Guess::default();
        for value in values {
            guess.see(Kind::Plain, value);
        }
        guess.pg_type().map_or("none".to_owned(), |pg| pg.to_string())
    }

    #[test]
    fn csv_values_have_types() {
        assert_eq!(of(&["1", "-2", "0"]), "bigint");
        assert_eq!(of(&["1", "2.5", "1e-3", ".5"]), "double precision");
        assert_eq!(of(&["9007199254740993"]), "bigint");
        assert_eq!(of(&["9007199254740993", "0.5"]), "text");
        assert_eq!(of(&["92233720368547758080", "1"]), "numeric(38,0)");
        assert_eq!(of(&["75001", "01234"]), "text");
        assert_eq!(of(&["+33612345678"]), "text");
        assert_eq!(of(&["true", "F"]), "boolean");
        assert_eq!(of(&["1", "true"]), "text");
        assert_eq!(of(&["2024-02-29"]), "date");
        assert_eq!(of(&["2023-02-29"]), "text");
        assert_eq!(of(&["2024-02-29", "2024-02-29 10:00"]), "timestamp without time zone");
        assert_eq!(of(&["2024-02-29T10:00:00.123Z", "2024-02-29 10:00:00+02"]), "timestamp with time zone");
        assert_eq!(of(&["2024-02-29 25:00:00"]), "text");
        assert_eq!(of(&["10:20:30"]), "time without time zone");
        assert_eq!(of(&["20240229"]), "bigint");
        assert_eq!(of(&["nan", "inf"]), "text");
        assert_eq!(of(&["-"]), "text");
        assert_eq!(of(&[]), "none");
    }

    #[test]
    fn json_strings_are_text_or_times() {
        let of = |values: &[(Kind, &str)]| {
            let mut guess = Guess::default();
            for (kind, value) in values {
                guess.see(*kind, value);
            }
            guess.pg_type().map_or("none".to_owned(), |pg| pg.to_string())
        };
        assert_eq!(of(&[(Kind::String, "12")]), "text");
        assert_eq!(of(&[(Kind::String, "2024-01-01T00:00:00Z")]), "timestamp with time zone");
        assert_eq!(of(&[(Kind::Nested, "[1, 2.5]"), (Kind::Nested, "[]")]), "double precision[]");
        assert_eq!(
            of(&[(Kind::Nested, r#"{"a":1}"#), (Kind::Nested, r#"{"b":["x"]}"#)]),
            "row(\"a\" bigint, \"b\" text[])"
        );
        assert_eq!(of(&[(Kind::Nested, "[1]"), (Kind::Nested, "{}")]), "jsonb");
        assert_eq!(of(&[(Kind::Nested, "[1]"), (Kind::Plain, "1")]), "jsonb");
        assert_eq!(of(&[(Kind::String, "x"), (Kind::Nested, "[1]")]), "jsonb");
        assert_eq!(of(&[(Kind::Nested, "[1]"), (Kind::String, "x")]), "jsonb");
    }

    #[test]
    fn types_widen_or_do_not_fit() {
        let join = |a: PgType, b: PgType| wider(&a, &b).map(|pg| pg.to_string());
        assert_eq!(join(PgType::Integer, PgType::BigInt).as_deref(), Some("bigint"));
        assert_eq!(join(PgType::Numeric(10, 2), PgType::Integer).as_deref(), Some("numeric(12,2)"));
        assert_eq!(join(PgType::Date, PgType::Timestamptz).as_deref(), Some("timestamp with time zone"));
        assert_eq!(join(PgType::BigInt, PgType::Text), None);
        let mut csv = Guess::default();
        csv.see(Kind::Plain, "1");
        assert!(csv.join(Guess::Typed(PgType::Numeric(10, 2))));
        assert_eq!(csv.pg_type(), Some(PgType::Numeric(21, 2)));
        assert!(!csv.join(Guess::Typed(PgType::Date)));
        let mut empty = Guess::default();
        assert!(empty.join(Guess::Typed(PgType::Date)));
        assert_eq!(empty.pg_type(), Some(PgType::Date));
    }

    #[test]
    fn short_numbers_of_folders_are_numbers() {
        let mut guess = Guess::default();
        for value in ["01", "12", "00"] {
            guess.see_folder(Some(value));
        }
        assert_eq!(guess.pg_type(), Some(PgType::BigInt));
        guess.see_folder(Some("0012"));
        assert_eq!(guess.pg_type(), Some(PgType::Text));
    }
}
