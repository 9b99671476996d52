//! The limits within which a statement is parsed, so that no text can exhaust the stack.
//!
//! sqlparser counts its own recursion, but builds chains (`1 + 1 + 1 …`, `SELECT … UNION SELECT …`, `int[][][]…`)
//! in loops: as trees they are as deep as long, and dropping, copying or planning such a tree recurses. So the
//! depth a statement's tree can reach is bounded from its tokens, before there is a tree.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::place::Place;
use crate::error::{Error, Result, SqlState};

/// How deep parentheses, brackets and CASE may be nested.
const MAX_NESTING: usize = 128;
/// How deep the tree may be in all; a chain of that many operators, say.
const MAX_DEPTH: usize = 1000;
/// sqlparser's own limit: more than [`MAX_NESTING`], since a sub-query counts several times.
pub(super) const RECURSION: usize = 200;
/// How many expressions sqlparser may begin: this many, and [`FUEL_PER_TOKEN`] for each token.
const FUEL: usize = 100_000;
const FUEL_PER_TOKEN: usize = 16;

/// The [fuel](super::dialect::Postgres::with_fuel) for a statement of that many tokens.
pub(super) fn fuel(tokens: usize) -> usize {
    FUEL + FUEL_PER_TOKEN * tokens
}

/// The error for a statement beyond the limits.
pub(super) fn too_complex() -> Error {
    Error::new(SqlState::STATEMENT_TOO_COMPLEX, "statement is nested too deeply").with_hint(format!(
        "at most {MAX_NESTING} nested parentheses and {MAX_DEPTH} chained operators are parsed; \
         use IN (…) for many comparisons, WITH for nested queries"
    ))
}

/// Holds a statement's tokens against the limits.
///
/// # Errors
/// 54001 beyond the limits; 42601 for three constructs that PostgreSQL doesn't have and sqlparser parses without
/// counting how deep it is.
pub(super) fn check(place: &Place<'_>, tokens: &[TokenWithSpan]) -> Result<()> {
    let mut levels = vec![Level::default()];
    // The two tokens before.
    let mut second: Option<&Token> = None;
    let mut before: Option<&Token> = None;
    for token in tokens {
        if second != Some(&Token::Period) && is_uncounted(before, &token.token) {
            return Err(place.error_near("syntax error", token));
        }
        let step = step(before, &token.token);
        if matches!(step, Step::Close) && levels.len() > 1 {
            let depth = levels.pop().map_or(0, Level::close);
            if let Some(level) = levels.last_mut() {
                level.inner = level.inner.max(depth);
            }
        }
        if matches!(step, Step::Open) {
            if levels.len() > MAX_NESTING {
                return Err(too_complex());
            }
            if token.token == Token::LBracket
                && let Some(level) = levels.last_mut()
            {
                level.tight += 1;
            }
            levels.push(Level::default());
        }
        if let Some(level) = levels.last_mut() {
            level.take(step);
        }
        second = before;
        before = Some(&token.token);
    }
    let depth = levels.into_iter().rev().fold(0, |inner, mut level| {
        level.inner = level.inner.max(inner);
        level.close()
    });
    if depth > MAX_DEPTH { Err(too_complex()) } else { Ok(()) }
}

/// What a token means for the depth.
#[derive(Clone, Copy)]
enum Step {
    /// A level begins.
    Open,
    /// A level ends.
    Close,
    /// An expression ends.
    Separator,
    /// A query ends and is the left side of a set operation.
    SetOperator,
    /// AND or OR, or the AND of BETWEEN.
    Boolean { and: bool },
    /// BETWEEN.
    Between,
    /// Another operator.
    Operator,
    /// Part of an operand.
    Operand,
}

fn step(before: Option<&Token>, token: &Token) -> Step {
    match token {
        Token::LParen | Token::LBracket | Token::LBrace => Step::Open,
        Token::RParen | Token::RBracket | Token::RBrace => Step::Close,
        Token::Comma => Step::Separator,
        Token::Word(_) if before.is_some_and(takes_any_name) => Step::Operand,
        Token::Word(word) => match word.keyword {
            Keyword::CASE => Step::Open,
            Keyword::END => Step::Close,
            // All of these are reserved: none can begin an operand (the dialect sees to it).
            Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::HAVING
            | Keyword::ON
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE => Step::Separator,
            Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => Step::SetOperator,
            Keyword::AND => Step::Boolean { and: true },
            Keyword::OR => Step::Boolean { and: false },
            Keyword::BETWEEN => Step::Between,
            Keyword::IS
            | Keyword::NOTNULL
            | Keyword::NOT
            | Keyword::IN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::SIMILAR
            | Keyword::COLLATE
            | Keyword::AT
            | Keyword::OVERLAPS
            | Keyword::OPERATOR
            | Keyword::PIVOT
            | Keyword::UNPIVOT => Step::Operator,
            _ => Step::Operand,
        },
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::DollarQuotedString(_)
        | Token::Placeholder(_)
        | Token::Period => Step::Operand,
        _ => Step::Operator,
    }
}

