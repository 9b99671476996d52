//! UPDATE, DELETE, MERGE and TRUNCATE, and what INSERT says behind its rows: ON CONFLICT and RETURNING.

use datafusion::sql::sqlparser::ast::{
    ConflictTarget, DoUpdate, Expr, Ident, ObjectName, OnConflict, OnConflictAction, OnInsert, SelectItem,
    TableWithJoins, With,
};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::query::{expr, insert, settle};
use super::rewrite::is_one_of;
use crate::error::{Result, SqlState};
use crate::statement::ast::{Assignment, Change, ChangeKind, Kind, MergeAction, MergeWhen};

/// Whether INSERT, UPDATE, DELETE or MERGE comes next, with or without WITH before it.
pub(super) fn at_change(cursor: &Cursor<'_>) -> bool {
    let changes = ["INSERT", "UPDATE", "DELETE", "MERGE"];
    if !cursor.at(&["WITH"]) {
        return cursor.at_one_of(&changes);
    }
    // Behind WITH, what is in no parentheses is names until the statement's own word.
    let mut depth = 0;
    for n in 1.. {
        match &cursor.peek_nth(n).token {
            Token::EOF => return false,
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            token if depth == 0 && is_one_of(token, &changes) => return true,
            token if depth == 0 && is_one_of(token, &["SELECT", "VALUES"]) => return false,
            _ => {}
        }
    }
    false
}

/// INSERT, UPDATE, DELETE or MERGE, one of which comes next.
pub(super) fn changing(cursor: &mut Cursor<'_>) -> Result<Kind> {
    if cursor.at(&["WITH"]) {
        return with(cursor);
    }
    if cursor.at(&["INSERT"]) {
        return insert(cursor);
    }
    if cursor.at(&["UPDATE"]) {
        return update(cursor);
    }
    if cursor.at(&["DELETE"]) { delete(cursor) } else { merge(cursor) }
}

/// One of them behind WITH.
fn with(cursor: &mut Cursor<'_>) -> Result<Kind> {
    let with_token = cursor.peek().clone();
    cursor.expect(&["WITH"])?;
    let recursive = cursor.eat(&["RECURSIVE"]);
    let mut cte_tables = cursor.sql(|parser| parser.parse_comma_separated(Parser::parse_cte))?;
    settle(cursor, &mut cte_tables)?;
    let with = With { with_token: with_token.into(), recursive, cte_tables };
    if !at_change(cursor) || cursor.at(&["WITH"]) {
        return Err(cursor.unexpected());
    }
    let mut kind = changing(cursor)?;
    match &mut kind {
        Kind::Change(change) => change.with = Some(with),
        Kind::Insert(insert) => {
            if let Some(source) = &mut insert.source {
                source.with = Some(match source.with.take() {
                    None => with,
                    Some(inner) => With {
                        recursive: with.recursive || inner.recursive,
                        cte_tables: with.cte_tables.into_iter().chain(inner.cte_tables).collect(),
                        ..inner
                    },
                });
            }
        }
        _ => return Err(cursor.unexpected()),
    }
    Ok(kind)
}

/// UPDATE.
pub(super) fn update(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["UPDATE"])?;
    let (target, alias) = target(cursor, &["SET"])?;
    cursor.expect(&["SET"])?;
    let assignments = assignments(cursor)?;
    let from = if cursor.eat(&["FROM"]) { tables(cursor)? } else { Vec::new() };
    let (selection, returning) = (condition(cursor)?, returning(cursor)?);
    Ok(Kind::Change(Box::new(Change {
        with: None,
        target,
        alias,
        from,
        selection,
        kind: ChangeKind::Update(assignments),
        returning,
    })))
}

/// DELETE.
pub(super) fn delete(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["DELETE", "FROM"])?;
    let (target, alias) = target(cursor, &["USING", "WHERE", "RETURNING"])?;
    let from = if cursor.eat(&["USING"]) { tables(cursor)? } else { Vec::new() };
    let (selection, returning) = (condition(cursor)?, returning(cursor)?);
    Ok(Kind::Change(Box::new(Change {
        with: None,
        target,
        alias,
        from,
        selection,
        kind: ChangeKind::Delete,
        returning,
    })))
}

