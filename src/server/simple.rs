//! Simple query: a string of statements, executed and answered one by one.

use pgwire::messages::response::EmptyQueryResponse;

use crate::error::{Error, SqlState};
use crate::session::Execution;
use crate::statement::Statement;

use super::connection::Connection;
use super::copy;
use super::cursor::Cursor;
use super::describe::row_description;
use super::error::Stop;
use super::extended::declared_formats;

/// Executes `sql`. Several statements are one transaction, unless they begin or end one themselves;
/// the first that fails stops the rest.
pub(super) async fn query(connection: &mut Connection, sql: &str) -> Result<(), Stop> {
    connection.store.close_unnamed();
    connection.session.statements().remove("");
    let statements = connection.session.parse(sql)?;
    if statements.is_empty() {
        return Ok(connection.wire.push(EmptyQueryResponse::new())?);
    }
    if statements.len() == 1 {
        return run_all(connection, statements).await;
    }
    connection.session.begin_block();
    let outcome = run_all(connection, statements).await;
    if matches!(outcome, Err(Stop::Connection(_))) {
        return outcome;
    }
    let ended = connection.wire.while_connected(connection.session.end_block(outcome.is_ok())).await?;
    // The first failure is the one to tell: a block that failed has nothing to commit.
    outcome?;
    Ok(ended?)
}

async fn run_all(connection: &mut Connection, statements: Vec<Statement>) -> Result<(), Stop> {
    for statement in statements {
        run(connection, statement).await?;
    }
    Ok(())
}

async fn run(connection: &mut Connection, statement: Statement) -> Result<(), Stop> {
    let was_open = connection.in_transaction();
    connection.statements.begins(statement.public_text());
    let Connection { wire, session, store, .. } = &mut *connection;
    let prepared = wire.while_connected(session.prepare(statement, &[])).await??;
    if !prepared.params.is_empty() {
        return Err(Error::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1")
            .with_hint("send statements with parameters through the extended protocol, as drivers do")
            .into());
    }
    let tag = match wire.while_connected(session.execute(&prepared, Vec::new())).await?? {
        Execution::Rows(rows) => {
            let formats = declared_formats(&rows.schema, rows.binary);
            let description = row_description(&rows.schema, &formats)?;
            let mut cursor = Cursor::new(session, rows, &formats)?;
            wire.push(description)?;
            let sent = cursor.send(wire, None).await?;
            cursor.tag(sent.rows)
        }
        Execution::CopyIn(copy) => copy::receive(wire, session, copy).await?,
        Execution::CopyOut(copy) => copy::send(wire, copy).await?,
        Execution::Done { tag } => {
            store.forget_closed();
            tag
        }
    };
    // A statement that ended the transaction took its portals along.
    if was_open && !connection.in_transaction() {
        connection.store.close_portals();
    }
    Ok(connection.complete(&tag)?)
}
