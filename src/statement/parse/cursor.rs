//! A statement's tokens on the way through the grammar: ours, with sqlparser's where it has the rule.

use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::bounds;
use super::dialect::{Postgres, is_reserved};
use super::place::Place;
use super::rewrite::{is_one_of, is_word};
use crate::error::{Error, Result, SqlState};
use crate::statement::ast::{QualifiedName, fold};

/// Reads a statement from its first token to its last.
///
/// `at_…` look and stay; the others move behind what they found. Words are given in capitals.
pub(super) struct Cursor<'a> {
    parser: Parser<'a>,
    place: Place<'a>,
}

impl<'a> Cursor<'a> {
    /// A cursor before the first of the tokens, which stand at `place`.
    pub(super) fn new(place: Place<'a>, tokens: Vec<TokenWithSpan>, dialect: &'a Postgres) -> Self {
        let parser = Parser::new(dialect).with_recursion_limit(bounds::RECURSION).with_tokens_with_locations(tokens);
        Self { parser, place }
    }

    /// Whether nothing is left.
    pub(super) fn at_end(&self) -> bool {
        self.peek().token == Token::EOF
    }

    /// The next token; the one of an end if there is none.
    pub(super) fn peek(&self) -> &TokenWithSpan {
        self.parser.peek_token_ref()
    }

    /// The token `n` behind the next one.
    pub(super) fn peek_nth(&self, n: usize) -> &TokenWithSpan {
        self.parser.peek_nth_token_ref(n)
    }

    /// Whether the next token is this one.
    pub(super) fn at_token(&self, token: &Token) -> bool {
        self.peek().token == *token
    }

