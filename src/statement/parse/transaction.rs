//! BEGIN, COMMIT, ROLLBACK and their synonyms, and the modes of transactions.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use crate::error::Result;
use crate::statement::ast::{IsolationLevel, Kind, TransactionModes};

/// BEGIN [WORK | TRANSACTION] or START TRANSACTION, with modes.
pub(super) fn begin(cursor: &mut Cursor<'_>) -> Result<Kind> {
    if cursor.eat(&["START"]) {
        cursor.expect(&["TRANSACTION"])?;
    } else {
        cursor.expect(&["BEGIN"])?;
        noise(cursor);
    }
    let modes = if cursor.at_end() { TransactionModes::default() } else { modes(cursor)? };
    Ok(Kind::Begin { modes })
}

/// COMMIT or END.
pub(super) fn commit(cursor: &mut Cursor<'_>) -> Result<Kind> {
    if cursor.at(&["COMMIT", "PREPARED"]) {
        return Err(cursor.unsupported("COMMIT PREPARED"));
    }
    cursor.take();
    noise(cursor);
    chain(cursor, "COMMIT")?;
    Ok(Kind::Commit)
}

/// ROLLBACK or ABORT.
pub(super) fn rollback(cursor: &mut Cursor<'_>) -> Result<Kind> {
    if cursor.at(&["ROLLBACK", "PREPARED"]) {
        return Err(cursor.unsupported("ROLLBACK PREPARED"));
    }
    let rollback = cursor.at(&["ROLLBACK"]);
    cursor.take();
    noise(cursor);
    if rollback && cursor.at(&["TO"]) {
        cursor.expect(&["TO"])?;
        cursor.eat(&["SAVEPOINT"]);
        return Ok(Kind::RollbackTo(cursor.name()?));
    }
    chain(cursor, "ROLLBACK")?;
    Ok(Kind::Rollback)
}

/// SAVEPOINT name.
pub(super) fn savepoint(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["SAVEPOINT"])?;
    Ok(Kind::Savepoint(cursor.name()?))
}

/// RELEASE [SAVEPOINT] name.
pub(super) fn release(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["RELEASE"])?;
    cursor.eat(&["SAVEPOINT"]);
    Ok(Kind::Release(cursor.name()?))
}

/// One or more modes, with or without commas between them.
pub(super) fn modes(cursor: &mut Cursor<'_>) -> Result<TransactionModes> {
    let mut modes = TransactionModes::default();
    loop {
        if cursor.eat(&["ISOLATION", "LEVEL"]) {
            modes.isolation = Some(isolation(cursor)?);
        } else if cursor.eat(&["READ", "ONLY"]) {
            modes.read_only = Some(true);
        } else if cursor.eat(&["READ", "WRITE"]) {
            modes.read_only = Some(false);
        } else if cursor.eat(&["DEFERRABLE"]) {
            modes.deferrable = Some(true);
        } else if cursor.eat(&["NOT", "DEFERRABLE"]) {
            modes.deferrable = Some(false);
        } else {
            return Err(cursor.unexpected());
        }
        if !cursor.eat_token(&Token::Comma) && cursor.at_end() {
            return Ok(modes);
        }
    }
}

fn isolation(cursor: &mut Cursor<'_>) -> Result<IsolationLevel> {
    let levels: [(&[&str], IsolationLevel); 4] = [
        (&["READ", "UNCOMMITTED"], IsolationLevel::ReadUncommitted),
        (&["READ", "COMMITTED"], IsolationLevel::ReadCommitted),
        (&["REPEATABLE", "READ"], IsolationLevel::RepeatableRead),
        (&["SERIALIZABLE"], IsolationLevel::Serializable),
    ];
    for (words, level) in levels {
        if cursor.eat(words) {
            return Ok(level);
        }
    }
    Err(cursor.unexpected())
}

/// The words that mean nothing behind BEGIN, COMMIT and ROLLBACK.
fn noise(cursor: &mut Cursor<'_>) {
    if !cursor.eat(&["WORK"]) {
        cursor.eat(&["TRANSACTION"]);
    }
}

fn chain(cursor: &mut Cursor<'_>, verb: &str) -> Result<()> {
    if cursor.at(&["AND", "CHAIN"]) {
        return Err(cursor.unsupported(&format!("{verb} AND CHAIN")));
    }
    if cursor.at(&["AND"]) {
        cursor.expect(&["AND", "NO", "CHAIN"])?;
    }
    Ok(())
}
