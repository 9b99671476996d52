//! ALTER of tables, views and schemas.

use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::{create_table, query, refused, role};
use crate::error::Result;
use crate::statement::access_ast::{Owned, OwnerStatement};
use crate::statement::alter_ast::{Alter, AlterAction, TableAction};
use crate::statement::ast::{Kind, ObjectKind, QualifiedName};

/// What ADD may bring besides a column or a primary key.
const ADDED: [(&[&str], &str); 5] = [
    (&["UNIQUE"], "ADD UNIQUE"),
    (&["CHECK"], "ADD CHECK"),
    (&["FOREIGN", "KEY"], "ADD FOREIGN KEY"),
    (&["EXCLUDE"], "ADD EXCLUDE"),
    (&["GENERATED"], "ADD GENERATED"),
];

/// ALTER of what we have.
pub(super) fn alter(cursor: &mut Cursor<'_>) -> Result<Kind> {
    if role::at_role(cursor, "ALTER") {
        return role::alter(cursor);
    }
    let kind = if cursor.eat(&["ALTER", "TABLE"]) {
        ObjectKind::Table
    } else if cursor.eat(&["ALTER", "VIEW"]) {
        ObjectKind::View
    } else if cursor.eat(&["ALTER", "SCHEMA"]) {
        ObjectKind::Schema
    } else {
        return Err(refused::refuse(cursor));
    };
    if kind == ObjectKind::Table && cursor.at(&["ALL"]) {
        return Err(cursor.unsupported("ALTER TABLE ALL"));
    }
    let if_exists = kind != ObjectKind::Schema && cursor.eat(&["IF", "EXISTS"]);
    let name = match kind {
        ObjectKind::Schema => QualifiedName { schema: None, name: cursor.name()? },
        ObjectKind::View => cursor.qualified_name()?,
        ObjectKind::Table => {
            cursor.eat(&["ONLY"]);
            let name = cursor.qualified_name()?;
            cursor.eat_token(&Token::Mul);
            name
        }
    };
    if cursor.eat(&["OWNER", "TO"]) {
        let object = match kind {
            ObjectKind::Table => Owned::Table(name),
            ObjectKind::View => Owned::View(name),
            ObjectKind::Schema => Owned::Schema(name.name),
        };
        return Ok(Kind::Owner(OwnerStatement { object, if_exists, owner: role::role(cursor)? }));
    }
    let action = action(cursor, kind, &name)?;
    Ok(Kind::Alter(Box::new(Alter { kind, name, if_exists, action })))
}

fn action(cursor: &mut Cursor<'_>, kind: ObjectKind, relation: &QualifiedName) -> Result<AlterAction> {
    if cursor.eat(&["RENAME", "TO"]) {
        return Ok(AlterAction::RenameTo(cursor.name()?));
    }
    if kind == ObjectKind::Schema {
        return Err(cursor.unexpected());
    }
    if cursor.eat(&["SET", "SCHEMA"]) {
        return Ok(AlterAction::SetSchema(cursor.name()?));
    }
    if kind == ObjectKind::Table && cursor.at(&["RENAME", "CONSTRAINT"]) {
        return Err(cursor.unsupported("ALTER TABLE … RENAME CONSTRAINT"));
    }
    if cursor.eat(&["RENAME"]) {
        cursor.eat(&["COLUMN"]);
        let from = cursor.name()?;
        cursor.expect(&["TO"])?;
        return Ok(AlterAction::RenameColumn { from, to: cursor.name()? });
    }
    if kind == ObjectKind::View {
        if cursor.at_one_of(&["ALTER", "SET", "RESET"]) {
            return Err(cursor.unsupported("ALTER VIEW … SET"));
        }
        return Err(cursor.unexpected());
    }
    let mut actions = vec![table_action(cursor, relation)?];
    while cursor.eat_token(&Token::Comma) {
        actions.push(table_action(cursor, relation)?);
    }
    Ok(AlterAction::Columns(actions))
}

fn table_action(cursor: &mut Cursor<'_>, table: &QualifiedName) -> Result<TableAction> {
    if cursor.eat(&["ADD"]) {
        return add(cursor, table);
    }
    if cursor.eat(&["DROP", "CONSTRAINT"]) {
        let if_exists = cursor.eat(&["IF", "EXISTS"]);
        let name = cursor.name()?;
        cascade(cursor);
        return Ok(TableAction::DropConstraint { name, if_exists });
    }
    if cursor.eat(&["DROP"]) {
        cursor.eat(&["COLUMN"]);
        let if_exists = cursor.eat(&["IF", "EXISTS"]);
        let name = cursor.name()?;
        return Ok(TableAction::Drop { name, if_exists, cascade: cascade(cursor) });
    }
    if cursor.at(&["ALTER", "CONSTRAINT"]) {
        return Err(cursor.unsupported("ALTER TABLE … ALTER CONSTRAINT"));
    }
    if cursor.eat(&["ALTER"]) {
        cursor.eat(&["COLUMN"]);
        let name = cursor.name()?;
        return column(cursor, name);
    }
    match &cursor.peek().token {
        Token::Word(word) if word.quote_style.is_none() => {
            let what = format!("ALTER TABLE … {}", word.value.to_uppercase());
            Err(cursor.unsupported(&what))
        }
        _ => Err(cursor.unexpected()),
    }
}

