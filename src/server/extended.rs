//! The extended protocol: prepared statements, portals, and the messages that make and use them.
//!
//! Parse plans a statement, Bind gives it values and result formats, Describe tells its columns, Execute
//! runs it or goes on where a row limit suspended it. Nothing runs before Execute. Prepared statements are the
//! session's, which shares them with PREPARE and EXECUTE; portals are the connection's, in one space of names with the
//! cursors of DECLARE, which can be described, executed and closed like portals.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{BindComplete, CloseComplete, ParseComplete, PortalSuspended};
use pgwire::messages::response::EmptyQueryResponse;

use crate::error::{Error, Result, SqlState};
use crate::session::cursors::Cursors;
use crate::session::prepared::{Named, Parameter};
use crate::session::{Execution, Rows, Session, TransactionStatus};

use super::connection::Connection;
use super::copy;
use super::cursor::Cursor;
use super::describe::{all_text, parameter_formats, result_formats, row_description};
use super::error::{Stop, protocol_violation};
use super::frontend::{Bind, Target};
use crate::values::decode;
use crate::values::encode::{Format, Formatting};
use crate::values::pg_type::{self, PgType};

/// The portals of one connection, by name; the empty name is the unnamed one.
pub(super) struct Store {
    portals: HashMap<String, Portal>,
    /// Where SQL sees them, and can close them.
    names: Cursors,
}

struct Portal {
    statement: Arc<Named>,
    /// What it returns, as it was when it was bound.
    columns: Option<SchemaRef>,
    /// One per column; none if the statement returns no rows.
    formats: Vec<Format>,
    state: State,
}

enum State {
    /// Not executed yet.
    Bound(Vec<ScalarValue>),
    /// Executed, with rows that may still come.
    Open(Box<Cursor>),
    /// All rows were sent. Executed again, it has no more of them and answers with this tag.
    Exhausted(String),
    /// Executed, and returned no rows. It can't run twice.
    Done,
}

impl Store {
    /// No portals, in the space of names of a session's cursors.
    pub(super) fn new(names: &Cursors) -> Self {
        Self { portals: HashMap::new(), names: names.clone() }
    }

    /// Forgets the unnamed portal, which a simple query replaces.
    pub(super) fn close_unnamed(&mut self) {
        self.take("");
    }

    /// Closes every portal, at the end of a transaction.
    pub(super) fn close_portals(&mut self) {
        self.retain(|_| false);
    }

    /// Closes the portals that have run, when their transaction failed. What is only bound may be
    /// the ROLLBACK.
    pub(super) fn close_started_portals(&mut self) {
        self.retain(|portal| matches!(portal.state, State::Bound(_)));
    }

    /// Forgets the portals that CLOSE has closed.
    pub(super) fn forget_closed(&mut self) {
        self.portals.retain(|name, _| self.names.has_portal(name));
    }

    fn put(&mut self, name: String, portal: Portal) {
        self.names.open_portal(&name, Arc::clone(&portal.statement.text));
        self.portals.insert(name, portal);
    }

    fn take(&mut self, name: &str) -> Option<Portal> {
        self.names.close_portal(name);
        self.portals.remove(name)
    }

    fn retain(&mut self, mut stays: impl FnMut(&Portal) -> bool) {
        self.portals.retain(|name, portal| {
            let stays = stays(portal);
            if !stays {
                self.names.close_portal(name);
            }
            stays
        });
    }
}

