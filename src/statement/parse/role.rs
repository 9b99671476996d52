//! CREATE, ALTER and DROP of roles, DROP and REASSIGN of what they own, and who a statement means by a role.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::Cursor;
use crate::error::{Error, Result, SqlState};
use crate::statement::access_ast::{RoleOption, RoleSpec, RoleStatement, Secret};
use crate::statement::ast::{Kind, fold};

/// The words for a role behind CREATE, ALTER and DROP.
const ROLE_WORDS: [&str; 3] = ["ROLE", "USER", "GROUP"];

/// Whether a statement about roles comes behind this word.
pub(super) fn at_role(cursor: &Cursor<'_>, verb: &str) -> bool {
    ROLE_WORDS.iter().any(|word| cursor.at(&[verb, word])) && !cursor.at(&[verb, "USER", "MAPPING"])
}

/// CREATE ROLE, USER, GROUP.
pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["CREATE"])?;
    let user = cursor.at(&["USER"]);
    cursor.take();
    let name = new_name(cursor)?;
    let mut options = options(cursor, true)?;
    if user && !options.iter().any(|option| matches!(option, RoleOption::Login(_))) {
        options.push(RoleOption::Login(true));
    }
    Ok(Kind::Role(RoleStatement::Create { name, options }))
}

/// ALTER ROLE, USER, GROUP.
pub(super) fn alter(cursor: &mut Cursor<'_>) -> Result<Kind> {
    if cursor.at(&["ALTER", "GROUP"]) { alter_group(cursor) } else { alter_role(cursor) }
}

fn alter_role(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["ALTER"])?;
    cursor.take();
    if cursor.at(&["ALL"]) {
        return Err(cursor.unsupported("ALTER ROLE ALL"));
    }
    let here = cursor.here();
    let role = role(cursor)?;
    if cursor.at(&["RENAME"]) {
        cursor.expect(&["RENAME", "TO"])?;
        let RoleSpec::Name(name) = role else {
            return Err(cursor.error_at(here, SqlState::SYNTAX_ERROR, "a role is renamed by its name"));
        };
        return Ok(Kind::Role(RoleStatement::Rename { name, to: new_name(cursor)? }));
    }
    if cursor.at_one_of(&["SET", "RESET", "IN"]) {
        return Err(cursor.unsupported("ALTER ROLE … SET"));
    }
    let options = options(cursor, false)?;
    Ok(Kind::Role(RoleStatement::Alter { role, options }))
}

fn alter_group(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["ALTER", "GROUP"])?;
    let group = role(cursor)?;
    if cursor.eat(&["RENAME", "TO"]) {
        let RoleSpec::Name(name) = group else { return Err(cursor.unexpected()) };
        return Ok(Kind::Role(RoleStatement::Rename { name, to: new_name(cursor)? }));
    }
    let grant = cursor.eat(&["ADD", "USER"]);
    if !grant {
        cursor.expect(&["DROP", "USER"])?;
    }
    let (roles, members) = (vec![group], self::roles(cursor)?);
    let tag = "ALTER ROLE";
    Ok(Kind::Role(RoleStatement::Membership { roles, members, grant, admin: false, granted_by: None, tag }))
}

/// DROP ROLE, USER, GROUP, and DROP OWNED.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["DROP"])?;
    if cursor.eat(&["OWNED", "BY"]) {
        let roles = roles(cursor)?;
        let cascade = cursor.eat(&["CASCADE"]);
        if !cascade {
            cursor.eat(&["RESTRICT"]);
        }
        return Ok(Kind::Role(RoleStatement::DropOwned { roles, cascade }));
    }
    cursor.take();
    let if_exists = cursor.eat(&["IF", "EXISTS"]);
    Ok(Kind::Role(RoleStatement::Drop { roles: roles(cursor)?, if_exists }))
}

/// REASSIGN OWNED BY … TO.
pub(super) fn reassign(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["REASSIGN", "OWNED", "BY"])?;
    let from = roles(cursor)?;
    cursor.expect(&["TO"])?;
    Ok(Kind::Role(RoleStatement::ReassignOwned { from, to: role(cursor)? }))
}

