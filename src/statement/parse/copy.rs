//! COPY, in both of its grammars: options in parentheses, and the words of PostgreSQL before 9.0.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::query;
use crate::copy::{CopyOption, CopyValue};
use crate::error::{Result, SqlState};
use crate::statement::ast::{Copy, CopyPlace, CopySubject, Kind, fold};

/// COPY.
pub(super) fn copy(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["COPY"])?;
    let mut options = Vec::new();
    let subject = if cursor.eat_token(&Token::LParen) {
        if cursor.at_one_of(&["INSERT", "UPDATE", "DELETE", "MERGE"]) {
            return Err(cursor.unsupported("COPY of a statement that is no query"));
        }
        let query = query::select(cursor)?;
        cursor.expect_token(&Token::RParen)?;
        CopySubject::Query(query)
    } else {
        if cursor.at(&["BINARY"]) {
            options.push(word(cursor, "format", CopyValue::Text("binary".to_owned()), 1));
        }
        let name = cursor.qualified_name()?;
        let columns = if cursor.at_token(&Token::LParen) { cursor.ident_list()? } else { Vec::new() };
        CopySubject::Table { name, columns: columns.iter().map(fold).collect() }
    };
    let is_query = matches!(subject, CopySubject::Query(_));
    let from = !is_query && cursor.eat(&["FROM"]);
    if !from {
        cursor.expect(&["TO"])?;
    }
    if cursor.at(&["PROGRAM"]) {
        return Err(cursor.error(SqlState::FEATURE_NOT_SUPPORTED, "COPY … PROGRAM is not supported"));
    }
    let place = if cursor.eat(&["STDIN"]) || cursor.eat(&["STDOUT"]) {
        CopyPlace::Client
    } else {
        CopyPlace::File(cursor.string()?)
    };
    if !is_query && (cursor.at(&["USING", "DELIMITERS"]) || cursor.at(&["DELIMITERS"])) {
        cursor.eat(&["USING"]);
        let mut option = word(cursor, "delimiter", CopyValue::None, 1);
        option.value = CopyValue::Text(cursor.string()?);
        options.push(option);
    }
    cursor.eat(&["WITH"]);
    if cursor.eat_token(&Token::LParen) {
        loop {
            options.push(option(cursor)?);
            if !cursor.eat_token(&Token::Comma) {
                break;
            }
        }
        cursor.expect_token(&Token::RParen)?;
    } else {
        while let Some(option) = old_option(cursor)? {
            options.push(option);
        }
    }
    if from && cursor.at(&["WHERE"]) {
        return Err(cursor.unsupported("COPY … FROM … WHERE"));
    }
    Ok(Kind::Copy(Box::new(Copy { subject, from, place, options })))
}

/// The option that the next `words` words are.
fn word(cursor: &mut Cursor<'_>, name: &str, value: CopyValue, words: usize) -> CopyOption {
    let position = cursor.position(cursor.here());
    (0..words).for_each(|_| drop(cursor.take()));
    CopyOption { name: name.to_owned(), value, position }
}

/// `name [value]` of a list in parentheses.
fn option(cursor: &mut Cursor<'_>) -> Result<CopyOption> {
    let here = cursor.here();
    // Reserved words are names here.
    let Some(name) = label(cursor) else { return Err(cursor.unexpected()) };
    let value = if cursor.at_token(&Token::Comma) || cursor.at_token(&Token::RParen) {
        CopyValue::None
    } else if cursor.eat_token(&Token::Mul) {
        CopyValue::All
    } else if cursor.eat_token(&Token::LParen) {
        let mut names = vec![list_item(cursor)?];
        while cursor.eat_token(&Token::Comma) {
            names.push(list_item(cursor)?);
        }
        cursor.expect_token(&Token::RParen)?;
        CopyValue::List(names)
    } else {
        CopyValue::Text(list_item(cursor)?)
    };
    Ok(CopyOption { name, value, position: cursor.position(here) })
}

/// A word, a string or a number.
fn list_item(cursor: &mut Cursor<'_>) -> Result<String> {
    if let Some(text) = cursor.eat_string() {
        return Ok(text);
    }
    if let Some(number) = cursor.eat_number()? {
        return Ok(number);
    }
    label(cursor).ok_or_else(|| cursor.unexpected())
}

fn label(cursor: &mut Cursor<'_>) -> Option<String> {
    let Token::Word(word) = &cursor.peek().token else { return None };
    let name = fold(&word.to_ident(cursor.peek().span));
    cursor.take();
    Some(name)
}

/// An option of the old grammar, if one comes next.
fn old_option(cursor: &mut Cursor<'_>) -> Result<Option<CopyOption>> {
    let flags = [
        ("BINARY", "format", Some("binary")),
        ("CSV", "format", Some("csv")),
        ("FREEZE", "freeze", None),
        ("HEADER", "header", None),
    ];
    for (keyword, name, value) in flags {
        if cursor.at(&[keyword]) {
            let value = value.map_or(CopyValue::None, |value| CopyValue::Text(value.to_owned()));
            return Ok(Some(word(cursor, name, value, 1)));
        }
    }
    for (keyword, name) in [
        ("DELIMITER", "delimiter"),
        ("NULL", "null"),
        ("QUOTE", "quote"),
        ("ESCAPE", "escape"),
        ("ENCODING", "encoding"),
    ] {
        if cursor.at(&[keyword]) {
            let mut option = word(cursor, name, CopyValue::None, 1);
            if keyword != "ENCODING" {
                cursor.eat(&["AS"]);
            }
            option.value = CopyValue::Text(cursor.string()?);
            return Ok(Some(option));
        }
    }
    let lists: [(&[&str], &str); 3] = [
        (&["FORCE", "QUOTE"], "force_quote"),
        (&["FORCE", "NOT", "NULL"], "force_not_null"),
        (&["FORCE", "NULL"], "force_null"),
    ];
    for (keywords, name) in lists {
        if cursor.at(keywords) {
            let mut option = word(cursor, name, CopyValue::All, keywords.len());
            if name != "force_quote" || !cursor.eat_token(&Token::Mul) {
                let mut names = vec![cursor.name()?];
                while cursor.eat_token(&Token::Comma) {
                    names.push(cursor.name()?);
                }
                option.value = CopyValue::List(names);
            }
            return Ok(Some(option));
        }
    }
    Ok(None)
}
