//! PREPARE, EXECUTE and DEALLOCATE.

use datafusion::sql::sqlparser::ast::DataType;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::{change, query};
use crate::error::Result;
use crate::statement::ast::Kind;

/// PREPARE name [(types)] AS statement.
pub(super) fn prepare(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["PREPARE"])?;
    if cursor.at(&["TRANSACTION"]) {
        return Err(cursor.unsupported("PREPARE TRANSACTION"));
    }
    let name = cursor.name()?;
    let mut types = Vec::new();
    if cursor.eat_token(&Token::LParen) {
        loop {
            types.push(parameter_type(cursor)?);
            if !cursor.eat_token(&Token::Comma) {
                cursor.expect_token(&Token::RParen)?;
                break;
            }
        }
    }
    cursor.expect(&["AS"])?;
    let statement = if change::at_change(cursor) {
        change::changing(cursor)?
    } else if query::at_query(cursor) {
        query::query(cursor)?
    } else {
        return Err(cursor.unexpected());
    };
    Ok(Kind::Prepare { name, types, statement: Box::new(statement) })
}

/// A type; `unknown` leaves it to the statement.
fn parameter_type(cursor: &mut Cursor<'_>) -> Result<Option<DataType>> {
    if cursor.eat(&["UNKNOWN"]) {
        return Ok(None);
    }
    cursor.sql(|parser| parser.parse_data_type()).map(Some)
}

/// EXECUTE name [(arguments)].
pub(super) fn execute(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["EXECUTE"])?;
    let name = cursor.name()?;
    let mut arguments = Vec::new();
    if cursor.eat_token(&Token::LParen) {
        loop {
            arguments.push(cursor.sql(|parser| parser.parse_expr())?);
            if !cursor.eat_token(&Token::Comma) {
                cursor.expect_token(&Token::RParen)?;
                break;
            }
        }
    }
    Ok(Kind::Execute { name, arguments })
}

/// DEALLOCATE [PREPARE] name | ALL.
pub(super) fn deallocate(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["DEALLOCATE"])?;
    cursor.eat(&["PREPARE"]);
    if cursor.eat(&["ALL"]) {
        return Ok(Kind::Deallocate(None));
    }
    Ok(Kind::Deallocate(Some(cursor.name()?)))
}

/// UNLISTEN name | *.
pub(super) fn unlisten(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["UNLISTEN"])?;
    if !cursor.eat_token(&Token::Mul) {
        cursor.name()?;
    }
    Ok(Kind::Unlisten)
}
