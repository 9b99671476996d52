//! Group commit of changes: single rows that many sessions change by their key share files and commits.
//!
//! An UPDATE, a DELETE or an upsert of one key that is its own transaction waits for its turn. While a round is under
//! way those that come meanwhile gather; then all of them find what they do, each in its own session and all in the
//! same version of the table, which nobody else changes. Changes of different rows are written as one and committed
//! together: none of them looks at a row of another, so any order is one in which they could have come. Of those that
//! are about the same row the one that came first is committed, the others find anew what they do in the next round.
//! What goes wrong while a change is found is told to its session alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::Transaction;
use catalog::objects::ObjectId;
use catalog::objects::role::POSTGRES;
use catalog::table::{Changed, Found, Together};
use datafusion::prelude::SessionConfig;
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, oneshot};

use super::planner::NoSession;
use super::{DATABASE, Engine};
use crate::error::{Error, Result, SqlState};
use crate::privileges::Rights;

/// Those of the last round are waited for no longer than this.
const PATIENCE: Duration = Duration::from_millis(10);
/// A round with a change to commit waits no longer for slower ones: theirs are for the next.
const ROUND: Duration = Duration::from_millis(200);
/// So many rounds in a row may be overtaken before their changes fail.
const TRIES: u32 = 8;
/// The least that are let into a round.
const FEWEST: usize = 2;

/// The tables whose changes are gathered.
#[derive(Default)]
pub(super) struct ChangeGroups(Mutex<HashMap<ObjectId, Arc<Group>>>);

#[derive(Default)]
struct Group {
    queue: Mutex<Queue>,
    /// Rung when somebody joins.
    joined: Notify,
}

#[derive(Default)]
struct Queue {
    /// By the number they came with.
    waiting: Vec<(u64, oneshot::Sender<UnboundedSender<Offer>>)>,
    next: u64,
    /// Somebody leads the rounds, and looks again before he stops.
    led: bool,
    last: Last,
}

/// How the last round went.
#[derive(Clone, Copy, Default)]
struct Last {
    committed: usize,
    took: Duration,
    ended: Option<Instant>,
    /// How many in a row were overtaken by a transaction that waits for nobody.
    overtaken: u32,
}

/// A change that was found.
struct Offer {
    number: u64,
    found: Found,
    command: &'static str,
    told: oneshot::Sender<Result<Outcome>>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is durable.
    Committed,
    /// Nothing of it is kept, and it has to be found anew: somebody else's came before it.
    Again,
}

/// A place in the queue.
pub(crate) struct Waiting {
    group: Arc<Group>,
    number: u64,
    called: oneshot::Receiver<UnboundedSender<Offer>>,
}

impl Waiting {
    /// Waits until nobody else changes the table.
    pub(crate) async fn turn(mut self) -> Result<Turn> {
        match (&mut self.called).await {
            Ok(offers) => Ok(Turn { number: self.number, offers }),
            Err(_) => Err(stopped()),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.group.queue.lock().waiting.retain(|(number, _)| *number != self.number);
    }
}

/// As long as this lives the round waits a moment for its change.
pub(crate) struct Turn {
    number: u64,
    offers: UnboundedSender<Offer>,
}

impl Turn {
    /// Hands over what was found.
    pub(crate) fn offer(self, found: Found, command: &'static str) -> Offered {
        let (told, outcome) = oneshot::channel();
        let late = self.offers.send(Offer { number: self.number, found, command, told }).is_err();
        Offered { number: self.number, outcome: (!late).then_some(outcome) }
    }
}

/// A change that was handed over.
pub(crate) struct Offered {
    /// With which it keeps its place if it has to be found anew.
    pub(crate) number: u64,
    /// None: it came too late.
    outcome: Option<oneshot::Receiver<Result<Outcome>>>,
}

impl Offered {
    /// Waits until it is durable, or known not to be.
    pub(crate) async fn outcome(self) -> Result<Outcome> {
        match self.outcome {
            None => Ok(Outcome::Again),
            Some(outcome) => outcome.await.unwrap_or_else(|_| Err(stopped())),
        }
    }
}

fn stopped() -> Error {
    Error::new(SqlState::ADMIN_SHUTDOWN, "the server stopped before the change was committed")
}

/// Whoever leads a table's rounds; if he fails, the next to come takes over.
struct Leader(Arc<Group>);

impl Drop for Leader {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        if queue.led {
            queue.led = false;
            queue.waiting.clear();
        }
    }
}

impl Group {
    /// Waits a moment for those of the last round, then calls those that come first; `None` ends the lead.
    async fn call(&self) -> Option<UnboundedReceiver<Offer>> {
        let last = self.queue.lock().last;
        if last.committed > 1 && last.ended.is_some_and(|ended| ended.elapsed() < PATIENCE) {
            let enough = async {
                loop {
                    let joined = self.joined.notified();
                    if self.queue.lock().waiting.len() >= last.committed {
                        return;
                    }
                    joined.await;
                }
            };
            // Fewer than before is no error: some have gone.
            let _ = tokio::time::timeout(PATIENCE.min(last.took / 4), enough).await;
        }
        let mut queue = self.queue.lock();
        if queue.waiting.is_empty() {
            queue.led = false;
            return None;
        }
        queue.waiting.sort_by_key(|(number, _)| *number);
        // Where all want the same row it is of no use that all find what they would do to it.
        let most = (last.committed * 2).max(FEWEST).min(queue.waiting.len());
        let (offers, offered) = unbounded_channel();
        for (_, called) in queue.waiting.drain(..most) {
            // Who has gone meanwhile offers nothing.
            let _ = called.send(offers.clone());
        }
        Some(offered)
    }
}