/// Parse: plans `sql` under `name`. `types` are the client's parameter types, 0 where it has none.
pub(super) async fn parse(connection: &mut Connection, name: String, sql: &str, types: &[u32]) -> Result<(), Stop> {
    let Connection { wire, session, .. } = connection;
    if name.is_empty() {
        session.statements().remove("");
    }
    session.statements().check_free(&name)?;
    let mut statements = session.parse(sql)?;
    if statements.len() > 1 {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "cannot insert multiple commands into a prepared statement")
            .with_hint("send them one by one, or all in a simple query")
            .into());
    }
    let declared = types.iter().enumerate().map(|(index, oid)| declared_field(index, *oid));
    let declared = declared.collect::<Result<Vec<Option<FieldRef>>>>()?;
    let plan = match statements.pop() {
        Some(statement) => Some(wire.while_connected(session.prepare_typed(statement, declared.clone())).await??),
        None => None,
    };
    let inferred = plan.as_ref().map_or(&[][..], |plan| plan.params.as_slice());
    let parameters = parameters(types, &declared, inferred)?;
    session.statements().put(name, Named::new(plan, parameters, sql.into(), false))?;
    Ok(wire.push(ParseComplete::new())?)
}

/// What the client declares parameter `index` (from 0) to be; None: nothing.
fn declared_field(index: usize, oid: u32) -> Result<Option<FieldRef>> {
    if is_unspecified(oid) {
        return Ok(None);
    }
    match pg_type::arrow_of(oid) {
        Some(field) => Ok(Some(Arc::new(field))),
        None => Err(Error::unsupported(format!("type {} of parameter ${}", pg_type::name_of(oid), index + 1))
            .with_hint("leave the parameter's type unspecified, or cast it in the statement")),
    }
}

/// True for no OID, and for that of the pseudo-type `unknown`, which says as little.
fn is_unspecified(oid: u32) -> bool {
    matches!(oid, 0 | pg_type::oid::UNKNOWN)
}

/// The parameters a client has to send: those of the plan, and those it declared beyond them.
fn parameters(oids: &[u32], declared: &[Option<FieldRef>], inferred: &[Field]) -> Result<Vec<Parameter>> {
    let count = oids.len().max(inferred.len());
    let parameters = (0..count).map(|index| {
        let declared = declared.get(index).and_then(Option::as_ref);
        let oid = oids.get(index).copied().filter(|oid| !is_unspecified(*oid));
        match (inferred.get(index), declared, oid) {
            // The client's type wins in what it sends; the plan knows what it needs.
            (Some(target), _, Some(oid)) => Ok(Parameter { oid, target: Arc::new(target.clone()) }),
            (Some(target), _, None) => Ok(Parameter { oid: PgType::of(target).oid, target: Arc::new(target.clone()) }),
            (None, Some(target), Some(oid)) => Ok(Parameter { oid, target: Arc::clone(target) }),
            _ => Err(Error::new(
                SqlState::INDETERMINATE_DATATYPE,
                format!("could not determine data type of parameter ${}", index + 1),
            )
            .with_hint("use it in the statement, or declare its type")),
        }
    });
    parameters.collect()
}

/// Bind: makes a portal from a prepared statement, values and result formats.
pub(super) fn bind(connection: &mut Connection, bind: Bind) -> Result<(), Stop> {
    let Connection { wire, session, store, .. } = connection;
    let Bind { portal: name, statement, parameter_formats: codes, parameters: given, result_formats: columns } = bind;
    if name.is_empty() {
        store.take("");
    } else {
        session.cursors().check_free(&name)?;
    }
    let statement_name = statement;
    let statement = session.statements().get(&statement_name)?;
    let value_formats = parameter_formats(&codes, given.len())?;
    let wanted = statement.parameters.len();
    if given.len() != wanted {
        return Err(protocol_violation(format!(
            "bind message supplies {} parameters, but prepared statement \"{statement_name}\" requires {wanted}",
            given.len()
        ))
        .into());
    }
    // A timestamptz without offset is in the session's zone.
    let zone = Formatting::from_settings(|name| session.setting(name))?.zone();
    let values = statement.parameters.iter().zip(&given).zip(&value_formats).map(|((parameter, bytes), format)| {
        let binary = matches!(format, Format::Binary);
        decode::decode(bytes.as_deref(), binary, parameter.oid, &parameter.target, zone)
    });
    let mut values = values.collect::<Result<Vec<ScalarValue>>>()?;
    let taken = statement.plan.as_ref().map_or(0, |plan| plan.params.len());
    let returned = returned(session, &statement);
    // A statement without rows has no use for formats, right or wrong.
    let formats = match &returned {
        Some(schema) => result_formats(&columns, schema.fields().len())?,
        None => Vec::new(),
    };
    // Declared but not used: checked like the others, then of no interest to the plan.
    values.truncate(taken);
    store.put(name, Portal { statement, columns: returned, formats, state: State::Bound(values) });
    Ok(wire.push(BindComplete::new())?)
}

