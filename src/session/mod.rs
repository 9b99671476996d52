//! One caller: settings, transaction, cancellation. Every entry point, library and wire, goes through it.

mod copy;
pub(crate) mod cursors;
mod fetching;
mod functions;
mod identity;
mod notices;
pub(crate) mod prepared;
mod rows;
mod running;
mod savepoints;
pub(crate) mod settings;
mod temporary;
pub(crate) mod views;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use catalog::objects::{ObjectId, TableDef, is_temporary};
use catalog::table::Found;
use catalog::transaction::Savepoint;
use catalog::{FilesHeld, Snapshot, Transaction};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionConfig;
use datafusion::scalar::ScalarValue;
use parking_lot::RwLock;
use tokio::sync::{OwnedMutexGuard, OwnedRwLockWriteGuard};

pub(crate) use self::copy::QUEUE;
pub use self::copy::{CopyIn, CopyOut};
use self::cursors::Cursors;
pub(crate) use self::identity::Asker;
use self::identity::Login;
pub use self::notices::Notice;
use self::notices::Notices;
use self::prepared::Statements;
pub use self::rows::Rows;
pub use self::running::Canceller;
pub(crate) use self::running::Running;
use self::settings::{Saved, Settings};
use self::temporary::Temporary;
use self::views::Views;
use crate::engine::activity::{Backend, Place};
use crate::engine::change_group::{Offered, Outcome, Turn};
use crate::engine::{Caller, Engine, Planner, SessionTables, Tell, TextForms, Travel};
use crate::error::{Error, Result, SqlState};
use crate::privileges::PG_TEMP;
use crate::statement::{self, Kind, Statement};
use crate::values::encode::Formatting;

/// Where a session stands with transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Outside of a transaction block.
    Idle,
    /// Inside of one.
    Active,
    /// Inside of one that failed: everything is refused until it ends.
    Failed,
}

/// A statement planned as far as its parameters and columns.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Types of `$1`, `$2`, …
    pub params: Vec<Field>,
    /// The columns it returns; `None` if it returns no rows.
    pub columns: Option<SchemaRef>,
    pub(crate) statement: Arc<Statement>,
}

/// What came of a statement.
#[derive(Debug)]
pub enum Execution {
    /// Rows, to be read.
    Rows(Rows),
    /// `COPY … FROM STDIN`, which waits for its data: see [`CopyIn`].
    CopyIn(CopyIn),
    /// `COPY … TO STDOUT`, whose data is to be read.
    CopyOut(CopyOut),
    /// Done; the command tag says what was.
    Done {
        /// As PostgreSQL prints it: `INSERT 0 3`.
        tag: String,
    },
}

impl Execution {
    pub(crate) fn done(tag: impl Into<String>) -> Self {
        Self::Done { tag: tag.into() }
    }
}

/// How long a transaction that holds one table waits for another.
const SECOND_LOCK: Duration = Duration::from_secs(5);

/// So many seconds after an instant nothing is committed any more that bears an earlier time.
const STILL_COMMITTING: i64 = 60;

/// A statement that is its own transaction is tried so often before others that overtook it are its error.
const TRIES: u32 = 8;

/// What holds a transaction open between statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Nothing: every statement is its own transaction.
    None,
    /// A simple query of several statements.
    Implicit,
    /// `BEGIN`.
    Explicit,
}

