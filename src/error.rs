//! The one error of the engine: SQLSTATE, message, detail, hint and place in the client's text.
//!
//! The layers below fail in their own words: DataFusion and Arrow with texts made for Rust programmers, the
//! catalog by what happened, the parser by line and column. `From` turns each into the code and the words
//! that PostgreSQL uses for the same fault, so that drivers, tools and people recognise it. Each source of errors
//! has its file:
//!
//! * `engine`: which error of a chain is the cause, and the kinds of `DataFusionError`
//! * `planning`: planner texts (unknown functions, grouping, windows, types)
//! * `execution`: texts of failures while rows flow
//! * `schema`: unknown, ambiguous and duplicate columns
//! * `values`: values that do not fit their type
//! * `syntax`: the parser
//! * `storage`: the catalog
//!
//! DataFusion offers texts rather than codes, so `planning` and `execution` match on those of the pinned version;
//! a text nobody knows still gets its class (42000, XX000), never a wrong code.

mod engine;
mod execution;
mod nearest;
mod planning;
mod schema;
mod sqlstate;
mod storage;
mod syntax;
mod type_name;
mod values;

use std::fmt;
use std::num::NonZeroU32;

use datafusion::error::DataFusionError;

pub(crate) use nearest::nearest;
pub(crate) use planning::no_type;
pub use sqlstate::SqlState;
pub(crate) use type_name::type_name;

use crate::statement::Statement;

/// Result of anything a caller of the engine can ask for.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a statement failed, in the form the wire protocol reports it. `Display` is the message alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What happened, for programs.
    pub sqlstate: SqlState,
    /// What happened, for people: one line, lowercase, no final period.
    pub message: String,
    /// More about what happened.
    pub detail: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where in the text the client sent, in characters from 1.
    pub position: Option<usize>,
    /// What was being done, innermost first: of COPY the line, the column and its value.
    pub context: Option<Box<String>>,
    /// Where in the text that was parsed; `locate` turns it into `position`.
    place: Option<Place>,
}

impl Error {
    /// An error without detail, hint or position.
    pub fn new(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Self { sqlstate, message: message.into(), detail: None, hint: None, position: None, context: None, place: None }
    }

    /// 0A000: `what` is valid, but this version does not do it. `what` is a noun, as in `CREATE INDEX`.
    pub fn unsupported(what: impl fmt::Display) -> Self {
        Self::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported"))
    }

    /// XX000: a bug of ours. `what` says what was found, as in `a plan without columns`.
    pub fn internal(what: impl fmt::Display) -> Self {
        Self::new(SqlState::INTERNAL_ERROR, format!("internal error: {what}; please report it"))
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds more about what happened.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds what was being done when it happened.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(Box::new(context.into()));
        self
    }

    /// Sets the position in the client's text, in characters from 1.
    #[must_use]
    pub fn at(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }

    /// The error as met inside of something that has its own text (a view, a file): named in the message, and no
    /// longer at a place in what the client sent.
    pub(crate) fn inside(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self.position = None;
        self.place = None;
        self
    }

    /// The error without its place, in a text that the client did not send now.
    pub(crate) fn placeless(mut self) -> Self {
        self.position = None;
        self.place = None;
        self
    }

    /// Turns the place that the parser or the planner noted into `position`, in the message that `statement` is
    /// part of. Without a noted place, or with a position already set, nothing changes.
    #[must_use]
    pub(crate) fn locate(mut self, statement: &Statement) -> Self {
        if let (None, Some(place)) = (self.position, self.place) {
            self.position = match place {
                Place::END => Some(statement.offset + statement.text.chars().count() + 1),
                Place { line, column } => statement.position(line.get().into(), column.into()),
            };
        }
        if self.position.is_none() {
            self.position = self.named_once(&statement.text).map(|before| statement.offset + before + 1);
        }
        self
    }

    /// Where the name that an "undefined" error is about stands in `text`, if it stands there just once: the planner
    /// does not keep the place of every name. In characters from 0.
    fn named_once(&self, text: &str) -> Option<usize> {
        let undefined = [SqlState::UNDEFINED_COLUMN, SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_FUNCTION];
        if !undefined.contains(&self.sqlstate) {
            return None;
        }
        let name = between(&self.message, "\"", "\"").or_else(|| between(&self.message, "function ", "("))?;
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '"';
        let mut found = text
            .match_indices(name)
            .filter(|(at, _)| !text[..*at].ends_with(is_word) && !text[at + name.len()..].starts_with(is_word));
        let (at, _) = found.next()?;
        found.next().is_none().then(|| text[..at].chars().count())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<Error> for DataFusionError {
    /// For code that runs inside a plan; [`Error::from`] takes it out again, whatever was wrapped round it.
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

/// A place in a parsed text, as the parser counts: lines and columns from 1, columns in characters.
///
/// Two words, of which zero is free for `None`: errors are returned by value and have to stay small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    line: NonZeroU32,
    column: u32,
}

impl Place {
    /// Behind the last token.
    const END: Self = Self { line: NonZeroU32::MAX, column: 0 };

    /// `None` for the zero line or column that stands for "unknown".
    fn new(line: u64, column: u64) -> Option<Self> {
        match (NonZeroU32::new(u32::try_from(line).ok()?)?, u32::try_from(column).ok()?) {
            (_, 0) => None,
            (line, column) => Some(Self { line, column }),
        }
    }
}

/// A text of another library in our form: no back trace, no final period, first word lowercase unless it is an
/// acronym or a name.
fn sentence(text: &str) -> String {
    let text = text.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or(text).trim();
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && (second.is_lowercase() || second == ' ') => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

/// The part of `text` between the first `before` and the next `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    rest.find(after).map(|end| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_becomes_a_position_in_the_message() {
        let statement = crate::statement::parse("SELECT 'é';\n SELECT x").unwrap().remove(1);
        let error = Error { place: Place::new(2, 9), ..Error::new(SqlState::SYNTAX_ERROR, "x") };
        assert_eq!(error.clone().locate(&statement).position, Some(21));
        assert_eq!(error.at(1).locate(&statement).position, Some(1));
        let end = Error { place: Some(Place::END), ..Error::new(SqlState::SYNTAX_ERROR, "x") };
        assert_eq!(end.locate(&statement).position, Some(22));
        assert_eq!(Place::new(0, 0), None);
    }

    #[test]
    fn sentences_are_in_our_form() {
        assert_eq!(sentence("Cannot do this."), "cannot do this");
        assert_eq!(sentence("UNION has no end"), "UNION has no end");
        assert_eq!(sentence("A column\n\nbacktrace: 0: main"), "a column");
        assert_eq!(between("a 'b' c", "'", "'"), Some("b"));
    }

    #[test]
    fn survives_a_trip_through_a_plan() {
        let error = Error::new(SqlState::QUERY_CANCELED, "cancelled").with_hint("h").with_detail("d").at(3);
        let inside = DataFusionError::from(error.clone()).context("running");
        assert_eq!(Error::from(DataFusionError::Shared(std::sync::Arc::new(inside))), error);
    }

    #[test]
    fn stays_small_enough_to_return_by_value() {
        assert!(size_of::<Error>() < 128);
    }
}