/// The columns that a statement returns. Those of FETCH are the cursor's, which may be another one than when it was
/// prepared.
fn returned(session: &Session, statement: &Named) -> Option<SchemaRef> {
    let plan = statement.plan.as_ref()?;
    session.fetched_columns(plan).unwrap_or_else(|| plan.columns.clone())
}

/// Describe: the parameters and columns of a statement, or the columns of a portal.
pub(super) fn describe(connection: &mut Connection, target: &Target) -> Result<(), Stop> {
    let in_failed_transaction = matches!(connection.session.transaction(), TransactionStatus::Failed);
    let Connection { wire, session, store, .. } = connection;
    let (columns, formats) = match target {
        Target::Statement(name) => {
            let statement = session.statements().get(name)?;
            let types = statement.parameters.iter().map(|parameter| parameter.oid).collect();
            wire.push(ParameterDescription::new(types))?;
            // Formats are chosen at Bind: until then they count as text.
            (returned(session, &statement), None)
        }
        Target::Portal(name) => match (store.portals.get(name), session.cursors().get(name)) {
            (Some(portal), _) => (portal.columns.clone(), Some(portal.formats.clone())),
            (None, Ok(cursor)) => {
                (Some(Arc::clone(&cursor.columns)), Some(declared_formats(&cursor.columns, cursor.binary)))
            }
            (None, Err(_)) => return Err(missing_portal(name, in_failed_transaction).into()),
        },
    };
    match columns {
        Some(schema) => {
            let formats = formats.unwrap_or_else(|| all_text(&schema));
            Ok(wire.push(row_description(&schema, &formats)?)?)
        }
        None => Ok(wire.push(NoData::new())?),
    }
}

/// The formats of rows whose client has not chosen.
pub(super) fn declared_formats(schema: &Schema, binary: bool) -> Vec<Format> {
    match binary {
        true => vec![Format::Binary; schema.fields().len()],
        false => all_text(schema),
    }
}

/// Execute: runs a portal, or goes on with it, for `max_rows` rows or, at zero or less, for all.
pub(super) async fn execute(connection: &mut Connection, name: String, max_rows: i32) -> Result<(), Stop> {
    let limit = u64::try_from(max_rows).ok().filter(|limit| *limit > 0);
    let was_open = connection.in_transaction();
    // Taken out while it runs. It isn't put back if it fails: it couldn't go on.
    let Some(mut portal) = connection.store.take(&name) else {
        if let Some(rows) = connection.session.fetch_by_protocol(&name, limit)? {
            return fetch(connection, rows, limit).await;
        }
        let in_failed_transaction = matches!(connection.session.transaction(), TransactionStatus::Failed);
        return Err(missing_portal(&name, in_failed_transaction).into());
    };
    advance(connection, &name, &mut portal, limit).await?;
    if was_open && !connection.in_transaction() {
        // It was the end of the transaction, and so of its portals.
        connection.store.close_portals();
    } else {
        connection.store.put(name, portal);
    }
    Ok(())
}

/// Execute of a cursor of DECLARE: it stays where it is then, as the portal that it is.
async fn fetch(connection: &mut Connection, rows: Rows, limit: Option<u64>) -> Result<(), Stop> {
    let formats = declared_formats(&rows.schema, rows.binary);
    let mut cursor = Cursor::new(&connection.session, rows, &formats)?;
    let sent = cursor.send(&mut connection.wire, None).await?;
    match limit {
        Some(limit) if sent.rows == limit => Ok(connection.wire.push(PortalSuspended::new())?),
        _ => Ok(connection.complete(&format!("SELECT {}", sent.rows))?),
    }
}

