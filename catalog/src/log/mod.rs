//! The warehouse log: the one place where a transaction becomes true.
//!
//! Entry N is an object that is put only if it is absent; once it is there, transaction N is committed. Its table
//! commits are then rolled forward into the Delta logs, where they are copies that anyone can make again: by the
//! writer at once, or by the next one after a crash. Only the newest entry can be not yet rolled forward, as long as
//! a writer rolls N forward before it appends N + 1. A checkpoint is the whole catalog after some entry, so that a
//! start needn't read the log from its beginning.

mod entry;
mod format;
mod past;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::{ready, try_join_all};
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use serde::{Deserialize, Serialize};

pub use entry::{Entry, TableCommit};
pub use format::FORMAT;

use self::format::{check_written, decode, encode};
use crate::error::{Error, Result};
use crate::objects::Objects;
use crate::store::{SYSTEM_FOLDER, Store};

/// How many entries are read at the same time when a warehouse is loaded.
const READ_AHEAD: usize = 16;

/// The log of one warehouse. Cheap to clone; holds no state but the store.
#[derive(Debug, Clone)]
pub struct Log {
    store: Store,
}

/// The catalog after entry `id`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint {
    format: u32,
    id: u64,
    objects: Objects,
}

impl Log {
    /// The log of the warehouse in `store`. Reads nothing yet.
    pub fn open(store: Store) -> Self {
        Self { store }
    }

    /// The catalog as of the newest entry, and that entry; `None` before the first transaction.
    ///
    /// A writer must hand the entry to [`Log::recover`] before it appends another. An entry that is damaged or
    /// missing in the middle is [`Error::Corrupt`], never skipped.
    pub async fn load(&self) -> Result<(Objects, Option<Entry>)> {
        let (mut objects, start) = self.read_checkpoint().await?;
        let listed = self.newest(&log_folder(), Some(&entry_path(start))).await?.unwrap_or(start);
        let mut last = None;

        let mut known = stream::iter(start + 1..=listed).map(|id| self.read(id)).buffered(READ_AHEAD);
        for id in start + 1..=listed {
            let entry = known.try_next().await?.flatten().ok_or_else(|| missing(id))?;
            objects = replay(&entry, &objects)?;
            last = Some(entry);
        }
        // What was committed since the listing.
        let mut id = listed;
        while let Some(entry) = self.next_after(id).await? {
            objects = replay(&entry, &objects)?;
            id = entry.id;
            last = Some(entry);
        }

        if last.is_none() && start > 0 {
            last = Some(self.read(start).await?.ok_or_else(|| missing(start))?);
        }
        Ok((objects, last))
    }

    /// The entry that follows position `id`, if it is committed. For readers that follow the log.
    pub async fn next_after(&self, id: u64) -> Result<Option<Entry>> {
        self.read(id + 1).await
    }

    /// Commits a transaction: when this returns, it is durable and can't be undone.
    ///
    /// [`Error::Conflict`] means that the position, or a table's version, belongs to someone else and that nothing of
    /// this entry was committed. After [`Error::Uncertain`] the outcome is unknown: append the same entry again (that is
    /// safe, however often) before anything else is written. Any other error came before anything was written.
    pub async fn append(&self, entry: &Entry) -> Result<()> {
        check_written(&entry_path(entry.id), entry.format)?;
        if entry.id == 0 {
            return Err(Error::Invalid("the first transaction has the number 1".into()));
        }
        // Found out now, a foreign commit is a conflict. Found out after the put it would split the table's history.
        let paths = entry.tables.iter().map(commit_path).collect::<Result<Vec<_>>>()?;
        let taken = try_join_all(paths.iter().map(|path| self.store.exists(path))).await?;
        if let Some((path, _)) = paths.iter().zip(taken).find(|(_, taken)| *taken) {
            // Unless this entry is in the log and was rolled forward already.
            if self.read(entry.id).await?.as_ref() == Some(entry) {
                return Ok(());
            }
            return Err(Error::Conflict(format!("{path} exists already: another program has written to this table")));
        }
        self.put_entry(entry).await.map_err(|e| match e {
            Error::Conflict(_) => e,
            other => Error::Uncertain(Box::new(other)),
        })
    }

