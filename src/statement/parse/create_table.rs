//! CREATE TABLE, from columns or from a query.

use datafusion::sql::sqlparser::ast::{Expr, Ident};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::query;
use super::rewrite::is_one_of;
use crate::error::{Error, Result, SqlState};
use crate::statement::ast::{Column, CreateTable, OnCommit, QualifiedName, fold};

/// What may begin an element of the list besides a column or a key, by its first words.
const ELEMENTS: [(&[&str], &str); 5] = [
    (&["LIKE"], "LIKE"),
    (&["CHECK"], "CHECK"),
    (&["UNIQUE"], "UNIQUE"),
    (&["FOREIGN", "KEY"], "FOREIGN KEY"),
    (&["EXCLUDE", "USING"], "EXCLUDE"),
];

/// What may follow a column's type besides what we take.
const CONSTRAINTS: [(&[&str], &str); 8] = [
    (&["COLLATE"], "COLLATE"),
    (&["UNIQUE"], "UNIQUE"),
    (&["CHECK"], "CHECK"),
    (&["REFERENCES"], "REFERENCES"),
    (&["GENERATED"], "GENERATED"),
    (&["STORAGE"], "STORAGE"),
    (&["COMPRESSION"], "COMPRESSION"),
    (&["NO", "INHERIT"], "NO INHERIT"),
];

/// What may follow PRIMARY KEY besides nothing.
const KEY_DETAILS: [(&[&str], &str); 6] = [
    (&["INCLUDE"], "INCLUDE"),
    (&["WITH"], "WITH behind PRIMARY KEY"),
    (&["USING"], "USING INDEX"),
    (&["DEFERRABLE"], "DEFERRABLE"),
    (&["NOT", "DEFERRABLE"], "NOT DEFERRABLE"),
    (&["INITIALLY"], "INITIALLY"),
];

/// What may follow the list besides what we take.
const CLAUSES: [(&[&str], &str); 5] = [
    (&["INHERITS"], "INHERITS"),
    (&["PARTITION", "OF"], "PARTITION OF"),
    (&["OF"], "OF"),
    (&["USING"], "USING"),
    (&["TABLESPACE"], "TABLESPACE"),
];

/// The words between CREATE and TABLE or VIEW that say that it is temporary; GLOBAL and LOCAL mean nothing.
const TEMPORARY: [&[&str]; 6] = [
    &["TEMPORARY"],
    &["TEMP"],
    &["LOCAL", "TEMPORARY"],
    &["LOCAL", "TEMP"],
    &["GLOBAL", "TEMPORARY"],
    &["GLOBAL", "TEMP"],
];

/// Whether CREATE TABLE comes next, of a temporary table or another one.
pub(super) fn at_create_table(cursor: &Cursor<'_>) -> bool {
    let temporary = TEMPORARY.iter().any(|words| cursor.at(&[&["CREATE"], *words, &["TABLE"]].concat()));
    temporary || cursor.at(&["CREATE", "TABLE"])
}

/// CREATE TABLE.
pub(super) fn create_table(cursor: &mut Cursor<'_>) -> Result<CreateTable> {
    cursor.expect(&["CREATE"])?;
    let temporary = TEMPORARY.iter().any(|words| cursor.eat(words));
    cursor.expect(&["TABLE"])?;
    let if_not_exists = cursor.eat(&["IF", "NOT", "EXISTS"]);
    let mut table = empty(cursor.qualified_name()?, if_not_exists);
    let defines = cursor.at_token(&Token::LParen) && !at_name_list(cursor);
    if defines {
        elements(cursor, &mut table)?;
    } else if cursor.at_token(&Token::LParen) {
        table.column_names = cursor.ident_list()?;
    }
    table.temporary = temporary.then_some(OnCommit::PreserveRows);
    let (mut with, mut on_commit) = (false, false);
    loop {
        refuse(cursor, &CLAUSES)?;
        if table.partition_by.is_none() && defines && cursor.eat(&["PARTITION", "BY"]) {
            table.partition_by = Some(partition(cursor)?);
        } else if !with && cursor.eat(&["WITH"]) {
            with = true;
            table.options = options(cursor)?;
        } else if !with && cursor.eat(&["WITHOUT", "OIDS"]) {
            with = true;
        } else if !on_commit && cursor.at(&["ON", "COMMIT"]) {
            on_commit = true;
            let action = self::on_commit(cursor)?;
            if table.temporary.replace(action).is_none() {
                let message = "ON COMMIT can only be used on temporary tables";
                return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message));
            }
        } else {
            break;
        }
    }
    if defines {
        return Ok(table);
    }
    cursor.expect(&["AS"])?;
    if cursor.at(&["EXECUTE"]) {
        return Err(cursor.unsupported("CREATE TABLE … AS EXECUTE"));
    }
    table.as_query = Some(query::select(cursor)?);
    table.with_no_data = cursor.eat(&["WITH", "NO", "DATA"]);
    if !table.with_no_data && cursor.at(&["WITH"]) {
        cursor.expect(&["WITH", "DATA"])?;
    }
    Ok(table)
}

