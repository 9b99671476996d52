//! One client after its login: message by message, until one side ends it.
//!
//! A failed statement is answered with an error and the connection goes on; after a failed message of
//! the extended protocol everything up to the next Sync is skipped, because the client sent it in the
//! belief that the failed one would work.

use std::sync::Arc;
use std::time::Duration;

use pgwire::messages::response::{CommandComplete, ReadyForQuery, TransactionStatus as Letter};
use pgwire::messages::startup::ParameterStatus;

use crate::error::{Error, Result, SqlState};
use crate::session::{Session, TransactionStatus};

use super::cancel::Registration;
use super::error::{End, Stop, error_response, is_protocol_violation, notice_response, wire_text};
use super::extended::Store;
use super::frontend::{self, Message};
use super::listener::Server;
use super::slots::Slot;
use super::startup::Login;
use super::statement_log::StatementLog;
use super::wire::Wire;
use super::{extended, simple};

/// One client's socket and session, and what the protocol remembers between its messages.
pub(super) struct Connection {
    pub(super) wire: Wire,
    pub(super) session: Session,
    /// Prepared statements and portals.
    pub(super) store: Store,
    /// Held until the connection ends: the client's place in the registry of cancel requests.
    backend: Registration,
    /// Held until the connection ends: the client's share of `max_connections`.
    _slot: Slot,
    /// How long the client may send nothing.
    patience: Option<Duration>,
    /// What is written of its statements, and counted.
    pub(super) statements: StatementLog,
    /// Between the first message of the extended protocol and Sync: the client isn't idle.
    in_series: bool,
    /// After an error of the extended protocol, until Sync.
    skipping: bool,
}

impl Connection {
    pub(super) fn new(wire: Wire, login: Login, server: &Server) -> Self {
        let Login { session, backend, slot, user } = login;
        let metrics = Arc::clone(server.engine.metrics());
        let session_pid = session.pid();
        let store = Store::new(session.cursors());
        Self {
            wire,
            session,
            store,
            backend,
            _slot: slot,
            patience: server.options.idle_timeout,
            statements: StatementLog::new(server.options.log, metrics, session_pid, user),
            in_series: false,
            skipping: false,
        }
    }

    /// Serves the client until the connection ends. Whatever was running then is dropped, which
    /// stops it; an open transaction is rolled back with the session.
    pub(super) async fn run(mut self) {
        let end = match self.ready().await {
            Ok(()) => loop {
                if let Err(end) = self.serve_one().await {
                    break end;
                }
            },
            Err(end) => end,
        };
        if let End::Fatal(error) = end {
            tracing::info!(pid = self.backend.pid(), sqlstate = error.sqlstate.0, "connection ended");
            let Self { wire, session, store, .. } = self;
            // What the client held is let go before it is told, which may take a while.
            drop((store, session));
            wire.farewell(&error).await;
        }
    }

    /// Waits for one message and answers it.
    async fn serve_one(&mut self) -> Result<(), End> {
        let patience = self.patience();
        let Some(frame) = self.wire.frame(patience, self.in_series).await? else {
            return Err(End::fatal(self.idle_for_too_long()));
        };
        let tag = frame.tag;
        if self.skipping && !matches!(tag, b'S' | b'X') {
            return Ok(());
        }
        let extended = frontend::is_extended(tag);
        self.in_series |= extended;
        let outcome = match Message::decode(frame) {
            Ok(Message::Terminate) => return Err(End::Closed),
            Ok(Message::StrayCopy) => return Ok(()),
            Ok(message) => self.answer(message).await,
            Err(error) if is_protocol_violation(&error) => return Err(End::fatal(error)),
            Err(error) => Err(Stop::Statement(error)),
        };
        match outcome {
            Ok(()) => {}
            Err(Stop::Connection(end)) => return Err(end),
            // The session was told to end, and its statement heard it first.
            Err(Stop::Statement(error)) if error.sqlstate == SqlState::ADMIN_SHUTDOWN => {
                return Err(End::fatal(error));
            }
            Err(Stop::Statement(error)) => {
                self.report(&error)?;
                self.skipping = extended;
                if extended {
                    self.wire.flush().await?;
                }
            }
        }
        if extended { self.wire.flush_if_full().await } else { self.ready().await }
    }