/// One caller of an [`Engine`].
///
/// Statements run one at a time. A session that is dropped in a transaction rolls it back.
pub struct Session {
    engine: Arc<Engine>,
    login: Login,
    asker: Asker,
    pid: i32,
    settings: Settings,
    functions: Vec<Arc<ScalarUDF>>,
    block: Block,
    /// The block has failed; shared with the rows it streams, whose errors come after `execute` has returned.
    failed: Arc<AtomicBool>,
    /// The open transaction: of the block, or of the statement running now.
    work: Option<Transaction>,
    /// Locks on keyed tables that the open transaction has put rows into.
    locks: HashMap<ObjectId, OwnedMutexGuard<()>>,
    /// Tables that the open transaction changes rows of.
    holds: HashMap<ObjectId, FilesHeld>,
    /// Gates of tables that the open transaction writes anew.
    gates: HashMap<ObjectId, OwnedRwLockWriteGuard<()>>,
    /// Rows of the running statement that are to be committed with those of others.
    grouped: Option<(Arc<TableDef>, RecordBatch)>,
    /// The instant of `audience.as_of`, and the catalog as it was; `None` where the log does not reach back so far.
    looked_back: Option<(DateTime<Utc>, Option<Arc<Snapshot>>)>,
    /// The statement is only described: what it would tell is told when it runs.
    describing: bool,
    /// The running statement's change, handed over to be committed with those of others.
    offered: Option<Offered>,
    /// The running statement's place among those that change a table, if its change was handed over before.
    place_in_line: Option<u64>,
    /// Savepoints of the open block, oldest first.
    savepoints: Vec<(String, Savepoint, Saved)>,
    /// Prepared statements, of SQL and of the client's protocol.
    statements: Statements,
    cursors: Cursors,
    /// Temporary tables.
    temporary: Temporary,
    canceller: Canceller,
    notices: Notices,
    /// The schemas of the search path that exist, for the functions that tell.
    path: Arc<RwLock<Vec<String>>>,
    /// The relations that tell of sessions.
    views: Arc<dyn SessionTables>,
    /// The session's place among the live ones.
    place: Place,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("user", &self.login.name).field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(engine: Arc<Engine>, user: &str, pid: i32) -> Result<Self> {
        let login = Login::admit(&engine.warehouse().newest().objects, user)?;
        let settings = Settings::new(user, login.superuser);
        let (canceller, notices) = (Canceller::default(), Notices::default());
        let (failed, path, statements) = (Arc::default(), Arc::default(), Statements::default());
        let cursors = Cursors::default();
        let temporary = Temporary::new(Arc::clone(&engine));
        let activity = Arc::clone(engine.activity());
        let asker = Asker::new(login.clone(), settings.shared(), Arc::new(engine.warehouse().newest().objects.clone()));
        let facts = functions::SessionFacts {
            database: crate::engine::DATABASE.to_owned(),
            pid,
            settings: settings.shared(),
            path: Arc::clone(&path),
            temporary: temporary.listed(),
            activity: Arc::clone(&activity),
            asker: asker.clone(),
            notices: notices.clone(),
            started: engine.started(),
        };
        let place = activity.enter(pid, user, settings.shared(), canceller.clone(), Arc::clone(&failed));
        let views = Views {
            asker: asker.clone(),
            settings: settings.shared(),
            statements: statements.clone(),
            cursors: cursors.clone(),
            activity,
        };
        Ok(Self {
            functions: functions::all(facts),
            temporary,
            engine,
            login,
            asker,
            pid,
            settings,
            block: Block::None,
            failed,
            work: None,
            locks: HashMap::new(),
            holds: HashMap::new(),
            gates: HashMap::new(),
            grouped: None,
            looked_back: None,
            describing: false,
            offered: None,
            place_in_line: None,
            savepoints: Vec::new(),
            statements,
            cursors,
            canceller,
            notices,
            path,
            views: Arc::new(views),
            place,
        })
    }