/// ON COMMIT and what follows.
fn on_commit(cursor: &mut Cursor<'_>) -> Result<OnCommit> {
    cursor.expect(&["ON", "COMMIT"])?;
    if cursor.eat(&["DROP"]) {
        return Ok(OnCommit::Drop);
    }
    let action = if cursor.eat(&["DELETE"]) {
        OnCommit::DeleteRows
    } else {
        cursor.expect(&["PRESERVE"])?;
        OnCommit::PreserveRows
    };
    cursor.expect(&["ROWS"])?;
    Ok(action)
}

fn empty(name: QualifiedName, if_not_exists: bool) -> CreateTable {
    CreateTable {
        name,
        if_not_exists,
        columns: Vec::new(),
        primary_key: Vec::new(),
        primary_key_name: None,
        partition_by: None,
        options: Vec::new(),
        column_names: Vec::new(),
        as_query: None,
        with_no_data: false,
        temporary: None,
    }
}

/// A column as ALTER TABLE adds it, and whether it is to be the primary key.
pub(super) fn added_column(cursor: &mut Cursor<'_>, table: &QualifiedName) -> Result<(Column, bool)> {
    let mut table = empty(table.clone(), false);
    let column = column(cursor, &mut table).map_err(|mut error| {
        error.message = error.message.replace("CREATE TABLE", "ALTER TABLE");
        error
    })?;
    Ok((column, !table.primary_key.is_empty()))
}

/// Whether the parenthesis opens the column names of CREATE TABLE AS: a name with no type behind it.
fn at_name_list(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.peek_nth(1).token, Token::Word(_))
        && matches!(cursor.peek_nth(2).token, Token::Comma | Token::RParen)
}