    /// Copies the table commits of a committed entry into the Delta logs. Safe to repeat.
    ///
    /// [`Error::Diverged`] if a table's version was taken by a foreign writer: the transaction stays committed.
    pub async fn roll_forward(&self, entry: &Entry) -> Result<()> {
        try_join_all(entry.tables.iter().map(|commit| self.put_commit(commit))).await?;
        Ok(())
    }

    /// Finishes what a crash may have interrupted: makes the newest entry durable and rolls it forward.
    pub async fn recover(&self, last: &Entry) -> Result<()> {
        // Its writer may have died between making the entry visible and making it durable; were it lost to a power
        // cut then, and its table commits not, the tables would be ahead of the log. Creating it again, byte for
        // byte as another release may have written it, settles that.
        let path = entry_path(last.id);
        let bytes = self.store.read(&path).await?.ok_or_else(|| missing(last.id))?;
        if !self.store.create(&path, bytes).await? {
            return Err(missing(last.id));
        }
        self.roll_forward(last).await
    }

    /// Stores the catalog as it is after entry `id`, its position. An older checkpoint of the same entry, which says
    /// the same, is replaced.
    pub async fn checkpoint(&self, objects: &Objects, id: u64) -> Result<()> {
        if objects.position != id {
            return Err(Error::Internal(format!("checkpoint {id} of the catalog at position {}", objects.position)));
        }
        let path = checkpoint_path(id);
        let bytes = encode(&path, &Checkpoint { format: FORMAT, id, objects: objects.clone() })?;
        match self.store.root.put(&path, bytes.into()).await {
            Ok(_) => Ok(()),
            Err(e) => Err(Error::store(format!("cannot write {path}"), e)),
        }
    }

    /// Whether an entry is there.
    pub async fn holds(&self, id: u64) -> Result<bool> {
        self.store.exists(&entry_path(id)).await
    }

    /// Entries and checkpoints that were last written before `cutoff` and that nobody who opens the warehouse reads,
    /// oldest first: all before the newest checkpoint but one, which is kept in case the newest is damaged.
    pub(crate) async fn superseded(&self, cutoff: DateTime<Utc>) -> Result<Vec<ObjectMeta>> {
        let list = |folder: Path| async move {
            let listing = self.store.root.list(Some(&folder)).try_collect::<Vec<ObjectMeta>>();
            listing.await.map_err(|e| Error::store(format!("cannot list {folder}"), e))
        };
        let checkpoints = list(checkpoint_folder()).await?;
        let mut numbers: Vec<u64> = checkpoints.iter().filter_map(|object| number(&object.location)).collect();
        numbers.sort_unstable();
        let Some(&keep) = numbers.len().checked_sub(2).and_then(|at| numbers.get(at)) else { return Ok(Vec::new()) };
        // Who looks back needs a checkpoint before the entries that are left.
        let entries = list(log_folder()).await?;
        let young = entries.iter().filter(|object| object.last_modified >= cutoff);
        let keep = match young.filter_map(|object| number(&object.location)).min().filter(|young| *young < keep) {
            Some(young) => numbers.iter().rev().find(|number| **number < young).copied().unwrap_or(0),
            None => keep,
        };
        let mut superseded = Vec::new();
        for mut objects in [entries, checkpoints] {
            objects.retain(|object| number(&object.location).is_some_and(|number| number < keep));
            objects.sort_by_key(|object| number(&object.location));
            // None may be missing in the middle: one that is younger keeps those behind it.
            superseded.extend(objects.into_iter().take_while(|object| object.last_modified < cutoff));
        }
        Ok(superseded)
    }

    /// Entries and checkpoints before position `id`, of which there is a checkpoint, oldest first.
    pub(crate) async fn before(&self, id: u64) -> Result<Vec<ObjectMeta>> {
        let mut before = Vec::new();
        for folder in [log_folder(), checkpoint_folder()] {
            let listing = self.store.root.list(Some(&folder)).try_collect::<Vec<ObjectMeta>>();
            let mut objects = listing.await.map_err(|e| Error::store(format!("cannot list {folder}"), e))?;
            objects.retain(|object| number(&object.location).is_some_and(|number| number < id));
            objects.sort_by_key(|object| number(&object.location));
            before.extend(objects);
        }
        Ok(before)
    }

