//! Group commit: single-row inserts of many sessions share files and commits.
//!
//! An INSERT of a few rows that is its own transaction hands its rows over and waits. Where nobody else writes to the
//! table they are committed at once. While a commit is under way, those that come meanwhile gather, and become one
//! file per bucket or day and one commit together; a table that has just seen several waits a fraction of a commit's
//! time for them to come back. Each statement hears of its rows only when they are durable, and of its own faults
//! only: whose keys are taken fails alone. A statement that is cancelled before its group begins takes its rows back;
//! after that it is told the outcome.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::Transaction;
use catalog::objects::role::POSTGRES;
use catalog::objects::{ObjectId, TableDef};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{JoinType, LogicalPlanBuilder, ident};
use datafusion::physical_plan::collect;
use datafusion::prelude::{Expr, SessionConfig};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::planner::NoSession;
use super::{DATABASE, Engine, Planner};
use crate::error::{Error, Result, SqlState};
use crate::privileges::Rights;
use crate::statement::table::duplicate_key;

/// The most rows that a group takes; what is left is the next one's.
const MOST_ROWS: usize = 100_000;
/// A commit that others overtook is tried again so often.
const TRIES: u32 = 8;
/// Nobody is waited for longer than this, nor expected back later.
const PATIENCE: Duration = Duration::from_millis(10);

/// The tables whose rows are gathered.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<ObjectId, Arc<Group>>>);

#[derive(Default)]
struct Group {
    queue: Mutex<Queue>,
    /// Rung when somebody joins.
    joined: Notify,
}

#[derive(Default)]
struct Queue {
    members: Vec<Member>,
    /// Somebody commits what is gathered, and looks again before he stops.
    led: bool,
    next: u64,
    last: Last,
}

/// How the last group went, to guess how many the next one will be.
#[derive(Default, Clone, Copy)]
struct Last {
    members: usize,
    took: Duration,
    ended: Option<Instant>,
}

struct Member {
    number: u64,
    def: Arc<TableDef>,
    rows: RecordBatch,
    told: oneshot::Sender<Result<()>>,
}

/// A place in a group. Dropped before the group begins, it takes its rows along.
pub(crate) struct Ticket {
    group: Arc<Group>,
    number: u64,
    outcome: oneshot::Receiver<Result<()>>,
}

impl Ticket {
    /// Waits until the rows are durable, or known not to be.
    pub(crate) async fn outcome(&mut self) -> Result<()> {
        match (&mut self.outcome).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::new(SqlState::ADMIN_SHUTDOWN, "the server stopped before the rows were committed")),
        }
    }

    /// Takes the rows back. False: it is too late, the outcome will come.
    pub(crate) fn withdraw(&self) -> bool {
        let mut queue = self.group.queue.lock();
        let before = queue.members.len();
        queue.members.retain(|member| member.number != self.number);
        queue.members.len() < before
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// Whoever commits a table's groups; if he fails, the next to come takes over.
struct Leader(Arc<Group>);

impl Drop for Leader {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        if queue.led {
            queue.led = false;
            queue.members.clear();
        }
    }
}

impl Group {
    /// Waits a moment for those that were here a moment ago, then takes what has gathered; `None` ends the lead.
    async fn gather(&self) -> Option<Vec<Member>> {
        let last = self.queue.lock().last;
        if last.members > 1 && last.ended.is_some_and(|ended| ended.elapsed() < PATIENCE) {
            let enough = async {
                loop {
                    let joined = self.joined.notified();
                    if self.queue.lock().members.len() >= last.members {
                        return;
                    }
                    joined.await;
                }
            };
            // Fewer than before is no error: some have gone.
            let _ = tokio::time::timeout(PATIENCE.min(last.took / 4), enough).await;
        }
        let mut queue = self.queue.lock();
        let mut rows = 0;
        let fit = queue.members.iter().take_while(|member| {
            let first = rows == 0;
            rows += member.rows.num_rows();
            first || rows <= MOST_ROWS
        });
        let fit = fit.count();
        if fit == 0 {
            queue.led = false;
            return None;
        }
        Some(queue.members.drain(..fit).collect())
    }
}