/// The list of columns and constraints; may be empty.
fn elements(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Result<()> {
    cursor.expect_token(&Token::LParen)?;
    if cursor.eat_token(&Token::RParen) {
        return Ok(());
    }
    loop {
        element(cursor, table)?;
        if !cursor.eat_token(&Token::Comma) {
            return cursor.expect_token(&Token::RParen);
        }
    }
}

fn element(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Result<()> {
    let name = constraint_name(cursor)?;
    refuse(cursor, &ELEMENTS)?;
    if cursor.at(&["PRIMARY"]) {
        let here = cursor.here();
        cursor.expect(&["PRIMARY", "KEY"])?;
        if cursor.at(&["USING"]) {
            return Err(cursor.unsupported("PRIMARY KEY USING INDEX"));
        }
        if !table.primary_key.is_empty() {
            return Err(cursor.locate(second_key(table), here));
        }
        table.primary_key = cursor.ident_list()?;
        table.primary_key_name = name;
        return refuse(cursor, &KEY_DETAILS);
    }
    if name.is_some() {
        return Err(cursor.unexpected());
    }
    let column = column(cursor, table)?;
    table.columns.push(column);
    Ok(())
}

/// CONSTRAINT and the name it gives, if that comes next.
fn constraint_name(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if cursor.eat(&["CONSTRAINT"]) { cursor.name().map(Some) } else { Ok(None) }
}

fn column(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Result<Column> {
    let name = cursor.ident()?;
    if !matches!(cursor.peek().token, Token::Word(_)) {
        return Err(cursor.unexpected());
    }
    let data_type = cursor.sql(Parser::parse_data_type)?;
    let mut nullable: Option<bool> = None;
    let mut default: Option<Expr> = None;
    loop {
        let here = cursor.here();
        let constraint = constraint_name(cursor)?;
        refuse(cursor, &CONSTRAINTS)?;
        if cursor.eat(&["NOT", "NULL"]) {
            if nullable == Some(true) {
                return Err(cursor.locate(contradiction(&name, table), here));
            }
            nullable = Some(false);
        } else if cursor.eat(&["NULL"]) {
            if nullable == Some(false) {
                return Err(cursor.locate(contradiction(&name, table), here));
            }
            nullable = Some(true);
        } else if cursor.eat(&["DEFAULT"]) {
            if default.is_some() {
                let what = format!("multiple default values specified for column \"{}\"", fold(&name));
                return Err(cursor.error_at(here, SqlState::SYNTAX_ERROR, what));
            }
            let expr = query::expr(cursor)?;
            if matches!(expr, Expr::Collate { .. }) {
                let what = "COLLATE in CREATE TABLE is not supported yet";
                return Err(cursor.error_at(here, SqlState::FEATURE_NOT_SUPPORTED, what));
            }
            default = Some(expr);
        } else if cursor.eat(&["PRIMARY", "KEY"]) {
            if !table.primary_key.is_empty() {
                return Err(cursor.locate(second_key(table), here));
            }
            if nullable == Some(true) {
                return Err(cursor.locate(contradiction(&name, table), here));
            }
            nullable = Some(false);
            table.primary_key = vec![name.clone()];
            table.primary_key_name = constraint;
            refuse(cursor, &KEY_DETAILS)?;
        } else if constraint.is_some() {
            return Err(cursor.unexpected());
        } else {
            return Ok(Column { name, data_type, not_null: nullable == Some(false), default });
        }
    }
}

/// What follows PARTITION BY: RANGE of one column.
fn partition(cursor: &mut Cursor<'_>) -> Result<Ident> {
    for (word, what) in [("LIST", "PARTITION BY LIST"), ("HASH", "PARTITION BY HASH")] {
        if cursor.at(&[word]) {
            return Err(cursor.unsupported(what));
        }
    }
    cursor.expect(&["RANGE"])?;
    cursor.expect_token(&Token::LParen)?;
    let expression = cursor.at_token(&Token::LParen) || cursor.peek_nth(1).token == Token::LParen;
    if expression {
        return Err(cursor.unsupported("PARTITION BY RANGE of an expression"));
    }
    let column = cursor.ident()?;
    if cursor.at_token(&Token::Comma) {
        return Err(cursor.unsupported("PARTITION BY RANGE of more than one column"));
    }
    if cursor.at(&["COLLATE"]) {
        return Err(cursor.unsupported("COLLATE"));
    }
    if matches!(cursor.peek().token, Token::Word(_)) {
        return Err(cursor.unsupported("an operator class"));
    }
    cursor.expect_token(&Token::RParen)?;
    Ok(column)
}

/// The list of WITH: `name`, `name = value`.
fn options(cursor: &mut Cursor<'_>) -> Result<Vec<(String, String)>> {
    cursor.expect_token(&Token::LParen)?;
    let mut options = Vec::new();
    loop {
        let here = cursor.here();
        let name = cursor.dotted()?.iter().map(fold).collect::<Vec<_>>().join(".");
        if options.iter().any(|(known, _)| *known == name) {
            let what = format!("parameter \"{name}\" specified more than once");
            return Err(cursor.error_at(here, SqlState::INVALID_PARAMETER_VALUE, what));
        }
        let value = if cursor.eat_token(&Token::Eq) { option_value(cursor)? } else { "true".to_owned() };
        options.push((name, value));
        if !cursor.eat_token(&Token::Comma) {
            cursor.expect_token(&Token::RParen)?;
            return Ok(options);
        }
    }
}

fn option_value(cursor: &mut Cursor<'_>) -> Result<String> {
    if let Some(text) = cursor.eat_string() {
        return Ok(text);
    }
    if let Some(number) = cursor.eat_number()? {
        return Ok(number);
    }
    if is_one_of(&cursor.peek().token, &["TRUE", "FALSE", "ON"]) {
        return Ok(cursor.take().token.to_string().to_ascii_lowercase());
    }
    cursor.name()
}

fn refuse(cursor: &Cursor<'_>, clauses: &[(&[&str], &str)]) -> Result<()> {
    match clauses.iter().find(|(words, _)| cursor.at(words)) {
        Some((_, what)) => Err(cursor.unsupported(&format!("{what} in CREATE TABLE"))),
        None => Ok(()),
    }
}

fn second_key(table: &CreateTable) -> Error {
    Error::new(
        SqlState::INVALID_TABLE_DEFINITION,
        format!("multiple primary keys for table \"{}\" are not allowed", table.name.name),
    )
}

fn contradiction(column: &Ident, table: &CreateTable) -> Error {
    Error::new(
        SqlState::SYNTAX_ERROR,
        format!(
            "conflicting NULL/NOT NULL declarations for column \"{}\" of table \"{}\"",
            fold(column),
            table.name.name
        ),
    )
}
