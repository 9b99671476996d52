//! Maintenance: what keeps tables quick to read and their folders from growing for ever.
//!
//! * [`compact`]: small files become few, in the order they were in, and no row changes.
//! * [`clean`]: a table's log is summed up and shortened; files that no version in reach needs are removed.
//! * [`erase`]: what held the rows of persons that were erased is removed, and what logs say of it.
//! * [`warehouse`]: the same for the warehouse's own log, for folders of dropped tables, for what a crash left.
//!
//! Every step can be stopped or killed at any moment: a file counts once its commit does, and nothing is removed that
//! a version within the retention, a snapshot of this process or a running write may still need. Tables are
//! maintained one at a time; commits of others go on meanwhile.

mod clean;
mod compact;
mod erase;
mod warehouse;

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::catalog::Session;

#[cfg(test)]
pub(crate) use self::clean::vacuum;
pub use self::erase::Erased;
use crate::error::{Error, Result};
use crate::objects::ObjectId;
use crate::table::{self, TableState};
use crate::transaction::Transaction;
use crate::warehouse::Warehouse;

/// Folder of a table's log.
const LOG: &str = "_delta_log";
/// How often a commit that others overtook is tried again.
const TRIES: usize = 8;
/// Compaction commits once it has read so much, so that an interruption loses little.
const COMMIT_BYTES: u64 = 512 << 20;
/// Merging what was merged pays only where there were very many files.
const PASSES: usize = 3;

/// What maintenance does to a table.
#[derive(Debug, Clone)]
pub struct MaintainOptions {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Merge files where a bucket or day has at least so many small ones; `None` leaves files as they are.
    pub compact_from: Option<usize>,
    /// Merge a large file with small ones again only where these are about as large together.
    pub thrifty: bool,
    /// Sum up the table's log once it has so many commits since the last time; `None` never.
    pub checkpoint_from: Option<i64>,
    /// How long files stay after they were removed from the table; `None` removes none.
    pub retain: Option<Duration>,
    /// How long commits stay in the table's log; `None` removes none.
    pub retain_log: Option<Duration>,
    /// The share of time that work may take, the rest of it being slept; 1 works without a pause.
    pub share: f64,
}

/// What maintenance has done, or with `dry_run` would have done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Files of the table before.
    pub files_before: u64,
    /// Files of the table after.
    pub files_after: u64,
    /// Bytes of the files that were merged.
    pub bytes_read: u64,
    /// Bytes of the files that took their place.
    pub bytes_written: u64,
    /// Commits made.
    pub commits: u64,
    /// Whether the table's log was summed up.
    pub checkpoints: u64,
    /// Files removed from storage: of the table, and of its log.
    pub files_removed: u64,
    /// Their bytes.
    pub bytes_removed: u64,
    /// The table's version after all of it.
    pub version: i64,
}

impl Maintained {
    /// Whether anything was done.
    pub fn is_idle(&self) -> bool {
        self.commits == 0 && self.checkpoints == 0 && self.files_removed == 0 && self.bytes_written == 0
    }

    /// Both together; the version is the other's.
    pub fn and(self, other: Self) -> Self {
        Self {
            files_before: self.files_before + other.files_before,
            files_after: self.files_after + other.files_after,
            bytes_read: self.bytes_read + other.bytes_read,
            bytes_written: self.bytes_written + other.bytes_written,
            commits: self.commits + other.commits,
            checkpoints: self.checkpoints + other.checkpoints,
            files_removed: self.files_removed + other.files_removed,
            bytes_removed: self.bytes_removed + other.bytes_removed,
            version: other.version,
        }
    }
}

