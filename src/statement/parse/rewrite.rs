//! PostgreSQL's spellings that sqlparser lacks or misreads, respelled in a statement's tokens.
//!
//! | typed | respelled | because |
//! |---|---|---|
//! | `a IS [NOT] DISTINCT FROM b` | one operator | sqlparser would take everything behind it as its right side |
//! | `a ISNULL` | `a IS NULL` | it would be an alias |
//! | `TABLE t` | `SELECT * FROM t` | the name would lose its quotes |
//! | `FOR NO KEY UPDATE`, `FOR KEY SHARE` | `FOR UPDATE`, `FOR SHARE` | to be refused like these |
//! | `FOR READ ONLY` | nothing | as which every query counts |
//!
//! New tokens carry the span of what was typed.

use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::dialect::{IS_DISTINCT, IS_NOT_DISTINCT};

/// The tokens of a statement with everything respelled.
pub(super) fn respell(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_one_of(&token.token, &["DISTINCT", "ISNULL", "TABLE", "KEY", "ONLY"])) {
        return tokens;
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 2);
    let mut context = Context::default();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let span = token.span;
        let next = tokens.peek().map(|next| &next.token);
        if is_word(&token.token, "FROM") && respell_distinct(&mut out, span) {
            continue;
        }
        if is_word(&token.token, "ISNULL") && is_operator(&out, next) {
            out.extend(["IS", "NULL"].map(|word| keyword(word, span)));
            continue;
        }
        if is_word(&token.token, "TABLE") && matches!(next, Some(Token::Word(_))) && context.expects_query(&out) {
            let star = TokenWithSpan::new(Token::Mul, span);
            out.extend([keyword("SELECT", span), star, keyword("FROM", span)]);
            continue;
        }
        if is_word(&token.token, "ONLY") && ends_with(&out, &["FOR", "READ"]) {
            out.truncate(out.len() - 2);
            continue;
        }
        if is_word(&token.token, "UPDATE") && ends_with(&out, &["FOR", "NO", "KEY"]) {
            out.truncate(out.len() - 2);
        } else if is_word(&token.token, "SHARE") && ends_with(&out, &["FOR", "KEY"]) {
            out.truncate(out.len() - 1);
        }
        context.note(&token.token);
        out.push(token);
    }
    out
}

/// Turns a written `IS [NOT] DISTINCT`, which FROM follows, into one operator.
fn respell_distinct(out: &mut Vec<TokenWithSpan>, from: Span) -> bool {
    let (operator, length) = if ends_with(out, &["IS", "DISTINCT"]) {
        (IS_DISTINCT, 2)
    } else if ends_with(out, &["IS", "NOT", "DISTINCT"]) {
        (IS_NOT_DISTINCT, 3)
    } else {
        return false;
    };
    let begin = out.len() - length;
    let span = Span::new(out[begin].span.start, from.end);
    out.truncate(begin);
    out.push(TokenWithSpan::new(Token::CustomBinaryOperator(operator.to_owned()), span));
    true
}

/// Whether ISNULL between these is an operator rather than a part of a name or a function.
fn is_operator(before: &[TokenWithSpan], next: Option<&Token>) -> bool {
    let follows_operand = before.last().is_some_and(|before| {
        !matches!(before.token, Token::Period | Token::Comma | Token::LParen)
            && !is_one_of(&before.token, &["AS", "SELECT"])
    });
    follows_operand && !matches!(next, Some(Token::LParen | Token::Period))
}

/// What of the tokens so far decides whether a query may begin.
#[derive(Default)]
struct Context {
    /// Some token has passed.
    begun: bool,
    /// The statement is EXPLAIN.
    explain: bool,
    /// The statement, or the one explained, is CREATE.
    create: bool,
    /// The statement, or the one explained, is INSERT.
    insert: bool,
    /// The statement, or the one explained, is DECLARE.
    declare: bool,
    /// How many parentheses are open.
    depth: usize,
    /// How many AS have passed outside parentheses.
    aliases: usize,
}

impl Context {
    fn note(&mut self, token: &Token) {
        match token {
            Token::LParen => self.depth += 1,
            Token::RParen => self.depth = self.depth.saturating_sub(1),
            Token::Word(_) => {
                let verb = !self.begun || self.explain;
                self.explain |= !self.begun && is_word(token, "EXPLAIN");
                self.create |= verb && is_word(token, "CREATE");
                self.insert |= verb && is_word(token, "INSERT");
                self.declare |= verb && is_word(token, "DECLARE");
                self.aliases += usize::from(self.depth == 0 && is_word(token, "AS"));
            }
            _ => {}
        }
        self.begun = true;
    }

    /// Whether TABLE behind these tokens begins a query.
    fn expects_query(&self, before: &[TokenWithSpan]) -> bool {
        let Some(before) = before.last().map(|before| &before.token) else { return true };
        match before {
            Token::LParen | Token::RParen => true,
            Token::Word(_) if is_one_of(before, &["UNION", "EXCEPT", "INTERSECT", "ALL"]) => true,
            Token::Word(_) if is_one_of(before, &["EXPLAIN", "ANALYZE", "VERBOSE"]) => self.explain,
            Token::Word(_) if is_word(before, "FOR") => self.declare && self.depth == 0,
            // The first AS of CREATE … AS; any other names a result column.
            Token::Word(_) if is_word(before, "AS") => self.create && self.depth == 0 && self.aliases == 1,
            Token::Word(_) => self.insert && self.depth == 0 && !is_word(before, "INTO"),
            _ => false,
        }
    }
}

fn keyword(word: &str, span: Span) -> TokenWithSpan {
    TokenWithSpan::new(Token::make_keyword(word), span)
}

fn ends_with(tokens: &[TokenWithSpan], words: &[&str]) -> bool {
    tokens.len() >= words.len()
        && tokens[tokens.len() - words.len()..].iter().zip(words).all(|(token, word)| is_word(&token.token, word))
}

/// Whether a token is this word (given in capitals), without quotes.
pub(super) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found)
        if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

/// Whether a token is one of these words (given in capitals), without quotes.
pub(super) fn is_one_of(token: &Token, words: &[&str]) -> bool {
    words.iter().any(|word| is_word(token, word))
}