fn add(cursor: &mut Cursor<'_>, table: &QualifiedName) -> Result<TableAction> {
    if cursor.eat(&["CONSTRAINT"]) {
        cursor.name()?;
        if !cursor.at(&["PRIMARY", "KEY"]) {
            return Err(cursor.unsupported("a constraint other than PRIMARY KEY"));
        }
    }
    if let Some((_, what)) = ADDED.iter().find(|(words, _)| cursor.at(words)) {
        return Err(cursor.unsupported(&format!("ALTER TABLE … {what}")));
    }
    if cursor.eat(&["PRIMARY", "KEY"]) {
        if cursor.at(&["USING"]) {
            return Err(cursor.unsupported("PRIMARY KEY USING INDEX"));
        }
        return Ok(TableAction::AddKey(cursor.ident_list()?));
    }
    cursor.eat(&["COLUMN"]);
    let if_not_exists = cursor.eat(&["IF", "NOT", "EXISTS"]);
    let (column, key) = create_table::added_column(cursor, table)?;
    Ok(TableAction::Add { column, if_not_exists, key })
}

/// What comes behind ALTER COLUMN and its name.
fn column(cursor: &mut Cursor<'_>, name: String) -> Result<TableAction> {
    if cursor.eat(&["TYPE"]) || cursor.eat(&["SET", "DATA", "TYPE"]) {
        let data_type = cursor.sql(Parser::parse_data_type)?;
        if cursor.at(&["COLLATE"]) {
            return Err(cursor.unsupported("COLLATE"));
        }
        let using = if cursor.eat(&["USING"]) { Some(query::expr(cursor)?) } else { None };
        return Ok(TableAction::Type { name, data_type, using });
    }
    if cursor.eat(&["SET", "DEFAULT"]) {
        return Ok(TableAction::Default { name, default: Some(query::expr(cursor)?) });
    }
    if cursor.eat(&["DROP", "DEFAULT"]) {
        return Ok(TableAction::Default { name, default: None });
    }
    if cursor.eat(&["SET", "NOT", "NULL"]) {
        return Ok(TableAction::NotNull { name, not_null: true });
    }
    if cursor.eat(&["DROP", "NOT", "NULL"]) {
        return Ok(TableAction::NotNull { name, not_null: false });
    }
    if cursor.at_one_of(&["SET", "RESET", "ADD", "DROP", "RESTART"]) {
        return Err(cursor.unsupported("this change of a column"));
    }
    Err(cursor.unexpected())
}

/// CASCADE or RESTRICT, or neither, which is RESTRICT.
fn cascade(cursor: &mut Cursor<'_>) -> bool {
    let cascade = cursor.eat(&["CASCADE"]);
    if !cascade {
        cursor.eat(&["RESTRICT"]);
    }
    cascade
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::parse;

    fn altered(sql: &str) -> Alter {
        match parse(sql).unwrap().remove(0).kind {
            Kind::Alter(alter) => *alter,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn a_column_may_be_called_like_a_clause() {
        let action = altered("ALTER TABLE t RENAME owner TO \"To\"").action;
        assert_eq!(action, AlterAction::RenameColumn { from: "owner".into(), to: "To".into() });
        assert!(matches!(parse("ALTER TABLE t OWNER TO x").unwrap()[0].kind, Kind::Owner(_)));
    }

    #[test]
    fn actions_go_together() {
        let alter = altered("ALTER TABLE IF EXISTS ONLY s.t ADD a int DEFAULT 1 NOT NULL, DROP IF EXISTS b CASCADE");
        assert!(alter.if_exists);
        let AlterAction::Columns(actions) = alter.action else { panic!("{:?}", alter.action) };
        assert!(
            matches!(&actions[0], TableAction::Add { column, if_not_exists: false, key: false } if column.not_null)
        );
        assert!(matches!(&actions[1], TableAction::Drop { if_exists: true, cascade: true, .. }));
    }

    #[test]
    fn what_is_not_there_yet_says_so() {
        for sql in [
            "ALTER TABLE t ADD UNIQUE (a)",
            "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE t ADD COLUMN a int, OWNER TO x",
            "ALTER VIEW v ALTER COLUMN a SET DEFAULT 1",
            "ALTER TABLE t RENAME CONSTRAINT a TO b",
        ] {
            assert_eq!(parse(sql).unwrap_err().sqlstate.0, "0A000", "{sql}");
        }
        for sql in ["ALTER VIEW v ADD COLUMN a int", "ALTER SCHEMA s SET SCHEMA x", "ALTER TABLE t"] {
            assert_eq!(parse(sql).unwrap_err().sqlstate.0, "42601", "{sql}");
        }
    }
}