impl Warehouse {
    /// Maintains one table; `session` plans and bounds the memory of merges. Waits for a maintenance that runs.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the table was dropped; what reading and writing meet. What was done until then stays.
    pub async fn maintain(
        self: &Arc<Self>,
        id: ObjectId,
        session: &dyn Session,
        options: &MaintainOptions,
    ) -> Result<Maintained> {
        let _one_at_a_time = self.maintenance.lock().await;
        self.settle().await?;
        let mut done = Maintained::default();
        let (_, state) = self.newest_state(id).await?;
        done.files_before = state.files.len() as u64;
        done.files_after = done.files_before;
        if let Some(from) = options.compact_from {
            self.compact(id, session, options, from, &mut done).await?;
        }
        let (snapshot, state) = self.newest_state(id).await?;
        done.version = state.version;
        if !options.dry_run {
            done.files_after = state.files.len() as u64;
        }
        drop(snapshot);
        if let Some(from) = options.checkpoint_from {
            let last = clean::last_checkpoint(self, &state).await?.unwrap_or(-1);
            if state.version - last >= from.max(1) {
                if !options.dry_run {
                    self.sum_up(&state).await?;
                }
                done.checkpoints += 1;
            }
        }
        if let Some(retain) = options.retain {
            clean::vacuum(self, &state, retain, options.dry_run, &mut done).await?;
        }
        if let Some(retain) = options.retain_log {
            clean::shorten_log(self, &state, retain, options.dry_run, &mut done).await?;
        }
        Ok(done)
    }

    /// Writes a checkpoint of a table version.
    pub(crate) async fn sum_up(&self, state: &TableState) -> Result<()> {
        // The version may be so new that the table's log does not tell of it yet.
        self.settle().await?;
        table::checkpoint(&self.store.root, &state.def, state.version).await
    }

    /// A table as it is now, and the snapshot that keeps its files from being removed.
    async fn newest_state(self: &Arc<Self>, id: ObjectId) -> Result<(Transaction, Arc<TableState>)> {
        let work = Transaction::begin(self).await?;
        if work.objects().table(id).is_none() {
            return Err(Error::NotFound { kind: "table", name: format!("with id {id}") });
        }
        let state = self.table(work.base(), id).await?;
        Ok((work, state))
    }

    async fn compact(
        self: &Arc<Self>,
        id: ObjectId,
        session: &dyn Session,
        options: &MaintainOptions,
        from: usize,
        done: &mut Maintained,
    ) -> Result<()> {
        let mut overtaken = 0;
        let mut passes = 0;
        loop {
            let (mut work, state) = self.newest_state(id).await?;
            let bins = compact::bins(&state, from, options.thrifty);
            // Whose rows are being changed waits for the next time.
            if bins.is_empty() || self.files_are_held(id) {
                return Ok(());
            }
            if options.dry_run {
                for bin in bins {
                    done.bytes_read += bin.bytes();
                    done.files_after -= bin.files.len() as u64 - 1;
                }
                return Ok(());
            }
            let mut step = Maintained::default();
            let mut left = bins.len();
            for bin in bins {
                let started = Instant::now();
                left -= 1;
                let written = compact::merge(self, &state, &bin, session).await?;
                step.bytes_read += bin.bytes();
                step.bytes_written += written.adds.iter().map(|add| add.size as u64).sum::<u64>();
                work.rewrite(id, bin.files, written);
                let rest = started.elapsed().mul_f64((1.0 / options.share.clamp(0.01, 1.0)) - 1.0);
                tokio::time::sleep(rest).await;
                if step.bytes_read >= COMMIT_BYTES {
                    break;
                }
            }
            match work.commit().await {
                Ok(()) => {
                    done.bytes_read += step.bytes_read;
                    done.bytes_written += step.bytes_written;
                    done.commits += 1;
                    // What is left is merged next; what is new or still small, in another pass.
                    if left == 0 {
                        passes += 1;
                    }
                    if passes == PASSES {
                        return Ok(());
                    }
                }
                Err(Error::Conflict(_)) if overtaken < TRIES => {
                    overtaken += 1;
                    tokio::time::sleep(Duration::from_millis(20 << overtaken.min(6))).await;
                }
                Err(e) => return Err(e),
            }
        }
    }
}

#[cfg(test)]
mod tests;
