//! SET, SHOW, RESET and DISCARD.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::Cursor;
use super::dialect::is_reserved;
use super::rewrite::is_one_of;
use super::transaction;
use crate::error::Result;
use crate::statement::ast::{DiscardTarget, Kind, ResetTarget, SetValue, ShowTarget, fold};

/// The settings behind special spellings, which SHOW and RESET share.
const SPELLED: [(&[&str], &str); 3] = [
    (&["TIME", "ZONE"], "timezone"),
    (&["TRANSACTION", "ISOLATION", "LEVEL"], "transaction_isolation"),
    (&["SESSION", "AUTHORIZATION"], "session_authorization"),
];

/// SET in all its forms.
pub(super) fn set(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["SET"])?;
    let local = is_scope(cursor, "LOCAL") && cursor.eat(&["LOCAL"]);
    if !local && is_scope(cursor, "SESSION") && !is_session_something(cursor) {
        cursor.expect(&["SESSION"])?;
    }
    if let Some(kind) = special(cursor, local)? {
        return Ok(kind);
    }
    let name = setting_name(cursor)?;
    if cursor.at(&["FROM", "CURRENT"]) {
        return Err(cursor.unsupported("SET … FROM CURRENT"));
    }
    if !cursor.eat_token(&Token::Eq) {
        cursor.expect(&["TO"])?;
    }
    let value = value(cursor)?;
    Ok(Kind::Set { name, value, local })
}

/// SHOW of a setting or of ours.
pub(super) fn show(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["SHOW"])?;
    if cursor.eat(&["ALL"]) {
        return Ok(Kind::Show(ShowTarget::All));
    }
    if cursor.eat(&["TABLES"]) {
        return Ok(Kind::Show(ShowTarget::Tables));
    }
    if cursor.eat(&["FUNCTIONS"]) {
        let like = if cursor.eat(&["LIKE"]) { Some(cursor.string()?) } else { None };
        return Ok(Kind::Show(ShowTarget::Functions { like }));
    }
    Ok(Kind::Show(ShowTarget::Setting(named_setting(cursor)?)))
}

/// RESET of one setting or all.
pub(super) fn reset(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["RESET"])?;
    if cursor.eat(&["ALL"]) {
        return Ok(Kind::Reset(ResetTarget::All));
    }
    Ok(Kind::Reset(ResetTarget::Setting(named_setting(cursor)?)))
}

/// DISCARD of a part of the session's state.
pub(super) fn discard(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["DISCARD"])?;
    let targets = [
        ("ALL", DiscardTarget::All),
        ("PLANS", DiscardTarget::Plans),
        ("SEQUENCES", DiscardTarget::Sequences),
        ("TEMP", DiscardTarget::Temp),
        ("TEMPORARY", DiscardTarget::Temp),
    ];
    for (word, target) in targets {
        if cursor.eat(&[word]) {
            return Ok(Kind::Discard(target));
        }
    }
    Err(cursor.unexpected())
}

/// Whether the word comes next as a scope rather than as the name of a setting.
fn is_scope(cursor: &Cursor<'_>, word: &str) -> bool {
    cursor.at(&[word]) && !is_assigned(cursor, 1)
}

fn is_session_something(cursor: &Cursor<'_>) -> bool {
    cursor.at(&["SESSION", "AUTHORIZATION"]) || cursor.at(&["SESSION", "CHARACTERISTICS"])
}

/// Whether the `n`th token makes what stands before it the name of a setting.
fn is_assigned(cursor: &Cursor<'_>, n: usize) -> bool {
    let token = &cursor.peek_nth(n).token;
    matches!(token, Token::Eq | Token::Period) || is_one_of(token, &["TO"])
}

