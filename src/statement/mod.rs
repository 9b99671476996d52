//! Statements: one file for each family, from its syntax tree to what came of it.

mod access_ast;
mod alter;
mod alter_ast;
mod ast;
mod call;
mod change;
mod comment;
mod conflict;
mod copy;
pub(crate) mod cursor;
mod cursor_ast;
mod drop;
mod erase;
mod explain;
mod grant;
mod insert;
mod maintain;
mod owner;
mod parse;
mod prepared;
mod query;
mod restore;
mod role;
mod schema;
mod setting;
mod show;
mod single;
pub(crate) mod table;
pub(crate) mod transaction;
mod view;

use std::sync::Arc;

use catalog::objects::is_temporary;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::TableObject;

pub(crate) use self::ast::fold;
pub use self::ast::{Kind, OnCommit, QualifiedName, Statement};
pub(crate) use self::cursor_ast::{Declare, Direction};
pub use self::parse::parse;
use crate::error::{Error, Result, SqlState};
use crate::session::{Execution, Prepared, Running, Session};

/// Parameters and columns of a statement, without running any of it.
pub(crate) async fn describe(
    session: &mut Session,
    kind: &Kind,
    declared: &[Option<FieldRef>],
) -> Result<(Vec<Field>, Option<SchemaRef>)> {
    let (params, columns) = match kind {
        Kind::Query(query) => query::describe(session, query, declared).await?,
        Kind::Insert(insert) if conflict::applies(insert) => conflict::describe(session, insert, declared).await?,
        Kind::Insert(insert) => (insert::parameters(session, insert, declared).await?, None),
        Kind::Change(change) => change::describe(session, change, declared).await?,
        Kind::Declare(declare) => (query::describe(session, &declare.query, declared).await?.0, None),
        Kind::Fetch(fetch) => return Ok((no_parameters(declared)?, cursor::columns(session, fetch))),
        Kind::Execute { name, .. } => return Ok((no_parameters(declared)?, prepared::columns(session, name))),
        Kind::Explain { statement, .. } => {
            let (params, _) = Box::pin(describe(session, statement, declared)).await?;
            return Ok((params, Some(explain::columns())));
        }
        Kind::Call(call) => (call::parameters(session, call, declared).await?, Some(call::columns(call)?)),
        Kind::Show(target) => return Ok((no_parameters(declared)?, Some(show::columns(session, target).await?))),
        _ => return Ok((no_parameters(declared)?, None)),
    };
    Ok((params.iter().map(|field| field.as_ref().clone()).collect(), columns))
}

/// The columns of FETCH as they are now; `None` if it is another statement.
pub(crate) fn fetched_columns(session: &Session, kind: &Kind) -> Option<Option<SchemaRef>> {
    match kind {
        Kind::Fetch(fetch) => Some(cursor::columns(session, fetch)),
        _ => None,
    }
}

fn no_parameters(declared: &[Option<FieldRef>]) -> Result<Vec<Field>> {
    if declared.is_empty() {
        return Ok(Vec::new());
    }
    Err(Error::new(SqlState::UNDEFINED_PARAMETER, "this statement takes no parameters"))
}

/// Runs a statement inside of the session's open transaction.
pub(crate) async fn run(
    session: &mut Session,
    prepared: &Prepared,
    params: Vec<ScalarValue>,
    running: Running,
) -> Result<Execution> {
    let kind = &prepared.statement.kind;
    before(session, kind).await?;
    match kind {
        Kind::Query(query) => query::run(session, query, prepared, params, running).await,
        Kind::Insert(insert) if conflict::applies(insert) => {
            conflict::run(session, insert, prepared, params, running).await
        }
        Kind::Insert(insert) => insert::run(session, insert, prepared, params).await,
        Kind::Change(change) => change::run(session, change, prepared, params, running).await,
        Kind::Truncate(names) => change::truncate(session, names).await,
        Kind::Copy(copy) => copy::run(session, copy, running).await,
        Kind::Explain { analyze, verbose, statement } => {
            explain::run(session, statement, *analyze, *verbose, prepared, params, running).await
        }
        Kind::CreateTable(create) => table::create(session, create).await,
        Kind::CreateView(create) => view::create(session, create).await,
        Kind::CreateSchema { name, if_not_exists, owner } => {
            schema::create(session, name, *if_not_exists, owner.as_ref())
        }
        Kind::Role(statement) => role::run(session, statement),
        Kind::Grant(statement) => grant::run(session, statement),
        Kind::Owner(statement) => owner::run(session, statement),
        // Apart, so that what every other statement holds while it runs stays as small as it was.
        Kind::Alter(alter) => Box::pin(alter::run(session, alter)).await,
        Kind::Drop { object, names, if_exists, cascade } => drop::run(session, *object, names, *if_exists, *cascade),
        Kind::Comment { object, comment } => comment::run(session, object, comment.as_deref()),
        Kind::Set { name, value, local } => setting::set(session, name, value, *local),
        Kind::Reset(target) => setting::reset(session, target),
        Kind::Discard(target) => setting::discard(session, *target).await,
        Kind::Show(target) => show::run(session, target, running).await,
        Kind::Call(procedure) => call::run(session, procedure, prepared, params, running).await,
        Kind::Prepare { name, types, statement } => {
            self::prepared::prepare(session, &prepared.statement, name, types, statement).await
        }
        Kind::Execute { name, arguments } => self::prepared::execute(session, name, arguments, running).await,
        Kind::Deallocate(name) => self::prepared::deallocate(session, name.as_deref()),
        Kind::Declare(declare) => cursor::declare(session, declare, prepared, params).await,
        Kind::Fetch(fetch) => cursor::fetch(session, fetch, running).await,
        Kind::Close(name) => cursor::close(session, name.as_deref()),
        Kind::Unlisten => Ok(Execution::done("UNLISTEN")),
        Kind::SetTransaction { .. }
        | Kind::Begin { .. }
        | Kind::Commit
        | Kind::Rollback
        | Kind::Savepoint(_)
        | Kind::Release(_)
        | Kind::RollbackTo(_) => Err(Error::internal("a transaction statement was run as an ordinary one")),
    }
}

