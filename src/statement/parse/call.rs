//! CALL of a procedure, with arguments by place and by name.

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use crate::error::{Result, SqlState};
use crate::statement::ast::{Call, Kind};

/// CALL name ( [ [ name => ] value [, …] ] ).
pub(super) fn call(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["CALL"])?;
    let procedure = cursor.qualified_name()?;
    cursor.expect_token(&Token::LParen)?;
    let mut arguments: Vec<(Option<String>, Expr)> = Vec::new();
    while !cursor.eat_token(&Token::RParen) {
        if !arguments.is_empty() {
            cursor.expect_token(&Token::Comma)?;
        }
        let at = cursor.here();
        let name = match cursor.peek_nth(1).token {
            Token::RArrow | Token::Assignment => {
                let name = cursor.name()?;
                cursor.take();
                Some(name)
            }
            _ => None,
        };
        if name.is_none() && arguments.iter().any(|(name, _)| name.is_some()) {
            return Err(cursor.error_at(
                at,
                SqlState::SYNTAX_ERROR,
                "positional argument cannot follow named argument",
            ));
        }
        if name.is_some() && arguments.iter().any(|(other, _)| *other == name) {
            let message = format!("argument name \"{}\" used more than once", name.unwrap_or_default());
            return Err(cursor.error_at(at, SqlState::SYNTAX_ERROR, message));
        }
        let value = cursor.sql(|parser| parser.parse_expr())?;
        arguments.push((name, value));
    }
    Ok(Kind::Call(Call { procedure, arguments }))
}
