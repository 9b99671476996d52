//! Statements as the rest of the engine sees them: parsed once, names folded, unsupported clauses already refused.

use std::fmt;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    self, DataType, Expr, Ident, Insert, ObjectName, Query, SelectItem, TableWithJoins, With,
};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Location, Token};

use super::access_ast::{GrantStatement, OwnerStatement, RoleOption, RoleSpec, RoleStatement};
use super::alter_ast::Alter;
use super::cursor_ast::{Declare, Fetch};
use crate::copy::CopyOption;
use crate::error::{Error, Result, SqlState};

/// The names under which the one database of a warehouse can be reached.
const DATABASES: [&str; 2] = ["audience", "postgres"];

/// One statement of a message.
///
/// Spans inside [`Kind`] count lines and columns of the whole message, so that an error found while planning
/// can point at what the client sent: see [`Statement::position`].
#[derive(Clone, PartialEq)]
pub struct Statement {
    /// What it asks for.
    pub kind: Kind,
    /// Its own text, from its first token to its last: no semicolon, no comment before or after it.
    pub text: Arc<str>,
    /// Where [`text`](Self::text) begins in the message, in characters from 0.
    pub offset: usize,
    /// The line and column of that place, as spans count them.
    start: Location,
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement").field("kind", &self.kind).field("text", &self.public_text()).finish_non_exhaustive()
    }
}

impl Statement {
    /// Puts together what the parser found.
    pub(super) fn new(kind: Kind, text: &str, offset: usize, start: Location) -> Self {
        Self { kind, text: Arc::from(text), offset, start }
    }

    /// Another statement within this one's text, for errors that point there.
    pub(super) fn with_kind(&self, kind: Kind) -> Self {
        Self { kind, ..self.clone() }
    }

    /// Its text as others may see it, in logs and in `pg_stat_activity`: without a password.
    pub fn public_text(&self) -> &str {
        let secret = |options: &[RoleOption]| options.iter().any(|o| matches!(o, RoleOption::Password(Some(_))));
        match &self.kind {
            Kind::Role(RoleStatement::Create { options, .. }) if secret(options) => "CREATE ROLE ... PASSWORD ...",
            Kind::Role(RoleStatement::Alter { options, .. }) if secret(options) => "ALTER ROLE ... PASSWORD ...",
            _ => &self.text,
        }
    }

    /// The position of a span's line and column (both from 1) as the protocol wants it: in characters of the
    /// message, from 1. `None` where the place is unknown (line 0) or lies before this statement.
    pub fn position(&self, line: u64, column: u64) -> Option<usize> {
        let at = Location::new(line, column);
        (at >= self.start).then(|| self.offset + distance(&self.text, self.start, at).1 + 1)
    }
}

/// How far `to` lies behind the beginning of `text`, which stands at `from`: in bytes and in characters.
/// Lines end with `\n` alone, as sqlparser counts them; a place behind the end is the end.
pub(super) fn distance(text: &str, from: Location, to: Location) -> (usize, usize) {
    let mut here = from;
    let mut characters = 0;
    for (byte, character) in text.char_indices() {
        if here >= to {
            return (byte, characters);
        }
        characters += 1;
        if character == '\n' {
            here = Location::new(here.line + 1, 1);
        } else {
            here.column += 1;
        }
    }
    (text.len(), characters)
}

