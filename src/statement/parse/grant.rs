//! GRANT and REVOKE, of privileges and of membership.

use catalog::objects::Privileges;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::cursor::Cursor;
use super::role::{role, roles};
use crate::error::{Result, SqlState};
use crate::statement::access_ast::{GrantStatement, GrantTarget, NamedPrivilege, RoleSpec, RoleStatement};
use crate::statement::ast::{Kind, QualifiedName, fold};

/// Kinds of objects that PostgreSQL grants on and we don't have.
const OTHER_KINDS: [&str; 13] = [
    "SEQUENCE",
    "FUNCTION",
    "PROCEDURE",
    "ROUTINE",
    "LANGUAGE",
    "TABLESPACE",
    "TYPE",
    "DOMAIN",
    "FOREIGN",
    "LARGE",
    "PARAMETER",
    "COLUMN",
    "ALL",
];

/// A word before ON, TO or FROM, with what stands in parentheses behind it.
struct Word {
    text: String,
    columns: Vec<String>,
    at: Location,
}

/// GRANT.
pub(super) fn grant(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["GRANT"])?;
    let words = words(cursor)?;
    if cursor.eat(&["ON"]) {
        let target = target(cursor)?;
        let privileges = privileges(cursor, &words)?;
        cursor.expect(&["TO"])?;
        let grantees = grantees(cursor)?;
        let grant_option = cursor.eat(&["WITH", "GRANT", "OPTION"]);
        let granted_by = granted_by(cursor)?;
        let (grant, cascade) = (true, false);
        return Ok(Kind::Grant(GrantStatement {
            grant,
            privileges,
            target,
            grantees,
            grant_option,
            granted_by,
            cascade,
        }));
    }
    let granted = granted_roles(cursor, words)?;
    cursor.expect(&["TO"])?;
    let members = roles(cursor)?;
    let admin = cursor.eat(&["WITH", "ADMIN", "OPTION"]);
    let granted_by = granted_by(cursor)?;
    let tag = "GRANT ROLE";
    Ok(Kind::Role(RoleStatement::Membership { roles: granted, members, grant: true, admin, granted_by, tag }))
}

/// REVOKE.
pub(super) fn revoke(cursor: &mut Cursor<'_>) -> Result<Kind> {
    cursor.expect(&["REVOKE"])?;
    let admin = cursor.eat(&["ADMIN", "OPTION", "FOR"]);
    let grant_option = !admin && cursor.eat(&["GRANT", "OPTION", "FOR"]);
    let words = words(cursor)?;
    if !admin && cursor.eat(&["ON"]) {
        let target = target(cursor)?;
        let privileges = privileges(cursor, &words)?;
        cursor.expect(&["FROM"])?;
        let grantees = grantees(cursor)?;
        let granted_by = granted_by(cursor)?;
        let cascade = behavior(cursor);
        let grant = false;
        return Ok(Kind::Grant(GrantStatement {
            grant,
            privileges,
            target,
            grantees,
            grant_option,
            granted_by,
            cascade,
        }));
    }
    if grant_option {
        return Err(cursor.unexpected());
    }
    let revoked = granted_roles(cursor, words)?;
    cursor.expect(&["FROM"])?;
    let members = roles(cursor)?;
    let granted_by = granted_by(cursor)?;
    // A membership has nothing that depends on it, so both mean the same.
    behavior(cursor);
    let tag = "REVOKE ROLE";
    Ok(Kind::Role(RoleStatement::Membership { roles: revoked, members, grant: false, admin, granted_by, tag }))
}

/// CASCADE or RESTRICT, which is the default.
fn behavior(cursor: &mut Cursor<'_>) -> bool {
    let cascade = cursor.eat(&["CASCADE"]);
    if !cascade {
        cursor.eat(&["RESTRICT"]);
    }
    cascade
}

fn granted_by(cursor: &mut Cursor<'_>) -> Result<Option<RoleSpec>> {
    if cursor.eat(&["GRANTED", "BY"]) { role(cursor).map(Some) } else { Ok(None) }
}

/// Roles, with the word GROUP that PostgreSQL still takes before each.
fn grantees(cursor: &mut Cursor<'_>) -> Result<Vec<RoleSpec>> {
    let mut grantees = Vec::new();
    loop {
        cursor.eat(&["GROUP"]);
        grantees.push(role(cursor)?);
        if !cursor.eat_token(&Token::Comma) {
            return Ok(grantees);
        }
    }
}

fn words(cursor: &mut Cursor<'_>) -> Result<Vec<Word>> {
    let mut words = Vec::new();
    loop {
        let at = cursor.here();
        let text = match cursor.peek() {
            TokenWithSpan { token: Token::Word(word), span } => fold(&word.to_ident(*span)),
            _ => return Err(cursor.unexpected()),
        };
        if cursor.at_one_of(&["ON", "TO", "FROM"]) {
            return Err(cursor.unexpected());
        }
        cursor.take();
        if text == "all" {
            cursor.eat(&["PRIVILEGES"]);
        }
        let columns =
            if cursor.at_token(&Token::LParen) { cursor.ident_list()?.iter().map(fold).collect() } else { Vec::new() };
        words.push(Word { text, columns, at });
        if !cursor.eat_token(&Token::Comma) {
            return Ok(words);
        }
    }
}

fn granted_roles(cursor: &Cursor<'_>, words: Vec<Word>) -> Result<Vec<RoleSpec>> {
    let role = |word: Word| match word {
        Word { columns, at, .. } if !columns.is_empty() => {
            Err(cursor.error_at(at, SqlState::SYNTAX_ERROR, "column names cannot be included in GRANT/REVOKE ROLE"))
        }
        Word { text, .. } if text == "public" => Ok(RoleSpec::Public),
        Word { text, .. } => Ok(RoleSpec::Name(text)),
    };
    words.into_iter().map(role).collect()
}