/// MERGE.
pub(super) fn merge(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["MERGE", "INTO"])?;
    let (target, alias) = target(cursor, &["USING"])?;
    cursor.expect(&["USING"])?;
    let mut source = cursor.sql(Parser::parse_table_factor)?;
    settle(cursor, &mut source)?;
    cursor.expect(&["ON"])?;
    let on = expr(cursor)?;
    let mut clauses = Vec::new();
    while cursor.at(&["WHEN"]) {
        clauses.push(merge_when(cursor)?);
    }
    if clauses.is_empty() {
        return Err(cursor.unexpected());
    }
    let from = vec![TableWithJoins { relation: source, joins: Vec::new() }];
    let kind = ChangeKind::Merge { on, clauses };
    let (selection, returning) = (None, None);
    Ok(Kind::Change(Box::new(Change { with: None, target, alias, from, selection, kind, returning })))
}

fn merge_when(cursor: &mut Cursor<'_>) -> Result<MergeWhen> {
    cursor.expect(&["WHEN"])?;
    let matched = !cursor.eat(&["NOT"]);
    cursor.expect(&["MATCHED"])?;
    if cursor.at(&["BY"]) {
        // Of PostgreSQL 17.
        return Err(cursor.unsupported("MERGE … WHEN NOT MATCHED BY"));
    }
    let condition = if cursor.eat(&["AND"]) { Some(expr(cursor)?) } else { None };
    cursor.expect(&["THEN"])?;
    let action = if cursor.eat(&["DO", "NOTHING"]) {
        MergeAction::Nothing
    } else if matched && cursor.eat(&["UPDATE", "SET"]) {
        MergeAction::Update(assignments(cursor)?)
    } else if matched && cursor.eat(&["DELETE"]) {
        MergeAction::Delete
    } else if !matched && cursor.eat(&["INSERT"]) {
        merge_insert(cursor)?
    } else {
        return Err(cursor.unexpected());
    };
    Ok(MergeWhen { matched, condition, action })
}

fn merge_insert(cursor: &mut Cursor<'_>) -> Result<MergeAction> {
    let columns = if cursor.at_token(&Token::LParen) { cursor.ident_list()? } else { Vec::new() };
    if cursor.at(&["OVERRIDING"]) {
        return Err(cursor.unsupported("INSERT … OVERRIDING"));
    }
    if cursor.eat(&["DEFAULT", "VALUES"]) {
        return Ok(MergeAction::Insert { columns, values: None });
    }
    cursor.expect(&["VALUES"])?;
    cursor.expect_token(&Token::LParen)?;
    let values = expressions(cursor)?;
    cursor.expect_token(&Token::RParen)?;
    Ok(MergeAction::Insert { columns, values: Some(values) })
}

/// TRUNCATE.
pub(super) fn truncate(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["TRUNCATE"])?;
    cursor.eat(&["TABLE"]);
    let mut names = Vec::new();
    loop {
        cursor.eat(&["ONLY"]);
        names.push(cursor.qualified_name()?);
        cursor.eat_token(&Token::Mul);
        if !cursor.eat_token(&Token::Comma) {
            break;
        }
    }
    if cursor.at(&["RESTART"]) {
        return Err(cursor.unsupported("TRUNCATE … RESTART IDENTITY"));
    }
    cursor.eat(&["CONTINUE", "IDENTITY"]);
    // There are no foreign keys that CASCADE could follow.
    let _ = cursor.eat(&["CASCADE"]) || cursor.eat(&["RESTRICT"]);
    Ok(Kind::Truncate(names))
}

/// What INSERT does with a key that is taken.
pub(super) fn on_conflict(cursor: &mut Cursor<'_>) -> Result<Option<OnInsert>> {
    if !cursor.eat(&["ON", "CONFLICT"]) {
        return Ok(None);
    }
    let conflict_target = if cursor.at_token(&Token::LParen) {
        let columns = cursor.ident_list()?;
        if cursor.at(&["WHERE"]) {
            return Err(cursor.unsupported("ON CONFLICT (…) WHERE"));
        }
        Some(ConflictTarget::Columns(columns))
    } else if cursor.eat(&["ON", "CONSTRAINT"]) {
        Some(ConflictTarget::OnConstraint(ObjectName::from(vec![cursor.ident()?])))
    } else {
        None
    };
    cursor.expect(&["DO"])?;
    let action = if cursor.eat(&["NOTHING"]) {
        OnConflictAction::DoNothing
    } else {
        let here = cursor.here();
        cursor.expect(&["UPDATE", "SET"])?;
        if conflict_target.is_none() {
            let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
            let hint = "For example, ON CONFLICT (column_name).";
            return Err(cursor.error_at(here, SqlState::SYNTAX_ERROR, message).with_hint(hint));
        }
        let assignments = assignments(cursor)?.into_iter().map(Into::into).collect();
        OnConflictAction::DoUpdate(DoUpdate { assignments, selection: condition(cursor)? })
    };
    Ok(Some(OnInsert::OnConflict(OnConflict { conflict_target, action })))
}