/// What a statement asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// SELECT, VALUES, `TABLE t` (as `SELECT * FROM t`), with or without WITH, parenthesised or not.
    /// FETCH FIRST has become a LIMIT; row locks, INTO, samples and what else the planner would overlook are refused.
    Query(Box<Query>),
    /// INSERT of rows or of a query; `source` is `None` for DEFAULT VALUES.
    Insert(Box<Insert>),
    /// UPDATE, DELETE or MERGE.
    Change(Box<Change>),
    /// TRUNCATE.
    Truncate(Vec<QualifiedName>),
    /// EXPLAIN, in both spellings. COSTS, TIMING and SUMMARY are checked and have no effect on our output;
    /// options that would add to it are refused.
    Explain {
        /// Run it and show what happened.
        analyze: bool,
        /// Show more.
        verbose: bool,
        /// [`Kind::Query`], [`Kind::Insert`], [`Kind::Change`], [`Kind::Execute`], or a [`Kind::CreateTable`] that has a query.
        statement: Box<Kind>,
    },
    /// COPY.
    Copy(Box<Copy>),
    /// CREATE TABLE, from columns or from a query.
    CreateTable(CreateTable),
    /// CREATE [OR REPLACE] VIEW.
    CreateView(CreateView),
    /// CREATE SCHEMA.
    CreateSchema {
        /// The schema's name, folded.
        name: String,
        /// Say nothing but a notice if it exists.
        if_not_exists: bool,
        /// AUTHORIZATION.
        owner: Option<RoleSpec>,
    },
    /// DROP of one or more objects of one kind.
    Drop {
        /// The kind.
        object: ObjectKind,
        /// Their names; of a schema, `schema` is `None`.
        names: Vec<QualifiedName>,
        /// Say nothing but a notice of those that don't exist.
        if_exists: bool,
        /// Drop what depends on them too; `false` is RESTRICT, the default.
        cascade: bool,
    },
    /// CREATE ROLE and what else is about roles.
    Role(RoleStatement),
    /// GRANT and REVOKE of privileges.
    Grant(GrantStatement),
    /// ALTER … OWNER TO.
    Owner(OwnerStatement),
    /// ALTER TABLE, VIEW or SCHEMA, but for its owner.
    Alter(Box<Alter>),
    /// COMMENT ON.
    Comment {
        /// What is commented.
        object: CommentTarget,
        /// The text; `None` (IS NULL) takes the comment away.
        comment: Option<String>,
    },
    /// SET of one setting, its special spellings included: TIME ZONE is `timezone`, NAMES is `client_encoding`,
    /// SCHEMA is `search_path`, ROLE NONE is `role`, SESSION AUTHORIZATION DEFAULT is `session_authorization`.
    Set {
        /// The setting's name, folded; qualified names keep their dot.
        name: String,
        /// Its new value.
        value: SetValue,
        /// Until the end of the transaction only.
        local: bool,
    },
    /// SET TRANSACTION, or SET SESSION CHARACTERISTICS AS TRANSACTION.
    SetTransaction {
        /// For the transactions to come rather than for this one.
        session_characteristics: bool,
        /// At least one of them is set.
        modes: TransactionModes,
    },
    /// SHOW.
    Show(ShowTarget),
    /// RESET.
    Reset(ResetTarget),
    /// DISCARD.
    Discard(DiscardTarget),
    /// BEGIN or START TRANSACTION.
    Begin {
        /// The modes named with it.
        modes: TransactionModes,
    },
    /// COMMIT or END.
    Commit,
    /// ROLLBACK or ABORT of the whole transaction.
    Rollback,
    /// SAVEPOINT, by its folded name.
    Savepoint(String),
    /// RELEASE SAVEPOINT.
    Release(String),
    /// ROLLBACK TO SAVEPOINT.
    RollbackTo(String),
    /// CALL of a procedure.
    Call(Call),
    /// PREPARE.
    Prepare {
        /// The statement's name, folded.
        name: String,
        /// The types of `$1`, `$2`, …; `None` leaves one to inference.
        types: Vec<Option<DataType>>,
        /// [`Kind::Query`], [`Kind::Insert`] or [`Kind::Change`].
        statement: Box<Kind>,
    },
    /// EXECUTE of a prepared statement.
    Execute {
        /// Its name, folded.
        name: String,
        /// The values of its parameters.
        arguments: Vec<Expr>,
    },
    /// DEALLOCATE of a prepared statement, by its folded name; `None` is ALL.
    Deallocate(Option<String>),
    /// DECLARE … CURSOR.
    Declare(Box<Declare>),
    /// FETCH and MOVE.
    Fetch(Fetch),
    /// CLOSE of a cursor, by its folded name; `None` is ALL, the portals of the client's protocol included.
    Close(Option<String>),
    /// UNLISTEN. A session listens to nothing.
    Unlisten,
}

