//! DECLARE, FETCH, MOVE and CLOSE.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::query;
use crate::error::{Result, SqlState};
use crate::statement::ast::Kind;
use crate::statement::cursor_ast::{Declare, Direction, Fetch};

/// DECLARE name [options] CURSOR [WITH HOLD] FOR query.
pub(super) fn declare(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["DECLARE"])?;
    let name = cursor.name()?;
    let options = cursor.here();
    let (mut binary, mut scroll, mut no_scroll, mut sensitive, mut insensitive) = (false, false, false, false, false);
    loop {
        if cursor.eat(&["BINARY"]) {
            binary = true;
        } else if cursor.eat(&["SCROLL"]) {
            scroll = true;
        } else if cursor.eat(&["NO", "SCROLL"]) {
            no_scroll = true;
        } else if cursor.eat(&["ASENSITIVE"]) {
            sensitive = true;
        } else if cursor.eat(&["INSENSITIVE"]) {
            insensitive = true;
        } else {
            break;
        }
    }
    cursor.expect(&["CURSOR"])?;
    let hold = cursor.eat(&["WITH", "HOLD"]);
    if !hold && cursor.eat(&["WITHOUT"]) {
        cursor.expect(&["HOLD"])?;
    }
    cursor.expect(&["FOR"])?;
    let query = query::select(cursor)?;
    let opposed =
        [(scroll && no_scroll, "SCROLL and NO SCROLL"), (sensitive && insensitive, "ASENSITIVE and INSENSITIVE")];
    for (both, names) in opposed {
        if both {
            let message = format!("cannot specify both {names}");
            return Err(cursor.error_at(options, SqlState::INVALID_CURSOR_DEFINITION, message));
        }
    }
    Ok(Kind::Declare(Box::new(Declare { name, binary, scroll, hold, query })))
}

/// FETCH or MOVE, [direction] [FROM | IN] name.
pub(super) fn fetch(cursor: &mut Cursor<'_>) -> Result<Kind> {
    let moves = cursor.at(&["MOVE"]);
    cursor.take();
    let direction = direction(cursor)?;
    if !cursor.eat(&["FROM"]) {
        cursor.eat(&["IN"]);
    }
    Ok(Kind::Fetch(Fetch { name: cursor.name()?, direction, moves }))
}

/// Which way, and how far. The words are names as well: a cursor's, if nothing follows.
fn direction(cursor: &mut Cursor<'_>) -> Result<Direction> {
    if cursor.peek_nth(1).token == Token::EOF && !cursor.at(&["ALL"]) {
        return Ok(Direction::Forward(1));
    }
    if cursor.eat(&["NEXT"]) {
        return Ok(Direction::Forward(1));
    }
    if cursor.eat(&["PRIOR"]) {
        return Ok(Direction::Backward(1));
    }
    if cursor.eat(&["FIRST"]) {
        return Ok(Direction::Absolute(1));
    }
    if cursor.eat(&["LAST"]) {
        return Ok(Direction::Absolute(-1));
    }
    if cursor.eat(&["ALL"]) {
        return Ok(Direction::Forward(Direction::ALL));
    }
    if cursor.eat(&["ABSOLUTE"]) {
        return count(cursor)?.map(Direction::Absolute).ok_or_else(|| cursor.unexpected());
    }
    if cursor.eat(&["RELATIVE"]) {
        return count(cursor)?.map(Direction::Relative).ok_or_else(|| cursor.unexpected());
    }
    if cursor.eat(&["FORWARD"]) {
        return match cursor.eat(&["ALL"]) {
            true => Ok(Direction::Forward(Direction::ALL)),
            false => Ok(Direction::forward(count(cursor)?.unwrap_or(1))),
        };
    }
    if cursor.eat(&["BACKWARD"]) {
        return match cursor.eat(&["ALL"]) {
            true => Ok(Direction::Backward(Direction::ALL)),
            false => Ok(Direction::backward(count(cursor)?.unwrap_or(1))),
        };
    }
    Ok(Direction::forward(count(cursor)?.unwrap_or(1)))
}

/// A whole number of 32 bits with its sign, if a number comes next.
fn count(cursor: &mut Cursor<'_>) -> Result<Option<i64>> {
    let here = cursor.here();
    let Some(number) = cursor.eat_number()? else { return Ok(None) };
    match number.parse::<i64>() {
        Ok(count) if count.unsigned_abs() <= i32::MAX as u64 => Ok(Some(count)),
        _ => Err(cursor.error_at(here, SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{number}\""))),
    }
}

/// CLOSE name | ALL.
pub(super) fn close(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["CLOSE"])?;
    if cursor.eat(&["ALL"]) {
        return Ok(Kind::Close(None));
    }
    Ok(Kind::Close(Some(cursor.name()?)))
}