/// What comes before a statement that changes the warehouse: whether it may.
async fn before(session: &mut Session, kind: &Kind) -> Result<()> {
    if !writes(kind) {
        return Ok(());
    }
    if session.settings().transaction_read_only() && !changes_temporary(session, kind)? {
        let message = format!("cannot execute {} in a read-only transaction", name(kind));
        return Err(Error::new(SqlState::READ_ONLY_SQL_TRANSACTION, message));
    }
    if session.looks_back() {
        let message = format!("cannot execute {} while audience.as_of is set", name(kind));
        return Err(Error::new(SqlState::READ_ONLY_SQL_TRANSACTION, message).with_hint("RESET audience.as_of first"));
    }
    // Taken before anything is written, so that who may not write hears it before the work is done.
    session.engine().begin_writing().await?;
    if session.autocommits() {
        session.renew_work().await?;
    }
    Ok(())
}

/// Whether a statement changes the rows of a temporary table and nothing else, which a read-only transaction may.
fn changes_temporary(session: &mut Session, kind: &Kind) -> Result<bool> {
    let name = match kind {
        Kind::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => QualifiedName::try_from(name)?,
            _ => return Ok(false),
        },
        Kind::Change(change) => QualifiedName::try_from(&change.target)?,
        Kind::Copy(copy) => match &copy.subject {
            ast::CopySubject::Table { name, .. } => name.clone(),
            ast::CopySubject::Query(_) => return Ok(false),
        },
        _ => return Ok(false),
    };
    Ok(table::find_if_exists(session, &name)?.is_some_and(|relation| is_temporary(relation.schema())))
}

/// Whether a statement changes the warehouse.
fn writes(kind: &Kind) -> bool {
    match kind {
        Kind::Insert(_) | Kind::Change(_) | Kind::Truncate(_) => true,
        Kind::CreateTable(_) | Kind::CreateView(_) | Kind::CreateSchema { .. } => true,
        Kind::Drop { .. } | Kind::Comment { .. } | Kind::Call(_) => true,
        Kind::Role(_) | Kind::Grant(_) | Kind::Owner(_) | Kind::Alter(_) => true,
        Kind::Copy(copy) => copy.from,
        Kind::Explain { analyze, statement, .. } => *analyze && writes(statement),
        _ => false,
    }
}

/// Whether a statement that others have overtaken can be run again: it has read nothing but what the warehouse holds.
pub(crate) fn may_begin_anew(kind: &Kind) -> bool {
    matches!(kind, Kind::Insert(_) | Kind::Change(_) | Kind::Truncate(_) | Kind::Alter(_))
}

/// A statement's name as error messages give it.
fn name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Insert(_) => "INSERT",
        Kind::Change(change) => match change.kind {
            ast::ChangeKind::Update(_) => "UPDATE",
            ast::ChangeKind::Delete => "DELETE",
            ast::ChangeKind::Merge { .. } => "MERGE",
        },
        Kind::Truncate(_) => "TRUNCATE TABLE",
        Kind::Copy(_) => "COPY FROM",
        Kind::CreateTable(create) if create.as_query.is_some() => "CREATE TABLE AS",
        Kind::CreateTable(_) => "CREATE TABLE",
        Kind::CreateView(_) => "CREATE VIEW",
        Kind::CreateSchema { .. } => "CREATE SCHEMA",
        Kind::Drop { object: ast::ObjectKind::Table, .. } => "DROP TABLE",
        Kind::Drop { object: ast::ObjectKind::View, .. } => "DROP VIEW",
        Kind::Drop { object: ast::ObjectKind::Schema, .. } => "DROP SCHEMA",
        Kind::Comment { .. } => "COMMENT",
        Kind::Call(_) => "CALL",
        Kind::Role(statement) => role::tag(statement),
        Kind::Grant(statement) if statement.grant => "GRANT",
        Kind::Grant(_) => "REVOKE",
        Kind::Owner(_) => "ALTER",
        Kind::Alter(alter) => alter::tag(alter),
        Kind::Explain { statement, .. } => name(statement),
        _ => "this statement",
    }
}

/// The schema of results that are text columns of these names.
fn text_columns(names: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>()))
}
