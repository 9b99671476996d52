//! From a message to its statements: each is parsed once, here.
//!
//! 1. [`tokens`] splits the message into tokens, by PostgreSQL's rules.
//! 2. At each semicolon a statement ends; [`place`] remembers where it stood, for the positions in errors.
//! 3. [`rewrite`] respells what sqlparser lacks; [`bounds`] refuses what could exhaust the stack.
//! 4. The first words decide: our own rules over a [`cursor::Cursor`] for statements with few words, sqlparser's (in
//!    our [`dialect`]) for queries, expressions and types, and [`refused`] for what we don't have yet.
//!
//! Nothing is skipped: a clause that no rule takes is an error that names it.

mod alter;
mod bounds;
mod call;
mod change;
mod copy;
mod create_table;
mod cursor;
mod cursors;
mod ddl;
mod dialect;
mod explain;
mod grant;
mod place;
mod prepared;
mod query;
mod refused;
mod rewrite;
mod role;
mod settings;
mod tokens;
mod transaction;

use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use crate::error::{Error, Result, SqlState};
use crate::statement::ast::{Kind, Statement};
use cursor::Cursor;
use dialect::Postgres;
use place::{Place, Walk};

/// How many statements a message may hold: their trees are in memory at once.
const MAX_STATEMENTS: usize = 20_000;

/// Parses a message. Empty statements are left out; a message without any statement gives none.
///
/// # Errors
/// The first one in the message, with its position where there is one: 42601 for what isn't PostgreSQL's grammar,
/// 0A000 for what is but isn't supported yet, 54001 for what is too long or nested too deeply.
pub fn parse(message: &str) -> Result<Vec<Statement>> {
    let mut walk = Walk::new(message);
    let mut statements = Vec::new();
    let mut current = Vec::new();
    for token in tokens::tokenize(message)? {
        if token.token == Token::SemiColon {
            let tokens = std::mem::take(&mut current);
            add(&mut statements, &mut walk, tokens, Some(token.span.start))?;
        } else {
            current.push(token);
        }
    }
    add(&mut statements, &mut walk, current, None)?;
    Ok(statements)
}

/// Parses the tokens of one statement, if there are any.
fn add(
    statements: &mut Vec<Statement>,
    walk: &mut Walk<'_>,
    tokens: Vec<TokenWithSpan>,
    semicolon: Option<Location>,
) -> Result<()> {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return Ok(()) };
    if statements.len() == MAX_STATEMENTS {
        let error = Error::new(
            SqlState::STATEMENT_TOO_COMPLEX,
            format!("more than {MAX_STATEMENTS} statements in one message"),
        );
        return Err(error.with_hint("send them in several messages"));
    }
    let place = walk.place(first.span.start, last.span.end, semicolon);
    statements.push(statement(place, tokens)?);
    Ok(())
}

fn statement(place: Place<'_>, tokens: Vec<TokenWithSpan>) -> Result<Statement> {
    let tokens = rewrite::respell(tokens);
    bounds::check(&place, &tokens)?;
    let dialect = Postgres::with_fuel(bounds::fuel(tokens.len()));
    let mut cursor = Cursor::new(place, tokens, &dialect);
    let kind = kind(&mut cursor)?;
    cursor.expect_end()?;
    Ok(Statement::new(kind, place.text, place.offset, place.start))
}

fn kind(cursor: &mut Cursor<'_>) -> Result<Kind> {
    if change::at_change(cursor) {
        return change::changing(cursor);
    }
    if query::at_query(cursor) {
        return query::query(cursor);
    }
    let rules: [(&[&str], fn(&mut Cursor<'_>) -> Result<Kind>); 27] = [
        (&["TRUNCATE"], change::truncate),
        (&["COPY"], copy::copy),
        (&["EXPLAIN"], explain::explain),
        (&["CREATE"], ddl::create),
        (&["DROP"], ddl::drop),
        (&["COMMENT"], ddl::comment),
        (&["CALL"], call::call),
        (&["SET"], settings::set),
        (&["SHOW"], settings::show),
        (&["RESET"], settings::reset),
        (&["DISCARD"], settings::discard),
        (&["BEGIN", "START"], transaction::begin),
        (&["COMMIT", "END"], transaction::commit),
        (&["ROLLBACK", "ABORT"], transaction::rollback),
        (&["SAVEPOINT"], transaction::savepoint),
        (&["RELEASE"], transaction::release),
        (&["PREPARE"], prepared::prepare),
        (&["EXECUTE"], prepared::execute),
        (&["DEALLOCATE"], prepared::deallocate),
        (&["CLOSE"], cursors::close),
        (&["DECLARE"], cursors::declare),
        (&["FETCH", "MOVE"], cursors::fetch),
        (&["UNLISTEN"], prepared::unlisten),
        (&["ALTER"], alter::alter),
        (&["REASSIGN"], role::reassign),
        (&["GRANT"], grant::grant),
        (&["REVOKE"], grant::revoke),
    ];
    match rules.iter().find(|(words, _)| cursor.at_one_of(words)) {
        Some((_, rule)) => rule(cursor),
        None => Err(refused::refuse(cursor)),
    }
}

#[cfg(test)]
mod tests;