/// UPDATE, DELETE or MERGE.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// WITH.
    pub with: Option<With>,
    /// The table that is changed, as typed.
    pub target: ObjectName,
    /// Its other name, the only one in the statement's expressions then.
    pub alias: Option<Ident>,
    /// FROM of UPDATE, USING of DELETE and MERGE.
    pub from: Vec<TableWithJoins>,
    /// WHERE.
    pub selection: Option<Expr>,
    /// Which of them.
    pub kind: ChangeKind,
    /// RETURNING.
    pub returning: Option<Vec<SelectItem>>,
}

/// What a [`Change`] does.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeKind {
    /// UPDATE … SET.
    Update(Vec<Assignment>),
    /// DELETE.
    Delete,
    /// MERGE.
    Merge {
        /// The join's condition.
        on: Expr,
        /// What happens when, the first that holds.
        clauses: Vec<MergeWhen>,
    },
}

/// `column = value`; of `(a, b) = (1, 2)` each by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The column as typed.
    pub column: Ident,
    /// Its new value; the word DEFAULT is an identifier.
    pub value: Expr,
}

impl From<Assignment> for ast::Assignment {
    fn from(assignment: Assignment) -> Self {
        let target = ast::AssignmentTarget::ColumnName(ObjectName::from(vec![assignment.column]));
        Self { target, value: assignment.value }
    }
}

/// A WHEN of MERGE.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeWhen {
    /// WHEN MATCHED; `false` is WHEN NOT MATCHED.
    pub matched: bool,
    /// AND.
    pub condition: Option<Expr>,
    /// THEN.
    pub action: MergeAction,
}

/// What MERGE does with a row.
#[derive(Debug, Clone, PartialEq)]
pub enum MergeAction {
    /// UPDATE SET.
    Update(Vec<Assignment>),
    /// DELETE.
    Delete,
    /// INSERT; no values are DEFAULT VALUES.
    Insert {
        /// The columns that values are given for; none named is all.
        columns: Vec<Ident>,
        /// The values.
        values: Option<Vec<Expr>>,
    },
    /// DO NOTHING.
    Nothing,
}

/// CALL.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The procedure's name.
    pub procedure: QualifiedName,
    /// The arguments in order, those by place before those by name (folded).
    pub arguments: Vec<(Option<String>, Expr)>,
}

/// COPY.
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    /// What is copied.
    pub subject: CopySubject,
    /// Into it; `false` is TO.
    pub from: bool,
    /// Where the data comes from or goes to.
    pub place: CopyPlace,
    /// The options in the order they were written, not yet checked.
    pub options: Vec<CopyOption>,
}

/// What COPY copies.
#[derive(Debug, Clone, PartialEq)]
pub enum CopySubject {
    /// A table.
    Table {
        /// Its name.
        name: QualifiedName,
        /// The columns, folded; none named is all.
        columns: Vec<String>,
    },
    /// The rows of a query; only TO.
    Query(Box<Query>),
}

/// Where the data of COPY comes from or goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyPlace {
    /// STDIN or STDOUT.
    Client,
    /// A file of the server, or a URL.
    File(String),
}