fn target(cursor: &mut Cursor<'_>) -> Result<GrantTarget> {
    if cursor.eat(&["ALL", "TABLES", "IN", "SCHEMA"]) {
        return Ok(GrantTarget::AllTables(names(cursor)?));
    }
    if cursor.eat(&["SCHEMA"]) {
        return Ok(GrantTarget::Schemas(names(cursor)?));
    }
    if cursor.eat(&["DATABASE"]) {
        return Ok(GrantTarget::Databases(names(cursor)?));
    }
    let table = cursor.eat(&["TABLE"]);
    // Such a word may be a table's name if nothing follows it that could be one.
    let followed = matches!(cursor.peek_nth(1).token, Token::Word(_)) && !is_to_or_from(&cursor.peek_nth(1).token);
    if !table && cursor.at_one_of(&OTHER_KINDS) && followed {
        return Err(cursor.unsupported("GRANT or REVOKE on anything but tables, views, schemas and the database"));
    }
    let mut tables: Vec<QualifiedName> = vec![cursor.qualified_name()?];
    while cursor.eat_token(&Token::Comma) {
        tables.push(cursor.qualified_name()?);
    }
    Ok(GrantTarget::Tables(tables))
}

fn is_to_or_from(token: &Token) -> bool {
    super::rewrite::is_one_of(token, &["TO", "FROM"])
}

fn names(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut names = vec![cursor.name()?];
    while cursor.eat_token(&Token::Comma) {
        names.push(cursor.name()?);
    }
    Ok(names)
}

/// The privileges that the words name.
fn privileges(cursor: &Cursor<'_>, words: &[Word]) -> Result<Vec<NamedPrivilege>> {
    let mut named = Vec::new();
    for Word { text, columns, at } in words {
        let columns = columns.clone();
        let privilege = match text.as_str() {
            "all" if words.len() == 1 => None,
            "insert" => Some(Privileges::INSERT),
            "select" => Some(Privileges::SELECT),
            "update" => Some(Privileges::UPDATE),
            "delete" => Some(Privileges::DELETE),
            "truncate" => Some(Privileges::TRUNCATE),
            "references" => Some(Privileges::REFERENCES),
            "trigger" => Some(Privileges::TRIGGER),
            "execute" => Some(Privileges::EXECUTE),
            "usage" => Some(Privileges::USAGE),
            "create" => Some(Privileges::CREATE),
            "temporary" | "temp" => Some(Privileges::TEMPORARY),
            "connect" => Some(Privileges::CONNECT),
            "set" | "alter" => return Err(cursor.unsupported("GRANT or REVOKE on a parameter")),
            _ => {
                let message = format!("unrecognized privilege type \"{text}\"");
                return Err(cursor.error_at(*at, SqlState::SYNTAX_ERROR, message));
            }
        };
        named.push(NamedPrivilege { privilege, columns });
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use catalog::objects::Privileges;

    use crate::statement::access_ast::{GrantStatement, GrantTarget, NamedPrivilege, RoleSpec, RoleStatement};
    use crate::statement::ast::{Kind, QualifiedName};
    use crate::statement::parse;

    fn grant(sql: &str) -> GrantStatement {
        match parse(sql).unwrap().remove(0).kind {
            Kind::Grant(statement) => statement,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn privileges_and_roles_are_told_apart_by_what_follows() {
        let both = grant("GRANT SELECT (a, \"B\"), INSERT ON TABLE s.t, u TO PUBLIC, GROUP g WITH GRANT OPTION");
        let columns = vec!["a".to_owned(), "B".to_owned()];
        assert_eq!(both.privileges[0], NamedPrivilege { privilege: Some(Privileges::SELECT), columns });
        let t = QualifiedName { schema: Some("s".into()), name: "t".into() };
        let u = QualifiedName { schema: None, name: "u".into() };
        assert_eq!(both.target, GrantTarget::Tables(vec![t, u]));
        assert_eq!(both.grantees, [RoleSpec::Public, RoleSpec::Name("g".into())]);
        assert!(both.grant && both.grant_option);

        let all = grant("REVOKE GRANT OPTION FOR ALL PRIVILEGES ON SCHEMA s FROM r GRANTED BY current_user CASCADE");
        assert_eq!(all.privileges, [NamedPrivilege { privilege: None, columns: vec![] }]);
        assert!(!all.grant && all.grant_option && all.cascade && all.granted_by.is_some());

        match parse("REVOKE ADMIN OPTION FOR select, b FROM c RESTRICT").unwrap().remove(0).kind {
            Kind::Role(RoleStatement::Membership { roles, grant: false, admin: true, .. }) => {
                assert_eq!(roles, [RoleSpec::Name("select".into()), RoleSpec::Name("b".into())]);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_grant_is_refused() {
        for (sql, sqlstate) in [
            ("GRANT ON t TO a", "42601"),
            ("GRANT SELECT ON t", "42601"),
            ("GRANT READ ON t TO a", "42601"),
            ("GRANT ALL, SELECT ON t TO a", "42601"),
            ("REVOKE GRANT OPTION FOR a FROM b", "42601"),
            ("GRANT a (x) TO b", "42601"),
            ("GRANT EXECUTE ON FUNCTION f() TO a", "0A000"),
            ("GRANT USAGE ON ALL SEQUENCES IN SCHEMA s TO a", "0A000"),
            ("GRANT SET ON PARAMETER work_mem TO a", "0A000"),
        ] {
            assert_eq!(parse(sql).unwrap_err().sqlstate.0, sqlstate, "{sql}");
        }
    }
}
