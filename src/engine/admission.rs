//! Admission: so many heavy statements at one time, the others in a queue, first come first served.
//!
//! The memory pool divides itself among the statements that run. With many of them every share is too small, all
//! spill and none is done; a few at a time, each with enough, are all done earlier.
//!
//! A statement is heavy if it reads more than a little of the tables' files, or makes rows out of nothing
//! (`generate_series`). Catalog queries, settings, transaction control, inserts of a few rows and look-ups in small
//! tables never wait.
//!
//! Who waits can be cancelled, and waits at most as long as `statement_timeout`. A statement whose client does not
//! ask for more rows (a portal that was left suspended, a slow reader) loses its place to the queue after a while and
//! goes on without one: else a few such clients would hold everybody up for ever.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time;

use super::activity::{Activity, Backend};
use crate::error::{Error, Result, SqlState};

/// Bytes of files that a statement may read without being heavy.
const LIGHT: u64 = 8 << 20;
/// How long a client may leave its rows unread before somebody who waits gets its place.
const UNREAD: Duration = Duration::from_secs(1);
/// How often those who wait look for such clients.
const LOOK: Duration = Duration::from_millis(250);

/// How many heavy statements run, and how many may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionOptions {
    /// Heavy statements that run at one time.
    pub heavy_statements: usize,
    /// Heavy statements that may wait; the next one fails with 53300. 0: any number.
    pub queue: usize,
}

impl Default for AdmissionOptions {
    /// Two for each core, and a queue without end.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { heavy_statements: 2 * cores, queue: 0 }
    }
}

/// The door that heavy statements go through.
#[derive(Clone)]
pub(crate) struct Admission(Arc<Door>);

struct Door {
    options: AdmissionOptions,
    free: Semaphore,
    waiting: AtomicUsize,
    /// Where it is told who waits.
    activity: Arc<Activity>,
    running: Mutex<Vec<Weak<Place>>>,
    opened: Instant,
}

/// A heavy statement's place; dropping it lets the next one in.
pub(crate) struct Admitted(Arc<Place>);

struct Place {
    door: Arc<Door>,
    /// Milliseconds from `Door::opened` to when the client last got rows that it has not read yet; 0: the statement
    /// is working.
    unread_since: AtomicU64,
    given_up: AtomicBool,
}

impl Admission {
    pub(super) fn new(options: AdmissionOptions, activity: Arc<Activity>) -> Self {
        let places = options.heavy_statements.clamp(1, Semaphore::MAX_PERMITS);
        Self(Arc::new(Door {
            options,
            free: Semaphore::new(places),
            waiting: AtomicUsize::new(0),
            activity,
            running: Mutex::default(),
            opened: Instant::now(),
        }))
    }

    /// Waits for a place for a statement of the session `pid`, if `plan` is heavy.
    ///
    /// # Errors
    /// 53300 if the queue is full.
    pub(super) async fn enter(&self, plan: &dyn ExecutionPlan, pid: Option<i32>) -> Result<Option<Admitted>> {
        if !is_heavy(plan) {
            return Ok(None);
        }
        let door = &self.0;
        if door.free.try_acquire().map(|permit| permit.forget()).is_ok() {
            return Ok(Some(door.admit()));
        }
        let ahead = door.waiting.fetch_add(1, Ordering::AcqRel);
        let waiting = Waiting { door, backend: pid.and_then(|pid| door.activity.find(pid)) };
        if door.options.queue > 0 && ahead >= door.options.queue {
            let message = format!("{ahead} statements are waiting already to be run");
            return Err(Error::new(SqlState::TOO_MANY_CONNECTIONS, message)
                .with_hint("try again later, or ask the operator to raise admission.queue"));
        }
        waiting.tell(true);
        let mut acquired = pin!(door.free.acquire());
        loop {
            tokio::select! {
                permit = &mut acquired => {
                    permit.map_err(|_| Error::internal("the queue of statements is closed"))?.forget();
                    return Ok(Some(door.admit()));
                }
                () = time::sleep(LOOK) => door.reclaim(),
            }
        }
    }

    /// How many statements wait.
    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Acquire)
    }

    /// How many heavy statements run, those without a place included.
    pub(crate) fn running(&self) -> usize {
        self.0.running.lock().iter().filter(|place| place.strong_count() > 0).count()
    }

    /// How many may run.
    pub(crate) fn places(&self) -> usize {
        self.0.options.heavy_statements.max(1)
    }
}

