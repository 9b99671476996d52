//! EXPLAIN, with its options in either spelling.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::{change, create_table, cursors, prepared, query, refused};
use crate::error::{Result, SqlState, nearest};
use crate::statement::ast::{Kind, fold};

/// The names of options, for who misspells one.
const OPTIONS: [&str; 6] = ["analyze", "costs", "format", "summary", "timing", "verbose"];

/// The options we know.
#[derive(Default)]
struct Options {
    analyze: bool,
    verbose: bool,
}

/// EXPLAIN of a query or the cursor over one, of what changes rows, or of a CREATE TABLE AS.
pub(super) fn explain(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["EXPLAIN"])?;
    let mut options = Options::default();
    if at_option_list(cursor) {
        option_list(cursor, &mut options)?;
    } else {
        options.analyze = cursor.eat(&["ANALYZE"]) || cursor.eat(&["ANALYSE"]);
        options.verbose = cursor.eat(&["VERBOSE"]);
    }
    let statement = Box::new(explained(cursor)?);
    Ok(Kind::Explain { analyze: options.analyze, verbose: options.verbose, statement })
}

fn explained(cursor: &mut Cursor<'_>) -> Result<Kind> {
    if change::at_change(cursor) {
        return change::changing(cursor);
    }
    if query::at_query(cursor) {
        return query::query(cursor);
    }
    if create_table::at_create_table(cursor) {
        let create = create_table::create_table(cursor)?;
        // Without a query there is nothing to explain: AS is missing here.
        return if create.as_query.is_some() { Ok(Kind::CreateTable(create)) } else { Err(cursor.unexpected()) };
    }
    if cursor.at(&["EXECUTE"]) {
        return prepared::execute(cursor);
    }
    if cursor.at(&["DECLARE"]) {
        // What is explained is the cursor's query; no cursor comes of it.
        return cursors::declare(cursor).map(|kind| match kind {
            Kind::Declare(declare) => Kind::Query(declare.query),
            kind => kind,
        });
    }
    if cursor.at(&["CREATE"]) {
        return Err(refused::refuse(cursor));
    }
    Err(cursor.unexpected())
}

/// Whether a parenthesis opens options rather than a query.
fn at_option_list(cursor: &Cursor<'_>) -> bool {
    cursor.at_token(&Token::LParen)
        && matches!(cursor.peek_nth(1).token, Token::Word(_))
        && !query::begins_query(&cursor.peek_nth(1).token)
}

fn option_list(cursor: &mut Cursor<'_>, options: &mut Options) -> Result<()> {
    cursor.expect_token(&Token::LParen)?;
    loop {
        option(cursor, options)?;
        if !cursor.eat_token(&Token::Comma) {
            return cursor.expect_token(&Token::RParen);
        }
    }
}

fn option(cursor: &mut Cursor<'_>, options: &mut Options) -> Result<()> {
    let here = cursor.here();
    // ANALYZE is reserved, so that it isn't a name.
    let name = if cursor.eat(&["ANALYZE"]) { "analyze".to_owned() } else { cursor.name()? };
    match name.as_str() {
        "analyze" | "analyse" => options.analyze = flag(cursor, &name)?,
        "verbose" => options.verbose = flag(cursor, &name)?,
        "costs" | "timing" | "summary" => {
            flag(cursor, &name)?;
        }
        "buffers" | "settings" | "wal" => {
            if flag(cursor, &name)? {
                let what = format!("EXPLAIN ({}) is not supported yet", name.to_uppercase());
                return Err(cursor.error_at(here, SqlState::FEATURE_NOT_SUPPORTED, what));
            }
        }
        "format" => {
            let format = match cursor.eat_string() {
                Some(format) => format,
                None => cursor.name()?,
            };
            if !format.eq_ignore_ascii_case("text") {
                let what = format!("EXPLAIN (FORMAT {}) is not supported yet", format.to_uppercase());
                return Err(cursor.error_at(here, SqlState::FEATURE_NOT_SUPPORTED, what));
            }
        }
        _ => {
            let what = format!("unrecognized EXPLAIN option \"{name}\"");
            let error = cursor.error_at(here, SqlState::SYNTAX_ERROR, what);
            return Err(match nearest(&name, OPTIONS) {
                Some(close) => error.with_hint(format!("perhaps you meant \"{close}\"")),
                None => error,
            });
        }
    }
    Ok(())
}

/// An option's value; no value means on.
fn flag(cursor: &mut Cursor<'_>, name: &str) -> Result<bool> {
    if cursor.at_token(&Token::Comma) || cursor.at_token(&Token::RParen) {
        return Ok(true);
    }
    let wrong = cursor.error(SqlState::SYNTAX_ERROR, format!("{name} requires a Boolean value"));
    let value = if let Some(text) = cursor.eat_string() {
        text
    } else if let Some(number) = cursor.eat_number()? {
        number
    } else if cursor.at_one_of(&["ON", "TRUE", "FALSE"]) {
        cursor.take().token.to_string()
    } else {
        fold(&cursor.ident()?)
    };
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" | "1" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err(wrong),
    }
}