    async fn answer(&mut self, message: Message) -> Result<(), Stop> {
        self.session.canceller().set_idle(false);
        self.statements.arrived();
        match message {
            Message::Query(sql) => simple::query(self, &sql).await,
            Message::Parse { name, sql, types } => extended::parse(self, name, &sql, &types).await,
            Message::Bind(bind) => extended::bind(self, bind),
            Message::Describe(target) => extended::describe(self, &target),
            Message::Execute { portal, max_rows } => extended::execute(self, portal, max_rows).await,
            Message::Close(target) => extended::close(self, &target),
            Message::Flush => Ok(self.wire.flush().await?),
            Message::FunctionCall => {
                Err(Error::unsupported("the function call message").with_hint("call the function with SELECT").into())
            }
            // Sync is answered by what follows every message outside the extended protocol.
            Message::Sync | Message::StrayCopy | Message::Terminate => Ok(()),
        }
    }

    /// How long the client may send nothing now: what the server allows, and less if the client's settings say so,
    /// which count while the client could send a command.
    fn patience(&mut self) -> Option<Duration> {
        if self.in_series {
            return self.patience;
        }
        let in_transaction = self.in_transaction();
        let settings = self.session.settings();
        let own = if in_transaction { settings.idle_in_transaction_timeout() } else { settings.idle_timeout() };
        match (self.patience, own) {
            (Some(server), Some(own)) => Some(server.min(own)),
            (server, own) => server.or(own),
        }
    }

    /// True inside a transaction block, failed or not.
    pub(super) fn in_transaction(&self) -> bool {
        !matches!(self.session.transaction(), TransactionStatus::Idle)
    }

    /// The end of a statement that worked: its notices, then its tag.
    pub(super) fn complete(&mut self, tag: &str) -> Result<()> {
        self.push_notices()?;
        self.statements.succeeded(tag);
        self.wire.push(CommandComplete::new(wire_text(tag)))
    }

    /// Tells the client that it may send the next command, in which state, and with which settings.
    async fn ready(&mut self) -> Result<(), End> {
        self.skipping = false;
        self.in_series = false;
        // What a series of the extended protocol did outside of a block is committed here, as one transaction.
        if let Err(error) = self.session.end_block(true).await {
            self.report(&error)?;
        }
        let letter = match self.session.transaction() {
            TransactionStatus::Idle => {
                // Portals live as long as their transaction, and none is open any more.
                self.store.close_portals();
                Letter::Idle
            }
            TransactionStatus::Active => Letter::Transaction,
            TransactionStatus::Failed => Letter::Error,
        };
        self.push_notices().map_err(End::fatal)?;
        for (name, value) in self.session.take_changed_parameters() {
            let status = ParameterStatus::new(wire_text(&name), wire_text(&value));
            self.wire.push(status).map_err(End::fatal)?;
        }
        self.session.canceller().set_idle(true);
        // A suspended portal does nothing until its client comes back.
        self.session.backend().rest();
        self.wire.push(ReadyForQuery::new(letter)).map_err(End::fatal)?;
        self.wire.flush().await
    }

    /// Tells the client that a statement failed. Inside a transaction block the block failed with it.
    fn report(&mut self, error: &Error) -> Result<(), End> {
        self.statements.failed(error);
        self.session.fail_transaction();
        if matches!(self.session.transaction(), TransactionStatus::Failed) {
            self.store.close_started_portals();
        }
        self.push_notices().map_err(End::fatal)?;
        self.wire.push(error_response("ERROR", error)).map_err(End::fatal)
    }

    fn push_notices(&mut self) -> Result<()> {
        for notice in self.session.take_notices() {
            self.wire.push(notice_response(&notice))?;
        }
        Ok(())
    }

    fn idle_for_too_long(&self) -> Error {
        match self.session.transaction() {
            TransactionStatus::Idle => {
                Error::new(SqlState::IDLE_SESSION_TIMEOUT, "terminating connection due to idle-session timeout")
            }
            TransactionStatus::Active | TransactionStatus::Failed => {
                let message = "terminating connection due to idle-in-transaction timeout";
                Error::new(SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT, message)
            }
        }
    }
}