impl Door {
    fn admit(self: &Arc<Self>) -> Admitted {
        let place = Arc::new(Place {
            door: Arc::clone(self),
            unread_since: AtomicU64::new(0),
            given_up: AtomicBool::new(false),
        });
        let mut running = self.running.lock();
        running.retain(|place| place.strong_count() > 0);
        running.push(Arc::downgrade(&place));
        Admitted(place)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Takes the places of statements whose clients do not read.
    fn reclaim(&self) {
        let now = self.now();
        for place in self.running.lock().iter().filter_map(Weak::upgrade) {
            let since = place.unread_since.load(Ordering::Acquire);
            if since > 0 && u128::from(now.saturating_sub(since)) >= UNREAD.as_millis() {
                place.give_up();
            }
        }
    }
}

impl Place {
    fn give_up(&self) {
        if !self.given_up.swap(true, Ordering::AcqRel) {
            self.door.free.add_permits(1);
        }
    }
}

impl Admitted {
    /// The statement was asked for rows.
    pub(super) fn working(&self) {
        self.0.unread_since.store(0, Ordering::Release);
    }

    /// The client has rows to read.
    pub(super) fn reading(&self) {
        self.0.unread_since.store(self.0.door.now(), Ordering::Release);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// Somebody in the queue.
struct Waiting<'a> {
    door: &'a Door,
    backend: Option<Arc<Backend>>,
}

impl Waiting<'_> {
    fn tell(&self, waits: bool) {
        if let Some(backend) = &self.backend {
            backend.wait_for_admission(waits);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.door.waiting.fetch_sub(1, Ordering::AcqRel);
        self.tell(false);
    }
}

fn is_heavy(plan: &dyn ExecutionPlan) -> bool {
    let mut bytes = 0;
    !reads_little(plan, &mut bytes)
}

/// Whether all that the plan starts from is small, with the bytes of files added up in `bytes`.
fn reads_little(plan: &dyn ExecutionPlan, bytes: &mut u64) -> bool {
    let children = plan.children();
    if !children.is_empty() {
        return children.into_iter().all(|child| reads_little(child.as_ref(), bytes));
    }
    if plan.is::<EmptyExec>() || plan.is::<PlaceholderRowExec>() {
        return true;
    }
    let Some(source) = plan.downcast_ref::<DataSourceExec>() else { return false };
    if source.data_source().is::<MemorySourceConfig>() {
        return true;
    }
    let Some(scan) = source.data_source().downcast_ref::<FileScanConfig>() else { return false };
    *bytes += scan.file_groups.iter().flat_map(|group| group.iter()).map(|file| file.effective_size()).sum::<u64>();
    *bytes <= LIGHT
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::Schema;
    use datafusion::physical_plan::coop::CooperativeExec;
    use datafusion::physical_plan::memory::LazyMemoryExec;

    use super::*;

    fn heavy() -> Arc<dyn ExecutionPlan> {
        let schema = Arc::new(Schema::empty());
        Arc::new(CooperativeExec::new(Arc::new(LazyMemoryExec::try_new(schema, Vec::new()).unwrap())))
    }

    fn light() -> Arc<dyn ExecutionPlan> {
        Arc::new(CooperativeExec::new(Arc::new(PlaceholderRowExec::new(Arc::new(Schema::empty())))))
    }

    fn one_place(queue: usize) -> Admission {
        Admission::new(AdmissionOptions { heavy_statements: 1, queue }, Arc::default())
    }

    #[tokio::test]
    async fn only_heavy_statements_wait_and_in_order() {
        let admission = one_place(1);
        let first = admission.enter(heavy().as_ref(), Some(1)).await.unwrap();
        assert!(first.is_some());
        assert!(admission.enter(light().as_ref(), Some(2)).await.unwrap().is_none());

        let (again, plan) = (admission.clone(), heavy());
        let second = tokio::spawn(async move { again.enter(plan.as_ref(), Some(2)).await });
        while admission.waiting() == 0 {
            time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!((admission.waiting(), admission.running()), (1, 1));
        let third = admission.enter(heavy().as_ref(), Some(3)).await;
        assert_eq!(third.err().map(|e| e.sqlstate), Some(SqlState::TOO_MANY_CONNECTIONS));
        drop(first);
        let second = second.await.unwrap().unwrap();
        assert!(second.is_some());
        assert_eq!((admission.waiting(), admission.running()), (0, 1));
    }

    #[tokio::test]
    async fn who_is_cancelled_leaves_the_queue() {
        let admission = one_place(0);
        let first = admission.enter(heavy().as_ref(), None).await.unwrap();
        let plan = heavy();
        let waited = time::timeout(Duration::from_millis(20), admission.enter(plan.as_ref(), Some(2))).await;
        assert!(waited.is_err());
        assert_eq!(admission.waiting(), 0);
        drop(first);
        assert!(admission.enter(heavy().as_ref(), None).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_loses_its_place_once() {
        let admission = one_place(0);
        let unread = admission.enter(heavy().as_ref(), None).await.unwrap().unwrap();
        unread.reading();
        let next = admission.enter(heavy().as_ref(), None).await.unwrap();
        assert!(next.is_some());
        unread.working();
        drop(unread);
        assert_eq!(admission.0.free.available_permits(), 0);
        drop(next);
        assert_eq!(admission.0.free.available_permits(), 1);
    }
}