/// Whether sqlparser takes any word behind this token for a name, reserved or not.
fn takes_any_name(token: &Token) -> bool {
    match token {
        Token::Period | Token::DoubleColon => true,
        Token::Word(word) => matches!(word.keyword, Keyword::AS | Keyword::COLLATE | Keyword::OVER),
        _ => false,
    }
}

/// Whether the token leads sqlparser into recursion that it doesn't count: `INTERVAL INTERVAL …`,
/// `ARRAY<ARRAY<…`, `TABLE (a TABLE (…`.
fn is_uncounted(before: Option<&Token>, token: &Token) -> bool {
    let Some(Token::Word(word)) = before else { return false };
    match token {
        Token::Word(next) => word.keyword == Keyword::INTERVAL && next.keyword == Keyword::INTERVAL,
        Token::Lt => word.keyword == Keyword::ARRAY,
        Token::LParen => word.keyword == Keyword::TABLE,
        _ => false,
    }
}

/// The expressions between two parentheses, brackets, or CASE and END.
#[derive(Default)]
struct Level {
    /// Operators since the last separator, AND or OR.
    tight: usize,
    /// The depth of the deepest level inside since then.
    inner: usize,
    /// The largest `tight + inner` since the last separator.
    widest: usize,
    /// AND and OR since then.
    boolean: usize,
    /// How many BETWEEN still wait for their AND.
    between: usize,
    /// The depth of the deepest expression that has ended.
    deepest: usize,
    /// UNION and its kin.
    sets: usize,
}

impl Level {
    fn take(&mut self, step: Step) {
        match step {
            Step::Separator => self.end_expression(),
            Step::SetOperator => {
                self.end_expression();
                self.sets += 1;
            }
            Step::Boolean { and: true } if self.between > 0 => {
                self.between -= 1;
                self.tight += 1;
            }
            Step::Boolean { .. } => {
                self.end_term();
                self.boolean += 1;
            }
            Step::Between => {
                self.tight += 1;
                self.between += 1;
            }
            Step::Operator => self.tight += 1,
            Step::Open | Step::Close | Step::Operand => {}
        }
    }

    fn end_term(&mut self) {
        self.widest = self.widest.max(self.tight + self.inner);
        self.tight = 0;
        self.inner = 0;
    }

    fn end_expression(&mut self) {
        self.end_term();
        self.deepest = self.deepest.max(self.boolean + self.widest);
        self.widest = 0;
        self.boolean = 0;
        self.between = 0;
    }

    /// The depth of all of it, as an operand of the level around it.
    fn close(mut self) -> usize {
        self.end_expression();
        self.deepest + self.sets + 1
    }
}

#[cfg(test)]
mod tests {
    use super::super::{rewrite, tokens};
    use super::*;

    /// Whether a text is within the limits.
    fn fits(text: &str) -> bool {
        let tokens = rewrite::respell(tokens::tokenize(text).unwrap());
        check(&Place::whole(text), &tokens).is_ok()
    }

    #[test]
    fn chains_are_bounded_and_lists_are_not() {
        assert!(fits(&format!("SELECT 1{}", " + 1".repeat(900))));
        assert!(!fits(&format!("SELECT 1{}", " + 1".repeat(1100))));
        assert!(!fits(&format!("SELECT 1{}", " UNION SELECT 1".repeat(1100))));
        assert!(!fits(&format!("SELECT 1::int{}", "[]".repeat(1100))));
        assert!(fits(&format!("SELECT 1{}", ", 1 + 1".repeat(50_000))));
        assert!(fits(&format!("SELECT CASE{} END", " WHEN a = 1 THEN b + 1".repeat(5000))));
    }

    #[test]
    fn comparisons_joined_by_or_count_once_each() {
        assert!(fits(&format!("SELECT 1 WHERE a = 1{}", " OR a = b + 1".repeat(900))));
        assert!(!fits(&format!("SELECT 1 WHERE a = 1{}", " OR a = b + 1".repeat(1100))));
    }

    #[test]
    fn words_that_look_like_separators_hide_nothing() {
        assert!(!fits(&format!("SELECT t.on{}", " + t.on".repeat(1100))));
        assert!(!fits(&format!("SELECT 1{}", "::on".repeat(1100))));
        assert!(!fits(&format!("SELECT 1{}", " + sum(a) OVER on".repeat(1100))));
        assert!(!fits(&format!("SELECT a{}", " = b BETWEEN 1 AND 2".repeat(600))));
        assert!(!fits(&format!("SELECT a{}", " + CASE WHEN b AND c THEN d END".repeat(1100))));
    }

    #[test]
    fn depth_adds_up_through_parentheses() {
        let mut text = "1".to_owned();
        for _ in 0..20 {
            text = format!("({text}{})", " + 1".repeat(60));
        }
        assert!(!fits(&format!("SELECT {text}")));
        assert!(!fits(&format!("SELECT {}1", "(".repeat(200))));
        assert!(fits(&format!("SELECT {}1{}", "(".repeat(100), ")".repeat(100))));
    }

    #[test]
    fn uncounted_recursion_is_a_syntax_error() {
        assert!(!fits("SELECT INTERVAL INTERVAL '1 day'"));
        assert!(!fits("SELECT 1::ARRAY<ARRAY<int>>"));
        assert!(!fits("SELECT 1::TABLE (a int)"));
    }
}
