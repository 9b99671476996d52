//! Patterns of events: ClickHouse's language for `sequenceMatch`.
//!
//! `(?N)` is an event of which the condition N holds, `.` any event, `.*` any number of them; `(?t<=S)`, `(?t<S)`,
//! `(?t>=S)`, `(?t>S)` and `(?t==S)` say how many seconds lie between the events round them, of which there may be
//! others in between. A pattern may start at any event.

use std::str::FromStr;

const MICROS: i64 = 1_000_000;

/// A part of a pattern. Times are in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// An event of which a condition holds, given as its bit.
    Event(u32),
    Any,
    Star,
    AtMost(i64),
    Below(i64),
    AtLeast(i64),
    Above(i64),
    Equal(i64),
}

/// A pattern, which starts with the star that lets it start anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) parts: Vec<Part>,
}

impl Pattern {
    /// Every condition that the pattern names.
    pub(super) fn conditions(&self) -> u32 {
        self.parts.iter().fold(0, |mask, part| if let Part::Event(bit) = part { mask | bit } else { mask })
    }

    /// The number of the last condition that the pattern names, counted from 1.
    pub(super) fn last_condition(&self) -> usize {
        (u32::BITS - self.conditions().leading_zeros()) as usize
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = vec![Part::Star];
        let mut rest = text;
        while !rest.is_empty() {
            let wrong = |what: &str| format!("{what} in the pattern, at \"{rest}\"");
            if let Some(after) = rest.strip_prefix(".*") {
                parts.push(Part::Star);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('.') {
                parts.push(Part::Any);
                rest = after;
            } else if let Some(after) = rest.strip_prefix("(?") {
                let (inner, after) = after.split_once(')').ok_or_else(|| wrong("a parenthesis is not closed"))?;
                let part = match inner.strip_prefix('t') {
                    Some(condition) => {
                        if !matches!(parts.last(), Some(Part::Event(_) | Part::Any | Part::Star)) {
                            return Err(wrong("a condition on time follows another"));
                        }
                        time(condition)
                    }
                    None => match inner.parse::<u32>() {
                        Ok(number @ 1..=32) => Some(Part::Event(1 << (number - 1))),
                        Ok(_) => return Err(wrong("conditions are numbered from 1 to 32")),
                        Err(_) => None,
                    },
                };
                let unknown = "(?N), (?t<=S), (?t<S), (?t>=S), (?t>S) or (?t==S) was expected";
                parts.push(part.ok_or_else(|| wrong(unknown))?);
                rest = after;
            } else {
                return Err(wrong("(?N), ., .* or a condition on time was expected"));
            }
        }
        Ok(Self { parts })
    }
}

/// `<=S` and its like.
fn time(condition: &str) -> Option<Part> {
    let kinds: [(&str, fn(i64) -> Part); 5] =
        [("<=", Part::AtMost), ("<", Part::Below), (">=", Part::AtLeast), (">", Part::Above), ("==", Part::Equal)];
    let (kind, seconds) =
        kinds.iter().find_map(|(sign, kind)| Some((kind, condition.strip_prefix(sign)?.parse::<u32>().ok()?)))?;
    Some(kind(i64::from(seconds) * MICROS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses() {
        let pattern: Pattern = "(?1).*(?t>=10)(?32).(?t==0)".parse().unwrap();
        let parts =
            [Part::Star, Part::Event(1), Part::Star, Part::AtLeast(10 * MICROS), Part::Event(1 << 31), Part::Any];
        assert_eq!(pattern.parts, [parts.as_slice(), &[Part::Equal(0)]].concat());
        assert_eq!(pattern.last_condition(), 32);
        assert_eq!("".parse::<Pattern>().unwrap().last_condition(), 0);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, part) in [
            ("(?1", "not closed"),
            ("(?0)", "from 1"),
            ("(?33)", "to 32"),
            ("(?x)", "was expected"),
            ("(?1)(?t=5)", "was expected"),
            ("(?1)(?t<-5)", "was expected"),
            ("(?1)(?t<5)(?t>1)", "follows another"),
            ("(?1) (?2)", "at \" (?2)\""),
        ] {
            let error = text.parse::<Pattern>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