    /// The session's number, unique within the engine: what `pg_backend_pid()` returns.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The statements of `sql`, each with its own text and place. Empty for an empty string.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        statement::parse(sql)
    }

    /// Plans a statement far enough to know its parameters and columns. `param_types[i]` is what the caller says
    /// of `$i+1`; `None` leaves it to inference. Nothing is executed.
    pub async fn prepare(&mut self, statement: Statement, param_types: &[Option<DataType>]) -> Result<Prepared> {
        let declared = param_types.iter().map(|t| t.clone().map(|t| Arc::new(Field::new("", t, true)))).collect();
        self.prepare_typed(statement, declared).await
    }

    /// [`Session::prepare`] with whole fields, whose metadata can say `uuid` or `jsonb`.
    pub(crate) async fn prepare_typed(
        &mut self,
        statement: Statement,
        declared: Vec<Option<FieldRef>>,
    ) -> Result<Prepared> {
        self.check_block(&statement.kind)?;
        self.forget_abandoned().await;
        self.canceller.check()?;
        self.place.begin(statement.public_text());
        let running = self.canceller.begin(self.settings.statement_timeout());
        let began = self.begin_work().await;
        let described = match &began {
            Ok(_) => {
                self.describing = true;
                running.race(statement::describe(self, &statement.kind, &declared)).await
            }
            Err(_) => Ok(Default::default()),
        };
        self.describing = false;
        self.place.rest();
        let began = began?;
        let described = described.map_err(|e| e.locate(&statement));
        if began && self.block == Block::None {
            self.work = None;
        }
        match described {
            Ok((params, columns)) => Ok(Prepared { params, columns, statement: Arc::new(statement) }),
            Err(e) => {
                self.fail_transaction();
                Err(e)
            }
        }
    }

    /// Runs a prepared statement with values for its parameters.
    ///
    /// # Errors
    /// 25P02 in a failed block; 0A000 if the tables have changed so that it would return other columns than it was
    /// prepared with; whatever the statement itself meets. On an error nothing of the statement remains.
    pub async fn execute(&mut self, prepared: &Prepared, params: Vec<ScalarValue>) -> Result<Execution> {
        let statement = &prepared.statement;
        self.canceller.check()?;
        self.place.begin(statement.public_text());
        let mut outcome = self.execute_located(prepared, params).await;
        match &mut outcome {
            // Until the last of the rows is read or dropped.
            Ok(Execution::Rows(rows)) => rows.backend = Some(Arc::clone(&self.place)),
            _ => self.place.rest(),
        }
        outcome.map_err(|e| e.locate(statement))
    }

    async fn execute_located(&mut self, prepared: &Prepared, params: Vec<ScalarValue>) -> Result<Execution> {
        let statement = Arc::clone(&prepared.statement);
        self.check_block(&statement.kind)?;
        if params.is_empty() && !prepared.params.is_empty() {
            return Err(Error::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        if params.len() != prepared.params.len() {
            let message =
                format!("the statement has {} parameters, {} values were given", prepared.params.len(), params.len());
            return Err(Error::new(SqlState::PROTOCOL_VIOLATION, message));
        }
        self.forget_abandoned().await;
        // What ends a transaction is never cut off by cancel or deadline: its outcome must be told.
        if let Some(execution) = statement::transaction::run(self, &statement).await? {
            return Ok(execution);
        }
        let running = self.canceller.begin(self.settings.statement_timeout());
        for attempt in 1.. {
            match self.execute_once(prepared, params.clone(), &running).await {
                // As its own transaction it may begin anew on what the other has left.
                Err(e)
                    if e.sqlstate == SqlState::SERIALIZATION_FAILURE
                        && self.block == Block::None
                        && statement::may_begin_anew(&statement.kind)
                        && attempt < TRIES =>
                {
                    running.race(async { Ok(tokio::time::sleep(Duration::from_millis(1 << attempt)).await) }).await?;
                }
                outcome => return outcome,
            }
        }
        Err(Error::internal("a statement was tried too often"))
    }

    /// Runs a statement to the end of its transaction, if it is one.
    async fn execute_once(
        &mut self,
        prepared: &Prepared,
        params: Vec<ScalarValue>,
        running: &Running,
    ) -> Result<Execution> {
        self.grouped = None;
        self.place_in_line = None;
        let outcome = loop {
            self.offered = None;
            let outcome = match self.begin_work().await {
                Ok(_) => running.race(statement::run(self, prepared, params.clone(), running.clone())).await,
                Err(e) => Err(e),
            };
            let Some(offered) = self.offered.take() else { break outcome };
            self.work = None;
            // What has been handed over is told as it ends, even to whom cancels it.
            self.place_in_line = Some(offered.number);
            match offered.outcome().await {
                Ok(Outcome::Again) if outcome.is_ok() => {}
                Ok(Outcome::Committed) => {
                    self.engine.metrics().commits.inc();
                    break outcome;
                }
                Ok(Outcome::Again) => break outcome,
                Err(e) => break Err(e),
            }
        };
        // Its data is still to come, and with it the end of its transaction.
        if matches!(outcome, Ok(Execution::CopyIn(_))) {
            return outcome;
        }
        let outcome = match outcome {
            Ok(execution) if self.block == Block::None && self.grouped.is_some() => {
                self.work = None;
                self.commit_grouped(running).await.map(|()| execution)
            }
            other => other,
        };
        self.settle(outcome).await
    }

    /// Ends a statement: commits what it did if it is its own transaction, or undoes it.
    async fn settle(&mut self, outcome: Result<Execution>) -> Result<Execution> {
        let outcome = match outcome {
            Ok(execution) if self.block == Block::None => self.before_commit().await.map(|()| execution),
            outcome => outcome,
        };
        let ended = match (outcome, self.block) {
            (Ok(execution), Block::None) => match self.work.take() {
                Some(work) => self.commit_work(work).await.map(|()| execution),
                None => Ok(execution),
            },
            (Err(e), Block::None) => {
                if let Some(work) = self.work.take() {
                    work.rollback().await;
                }
                Err(e)
            }
            (Ok(execution), _) => Ok(execution),
            (Err(e), _) => {
                self.fail_transaction();
                Err(e)
            }
        };
        if self.block == Block::None {
            self.release_tables();
            self.end_cursors(ended.is_ok());
        }
        ended
    }

    /// Rolls back what a COPY began that was never ended.
    async fn forget_abandoned(&mut self) {
        if self.block == Block::None
            && let Some(work) = self.work.take()
        {
            work.rollback().await;
            self.release_tables();
        }
    }

    /// Commits the statement's rows together with those of others. Cancelled in time it takes them back.
    async fn commit_grouped(&mut self, running: &Running) -> Result<()> {
        let Some((def, rows)) = self.grouped.take() else { return Ok(()) };
        let limit = self.settings.lock_timeout().filter(|_| !def.primary_key.is_empty());
        let mut ticket = self.engine.join_group(def, rows);
        let outcome = match limit {
            None => running.race(ticket.outcome()).await,
            Some(limit) => match tokio::time::timeout(limit, running.race(ticket.outcome())).await {
                Ok(outcome) => outcome,
                Err(_) if ticket.withdraw() => {
                    let message = "canceling statement due to lock timeout";
                    return Err(Error::new(SqlState::LOCK_NOT_AVAILABLE, message));
                }
                Err(_) => running.race(ticket.outcome()).await,
            },
        };
        let outcome = match outcome {
            // Too late: what has begun to be committed is told as it ends.
            Err(e) if e.sqlstate == SqlState::QUERY_CANCELED && !ticket.withdraw() => ticket.outcome().await,
            outcome => outcome,
        };
        if outcome.is_ok() {
            self.engine.metrics().commits.inc();
        }
        outcome
    }

    /// Leaves rows to be committed with those of others when the statement ends.
    pub(crate) fn group_rows(&mut self, def: Arc<TableDef>, rows: RecordBatch) {
        self.grouped = Some((def, rows));
    }

    /// Parses and runs a string of statements, handing each result to `each` before the next begins; several
    /// statements are one transaction, as in PostgreSQL's simple protocol.
    pub async fn run<F>(&mut self, sql: &str, mut each: F) -> Result<()>
    where
        F: AsyncFnMut(&mut Session, Execution) -> Result<()>,
    {
        let statements = self.parse(sql)?;
        let several = statements.len() > 1;
        if several {
            self.begin_block();
        }
        let mut outcome = Ok(());
        for statement in statements {
            outcome = async {
                let prepared = self.prepare(statement, &[]).await?;
                let execution = self.execute(&prepared, Vec::new()).await?;
                each(self, execution).await
            }
            .await;
            if outcome.is_err() {
                break;
            }
        }
        if several {
            let ended = self.end_block(outcome.is_ok()).await;
            outcome = outcome.and(ended);
        }
        outcome
    }

    /// Refuses what a failed block refuses.
    fn check_block(&mut self, kind: &Kind) -> Result<()> {
        if self.transaction() == TransactionStatus::Failed && !statement::transaction::ends_block(kind) {
            let message = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(Error::new(SqlState::IN_FAILED_SQL_TRANSACTION, message));
        }
        Ok(())
    }

    /// Takes a snapshot if none is held; says whether it did.
    async fn begin_work(&mut self) -> Result<bool> {
        let begins = self.work.is_none();
        if begins {
            self.work = Some(Transaction::begin(self.engine.warehouse()).await?);
        }
        self.look_back().await?;
        Ok(begins)
    }

    /// Finds the catalog of the instant of `audience.as_of`.
    async fn look_back(&mut self) -> Result<()> {
        let Some(at) = self.settings.as_of() else {
            self.looked_back = None;
            return Ok(());
        };
        // What is committed this very moment may bear a time of just before.
        let settled = Utc::now().signed_duration_since(at).num_seconds() > STILL_COMMITTING;
        if !settled || self.looked_back.as_ref().is_none_or(|(known, _)| *known != at) {
            self.looked_back = Some((at, self.engine.warehouse().catalog_at(at).await?));
        }
        Ok(())
    }

    /// Whether statements look back to an instant: `audience.as_of` is set.
    pub(crate) fn looks_back(&self) -> bool {
        self.settings.as_of().is_some()
    }

    /// Ends the statement now running with 57014, from anywhere.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Work that is no statement begins: [`Session::canceller`] ends it.
    pub(crate) fn begin_running(&self) -> Running {
        self.canceller.begin(None)
    }

    /// Where the session stands with transactions.
    pub fn transaction(&self) -> TransactionStatus {
        match self.block {
            Block::None => TransactionStatus::Idle,
            _ if self.failed.load(Ordering::Acquire) => TransactionStatus::Failed,
            Block::Implicit => TransactionStatus::Idle,
            Block::Explicit => TransactionStatus::Active,
        }
    }

    /// Marks the open block as failed; outside of one it does nothing.
    pub fn fail_transaction(&mut self) {
        if self.block != Block::None {
            self.failed.store(true, Ordering::Release);
        }
    }

    /// Begins the transaction round a simple query of several statements. A `BEGIN` in it makes it explicit.
    pub fn begin_block(&mut self) {
        if self.block == Block::None {
            self.enter(Block::Implicit);
        }
    }

    /// Ends it: commits if `ok`, else rolls back. An explicit block stays open.
    pub async fn end_block(&mut self, ok: bool) -> Result<()> {
        match self.block {
            Block::Implicit if ok && self.transaction() != TransactionStatus::Failed => self.commit().await,
            Block::Implicit => {
                self.rollback().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Goes on with a statement whose rows the client had suspended: it can be cancelled again, and the limit on its
    /// time starts anew, as PostgreSQL counts it for each Execute message.
    pub(crate) fn resume(&mut self, rows: &Rows) {
        self.canceller.resume(&rows.running, self.settings.statement_timeout());
        self.place.resume();
    }

    fn enter(&mut self, block: Block) {
        self.block = block;
        self.place.set_block(block == Block::Explicit);
        self.savepoints.clear();
        self.failed.store(false, Ordering::Release);
        self.settings.begin();
    }

    /// `BEGIN`: whether a block was open already (an implicit one becomes explicit).
    pub(crate) fn begin(&mut self) -> bool {
        match self.block {
            Block::None => self.enter(Block::Explicit),
            Block::Implicit => {
                self.block = Block::Explicit;
                self.place.set_block(true);
            }
            Block::Explicit => return true,
        }
        false
    }

    /// Commits the open block.
    pub(crate) async fn commit(&mut self) -> Result<()> {
        // Before anything is committed: what fails here has failed as a whole.
        if let Err(e) = self.before_commit().await {
            self.rollback().await;
            return Err(e);
        }
        self.block = Block::None;
        self.place.set_block(false);
        let outcome = match self.work.take() {
            Some(work) => self.commit_work(work).await,
            None => Ok(()),
        };
        self.release_tables();
        self.end_cursors(outcome.is_ok());
        match outcome {
            Ok(()) => self.settings.commit(),
            Err(_) => self.settings.rollback(),
        }
        outcome
    }

    async fn commit_work(&self, work: Transaction) -> Result<()> {
        let metrics = self.engine.metrics();
        let changes = !work.is_clean();
        match work.commit().await.map_err(Error::from) {
            Ok(()) => {
                if changes {
                    metrics.commits.inc();
                }
                Ok(())
            }
            Err(e) => {
                if e.sqlstate == SqlState::SERIALIZATION_FAILURE {
                    metrics.conflicts.inc();
                }
                Err(e)
            }
        }
    }

    /// Rolls the open block back.
    pub(crate) async fn rollback(&mut self) {
        self.block = Block::None;
        self.place.set_block(false);
        self.failed.store(false, Ordering::Release);
        self.settings.rollback();
        self.end_cursors(false);
        if let Some(work) = self.work.take() {
            work.rollback().await;
        }
        self.release_tables();
    }

    /// What is part of a transaction's end.
    async fn before_commit(&mut self) -> Result<()> {
        self.keep_cursors().await?;
        self.end_temporary_rows().await
    }

    /// Reads on what the transaction's cursors WITH HOLD still need of it, within the limits of a statement.
    async fn keep_cursors(&mut self) -> Result<()> {
        if !self.cursors.any_to_keep() {
            return Ok(());
        }
        let running = self.canceller.begin(self.settings.statement_timeout());
        running.race(self.cursors.keep_held()).await
    }

    /// Closes the cursors of a transaction that has ended, but for those it leaves.
    fn end_cursors(&self, committed: bool) {
        if committed { self.cursors.commit() } else { self.cursors.roll_back() }
    }

    fn only_in_block(&self, statement: &str) -> Result<()> {
        if self.block == Block::Explicit {
            return Ok(());
        }
        let message = format!("{statement} can only be used in transaction blocks");
        Err(Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message))
    }

    /// The session's prepared statements.
    pub(crate) fn statements(&self) -> &Statements {
        &self.statements
    }

    /// The session's cursors.
    pub(crate) fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    /// The session as other sessions see it.
    pub(crate) fn backend(&self) -> &Arc<Backend> {
        &self.place
    }

    /// Makes this session the only one to put rows into a keyed table until its transaction ends, so that the keys it
    /// checks stay new. Not in an explicit block, which may stay open for long: there a conflict is found at commit.
    pub(crate) async fn lock_table(&mut self, id: ObjectId) -> Result<()> {
        if self.block == Block::Explicit || self.locks.contains_key(&id) {
            return Ok(());
        }
        let lock = self.engine.table_lock(id);
        let limit = self.settings.lock_timeout();
        // Two sessions that hold one table each and want the other's would wait for ever.
        let patience = if self.locks.is_empty() { limit } else { Some(limit.unwrap_or(SECOND_LOCK).min(SECOND_LOCK)) };
        self.place.wait_for_lock(true);
        let guard = match patience {
            None => Ok(lock.lock_owned().await),
            Some(patience) => tokio::time::timeout(patience, lock.lock_owned()).await,
        };
        self.place.wait_for_lock(false);
        let guard = guard.map_err(|_| match limit {
            Some(limit) if Some(limit) == patience => {
                Error::new(SqlState::LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout")
            }
            _ => Error::new(
                SqlState::SERIALIZATION_FAILURE,
                "could not lock a second table: a concurrent transaction holds it",
            ),
        })?;
        if self.work()?.is_clean() {
            self.renew_work().await?;
        }
        self.locks.insert(id, guard);
        Ok(())
    }

    /// [`Session::lock_table`] for a statement that changes rows that are there: maintenance keeps away from them, too.
    pub(crate) async fn lock_rows(&mut self, id: ObjectId) -> Result<()> {
        if !self.holds.contains_key(&id) {
            let held = self.engine.warehouse().hold_files(id).await;
            self.holds.insert(id, held);
            if self.autocommits() && self.work()?.is_clean() {
                self.renew_work().await?;
            }
        }
        self.lock_table(id).await
    }

    /// Waits until this session may find what it does to one row of a keyed table, to hand it over with
    /// [`Session::hand_over`]. Nobody else changes the table meanwhile.
    pub(crate) async fn await_turn(&mut self, id: ObjectId) -> Result<Turn> {
        let waiting = self.engine.join_changes(id, self.place_in_line);
        self.place.wait_for_lock(true);
        let turn = match self.settings.lock_timeout() {
            None => Ok(waiting.turn().await),
            Some(limit) => tokio::time::timeout(limit, waiting.turn()).await,
        };
        self.place.wait_for_lock(false);
        let turn =
            turn.map_err(|_| Error::new(SqlState::LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout"))??;
        self.renew_work().await?;
        Ok(turn)
    }

    /// Hands a change over, to be committed when the statement ends.
    pub(crate) fn hand_over(&mut self, turn: Turn, found: Found, command: &'static str) {
        self.offered = Some(turn.offer(found, command));
    }

    /// [`Session::lock_rows`] for a statement that writes a table anew: small inserts into one without a key, which
    /// lock nothing and never cease, wait as well. Others may come in between, and then it begins anew.
    pub(crate) async fn close_table(&mut self, id: ObjectId) -> Result<()> {
        self.lock_rows(id).await?;
        if self.block == Block::Explicit || self.gates.contains_key(&id) {
            return Ok(());
        }
        let gate = self.engine.table_gate(id).write_owned();
        let gate = match self.settings.lock_timeout() {
            None => gate.await,
            Some(limit) => tokio::time::timeout(limit, gate)
                .await
                .map_err(|_| Error::new(SqlState::LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout"))?,
        };
        self.gates.insert(id, gate);
        if self.work()?.is_clean() {
            self.renew_work().await?;
        }
        Ok(())
    }

    /// Lets others have the tables of a transaction that has ended.
    fn release_tables(&mut self) {
        self.gates.clear();
        self.locks.clear();
        self.holds.clear();
    }

    /// Whether a `BEGIN` is open.
    pub(crate) fn in_explicit_block(&self) -> bool {
        self.block == Block::Explicit
    }

    /// Whether every statement commits by itself.
    pub(crate) fn autocommits(&self) -> bool {
        self.block == Block::None
    }

    /// Takes a newer snapshot in the middle of a statement that is its own transaction.
    pub(crate) async fn renew_work(&mut self) -> Result<()> {
        self.work = Some(Transaction::begin(self.engine.warehouse()).await?);
        Ok(())
    }

    /// Commits what a statement that is its own transaction has staged, which goes on after that.
    pub(crate) async fn commit_now(&mut self) -> Result<()> {
        let outcome = match self.work.take() {
            Some(work) => self.commit_work(work).await,
            None => Ok(()),
        };
        self.release_tables();
        outcome
    }

    /// Undoes what a statement that is its own transaction has staged, so that it can begin anew.
    pub(crate) async fn undo_now(&mut self) {
        if let Some(work) = self.work.take() {
            work.rollback().await;
        }
        self.release_tables();
    }

    /// Gives up the snapshot of a statement that is its own transaction and has staged nothing.
    pub(crate) fn leave_work(&mut self) {
        self.work = None;
    }

    /// The transaction that the running statement is part of.
    pub(crate) fn work(&mut self) -> Result<&mut Transaction> {
        let Some(work) = self.work.as_mut() else {
            return Err(Error::internal("a statement runs outside of a transaction"));
        };
        // What is made now belongs to whose rights count now.
        work.set_owner(self.login.current(&self.settings, work.objects()));
        Ok(work)
    }

    /// A planner for the running statement: what it sees now, under the settings as they are.
    pub(crate) fn planner(&mut self) -> Result<Planner> {
        let view = self.work()?.view();
        let zone: Arc<str> = self.settings.time_zone().into();
        let mut config = SessionConfig::new()
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(crate::engine::DATABASE, "public")
            .with_extension(Arc::new(Caller { pid: self.pid }));
        let options = config.options_mut();
        options.extensions.insert(TextForms(Formatting::from_settings(|name| self.setting(name))?));
        options.execution.time_zone = Some(zone.to_string());
        options.execution.parquet.pushdown_filters = self.settings.pushdown_filters();
        // Every file opened takes time that grows with the square of such a list: 1000 values are half a second.
        options.execution.parquet.max_in_list_size = 32;
        options.execution.spill_compression = datafusion::common::config::SpillCompression::Lz4Frame;
        options.execution.sort_pushdown_buffer_capacity = 64 << 20;
        options.optimizer.hash_join_inlist_pushdown_max_size = 2 << 20;
        options.optimizer.hash_join_inlist_pushdown_max_distinct_values = 5_000;
        options.optimizer.hash_join_single_partition_threshold = 32 << 20;
        options.optimizer.hash_join_single_partition_threshold_rows = 2 << 20;
        options.optimizer.filter_null_join_keys = true;
        options.optimizer.prefer_existing_sort = true;
        // Two fields of a view's struct become two columns of one name by it.
        options.optimizer.enable_leaf_expression_pushdown = false;
        options.explain.show_statistics = false;
        if let Some(partitions) = self.settings.target_partitions() {
            options.execution.target_partitions = partitions;
        }
        if let Some(rows) = self.settings.batch_size() {
            options.execution.batch_size = rows;
        }
        let (search_path, path) = (self.search_path()?, self.path_as_set()?);
        self.list_temporary();
        let rights = self.rights()?;
        self.asker.sees(rights.objects());
        let exists = |schema: &String| {
            view.objects().schema(schema).is_some() || ["pg_catalog", "information_schema"].contains(&schema.as_str())
        };
        *self.path.write() = path.into_iter().filter(exists).collect();
        let views = Arc::clone(&self.views);
        let travel = self.looked_back.clone().map(|(at, then)| {
            let notices = self.notices.clone();
            let tell: Tell = Arc::new(move |told| notices.push("NOTICE", SqlState::SUCCESSFUL_COMPLETION, told));
            Travel::new(at, then, (!self.describing).then_some(tell))
        });
        Ok(self.engine.planner(view, config, &self.functions, views, search_path, zone, rights, travel))
    }

    /// The schemas in which an unqualified name is looked up, in order: that of temporary tables first, unless the
    /// path says where.
    pub(crate) fn search_path(&mut self) -> Result<Vec<String>> {
        let mut path = self.path_as_set()?;
        if let Some(temporary) = self.temporary_schema()?
            && !path.iter().any(|schema| **schema == *temporary)
        {
            path.insert(0, temporary.to_string());
        }
        Ok(path)
    }

    /// The schemas of `search_path`; `$user` is the schema named like the role whose rights count. Schemas that it may
    /// not look into are passed over.
    fn path_as_set(&mut self) -> Result<Vec<String>> {
        let rights = self.rights()?;
        let own = rights.definition().map(|role| role.name.clone());
        let path = self.settings.search_path().into_iter();
        let path = path.filter_map(|schema| if schema == "$user" { own.clone() } else { Some(schema) });
        Ok(rights.visible(path.map(|schema| rights.schema_named(&schema).to_owned())))
    }

    /// The schemas in which the names in a permanent view are looked up.
    pub(crate) fn permanent_path(&mut self) -> Result<Vec<String>> {
        let mut path = self.path_as_set()?;
        path.retain(|schema| !is_temporary(schema));
        Ok(path)
    }

    /// The schema in which an object without schema is made: the first of the path that exists.
    pub(crate) fn creation_schema(&mut self) -> Result<String> {
        if self.settings.search_path().first().is_some_and(|first| first == PG_TEMP) {
            return self.temporary_schema_for(None);
        }
        let path = self.path_as_set()?;
        let objects = Arc::clone(self.work()?.objects());
        path.into_iter().find(|schema| objects.schema(schema).is_some()).ok_or_else(|| {
            Error::new(SqlState::INVALID_SCHEMA_NAME, "no schema has been selected to create in")
                .with_hint("name the schema, or set search_path")
        })
    }

    /// Sets a setting as a startup parameter does: RESET comes back to it.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.settings.set_default(name, value)
    }

    /// A setting's value as `SHOW` prints it, `None` if there is no such setting.
    pub fn setting(&self, name: &str) -> Option<String> {
        self.settings.get(name).ok()
    }

    pub(crate) fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub(crate) fn failure_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.failed)
    }

    pub(crate) fn notice(&mut self, message: impl Into<String>) {
        self.notices.push("NOTICE", SqlState::SUCCESSFUL_COMPLETION, message);
    }

    pub(crate) fn warning(&mut self, sqlstate: SqlState, message: impl Into<String>) {
        self.notices.push("WARNING", sqlstate, message);
    }

    /// Notices since they were last taken.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        let mut notices = self.notices.take();
        notices.retain(|notice| self.settings.wants_message(notice.severity));
        notices
    }

    /// Settings that clients are told of and that changed since this was last asked.
    pub fn take_changed_parameters(&mut self) -> Vec<(String, String)> {
        self.settings.take_changed_reported()
    }

    /// All settings that clients are told of when they connect.
    pub fn reported_parameters(&self) -> Vec<(String, String)> {
        self.settings.reported()
    }
}
