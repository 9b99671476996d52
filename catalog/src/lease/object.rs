//! The lease on an object store: one object that its holder renews every few seconds.
//!
//! No two clocks are ever compared. A contender takes the lease over only after it has itself watched the object stay
//! the same for the whole term, by its own clock, counted from when it had read it. The holder counts the same term
//! from before it sent its last successful renewal, which is earlier, and stops a margin before the end. So however
//! the clocks are set, the old holder has stopped when a new one starts. `expires_at` is there for people.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::common::runtime::SpawnedTask;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutResult, UpdateVersion};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::HolderInfo;
use crate::error::{Error, Result};
use crate::store::{SYSTEM_FOLDER, Store};

/// The lease's clockwork.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// How long a lease is good for, and how long a contender watches before it takes it over.
    pub(super) term: Duration,
    /// Time between two renewals, and the most that one may take.
    pub(super) renew: Duration,
    /// How long before the end of the term the holder stops, so that what it has begun is done by then.
    pub(super) margin: Duration,
}

impl Timing {
    pub(super) const DEFAULT: Self =
        Self { term: Duration::from_secs(15), renew: Duration::from_secs(5), margin: Duration::from_secs(3) };
}

/// Content of the lease object. Unknown fields are ignored, so that releases can read each other's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    epoch: u64,
    /// The acquisition this belongs to, to tell one's own put from another's when its answer is lost.
    id: String,
    /// Counts up, so that every renewal changes the object.
    renewals: u64,
    /// None once released.
    holder: Option<HolderInfo>,
    since: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl Record {
    fn describe(&self) -> String {
        match &self.holder {
            Some(holder) => format!("{holder}, since {}", self.since.to_rfc3339_opts(SecondsFormat::Secs, true)),
            None => "another process".to_owned(),
        }
    }
}

/// A held lease and the task that renews it.
#[derive(Debug)]
pub(super) struct ObjectLease {
    epoch: u64,
    shared: Arc<Shared>,
    /// Ends with the lease; none once released.
    renewal: Option<SpawnedTask<()>>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    timing: Timing,
    /// What the object holds as far as we know. Locked over each put.
    written: tokio::sync::Mutex<(Record, UpdateVersion)>,
    renewed: Mutex<Moment>,
    /// Someone else's record was seen: the lease can't come back.
    taken: AtomicBool,
}