/// COMMENT ON ROLE … IS.
pub(super) fn comment(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["COMMENT", "ON", "ROLE"])?;
    let name = cursor.name()?;
    cursor.expect(&["IS"])?;
    let comment = if cursor.eat(&["NULL"]) { None } else { Some(cursor.string()?) };
    Ok(Kind::Role(RoleStatement::Comment { name, comment }))
}

/// A role: a name, or one of the words for who is asking and for everyone.
pub(super) fn role(cursor: &mut Cursor<'_>) -> Result<RoleSpec> {
    let words = [
        ("CURRENT_USER", RoleSpec::CurrentUser),
        ("CURRENT_ROLE", RoleSpec::CurrentUser),
        ("SESSION_USER", RoleSpec::SessionUser),
    ];
    let quoted = matches!(&cursor.peek().token, Token::Word(word) if word.quote_style.is_some());
    for (word, spec) in words {
        if !quoted && cursor.eat(&[word]) {
            return Ok(spec);
        }
    }
    let here = cursor.here();
    // As in PostgreSQL, `public` means everyone in whatever way it is spelled, and `none` nobody.
    match cursor.name()?.as_str() {
        "public" => Ok(RoleSpec::Public),
        "none" => Err(cursor.error_at(here, SqlState::RESERVED_NAME, "role name \"none\" is reserved")),
        name => Ok(RoleSpec::Name(name.to_owned())),
    }
}

/// Roles with commas between them.
pub(super) fn roles(cursor: &mut Cursor<'_>) -> Result<Vec<RoleSpec>> {
    let mut roles = vec![role(cursor)?];
    while cursor.eat_token(&Token::Comma) {
        roles.push(role(cursor)?);
    }
    Ok(roles)
}

/// The name for a role to be.
fn new_name(cursor: &mut Cursor<'_>) -> Result<String> {
    let here = cursor.here();
    match role(cursor)? {
        RoleSpec::Name(name) => Ok(name),
        RoleSpec::Public => Err(cursor.error_at(here, SqlState::RESERVED_NAME, "role name \"public\" is reserved")),
        RoleSpec::CurrentUser => Err(not_a_name(cursor, here, "CURRENT_USER")),
        RoleSpec::SessionUser => Err(not_a_name(cursor, here, "SESSION_USER")),
    }
}

fn not_a_name(cursor: &Cursor<'_>, here: datafusion::sql::sqlparser::tokenizer::Location, word: &str) -> Error {
    cursor.error_at(here, SqlState::RESERVED_NAME, format!("{word} cannot be used as a role name here"))
}

/// The options of CREATE (all) or ALTER (without memberships) up to the end.
fn options(cursor: &mut Cursor<'_>, creating: bool) -> Result<Vec<RoleOption>> {
    cursor.eat(&["WITH"]);
    let mut options: Vec<RoleOption> = Vec::new();
    while !cursor.at_end() {
        let here = cursor.here();
        let option = option(cursor, creating)?;
        let same = |other: &RoleOption| std::mem::discriminant(other) == std::mem::discriminant(&option);
        if options.iter().any(same) {
            return Err(cursor.error_at(here, SqlState::SYNTAX_ERROR, "conflicting or redundant options"));
        }
        options.push(option);
    }
    Ok(options)
}