async fn advance(connection: &mut Connection, name: &str, portal: &mut Portal, limit: Option<u64>) -> Result<(), Stop> {
    if let Some(plan) = &portal.statement.plan {
        connection.statements.begins(plan.statement.public_text());
    }
    let Connection { wire, session, store, .. } = &mut *connection;
    let mut cursor = match mem::replace(&mut portal.state, State::Done) {
        State::Bound(values) => {
            let Some(plan) = &portal.statement.plan else {
                portal.state = State::Bound(values);
                return Ok(wire.push(EmptyQueryResponse::new())?);
            };
            // One transaction for all that comes before Sync, as PostgreSQL has it; in a block this does nothing. With
            // Sync at hand already, a statement on its own is that transaction.
            if !wire.sync_follows() {
                session.begin_block();
            }
            portal.statement.count();
            match wire.while_connected(session.execute(plan, values)).await?? {
                Execution::Rows(rows) => {
                    if !portal.columns.as_ref().is_some_and(|described| same_row_type(described, &rows.schema)) {
                        return Err(Error::new(
                            SqlState::FEATURE_NOT_SUPPORTED,
                            "cached plan must not change result type",
                        )
                        .with_hint("prepare the statement again")
                        .into());
                    }
                    Box::new(Cursor::new(session, rows, &portal.formats)?)
                }
                Execution::CopyIn(copy) => {
                    let tag = copy::receive(wire, session, copy).await?;
                    return Ok(connection.complete(&tag)?);
                }
                Execution::CopyOut(copy) => {
                    let tag = copy::send(wire, copy).await?;
                    return Ok(connection.complete(&tag)?);
                }
                Execution::Done { tag } => {
                    store.forget_closed();
                    return Ok(connection.complete(&tag)?);
                }
            }
        }
        State::Open(cursor) => {
            cursor.resume(session);
            cursor
        }
        State::Exhausted(tag) => {
            connection.complete(&tag)?;
            portal.state = State::Exhausted(tag);
            return Ok(());
        }
        State::Done => {
            let message = format!("portal \"{name}\" cannot be run");
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                .with_hint("bind the statement again")
                .into());
        }
    };
    let sent = cursor.send(wire, limit).await?;
    if sent.finished {
        portal.state = State::Exhausted(cursor.tag(0));
        Ok(connection.complete(&cursor.tag(sent.rows))?)
    } else {
        portal.state = State::Open(cursor);
        Ok(connection.wire.push(PortalSuspended::new())?)
    }
}

/// True if rows of `arrived` can be read as Describe announced them: a client that asked for binary
/// would take other types for what was announced.
fn same_row_type(described: &Schema, arrived: &Schema) -> bool {
    let (described, arrived) = (described.fields(), arrived.fields());
    described.len() == arrived.len()
        && described.iter().zip(arrived).all(|(left, right)| PgType::of(left).oid == PgType::of(right).oid)
}

/// Close: forgets a statement or a portal. One that doesn't exist is closed already. A portal keeps
/// what it needs of its statement.
pub(super) fn close(connection: &mut Connection, target: &Target) -> Result<(), Stop> {
    match target {
        Target::Statement(name) => {
            connection.session.statements().remove(name);
        }
        Target::Portal(name) => {
            connection.store.take(name);
            // One that does not exist is closed already.
            let _ = connection.session.cursors().close(name);
        }
    }
    Ok(connection.wire.push(CloseComplete::new())?)
}

/// A failed transaction has closed its portals: then that is the answer, not their absence.
fn missing_portal(name: &str, in_failed_transaction: bool) -> Error {
    if in_failed_transaction {
        Error::new(
            SqlState::IN_FAILED_SQL_TRANSACTION,
            "current transaction is aborted, commands ignored until end of transaction block",
        )
        .with_hint("end it with ROLLBACK")
    } else {
        Error::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
    }
}