    /// Whether these words come next.
    pub(super) fn at(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(n, word)| is_word(&self.peek_nth(n).token, word))
    }

    /// Whether one of these words comes next.
    pub(super) fn at_one_of(&self, words: &[&str]) -> bool {
        is_one_of(&self.peek().token, words)
    }

    /// Moves behind these words if all of them come next.
    pub(super) fn eat(&mut self, words: &[&str]) -> bool {
        let found = self.at(words);
        if found {
            words.iter().for_each(|_| self.parser.advance_token());
        }
        found
    }

    /// Moves behind the next token if it is this one.
    pub(super) fn eat_token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    /// Moves behind these words.
    pub(super) fn expect(&mut self, words: &[&str]) -> Result<()> {
        for &word in words {
            if !self.eat(&[word]) {
                return Err(self.unexpected());
            }
        }
        Ok(())
    }

    /// Moves behind this token.
    pub(super) fn expect_token(&mut self, token: &Token) -> Result<()> {
        if self.eat_token(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Asserts that nothing is left.
    pub(super) fn expect_end(&self) -> Result<()> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The next token, moved behind.
    pub(super) fn take(&mut self) -> TokenWithSpan {
        self.parser.next_token()
    }

    /// A name: a word that is quoted or isn't reserved.
    pub(super) fn ident(&mut self) -> Result<Ident> {
        let ident = match self.peek() {
            TokenWithSpan { token: Token::Word(word), span }
                if word.quote_style.is_some() || !is_reserved(word.keyword) =>
            {
                word.to_ident(*span)
            }
            _ => return Err(self.unexpected()),
        };
        self.parser.advance_token();
        Ok(ident)
    }

    /// A single name, folded.
    pub(super) fn name(&mut self) -> Result<String> {
        Ok(fold(&self.ident()?))
    }

    /// Names with dots between them; behind a dot, reserved words are names too.
    pub(super) fn dotted(&mut self) -> Result<Vec<Ident>> {
        let mut parts = vec![self.ident()?];
        while self.eat_token(&Token::Period) {
            let part = match self.peek() {
                TokenWithSpan { token: Token::Word(word), span } => word.to_ident(*span),
                _ => return Err(self.unexpected()),
            };
            self.parser.advance_token();
            parts.push(part);
        }
        Ok(parts)
    }

    /// The name of a table or view.
    pub(super) fn qualified_name(&mut self) -> Result<QualifiedName> {
        let at = self.here();
        let parts = self.dotted()?;
        QualifiedName::from_parts(&parts).map_err(|error| self.locate(error, at))
    }

    /// Names in parentheses, at least one.
    pub(super) fn ident_list(&mut self) -> Result<Vec<Ident>> {
        self.expect_token(&Token::LParen)?;
        let mut idents = vec![self.ident()?];
        while self.eat_token(&Token::Comma) {
            idents.push(self.ident()?);
        }
        self.expect_token(&Token::RParen)?;
        Ok(idents)
    }

    /// A string constant if one comes next.
    pub(super) fn eat_string(&mut self) -> Option<String> {
        let text = match &self.peek().token {
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => text.clone(),
            Token::DollarQuotedString(text) => text.value.clone(),
            _ => return None,
        };
        self.parser.advance_token();
        Some(text)
    }

    /// A string constant.
    pub(super) fn string(&mut self) -> Result<String> {
        self.eat_string().ok_or_else(|| self.unexpected())
    }

    /// A number with its sign, if one comes next.
    pub(super) fn eat_number(&mut self) -> Result<Option<String>> {
        let sign = match self.peek().token {
            Token::Minus => "-",
            Token::Plus => "",
            Token::Number(..) => {
                return Ok(match self.take().token {
                    Token::Number(digits, _) => Some(digits),
                    _ => None,
                });
            }
            _ => return Ok(None),
        };
        self.parser.advance_token();
        let Token::Number(digits, _) = &self.peek().token else { return Err(self.unexpected()) };
        let number = format!("{sign}{digits}");
        self.parser.advance_token();
        Ok(Some(number))
    }

    /// What sqlparser's rule finds here.
    pub(super) fn sql<T>(&mut self, rule: impl FnOnce(&mut Parser<'a>) -> Result<T, ParserError>) -> Result<T> {
        rule(&mut self.parser).map_err(|error| self.parser_error(error))
    }

    /// The statement's text from a place on.
    pub(super) fn rest(&self, from: Location) -> &'a str {
        self.place.rest(from)
    }

    /// The error for the next token.
    pub(super) fn unexpected(&self) -> Error {
        self.unexpected_nth(0)
    }

    /// The error for the token `n` behind the next one.
    pub(super) fn unexpected_nth(&self, n: usize) -> Error {
        self.place.error_near("syntax error", self.peek_nth(n))
    }

    /// The error for a token that sqlparser took and PostgreSQL doesn't.
    pub(super) fn unexpected_at(&self, span: Span) -> Error {
        self.place.error_near("syntax error", &TokenWithSpan::new(Token::Mul, span))
    }

    /// The error for a clause or statement that we don't have yet, pointing at the next token.
    pub(super) fn unsupported(&self, what: &str) -> Error {
        self.error(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported yet"))
    }

    /// An error that points at the next token.
    pub(super) fn error(&self, sqlstate: SqlState, message: impl Into<String>) -> Error {
        self.error_at(self.here(), sqlstate, message)
    }

    /// Where the next token stands, for [`error_at`](Self::error_at) and [`rest`](Self::rest).
    pub(super) fn here(&self) -> Location {
        self.peek().span.start
    }

    /// A place in the message, in characters from 1.
    pub(super) fn position(&self, at: Location) -> usize {
        self.place.position(at)
    }

    /// An error that points at a place; at none if that was behind the last token.
    pub(super) fn error_at(&self, at: Location, sqlstate: SqlState, message: impl Into<String>) -> Error {
        self.locate(Error::new(sqlstate, message), at)
    }

    /// An error made elsewhere, pointing at a place.
    pub(super) fn locate(&self, error: Error, at: Location) -> Error {
        if at == Location::empty() { error } else { error.at(self.place.position(at)) }
    }

    /// sqlparser's errors say where in their text only.
    fn parser_error(&self, error: ParserError) -> Error {
        let (ParserError::ParserError(text) | ParserError::TokenizerError(text)) = error else {
            return bounds::too_complex();
        };
        if let Some(at) = location(&text) {
            return match self.token_from(at) {
                Some(token) => self.place.error_near("syntax error", token),
                None => self.place.error_from("syntax error", at),
            };
        }
        if text.ends_with("found: EOF") {
            return self.place.error_at_end("syntax error");
        }
        self.unexpected().with_detail(text)
    }

    /// The token that begins there.
    fn token_from(&self, at: Location) -> Option<&TokenWithSpan> {
        (0..)
            .map(|index| self.parser.token_at(index))
            .take_while(|token| token.token != Token::EOF)
            .find(|token| token.span.start == at)
    }
}

/// The place named at the end of an error of sqlparser: `… at Line: 1, Column: 8`.
fn location(text: &str) -> Option<Location> {
    let (_, place) = text.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    Some(Location::new(line.parse().ok()?, column.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_from_messages() {
        let text = "Expected: an expression, found: FROM at Line: 2, Column: 17";
        assert_eq!(location(text), Some(Location::new(2, 17)));
        assert_eq!(location("Expected: an expression, found: EOF"), None);
    }
}