/// The forms of SET that aren't `name = value`; `None` if it is none of them.
fn special(cursor: &mut Cursor<'_>, local: bool) -> Result<Option<Kind>> {
    let set = |name: &str, value: SetValue| Ok(Some(Kind::Set { name: name.to_owned(), value, local }));
    if cursor.eat(&["SESSION", "CHARACTERISTICS", "AS", "TRANSACTION"]) {
        let modes = transaction::modes(cursor)?;
        return Ok(Some(Kind::SetTransaction { session_characteristics: true, modes }));
    }
    if cursor.at(&["SESSION", "AUTHORIZATION"]) {
        if cursor.eat(&["SESSION", "AUTHORIZATION", "DEFAULT"]) {
            return set("session_authorization", SetValue::Default);
        }
        cursor.expect(&["SESSION", "AUTHORIZATION"])?;
        return set("session_authorization", SetValue::Values(vec![named_role(cursor)?]));
    }
    if cursor.eat(&["TIME", "ZONE"]) {
        return set("timezone", time_zone(cursor)?);
    }
    if is_assigned(cursor, 1) {
        return Ok(None);
    }
    if cursor.eat(&["TRANSACTION"]) {
        if cursor.at(&["SNAPSHOT"]) {
            return Err(cursor.unsupported("SET TRANSACTION SNAPSHOT"));
        }
        let modes = transaction::modes(cursor)?;
        return Ok(Some(Kind::SetTransaction { session_characteristics: false, modes }));
    }
    if cursor.eat(&["NAMES"]) {
        if cursor.at_end() || cursor.eat(&["DEFAULT"]) {
            return set("client_encoding", SetValue::Default);
        }
        return set("client_encoding", SetValue::Values(vec![cursor.string()?]));
    }
    if cursor.eat(&["SCHEMA"]) {
        return set("search_path", SetValue::Values(vec![cursor.string()?]));
    }
    if cursor.eat(&["ROLE", "NONE"]) {
        return set("role", SetValue::Default);
    }
    if cursor.eat(&["ROLE"]) {
        return set("role", SetValue::Values(vec![named_role(cursor)?]));
    }
    let refused: [(&[&str], &str); 3] =
        [(&["CONSTRAINTS"], "SET CONSTRAINTS"), (&["XML", "OPTION"], "SET XML OPTION"), (&["CATALOG"], "SET CATALOG")];
    for (words, what) in refused {
        if cursor.at(words) {
            return Err(cursor.unsupported(what));
        }
    }
    Ok(None)
}

/// A role's name, as a word or as a string.
fn named_role(cursor: &mut Cursor<'_>) -> Result<String> {
    match cursor.eat_string() {
        Some(name) => Ok(name),
        None => cursor.name(),
    }
}

fn time_zone(cursor: &mut Cursor<'_>) -> Result<SetValue> {
    if cursor.eat(&["LOCAL"]) || cursor.eat(&["DEFAULT"]) {
        return Ok(SetValue::Default);
    }
    if cursor.at(&["INTERVAL"]) {
        return Err(cursor.unsupported("SET TIME ZONE INTERVAL"));
    }
    Ok(SetValue::Values(vec![one_value(cursor)?]))
}

/// DEFAULT, or values with commas between them.
fn value(cursor: &mut Cursor<'_>) -> Result<SetValue> {
    if cursor.eat(&["DEFAULT"]) {
        return Ok(SetValue::Default);
    }
    let mut values = vec![one_value(cursor)?];
    while cursor.eat_token(&Token::Comma) {
        values.push(one_value(cursor)?);
    }
    Ok(SetValue::Values(values))
}

/// A string, a number or a word.
fn one_value(cursor: &mut Cursor<'_>) -> Result<String> {
    if let Some(text) = cursor.eat_string() {
        return Ok(text);
    }
    if let Some(number) = cursor.eat_number()? {
        return Ok(number);
    }
    match cursor.peek() {
        TokenWithSpan { token: token @ Token::Word(word), span }
            if word.quote_style.is_some()
                || !is_reserved(word.keyword)
                || is_one_of(token, &["ON", "TRUE", "FALSE"]) =>
        {
            let value = fold(&word.to_ident(*span));
            cursor.take();
            Ok(value)
        }
        _ => Err(cursor.unexpected()),
    }
}

/// A setting of SHOW and RESET, in a special spelling or by its name.
fn named_setting(cursor: &mut Cursor<'_>) -> Result<String> {
    for (words, name) in SPELLED {
        if cursor.eat(words) {
            return Ok(name.to_owned());
        }
    }
    setting_name(cursor)
}

fn setting_name(cursor: &mut Cursor<'_>) -> Result<String> {
    // Quotes don't matter: settings are told apart without regard to case.
    let parts = cursor.dotted()?;
    Ok(parts.iter().map(|part| part.value.to_ascii_lowercase()).collect::<Vec<_>>().join("."))
}
