//! Where a statement stands in its message, and the errors that point there.

use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use crate::error::{Error, SqlState};
use crate::statement::ast::distance;

/// Where a message begins, as spans count.
pub(super) const START: Location = Location { line: 1, column: 1 };

/// Longer pieces of the client's text are cut in error messages, in characters.
const NEAR: usize = 100;

/// A statement's place in its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    message: &'a str,
    /// The statement's own text.
    pub(super) text: &'a str,
    /// The line and column where it begins.
    pub(super) start: Location,
    /// The same in characters of the message, from 0.
    pub(super) offset: usize,
    /// Where the semicolon behind it stands, in characters from 0; `None` at the end of the message.
    semicolon: Option<usize>,
}

impl<'a> Place<'a> {
    /// A whole message, for errors found before it is split.
    pub(super) fn whole(message: &'a str) -> Self {
        Self { message, text: message, start: START, offset: 0, semicolon: None }
    }

    /// A place of this statement in characters of the message from 1, as the protocol wants it.
    pub(super) fn position(&self, at: Location) -> usize {
        self.offset + distance(self.text, self.start, at).1 + 1
    }

    /// The text between two places.
    pub(super) fn slice(&self, from: Location, to: Location) -> &'a str {
        let rest = self.rest(from);
        &rest[..distance(rest, from, to).0]
    }

    /// `what` at a token: `syntax error at or near "FORM"`.
    pub(super) fn error_near(&self, what: &str, token: &TokenWithSpan) -> Error {
        if token.token == Token::EOF {
            return self.error_at_end(what);
        }
        let near = shorten(self.slice(token.span.start, token.span.end));
        Error::new(SqlState::SYNTAX_ERROR, format!("{what} at or near \"{near}\"")).at(self.position(token.span.start))
    }

    /// The text from a place on.
    pub(super) fn rest(&self, from: Location) -> &'a str {
        &self.text[distance(self.text, self.start, from).0..]
    }

    /// `what` at the token that begins at `from` and never ends.
    pub(super) fn error_from(&self, what: &str, from: Location) -> Error {
        let near = shorten(self.rest(from));
        Error::new(SqlState::SYNTAX_ERROR, format!("{what} at or near \"{near}\"")).at(self.position(from))
    }

    /// `what` where the statement's text ends too early: at its semicolon, or at the end of the message.
    pub(super) fn error_at_end(&self, what: &str) -> Error {
        match self.semicolon {
            Some(offset) => Error::new(SqlState::SYNTAX_ERROR, format!("{what} at or near \";\"")).at(offset + 1),
            None => {
                Error::new(SqlState::SYNTAX_ERROR, format!("{what} at end of input"))
                    .at(self.message.chars().count() + 1)
            }
        }
    }
}

/// Finds the places of a message's statements from first to last, in one walk over its text.
pub(super) struct Walk<'a> {
    message: &'a str,
    at: Location,
    bytes: usize,
    characters: usize,
}

impl<'a> Walk<'a> {
    /// A walk that stands at the message's beginning.
    pub(super) fn new(message: &'a str) -> Self {
        Self { message, at: START, bytes: 0, characters: 0 }
    }

    /// The place of the statement between two places ahead, with the semicolon behind it.
    pub(super) fn place(&mut self, from: Location, to: Location, semicolon: Option<Location>) -> Place<'a> {
        self.go(from);
        let (begin, offset) = (self.bytes, self.characters);
        self.go(to);
        let text = &self.message[begin..self.bytes];
        let semicolon = semicolon.map(|at| {
            self.go(at);
            self.characters
        });
        Place { message: self.message, text, start: from, offset, semicolon }
    }

    fn go(&mut self, to: Location) {
        let (bytes, characters) = distance(&self.message[self.bytes..], self.at, to);
        self.bytes += bytes;
        self.characters += characters;
        self.at = to;
    }
}

/// The beginning of a text, with a mark where it was cut.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(NEAR) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