impl Engine {
    /// Joins the group that next commits rows to a table. `rows` has the table's columns in order.
    pub(crate) fn join_group(self: &Arc<Self>, def: Arc<TableDef>, rows: RecordBatch) -> Ticket {
        let group = Arc::clone(self.groups.0.lock().entry(def.id).or_default());
        let (told, outcome) = oneshot::channel();
        let (id, keyed) = (def.id, !def.primary_key.is_empty());
        let mut queue = group.queue.lock();
        let number = queue.next;
        queue.next += 1;
        queue.members.push(Member { number, def, rows, told });
        let lead = !std::mem::replace(&mut queue.led, true);
        drop(queue);
        group.joined.notify_waiters();
        if lead {
            let (engine, leader) = (Arc::clone(self), Leader(Arc::clone(&group)));
            // Not the session's own work: whoever began it may go away, and the others still want their rows.
            tokio::spawn(async move {
                loop {
                    // Locked before the rows are taken: until then whoever waits can take his back.
                    let (mut _only_one, mut _gate) = (None, None);
                    match keyed {
                        true => _only_one = Some(engine.table_lock(id).lock_owned().await),
                        false => _gate = Some(engine.table_gate(id).read_owned().await),
                    }
                    let Some(members) = leader.0.gather().await else { return };
                    let (started, count) = (Instant::now(), members.len());
                    engine.commit_group(id, members).await;
                    let (took, ended) = (started.elapsed(), Some(Instant::now()));
                    leader.0.queue.lock().last = Last { members: count, took, ended };
                }
            });
        }
        Ticket { group, number, outcome }
    }

    /// Commits a group and tells everybody.
    async fn commit_group(self: &Arc<Self>, id: ObjectId, members: Vec<Member>) {
        let mut waiting = members;
        let outcome = self.try_commit(id, &mut waiting).await;
        match outcome {
            // Whose rows could not be written is found out by writing each alone.
            Err(Failed::Writing(_)) if waiting.len() > 1 => {
                for member in waiting {
                    let mut alone = vec![member];
                    let outcome = self.try_commit(id, &mut alone).await.map_err(Failed::into_error);
                    tell(alone, &outcome);
                }
            }
            outcome => tell(waiting, &outcome.map_err(Failed::into_error)),
        }
    }

    /// Writes and commits the rows of all of `waiting` to a table that is locked if it has a key, having told and taken out those whose own fault it is that
    /// they can't be.
    async fn try_commit(self: &Arc<Self>, id: ObjectId, waiting: &mut Vec<Member>) -> Result<(), Failed> {
        for attempt in 1.. {
            let mut work = Transaction::begin(self.warehouse()).await?;
            let now = work.objects().table(id).cloned();
            refuse(waiting, |member| match &now {
                Some(now) if now.same_rows(&member.def) => None,
                _ => Some(Error::new(
                    SqlState::SERIALIZATION_FAILURE,
                    "could not serialize access: the table was altered or dropped by a concurrent transaction",
                )),
            });
            let Some(def) = now else { return Ok(()) };
            let planner = self.group_planner(&work);
            let mut checked_at = None;
            if waiting.first().is_some_and(|member| !member.def.primary_key.is_empty()) {
                checked_at = work.view().committed(id).await?.map(|state| state.version);
                self.refuse_taken_keys(&planner, &def, waiting).await?;
            }
            if waiting.is_empty() {
                return Ok(());
            }
            let rows = concat_batches(waiting[0].rows.schema_ref(), waiting.iter().map(|member| &member.rows));
            let rows = rows.map_err(DataFusionError::from)?;
            let plan = MemorySourceConfig::try_new_exec(&[vec![rows.clone()]], rows.schema(), None)?;
            let written = self.write(&def, plan, planner.state().task_ctx(), None).await.map_err(Failed::Writing)?;
            drop(planner);
            work.append(id, written, Vec::new(), checked_at);
            match work.commit().await {
                Err(catalog::Error::Conflict(_)) if attempt < TRIES => {
                    tokio::time::sleep(Duration::from_millis(1 << attempt)).await;
                }
                outcome => return Ok(outcome.map_err(Error::from)?),
            }
        }
        Ok(())
    }