/// What those who were called offer, in the order in which they came.
async fn gather(mut offered: UnboundedReceiver<Offer>) -> Vec<Offer> {
    let mut offers: Vec<Offer> = offered.recv().await.into_iter().collect();
    let rest = async {
        while let Some(offer) = offered.recv().await {
            offers.push(offer);
        }
    };
    let _ = tokio::time::timeout(ROUND, rest).await;
    // What has been sent by now is received, and nothing after it.
    offered.close();
    while let Some(offer) = offered.recv().await {
        offers.push(offer);
    }
    offers.sort_by_key(|offer| offer.number);
    offers
}

impl Engine {
    /// Joins the queue of those who change a row of a table; `number` is that of a change that has been here before.
    pub(crate) fn join_changes(self: &Arc<Self>, id: ObjectId, number: Option<u64>) -> Waiting {
        let group = Arc::clone(self.change_groups.0.lock().entry(id).or_default());
        let (call, called) = oneshot::channel();
        let mut queue = group.queue.lock();
        let number = number.unwrap_or_else(|| {
            queue.next += 1;
            queue.next
        });
        queue.waiting.push((number, call));
        let lead = !std::mem::replace(&mut queue.led, true);
        drop(queue);
        group.joined.notify_waiters();
        if lead {
            let (engine, leader) = (Arc::clone(self), Leader(Arc::clone(&group)));
            // Not the session's own work: whoever began it may go away, and the others still want their changes.
            tokio::spawn(async move {
                loop {
                    let _only_one = engine.table_lock(id).lock_owned().await;
                    let _held = engine.warehouse().hold_files(id).await;
                    let Some(offered) = leader.0.call().await else { return };
                    let started = Instant::now();
                    let offers = gather(offered).await;
                    let overtaken = leader.0.queue.lock().last.overtaken;
                    let (committed, overtaken) = engine.commit_changes(id, offers, overtaken).await;
                    let (took, ended) = (started.elapsed(), Some(Instant::now()));
                    leader.0.queue.lock().last = Last { committed, took, ended, overtaken };
                }
            });
        }
        Waiting { group, number, called }
    }

    /// Commits those changes that can be committed together and tells everybody; returns how many were, and how many
    /// rounds in a row were overtaken if so many were before.
    async fn commit_changes(self: &Arc<Self>, id: ObjectId, offers: Vec<Offer>, overtaken: u32) -> (usize, u32) {
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        let outcome = self.try_changes(id, offers, &mut taken, &mut left).await;
        tell(left, &Ok(Outcome::Again));
        match outcome {
            Err(e) if e.sqlstate == SqlState::SERIALIZATION_FAILURE && overtaken < TRIES => {
                tell(taken, &Ok(Outcome::Again));
                (0, overtaken + 1)
            }
            outcome => {
                let committed = if outcome.is_ok() { taken.len() } else { 0 };
                tell(taken, &outcome.map(|()| Outcome::Committed));
                (committed, 0)
            }
        }
    }

    async fn try_changes(
        self: &Arc<Self>,
        id: ObjectId,
        offers: Vec<Offer>,
        taken: &mut Vec<Offer>,
        left: &mut Vec<Offer>,
    ) -> Result<()> {
        let mut work = Transaction::begin(self.warehouse()).await?;
        if work.objects().table(id).is_none() {
            left.extend(offers);
            return Ok(());
        }
        let mut together = Together::new(work.view().table(id).await?)?;
        for offer in offers {
            let fits = together.add(&offer.found)?;
            if fits { taken.push(offer) } else { left.push(offer) }
        }
        if together.is_empty() {
            return Ok(());
        }
        let version = together.state().version;
        let config = SessionConfig::new().with_default_catalog_and_schema(DATABASE, "public");
        let rights = Rights::new(Arc::clone(work.objects()), POSTGRES);
        let planner =
            self.planner(work.view(), config, &[], Arc::new(NoSession), Vec::new(), "UTC".into(), rights, None);
        let (warehouse, task) = (Arc::clone(self.warehouse()), planner.state().task_ctx());
        let written = async move { warehouse.change_together(together, task).await };
        let Changed { removes, written, .. } = self.compute.run(written).await??;
        let mut commands = taken.iter().map(|offer| offer.command);
        let first = commands.next().unwrap_or("UPDATE");
        let command = if commands.all(|command| command == first) { first } else { "MERGE" };
        work.change_rows(id, removes, written, command, Some(version));
        Ok(work.commit().await?)
    }
}

fn tell(offers: Vec<Offer>, outcome: &Result<Outcome>) {
    for offer in offers {
        // Nobody is there to hear it if the client has gone.
        let _ = offer.told.send(outcome.clone());
    }
}