    async fn put_entry(&self, entry: &Entry) -> Result<()> {
        let path = entry_path(entry.id);
        if self.store.create(&path, encode(&path, entry)?).await? {
            Ok(())
        } else {
            Err(Error::Conflict(format!("transaction {} was committed by another writer", entry.id)))
        }
    }

    async fn put_commit(&self, commit: &TableCommit) -> Result<()> {
        let path = commit_path(commit)?;
        if self.store.create(&path, Bytes::from(commit.actions.clone())).await? {
            Ok(())
        } else {
            Err(Error::Diverged { table: commit.path.clone(), version: commit.version })
        }
    }

    async fn read(&self, id: u64) -> Result<Option<Entry>> {
        let path = entry_path(id);
        let Some(bytes) = self.store.read(&path).await? else { return Ok(None) };
        let entry: Entry = decode(&path, &bytes)?;
        check_written(&path, entry.format)?;
        if entry.id != id {
            return Err(Error::corrupt(path.to_string(), format!("it holds entry {}", entry.id)));
        }
        Ok(Some(entry))
    }

    /// The newest checkpoint and its position; a new warehouse at position 0 if there is none.
    async fn read_checkpoint(&self) -> Result<(Objects, u64)> {
        let Some(id) = self.newest(&checkpoint_folder(), None).await? else { return Ok((Objects::default(), 0)) };
        Ok((self.checkpointed(id).await?, id))
    }

    /// The catalog of a checkpoint.
    async fn checkpointed(&self, id: u64) -> Result<Objects> {
        let path = checkpoint_path(id);
        let bytes = self
            .store
            .read(&path)
            .await?
            .ok_or_else(|| Error::corrupt(path.to_string(), "it was removed while it was read: start again"))?;
        let found: Checkpoint = decode(&path, &bytes).map_err(|e| match e {
            Error::Corrupt { object, message } => Error::Corrupt {
                object,
                message: format!("{message}; if the log is complete, delete it to start from an older checkpoint"),
            },
            other => other,
        })?;
        check_written(&path, found.format)?;
        if (found.id, found.objects.position) != (id, id) {
            return Err(Error::corrupt(path.to_string(), format!("it holds checkpoint {}", found.id)));
        }
        Ok(found.objects)
    }

    /// The largest number among the objects of a folder, of those after `offset` if there is one.
    async fn newest(&self, folder: &Path, offset: Option<&Path>) -> Result<Option<u64>> {
        let root = &self.store.root;
        let listing = match offset {
            Some(offset) => root.list_with_offset(Some(folder), offset),
            None => root.list(Some(folder)),
        };
        listing
            .try_fold(None, |newest: Option<u64>, object| ready(Ok(newest.max(number(&object.location)))))
            .await
            .map_err(|e| Error::store(format!("cannot list {folder}"), e))
    }
}

fn replay(entry: &Entry, objects: &Objects) -> Result<Objects> {
    objects.apply_entry(entry).map_err(|e| {
        Error::corrupt(entry_path(entry.id).to_string(), format!("it doesn't follow from the entries before it ({e})"))
    })
}

fn missing(id: u64) -> Error {
    Error::corrupt(entry_path(id).to_string(), "it is missing from the warehouse log: restore it from a backup")
}

fn log_folder() -> Path {
    Path::from(format!("{SYSTEM_FOLDER}/log"))
}

fn checkpoint_folder() -> Path {
    Path::from(format!("{SYSTEM_FOLDER}/checkpoints"))
}

/// Twenty digits, so that names sort like numbers.
fn entry_path(id: u64) -> Path {
    log_folder().join(format!("{id:020}.json"))
}

fn checkpoint_path(id: u64) -> Path {
    checkpoint_folder().join(format!("{id:020}.json"))
}

/// The number in an object's name; `None` for objects that aren't ours.
fn number(path: &Path) -> Option<u64> {
    let digits = path.filename()?.strip_suffix(".json")?;
    if digits.len() == 20 { digits.parse().ok() } else { None }
}

fn commit_path(commit: &TableCommit) -> Result<Path> {
    if commit.version < 0 {
        return Err(Error::Invalid(format!("a table has no version {}", commit.version)));
    }
    Path::parse(format!("{}/_delta_log/{:020}.json", commit.path, commit.version))
        .map_err(|e| Error::Invalid(format!("\"{}\" can't be a table's folder: {e}", commit.path)))
}

#[cfg(test)]
mod tests;