    /// Tells those whose keys are in the table, twice among their own rows, or among rows of somebody before them.
    async fn refuse_taken_keys(&self, planner: &Planner, def: &TableDef, waiting: &mut Vec<Member>) -> Result<()> {
        let Some(first) = waiting.first() else { return Ok(()) };
        let schema = first.rows.schema();
        let mut places = Vec::with_capacity(def.primary_key.len());
        for name in &def.primary_key {
            places.push(schema.index_of(name).map_err(DataFusionError::from)?);
        }
        let fields = places.iter().map(|place| SortField::new(schema.field(*place).data_type().clone())).collect();
        let converter = RowConverter::new(fields).map_err(DataFusionError::from)?;
        let keys_of = |batch: &RecordBatch, places: &[usize]| -> Result<Vec<OwnedRow>> {
            let columns: Vec<_> = places.iter().map(|place| Arc::clone(batch.column(*place))).collect();
            let rows = converter.convert_columns(&columns).map_err(DataFusionError::from)?;
            Ok(rows.iter().map(|row| row.owned()).collect())
        };

        let mut taken: HashSet<OwnedRow> = HashSet::new();
        let keys: Vec<Expr> = def.primary_key.iter().map(ident).collect();
        let batches: Vec<RecordBatch> = waiting.iter().map(|member| member.rows.clone()).collect();
        let new = provider_as_source(Arc::new(MemTable::try_new(Arc::clone(&schema), vec![batches])?));
        let new = LogicalPlanBuilder::scan("new", new, None)?.project(keys.clone())?.build()?;
        let old = provider_as_source(planner.relations().table(def.id).await?);
        let on: Vec<datafusion::common::Column> =
            def.primary_key.iter().map(|key| datafusion::common::Column::from_name(key.as_str())).collect();
        let again = LogicalPlanBuilder::scan("old", old, None)?
            .project(keys)?
            .join(new, JoinType::LeftSemi, (on.clone(), on), None)?
            .build()?;
        let plan = planner.physical(&again).await?;
        let task = planner.state().task_ctx();
        let found = self.compute.run(async move { collect(plan, task).await }).await??;
        let all: Vec<usize> = (0..places.len()).collect();
        for batch in found {
            taken.extend(keys_of(&batch, &all)?);
        }

        let mut faults: HashMap<u64, Error> = HashMap::new();
        for member in waiting.iter() {
            let own = keys_of(&member.rows, &places)?;
            let mut seen = HashSet::new();
            let fault = own.iter().position(|key| taken.contains(key) || !seen.insert(key));
            match fault {
                Some(row) => {
                    let key = member.rows.project(&places).map_err(DataFusionError::from)?;
                    faults.insert(member.number, duplicate_key(def, &key, row)?);
                }
                None => taken.extend(own),
            }
        }
        refuse(waiting, |member| faults.remove(&member.number));
        Ok(())
    }

    fn group_planner(self: &Arc<Self>, work: &Transaction) -> Planner {
        let config = SessionConfig::new().with_default_catalog_and_schema(DATABASE, "public").with_target_partitions(1);
        let rights = Rights::new(Arc::clone(work.objects()), POSTGRES);
        self.planner(work.view(), config, &[], Arc::new(NoSession), Vec::new(), "UTC".into(), rights, None)
    }
}

/// Why a group as a whole was not committed.
enum Failed {
    /// While its files were written: one member's rows may be to blame.
    Writing(Error),
    /// At any other time.
    Elsewhere(Error),
}

impl Failed {
    fn into_error(self) -> Error {
        match self {
            Self::Writing(error) | Self::Elsewhere(error) => error,
        }
    }
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Elsewhere(error.into())
    }
}

fn tell(members: Vec<Member>, outcome: &Result<()>) {
    for member in members {
        // Nobody is there to hear it if the client has gone.
        let _ = member.told.send(outcome.clone());
    }
}

/// Takes out and tells the members that have a fault.
fn refuse(waiting: &mut Vec<Member>, mut fault: impl FnMut(&Member) -> Option<Error>) {
    for member in std::mem::take(waiting) {
        match fault(&member) {
            Some(error) => tell(vec![member], &Err(error)),
            None => waiting.push(member),
        }
    }
}