fn option(cursor: &mut Cursor<'_>, creating: bool) -> Result<RoleOption> {
    if cursor.at(&["UNENCRYPTED", "PASSWORD"]) {
        let message = "UNENCRYPTED PASSWORD is no longer supported";
        return Err(cursor
            .error(SqlState::FEATURE_NOT_SUPPORTED, message)
            .with_hint("Remove UNENCRYPTED to store the password in encrypted form instead."));
    }
    if cursor.eat(&["ENCRYPTED", "PASSWORD"]) {
        return Ok(RoleOption::Password(Some(Secret(cursor.string()?))));
    }
    if cursor.eat(&["PASSWORD"]) {
        if cursor.eat(&["NULL"]) {
            return Ok(RoleOption::Password(None));
        }
        return Ok(RoleOption::Password(Some(Secret(cursor.string()?))));
    }
    if cursor.eat(&["CONNECTION", "LIMIT"]) {
        let here = cursor.here();
        let number = cursor.eat_number()?.ok_or_else(|| cursor.unexpected())?;
        return match number.parse::<i32>() {
            Ok(limit) if limit >= -1 => Ok(RoleOption::ConnectionLimit(limit)),
            Ok(limit) => {
                let message = format!("invalid connection limit: {limit}");
                Err(cursor.error_at(here, SqlState::INVALID_PARAMETER_VALUE, message))
            }
            Err(_) => Err(cursor.error_at(here, SqlState::SYNTAX_ERROR, "the connection limit is not an integer")),
        };
    }
    if cursor.eat(&["VALID", "UNTIL"]) {
        return Ok(RoleOption::ValidUntil(cursor.string()?));
    }
    if creating {
        if cursor.eat(&["IN", "ROLE"]) || cursor.eat(&["IN", "GROUP"]) {
            return Ok(RoleOption::InRole(roles(cursor)?));
        }
        if cursor.eat(&["ROLE"]) || cursor.eat(&["USER"]) {
            return Ok(RoleOption::Members(roles(cursor)?));
        }
        if cursor.eat(&["ADMIN"]) {
            return Ok(RoleOption::Admins(roles(cursor)?));
        }
        if cursor.at(&["SYSID"]) {
            return Err(cursor.unsupported("SYSID"));
        }
    }
    let word = match cursor.peek() {
        TokenWithSpan { token: Token::Word(word), span } => fold(&word.to_ident(*span)),
        _ => return Err(cursor.unexpected()),
    };
    let option = match word.as_str() {
        "superuser" => RoleOption::Superuser(true),
        "nosuperuser" => RoleOption::Superuser(false),
        "inherit" => RoleOption::Inherit(true),
        "noinherit" => RoleOption::Inherit(false),
        "createrole" => RoleOption::CreateRole(true),
        "nocreaterole" => RoleOption::CreateRole(false),
        "createdb" => RoleOption::CreateDb(true),
        "nocreatedb" => RoleOption::CreateDb(false),
        "login" => RoleOption::Login(true),
        "nologin" => RoleOption::Login(false),
        "replication" => RoleOption::Replication(true),
        "noreplication" => RoleOption::Replication(false),
        "bypassrls" => RoleOption::BypassRls(true),
        "nobypassrls" => RoleOption::BypassRls(false),
        _ => return Err(cursor.error(SqlState::SYNTAX_ERROR, format!("unrecognized role option \"{word}\""))),
    };
    cursor.take();
    Ok(option)
}

#[cfg(test)]
mod tests {
    use crate::statement::access_ast::{RoleOption, RoleSpec, RoleStatement};
    use crate::statement::ast::Kind;
    use crate::statement::parse;

    fn role(sql: &str) -> RoleStatement {
        match parse(sql).unwrap().remove(0).kind {
            Kind::Role(statement) => statement,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn a_user_is_a_role_that_may_log_in() {
        let created = |sql: &str| match role(sql) {
            RoleStatement::Create { options, .. } => options,
            other => panic!("{other:?}"),
        };
        assert_eq!(created("CREATE USER a"), [RoleOption::Login(true)]);
        assert_eq!(created("CREATE USER a NOLOGIN"), [RoleOption::Login(false)]);
        assert_eq!(created("CREATE ROLE a"), []);
        let members = vec![RoleSpec::Name("b".into()), RoleSpec::CurrentUser];
        assert_eq!(created("CREATE GROUP a USER b, current_user"), [RoleOption::Members(members)]);
    }

    #[test]
    fn a_password_is_never_shown() {
        for sql in ["CREATE ROLE a PASSWORD 'hunter2'", "ALTER USER a WITH ENCRYPTED PASSWORD 'hunter2'"] {
            let statement = parse(sql).unwrap().remove(0);
            assert!(!format!("{statement:?}").contains("hunter2"), "{statement:?}");
            assert!(!statement.public_text().contains("hunter2"));
        }
    }

    #[test]
    fn words_that_mean_a_role_do_so_unquoted() {
        let roles = vec![RoleSpec::Name("current_user".into()), RoleSpec::Public, RoleSpec::SessionUser];
        let sql = "DROP ROLE \"current_user\", public, session_user";
        assert_eq!(role(sql), RoleStatement::Drop { roles, if_exists: false });
    }
}