/// CREATE TABLE.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// The table's name.
    pub name: QualifiedName,
    /// Say nothing but a notice if the name is taken.
    pub if_not_exists: bool,
    /// The columns in order. Empty with a query.
    pub columns: Vec<Column>,
    /// The columns of PRIMARY KEY, wherever it was written, in its order; empty if there is none.
    /// They are as typed: not checked against `columns`, and NOT NULL whatever their column says.
    pub primary_key: Vec<Ident>,
    /// The name given to the key with CONSTRAINT, folded.
    pub primary_key_name: Option<String>,
    /// The column of PARTITION BY RANGE, not checked against `columns`.
    pub partition_by: Option<Ident>,
    /// WITH (…) in order: names folded, values as strings, `true` for a name alone.
    pub options: Vec<(String, String)>,
    /// The names CREATE TABLE AS gives to its query's columns, from the left; may be fewer.
    pub column_names: Vec<Ident>,
    /// The query of CREATE TABLE AS.
    pub as_query: Option<Box<Query>>,
    /// WITH NO DATA: take the query's columns only.
    pub with_no_data: bool,
    /// TEMPORARY, and what becomes of the table with each commit.
    pub temporary: Option<OnCommit>,
}

/// What becomes of a temporary table when a transaction commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCommit {
    /// Nothing.
    PreserveRows,
    /// Its rows go.
    DeleteRows,
    /// It goes.
    Drop,
}

/// A column of CREATE TABLE.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name as typed; see [`fold`].
    pub name: Ident,
    /// Its type as typed.
    pub data_type: DataType,
    /// NOT NULL was said.
    pub not_null: bool,
    /// DEFAULT.
    pub default: Option<Expr>,
}

/// CREATE [OR REPLACE] VIEW.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    /// Replace a view of that name.
    pub or_replace: bool,
    /// TEMPORARY.
    pub temporary: bool,
    /// The view's name.
    pub name: QualifiedName,
    /// The names given to the query's columns, from the left; may be fewer.
    pub columns: Vec<Ident>,
    /// The query.
    pub query: Box<Query>,
    /// The query exactly as typed, from its first token to its last.
    pub query_text: String,
}

/// What DROP drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A table.
    Table,
    /// A view.
    View,
    /// A schema.
    Schema,
}

/// What COMMENT ON comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommentTarget {
    /// A table.
    Table(QualifiedName),
    /// A view.
    View(QualifiedName),
    /// A column of a table or a view.
    Column {
        /// The table or view.
        relation: QualifiedName,
        /// The column's name, folded.
        column: String,
    },
    /// A schema, by its folded name.
    Schema(String),
}

/// The right side of SET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetValue {
    /// Back to the default.
    Default,
    /// One value or a list; words folded, numbers and strings as typed, without quotes.
    Values(Vec<String>),
}

/// What SHOW shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShowTarget {
    /// Every setting.
    All,
    /// One setting, by its folded name; TIME ZONE is `timezone`, TRANSACTION ISOLATION LEVEL is
    /// `transaction_isolation`, SESSION AUTHORIZATION is `session_authorization`.
    Setting(String),
    /// SHOW TABLES.
    Tables,
    /// SHOW FUNCTIONS [LIKE 'pattern'].
    Functions {
        /// The pattern.
        like: Option<String>,
    },
}

/// What RESET resets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResetTarget {
    /// Every setting.
    All,
    /// One setting, by the names [`ShowTarget::Setting`] uses; ROLE is `role`.
    Setting(String),
}

/// What DISCARD discards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardTarget {
    /// All of the session's state.
    All,
    /// Cached plans.
    Plans,
    /// Cached sequence values.
    Sequences,
    /// Temporary tables.
    Temp,
}

/// The modes of a transaction; `None` where none was named. The last of several counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransactionModes {
    /// ISOLATION LEVEL.
    pub isolation: Option<IsolationLevel>,
    /// READ ONLY (`true`) or READ WRITE.
    pub read_only: Option<bool>,
    /// DEFERRABLE (`true`) or NOT DEFERRABLE.
    pub deferrable: Option<bool>,
}

/// An isolation level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationLevel {
    /// READ UNCOMMITTED.
    ReadUncommitted,
    /// READ COMMITTED.
    ReadCommitted,
    /// REPEATABLE READ.
    RepeatableRead,
    /// SERIALIZABLE.
    Serializable,
}

