//! What a setting is: its name, type, bounds, default and who may change it.

use crate::error::{Error, SqlState};

use super::definitions::Key;
use super::units::Unit;

/// One setting of a session.
#[derive(Debug)]
pub struct Definition {
    pub(super) key: Key,
    /// The name as PostgreSQL prints it. Names are compared without regard to letter case.
    pub name: &'static str,
    /// The heading that `pg_settings` lists it under.
    pub category: &'static str,
    /// What it does, in one sentence.
    pub description: &'static str,
    /// Type and bounds.
    pub kind: Kind,
    /// The value when neither the operator nor the client says anything.
    pub boot: &'static str,
    /// Whether clients hear of changes (ParameterStatus).
    pub reported: bool,
    /// Whether SQL can change it; otherwise the server sets it.
    pub changeable: bool,
    /// For settings that live as long as a transaction: the setting they start from.
    pub(super) starts_from: Option<Key>,
    /// The one value that does what it says today, and why others are refused.
    pub(super) only: Option<(&'static str, &'static str)>,
}

/// Where a value comes from, as `pg_settings` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Nobody said anything.
    Default,
    /// The server said it of this session.
    Override,
    /// The client, when it connected.
    Client,
    /// SET.
    Session,
}

impl Source {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Override => "override",
            Self::Client => "client",
            Self::Session => "session",
        }
    }
}

/// The type of a setting.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `on` or `off`.
    Bool,
    /// A whole number between two bounds, both included.
    Int {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
        /// What it counts.
        unit: Unit,
    },
    /// One of these words.
    Enum(&'static [&'static str]),
    /// A text that this function checks and brings into the form it is shown in.
    Text(fn(&str, &Basis<'_>) -> Result<String, Rejection>),
}

/// What the check of a text may need to know: a value can be given in part, like a DateStyle.
#[derive(Debug)]
pub struct Basis<'a> {
    /// The value now.
    pub current: &'a str,
    /// The value that RESET gives.
    pub reset: &'a str,
    /// The time zone of the session.
    pub zone: &'a str,
}

/// Why a text is not a value of a setting.
#[derive(Debug, PartialEq, Eq)]
pub enum Rejection {
    /// It is not one.
    Invalid {
        /// What would be.
        hint: Option<String>,
    },
    /// It is one in PostgreSQL, but not here; says why.
    Unsupported(String),
}

/// A checked value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Text(String),
}

impl Definition {
    /// Reads and checks a value.
    pub(super) fn check(&self, text: &str, basis: &Basis<'_>) -> Result<Value, Error> {
        let value = match self.kind {
            Kind::Bool => Value::Bool(parse_bool(text).ok_or_else(|| {
                Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("parameter \"{}\" requires a Boolean value", self.name),
                )
            })?),
            Kind::Int { min, max, unit } => {
                let value = unit.parse(text).map_err(|r| self.rejected(text, r))?;
                if !(min..=max).contains(&value) {
                    let unit = unit.base().map(|name| format!(" {name}")).unwrap_or_default();
                    let message = format!(
                        "{value}{unit} is outside the valid range for parameter \"{}\" ({min}{unit} .. {max}{unit})",
                        self.name
                    );
                    return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
                }
                Value::Int(value)
            }
            Kind::Enum(words) => match words.iter().find(|word| word.eq_ignore_ascii_case(text.trim())) {
                Some(word) => Value::Text((*word).to_owned()),
                None => {
                    let hint = Some(format!("available values: {}", words.join(", ")));
                    return Err(self.rejected(text, Rejection::Invalid { hint }));
                }
            },
            Kind::Text(check) => Value::Text(check(text, basis).map_err(|r| self.rejected(text, r))?),
        };
        match self.only {
            Some((only, why)) if self.display(&value) != only => {
                Err(self.rejected(text, Rejection::Unsupported(why.to_owned())))
            }
            _ => Ok(value),
        }
    }

    /// A value as SHOW prints it.
    pub(super) fn display(&self, value: &Value) -> String {
        match (value, self.kind) {
            (Value::Bool(true), _) => "on".to_owned(),
            (Value::Bool(false), _) => "off".to_owned(),
            (Value::Int(value), Kind::Int { unit, .. }) => unit.display(*value),
            (Value::Int(value), _) => value.to_string(),
            (Value::Text(text), _) => text.clone(),
        }
    }

    /// What is to be said of its values besides: those that are refused, and why.
    pub(crate) fn limits(&self) -> Option<String> {
        self.only.map(|(only, why)| format!("only \"{only}\" is taken: {why}"))
    }

    /// A value as `pg_settings` has it: a number bare, its unit apart.
    pub(super) fn bare(&self, value: &Value) -> String {
        match value {
            Value::Int(number) => number.to_string(),
            _ => self.display(value),
        }
    }

    fn rejected(&self, text: &str, rejection: Rejection) -> Error {
        match rejection {
            Rejection::Invalid { hint } => {
                let message = format!("invalid value for parameter \"{}\": \"{text}\"", self.name);
                let error = Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
                match hint {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                }
            }
            Rejection::Unsupported(why) => {
                Error::unsupported(format!("the value \"{text}\" of parameter \"{}\"", self.name)).with_detail(why)
            }
        }
    }
}

/// Any unambiguous start of true, false, yes, no, on, off; 1 and 0.
fn parse_bool(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    match text.as_str() {
        "" | "o" => None,
        "1" | "on" => Some(true),
        "0" | "of" | "off" => Some(false),
        start if "true".starts_with(start) || "yes".starts_with(start) => Some(true),
        start if "false".starts_with(start) || "no".starts_with(start) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_as_postgresql_reads_them() {
        for (text, value) in
            [("t", Some(true)), ("YES", Some(true)), ("of", Some(false)), ("0", Some(false)), ("o", None)]
        {
            assert_eq!(parse_bool(text), value, "{text}");
        }
        assert_eq!(parse_bool("truely"), None);
    }
}
