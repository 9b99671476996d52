//! From a message to its tokens: PostgreSQL's lexical rules where sqlparser's tokenizer is more lenient.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace, Word};

use super::dialect::Postgres;
use super::place::{Place, START};
use crate::error::{Error, Result, SqlState};

/// The longest message that is parsed, in bytes. Tokens and tree take many times that in memory.
pub(super) const MAX_BYTES: usize = 8 << 20;

/// The tokens of a message, semicolons included, whitespace and comments left out.
///
/// # Errors
/// 54001 for a message that is too long, 42601 for what can't be split into tokens.
pub(super) fn tokenize(message: &str) -> Result<Vec<TokenWithSpan>> {
    if message.len() > MAX_BYTES {
        return Err(Error::new(
            SqlState::STATEMENT_TOO_COMPLEX,
            format!("statement is too long: {} bytes, at most {MAX_BYTES} are parsed", message.len()),
        )
        .with_hint("send it in smaller statements"));
    }
    let place = Place::whole(message);
    if let Some(at) = message.find('\0') {
        return Err(Error::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"UTF8\": 0x00",
        )
        .at(message[..at].chars().count() + 1));
    }
    let dialect = Postgres::with_fuel(0);
    let mut tokens = Vec::new();
    if let Err(error) = Tokenizer::new(&dialect, message).tokenize_with_location_into_buf(&mut tokens) {
        return Err(unfinished(&place, tokens.last(), &error.message));
    }
    settle(&place, &mut tokens)?;
    Ok(tokens)
}

/// The error for the token behind `last`, at which the tokenizer gave up.
fn unfinished(place: &Place<'_>, last: Option<&TokenWithSpan>, message: &str) -> Error {
    let from = last.map_or(START, |token| token.span.end);
    if message.starts_with("Unterminated encoded") && is_closed(place.rest(from)) {
        return place
            .error_from("invalid escape in string constant", from)
            .with_hint("write the character itself, or \\uXXXX");
    }
    let what = if message.starts_with("Unterminated dollar") {
        "unterminated dollar-quoted string"
    } else if message.starts_with("Unterminated") {
        "unterminated quoted string"
    } else if message.starts_with("Expected close delimiter") {
        "unterminated quoted identifier"
    } else if message.contains("multi-line comment") {
        "unterminated /* comment"
    } else if message.contains("unicode") {
        "invalid Unicode escape"
    } else {
        "syntax error"
    };
    place.error_from(what, from)
}

/// Whether the escape string constant (`E'…`) at the beginning of a text has an end.
fn is_closed(text: &str) -> bool {
    let mut characters = text.chars().skip(2).peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '\'' if characters.next_if_eq(&'\'').is_none() => return true,
            _ => {}
        }
    }
    false
}

/// What stands between two tokens.
#[derive(Default)]
struct Gap {
    /// Anything at all.
    any: bool,
    /// A line break outside a comment of several lines, or the end of a `--` comment.
    newline: bool,
    /// A `/* */` comment.
    block: bool,
}

impl Gap {
    fn note(&mut self, whitespace: &Whitespace) {
        self.any = true;
        match whitespace {
            Whitespace::Newline | Whitespace::SingleLineComment { .. } => self.newline = true,
            Whitespace::MultiLineComment(_) => self.block = true,
            Whitespace::Space | Whitespace::Tab => {}
        }
    }

    /// Whether string constants on both sides are one constant.
    fn continues_string(&self) -> bool {
        self.newline && !self.block
    }
}

/// Drops whitespace in place and judges each token with its neighbour.
fn settle(place: &Place<'_>, tokens: &mut Vec<TokenWithSpan>) -> Result<()> {
    let mut kept = 0;
    let mut gap = Gap::default();
    for index in 0..tokens.len() {
        let (done, rest) = tokens.split_at_mut(index);
        let Some(token) = rest.first_mut() else { break };
        if let Token::Whitespace(whitespace) = &token.token {
            gap.note(whitespace);
            continue;
        }
        let done = &mut done[..kept];
        let merged = neighbours(place, done, token, &gap)?;
        alone(place, token)?;
        gap = Gap::default();
        if !merged {
            tokens.swap(kept, index);
            kept += 1;
        }
    }
    tokens.truncate(kept);
    Ok(())
}

/// Judges a token by those before it. `true`: it has become part of the one before it.
fn neighbours(place: &Place<'_>, done: &mut [TokenWithSpan], token: &TokenWithSpan, gap: &Gap) -> Result<bool> {
    match done {
        [.., TokenWithSpan { token: Token::SingleQuotedString(before), span }]
            if matches!(token.token, Token::SingleQuotedString(_)) && gap.continues_string() =>
        {
            if let Token::SingleQuotedString(more) = &token.token {
                before.push_str(more);
            }
            span.end = token.span.end;
            Ok(true)
        }
        [.., last] if is_string(&last.token) && is_string(&token.token) => {
            // PostgreSQL reads `E'…'` on across lines too, with escapes that were not resolved here.
            if gap.continues_string() {
                return Err(Error::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "continuing a string constant with a prefix on another line is not supported yet",
                )
                .at(place.position(token.span.start)));
            }
            Err(place.error_near("syntax error", token))
        }
        [.., last] if !gap.any && matches!(last.token, Token::Number(..)) && is_unquoted(&token.token) => {
            Err(trailing_junk(place, last, token))
        }
        [.., prefix, TokenWithSpan { token: Token::Ampersand, span: and }]
            if !gap.any
                && is_quoted(&token.token)
                && prefix.span.end == and.start
                && matches!(&prefix.token, Token::Word(word) if word.value.eq_ignore_ascii_case("u")) =>
        {
            Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "Unicode escapes in identifiers (U&\"…\") are not supported yet",
            )
            .at(place.position(prefix.span.start)))
        }
        _ => Ok(false),
    }
}

/// Judges a token by itself, and gives string constants whose escapes are resolved one form.
fn alone(place: &Place<'_>, token: &mut TokenWithSpan) -> Result<()> {
    match &mut token.token {
        Token::UnicodeStringLiteral(text) | Token::NationalStringLiteral(text) => {
            let text = std::mem::take(text);
            token.token = Token::SingleQuotedString(text);
            Ok(())
        }
        Token::Word(Word { value, quote_style: Some(_), .. }) if value.is_empty() => {
            Err(place.error_near("zero-length delimited identifier", token))
        }
        Token::Placeholder(name) if name.len() < 2 || !name.bytes().skip(1).all(|byte| byte.is_ascii_digit()) => {
            Err(place.error_near("syntax error", token))
        }
        // sqlparser reads `10L` as a long and `0x1f` as bytes: the latter is one character shorter than `x'1f'`.
        Token::Number(_, true) => Err(trailing_junk(place, token, token)),
        Token::HexStringLiteral(digits)
            if token.span.start.line == token.span.end.line
                && token.span.start.column + digits.chars().count() as u64 + 2 == token.span.end.column =>
        {
            Err(trailing_junk(place, token, token))
        }
        _ => Ok(()),
    }
}

fn trailing_junk(place: &Place<'_>, first: &TokenWithSpan, last: &TokenWithSpan) -> Error {
    let mut whole = first.clone();
    whole.span.end = last.span.end;
    place.error_near("trailing junk after numeric literal", &whole)
}

fn is_string(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::DollarQuotedString(_)
    )
}

fn is_quoted(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_some())
}

fn is_unquoted(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none())
}