/// The name of a table or view: folded, and without its database, of which there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QualifiedName {
    /// The schema; `None` leaves it to the search path.
    pub schema: Option<String>,
    /// The name within the schema.
    pub name: String,
}

impl QualifiedName {
    /// From text as a user types it on a command line: `name` or `schema.name`, quoted where it has to be.
    ///
    /// # Errors
    /// 42601 if it is not a name.
    pub fn parse(text: &str) -> Result<Self> {
        let dialect = datafusion::sql::sqlparser::dialect::PostgreSqlDialect {};
        let invalid = || Error::new(SqlState::SYNTAX_ERROR, format!("\"{text}\" is not the name of a table"));
        let mut parser = Parser::new(&dialect).try_with_sql(text).map_err(|_| invalid())?;
        let name = parser.parse_object_name(false).map_err(|_| invalid())?;
        if parser.peek_token().token != Token::EOF {
            return Err(invalid());
        }
        Self::try_from(&name)
    }

    /// From the parts between the dots.
    ///
    /// # Errors
    /// 0A000 if a database is named that isn't ours, 42601 for more than three parts or none.
    pub fn from_parts(parts: &[Ident]) -> Result<Self> {
        match parts {
            [name] => Ok(Self { schema: None, name: fold(name) }),
            [schema, name] => Ok(Self { schema: Some(fold(schema)), name: fold(name) }),
            [database, schema, name] if DATABASES.contains(&fold(database).as_str()) => {
                Ok(Self { schema: Some(fold(schema)), name: fold(name) })
            }
            [_, _, _] => Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("cross-database references are not implemented: \"{}\"", dotted(parts)),
            )),
            _ => Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("improper qualified name (too many dotted names): {}", dotted(parts)),
            )),
        }
    }
}

impl TryFrom<&ObjectName> for QualifiedName {
    type Error = Error;

    fn try_from(name: &ObjectName) -> Result<Self> {
        let parts: Option<Vec<Ident>> = name.0.iter().map(|part| part.as_ident().cloned()).collect();
        match parts {
            Some(parts) => Self::from_parts(&parts),
            None => Err(Error::new(SqlState::SYNTAX_ERROR, format!("improper relation name: {name}"))),
        }
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The name an identifier stands for: as it is between quotes, else with A–Z in lower case.
pub fn fold(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}

fn dotted(parts: &[Ident]) -> String {
    parts.iter().map(fold).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idents(parts: &[&str]) -> Vec<Ident> {
        parts.iter().map(|part| Ident::new(*part)).collect()
    }

    #[test]
    fn unquoted_names_fold_ascii_letters_only() {
        assert_eq!(fold(&Ident::new("Straße_Ä")), "straße_Ä");
        assert_eq!(fold(&Ident::with_quote('"', "MiXed")), "MiXed");
    }

    #[test]
    fn a_name_may_name_our_database_only() {
        let ours = QualifiedName::from_parts(&idents(&["Postgres", "S", "T"])).unwrap();
        assert_eq!(ours.to_string(), "s.t");
        let other = QualifiedName::from_parts(&idents(&["other", "s", "t"])).unwrap_err();
        assert_eq!(other.sqlstate.0, "0A000");
        assert_eq!(QualifiedName::from_parts(&idents(&["a", "b", "c", "d"])).unwrap_err().sqlstate.0, "42601");
        assert!(QualifiedName::try_from(&ObjectName::from(idents(&["a", "b"]))).is_ok());
    }

    #[test]
    fn a_place_counts_characters_and_lines() {
        let from = Location::new(3, 5);
        assert_eq!(distance("é\r\nxy", from, from), (0, 0));
        assert_eq!(distance("é\r\nxy", from, Location::new(4, 2)), (5, 4));
        assert_eq!(distance("é\r\nxy", from, Location::new(9, 9)), (6, 5));
    }
}