/// RETURNING, if it comes next.
pub(super) fn returning(cursor: &mut Cursor<'_>) -> Result<Option<Vec<SelectItem>>> {
    if !cursor.eat(&["RETURNING"]) {
        return Ok(None);
    }
    let mut items = cursor.sql(|parser| parser.parse_comma_separated(Parser::parse_select_item))?;
    settle(cursor, &mut items)?;
    Ok(Some(items))
}

/// The table that is changed, by its name as typed, and its alias, which none of `ends` is.
fn target(cursor: &mut Cursor<'_>, ends: &[&str]) -> Result<(ObjectName, Option<Ident>)> {
    cursor.eat(&["ONLY"]);
    let here = cursor.here();
    let parts = cursor.dotted()?;
    crate::statement::ast::QualifiedName::from_parts(&parts).map_err(|error| cursor.locate(error, here))?;
    cursor.eat_token(&Token::Mul);
    let alias =
        if cursor.eat(&["AS"]) || !(cursor.at_end() || cursor.at_one_of(ends)) { Some(cursor.ident()?) } else { None };
    Ok((ObjectName::from(parts), alias))
}

fn tables(cursor: &mut Cursor<'_>) -> Result<Vec<TableWithJoins>> {
    let mut tables = cursor.sql(|parser| parser.parse_comma_separated(Parser::parse_table_and_joins))?;
    settle(cursor, &mut tables)?;
    Ok(tables)
}

fn condition(cursor: &mut Cursor<'_>) -> Result<Option<Expr>> {
    if !cursor.eat(&["WHERE"]) {
        return Ok(None);
    }
    if cursor.at(&["CURRENT", "OF"]) {
        return Err(cursor.unsupported("WHERE CURRENT OF"));
    }
    expr(cursor).map(Some)
}

fn expressions(cursor: &mut Cursor<'_>) -> Result<Vec<Expr>> {
    let mut found = vec![expr(cursor)?];
    while cursor.eat_token(&Token::Comma) {
        found.push(expr(cursor)?);
    }
    Ok(found)
}

fn assignments(cursor: &mut Cursor<'_>) -> Result<Vec<Assignment>> {
    let mut found = Vec::new();
    loop {
        let here = cursor.here();
        if cursor.at_token(&Token::LParen) {
            let columns = cursor.ident_list()?;
            cursor.expect_token(&Token::Eq)?;
            let _ = cursor.eat(&["ROW"]);
            let values = match expr(cursor)? {
                Expr::Tuple(values) => values,
                Expr::Nested(value) => vec![*value],
                Expr::Subquery(_) => {
                    let message = "SET (…) = (SELECT …) is not supported yet";
                    let hint = "name the query in FROM and assign its columns one by one";
                    return Err(cursor.error_at(here, SqlState::FEATURE_NOT_SUPPORTED, message).with_hint(hint));
                }
                _ => {
                    let message = "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression";
                    return Err(cursor.error_at(here, SqlState::FEATURE_NOT_SUPPORTED, message));
                }
            };
            if values.len() != columns.len() {
                let message = "number of columns does not match number of values";
                return Err(cursor.error_at(here, SqlState::SYNTAX_ERROR, message));
            }
            found.extend(columns.into_iter().zip(values).map(|(column, value)| Assignment { column, value }));
        } else {
            let column = cursor.ident()?;
            if cursor.at_token(&Token::LBracket) || cursor.at_token(&Token::Period) {
                let message = "an assignment to a part of a column is not supported yet";
                return Err(cursor.error_at(here, SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            cursor.expect_token(&Token::Eq)?;
            found.push(Assignment { column, value: expr(cursor)? });
        }
        if !cursor.eat_token(&Token::Comma) {
            return Ok(found);
        }
    }
}
