//! CREATE VIEW, CREATE SCHEMA, DROP and COMMENT ON.

use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::{create_table, query, refused, role};
use crate::error::{Result, SqlState};
use crate::statement::access_ast::RoleSpec;
use crate::statement::ast::{CommentTarget, CreateView, Kind, ObjectKind, QualifiedName, fold};

/// CREATE of what we have.
pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Kind> {
    if role::at_role(cursor, "CREATE") {
        role::create(cursor)
    } else if create_table::at_create_table(cursor) {
        create_table::create_table(cursor).map(Kind::CreateTable)
    } else if cursor.eat(&["CREATE", "VIEW"]) {
        view(cursor, false, false)
    } else if cursor.eat(&["CREATE", "TEMP", "VIEW"]) || cursor.eat(&["CREATE", "TEMPORARY", "VIEW"]) {
        view(cursor, false, true)
    } else if cursor.eat(&["CREATE", "OR", "REPLACE", "VIEW"]) {
        view(cursor, true, false)
    } else if cursor.eat(&["CREATE", "OR", "REPLACE", "TEMP", "VIEW"])
        || cursor.eat(&["CREATE", "OR", "REPLACE", "TEMPORARY", "VIEW"])
    {
        view(cursor, true, true)
    } else if cursor.eat(&["CREATE", "SCHEMA"]) {
        schema(cursor)
    } else {
        Err(refused::refuse(cursor))
    }
}

fn view(cursor: &mut Cursor<'_>, or_replace: bool, temporary: bool) -> Result<Kind> {
    let name = cursor.qualified_name()?;
    let columns = if cursor.at_token(&Token::LParen) { cursor.ident_list()? } else { Vec::new() };
    if cursor.at(&["WITH"]) {
        return Err(cursor.unsupported("CREATE VIEW … WITH (…)"));
    }
    cursor.expect(&["AS"])?;
    let here = cursor.here();
    let query = query::select(cursor)?;
    if cursor.at(&["WITH"]) {
        return Err(cursor.unsupported("WITH CHECK OPTION"));
    }
    // Nothing may follow, so that the rest of the text is the query's.
    cursor.expect_end()?;
    let query_text = cursor.rest(here).to_owned();
    Ok(Kind::CreateView(CreateView { or_replace, temporary, name, columns, query, query_text }))
}

fn schema(cursor: &mut Cursor<'_>) -> Result<Kind> {
    let if_not_exists = cursor.eat(&["IF", "NOT", "EXISTS"]);
    let mut name = None;
    if !cursor.at(&["AUTHORIZATION"]) {
        name = Some(cursor.name()?);
    }
    let mut owner = None;
    if name.is_none() || cursor.at(&["AUTHORIZATION"]) {
        cursor.expect(&["AUTHORIZATION"])?;
        owner = Some(role::role(cursor)?);
    }
    let name = match (name, &owner) {
        (Some(name), _) => name,
        (None, Some(RoleSpec::Name(name))) => name.clone(),
        (None, _) => return Err(cursor.unsupported("CREATE SCHEMA AUTHORIZATION without a name")),
    };
    if cursor.at_one_of(&["CREATE", "GRANT"]) {
        return Err(cursor.unsupported("CREATE SCHEMA with elements"));
    }
    Ok(Kind::CreateSchema { name, if_not_exists, owner })
}

/// DROP of tables, views or schemas.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> Result<Kind> {
    if role::at_role(cursor, "DROP") || cursor.at(&["DROP", "OWNED"]) {
        return role::drop(cursor);
    }
    let object = if cursor.eat(&["DROP", "TABLE"]) {
        ObjectKind::Table
    } else if cursor.eat(&["DROP", "VIEW"]) {
        ObjectKind::View
    } else if cursor.eat(&["DROP", "SCHEMA"]) {
        ObjectKind::Schema
    } else {
        return Err(refused::refuse(cursor));
    };
    let if_exists = cursor.eat(&["IF", "EXISTS"]);
    let mut names = Vec::new();
    loop {
        names.push(match object {
            ObjectKind::Schema => QualifiedName { schema: None, name: cursor.name()? },
            ObjectKind::Table | ObjectKind::View => cursor.qualified_name()?,
        });
        if !cursor.eat_token(&Token::Comma) {
            break;
        }
    }
    let cascade = cursor.eat(&["CASCADE"]);
    if !cascade {
        cursor.eat(&["RESTRICT"]);
    }
    Ok(Kind::Drop { object, names, if_exists, cascade })
}

/// COMMENT ON a table, view, column or schema.
pub(super) fn comment(cursor: &mut Cursor<'_>) -> Result<Kind> {
    if cursor.at(&["COMMENT", "ON", "ROLE"]) {
        return role::comment(cursor);
    }
    let object = if cursor.eat(&["COMMENT", "ON", "TABLE"]) {
        CommentTarget::Table(cursor.qualified_name()?)
    } else if cursor.eat(&["COMMENT", "ON", "VIEW"]) {
        CommentTarget::View(cursor.qualified_name()?)
    } else if cursor.eat(&["COMMENT", "ON", "COLUMN"]) {
        commented_column(cursor)?
    } else if cursor.eat(&["COMMENT", "ON", "SCHEMA"]) {
        CommentTarget::Schema(cursor.name()?)
    } else {
        return Err(refused::refuse(cursor));
    };
    cursor.expect(&["IS"])?;
    let comment = if cursor.eat(&["NULL"]) { None } else { Some(cursor.string()?) };
    Ok(Kind::Comment { object, comment })
}

/// A column with the relation it belongs to.
fn commented_column(cursor: &mut Cursor<'_>) -> Result<CommentTarget> {
    let here = cursor.here();
    let parts: Vec<Ident> = cursor.dotted()?;
    match parts.split_last() {
        Some((column, relation)) if !relation.is_empty() => {
            let relation = QualifiedName::from_parts(relation).map_err(|error| cursor.locate(error, here))?;
            Ok(CommentTarget::Column { relation, column: fold(column) })
        }
        // A column without its table.
        _ => Err(cursor.error_at(here, SqlState::SYNTAX_ERROR, "column name must be qualified")),
    }
}