/// A moment on both clocks: the steady one may stand still while a machine sleeps, the other may be set.
#[derive(Debug, Clone, Copy)]
struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// The longer of the two; a wall clock that was set back counts for nothing.
    fn elapsed(&self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

impl ObjectLease {
    pub(super) async fn acquire(store: &Store, holder: HolderInfo, timing: Timing) -> Result<Self> {
        let id = Uuid::new_v4().to_string();
        loop {
            let (mode, epoch) = match read(store).await? {
                None => (PutMode::Create, 1),
                Some((record, version)) => {
                    if record.holder.is_some() {
                        watch(store, &record, timing).await?;
                    }
                    (PutMode::Update(version), record.epoch + 1)
                }
            };
            let since = Utc::now();
            let record = Record {
                epoch,
                id: id.clone(),
                renewals: 0,
                holder: Some(holder.clone()),
                since,
                expires_at: since + timing.term,
            };
            let moment = Moment::now();
            let version = match put(store, &record, mode).await? {
                Some(done) => done.into(),
                // Refused, but that may be the second try of a put whose first answer was lost.
                None => match read(store).await? {
                    Some((found, version)) if found.id == id => version,
                    _ => continue,
                },
            };
            let shared = Arc::new(Shared {
                store: store.clone(),
                timing,
                written: tokio::sync::Mutex::new((record, version)),
                renewed: Mutex::new(moment),
                taken: AtomicBool::new(false),
            });
            let renewal = SpawnedTask::spawn(keep(Arc::clone(&shared)));
            return Ok(Self { epoch, shared, renewal: Some(renewal) });
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn is_held(&self) -> bool {
        let Timing { term, margin, .. } = self.shared.timing;
        !self.shared.taken.load(Ordering::Acquire) && self.shared.renewed.lock().elapsed() + margin < term
    }

    pub(super) async fn release(mut self) -> Result<()> {
        self.renewal = None;
        self.shared.write(false).await
    }
}

impl Drop for ObjectLease {
    /// Without a runtime, or if the program ends first, the lease expires by itself.
    fn drop(&mut self) {
        if self.renewal.take().is_some()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let shared = Arc::clone(&self.shared);
            // Detached, but it ends in any case after the time of one renewal.
            runtime.spawn(async move {
                if let Err(e) = shared.write(false).await {
                    tracing::debug!("the write lease was not given back and will expire: {e}");
                }
            });
        }
    }
}

impl Shared {
    /// Renews the lease or gives it back, within the time of one renewal.
    async fn write(&self, keep: bool) -> Result<()> {
        match tokio::time::timeout(self.timing.renew, self.try_write(keep)).await {
            Ok(done) => done,
            Err(_) => {
                let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
                Err(Error::io(format!("cannot renew the write lease {}", path()), late))
            }
        }
    }

    async fn try_write(&self, keep: bool) -> Result<()> {
        let mut written = self.written.lock().await;
        loop {
            let moment = Moment::now();
            let mut record = written.0.clone();
            record.renewals += 1;
            record.expires_at = Utc::now() + self.timing.term;
            if !keep {
                record.holder = None;
            }
            if let Some(done) = put(&self.store, &record, PutMode::Update(written.1.clone())).await? {
                *written = (record, done.into());
                *self.renewed.lock() = moment;
                return Ok(());
            }
            match read(&self.store).await? {
                // An earlier put of ours did arrive, though its answer did not. Go on from there.
                Some((found, version)) if found.id == written.0.id => *written = (found, version),
                _ => {
                    self.taken.store(true, Ordering::Release);
                    return Err(Error::LeaseLost);
                }
            }
        }
    }
}

/// Renews until the lease is lost.
async fn keep(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(shared.timing.renew).await;
        match shared.write(true).await {
            Ok(()) => {}
            Err(Error::LeaseLost) => {
                tracing::error!("another process has taken the write lease {}", path());
                return;
            }
            Err(e) => tracing::warn!("cannot renew the write lease, trying again: {e}"),
        }
    }
}

/// Returns once `seen` has not changed for a whole term; [`Error::LeaseHeld`] if it does. Released is as good as
/// silent: the caller's conditional put then fails and it looks again.
async fn watch(store: &Store, seen: &Record, timing: Timing) -> Result<()> {
    let started = Instant::now();
    tracing::info!("waiting to see whether {} still holds the write lease", seen.describe());
    while started.elapsed() < timing.term {
        tokio::time::sleep(timing.renew / 4).await;
        match read(store).await? {
            Some((now, _)) if now == *seen => {}
            Some((now, _)) if now.holder.is_some() => return Err(Error::LeaseHeld { holder: now.describe() }),
            _ => return Ok(()),
        }
    }
    Ok(())
}

fn path() -> Path {
    Path::from(format!("{SYSTEM_FOLDER}/lease.json"))
}

async fn read(store: &Store) -> Result<Option<(Record, UpdateVersion)>> {
    let path = path();
    let read = async {
        let found = store.root.get(&path).await?;
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        Ok::<_, StoreError>((found.bytes().await?, version))
    };
    let (bytes, version) = match read.await {
        Ok(found) => found,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(e) => return Err(Error::store(format!("cannot read the write lease {path}"), e)),
    };
    let record = serde_json::from_slice(&bytes).map_err(|e| {
        Error::corrupt(path.to_string(), format!("{e}: remove it while no audiencedb process writes to the warehouse"))
    })?;
    Ok(Some((record, version)))
}

/// `None` if the condition was not met.
async fn put(store: &Store, record: &Record, mode: PutMode) -> Result<Option<PutResult>> {
    let path = path();
    let bytes =
        serde_json::to_vec(record).map_err(|e| Error::io(format!("cannot write the write lease {path}"), e.into()))?;
    match store.root.put_opts(&path, Bytes::from(bytes).into(), mode.into()).await {
        Ok(done) => Ok(Some(done)),
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } | StoreError::NotFound { .. }) => {
            Ok(None)
        }
        Err(e) => Err(Error::store(format!("cannot write the write lease {path}"), e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreOptions;

    const FAST: Timing = Timing {
        term: Duration::from_millis(600),
        renew: Duration::from_millis(200),
        margin: Duration::from_millis(100),
    };

    async fn store() -> Store {
        Store::open("memory://", &StoreOptions::default(), true).await.unwrap()
    }

    async fn acquire(store: &Store, what: &str) -> Result<ObjectLease> {
        let holder = HolderInfo { pid: 1, host: "h".into(), what: what.into() };
        ObjectLease::acquire(store, holder, FAST).await
    }

    #[tokio::test]
    async fn renewed_while_held_and_free_once_released() {
        let store = store().await;
        let first = acquire(&store, "serve").await.unwrap();
        match acquire(&store, "load").await {
            Err(Error::LeaseHeld { holder }) => assert!(holder.contains("(serve)"), "{holder}"),
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(FAST.term).await;
        assert!(first.is_held());
        first.release().await.unwrap();
        let started = Instant::now();
        let second = acquire(&store, "load").await.unwrap();
        assert!(started.elapsed() < FAST.term / 2);
        assert_eq!(second.epoch(), 2);
        drop(second);
        tokio::time::sleep(FAST.renew / 2).await;
        assert_eq!(read(&store).await.unwrap().unwrap().0.holder, None);
    }

    #[tokio::test]
    async fn taken_over_from_the_silent_who_notice_first() {
        let store = store().await;
        let mut first = acquire(&store, "serve").await.unwrap();
        // As if the process were frozen.
        first.renewal = None;
        let started = Instant::now();
        let second = acquire(&store, "load").await.unwrap();
        assert!(started.elapsed() >= FAST.term);
        assert!(!first.is_held());
        assert!(second.is_held());
        assert!(matches!(first.shared.write(true).await, Err(Error::LeaseLost)));
        assert!(second.is_held());
    }

    #[tokio::test]
    async fn a_renewal_whose_answer_was_lost_is_no_loss() {
        let store = store().await;
        let mut lease = acquire(&store, "serve").await.unwrap();
        lease.renewal = None;
        let before = lease.shared.written.lock().await.clone();
        lease.shared.write(true).await.unwrap();
        // The holder believes that its last put failed.
        *lease.shared.written.lock().await = before;
        lease.shared.write(true).await.unwrap();
        assert!(lease.is_held());
    }
}
