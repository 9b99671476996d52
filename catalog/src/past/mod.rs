//! Looking back: the catalog as it was, a table at one of its versions, what happened to a table.
//!
//! The warehouse's log says which version every table had at an instant, and how it was defined then; a version's
//! files are there as long as maintenance has not removed them. Who reads a version holds a [`PastTable`], which keeps
//! the maintenance of this process from doing so.

mod columns;
mod history;
mod restore;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};

use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use parking_lot::Mutex;

pub use self::columns::{Then, columns_then};
pub use self::history::TableCommitted;
pub use self::restore::Restored;
use crate::error::{Error, Result};
use crate::objects::{ObjectId, TableDef};
use crate::table::TableState;
use crate::warehouse::{Snapshot, Warehouse};

/// How many catalogs of earlier times are kept at hand.
const CATALOGS_AT_HAND: usize = 8;
/// How many files are looked for at the same time.
const LOOK_AHEAD: usize = 16;

/// A table as it was at one of its versions. As long as it lives the files of that version stay.
#[derive(Debug)]
pub struct PastTable {
    state: Arc<TableState>,
}

impl PastTable {
    /// The version, as the table was defined then.
    pub fn state(&self) -> &Arc<TableState> {
        &self.state
    }
}

/// What a warehouse knows of those who look back.
#[derive(Debug, Default)]
pub(crate) struct Past {
    reads: Mutex<Vec<Weak<PastTable>>>,
    catalogs: Mutex<VecDeque<Arc<Snapshot>>>,
    /// Held for writing while files are removed: who begins to look back waits until it is known what is left.
    pub(crate) cleaning: tokio::sync::RwLock<()>,
}

impl Past {
    /// The versions of a table that somebody reads.
    pub(crate) fn read_of(&self, id: ObjectId) -> Vec<Arc<TableState>> {
        let reads = self.reads.lock();
        let live = reads.iter().filter_map(Weak::upgrade).filter(|past| past.state.def.id == id);
        live.map(|past| Arc::clone(&past.state)).collect()
    }

    fn hold(&self, past: &Arc<PastTable>) {
        let mut reads = self.reads.lock();
        reads.retain(|read| read.strong_count() > 0);
        reads.push(Arc::downgrade(past));
    }

    fn held(&self, id: ObjectId, version: i64) -> Option<Arc<PastTable>> {
        let reads = self.reads.lock();
        reads.iter().filter_map(Weak::upgrade).find(|past| past.state.def.id == id && past.state.version == version)
    }
}

impl Warehouse {
    /// The catalog as it was at an instant; `None` if the log does not reach back so far.
    pub async fn catalog_at(&self, at: DateTime<Utc>) -> Result<Option<Arc<Snapshot>>> {
        match self.log.position_at(self.newest().position, at).await? {
            Some(position) => self.catalog_of(position).await,
            None => Ok(None),
        }
    }

    /// The catalog after an entry of the log; `None` if the log does not reach back so far.
    async fn catalog_of(&self, position: u64) -> Result<Option<Arc<Snapshot>>> {
        let newest = self.newest();
        if newest.position == position {
            return Ok(Some(newest));
        }
        if let Some(known) = self.past.catalogs.lock().iter().find(|known| known.position == position) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(objects) = self.log.objects_at(position).await? else { return Ok(None) };
        let snapshot = Arc::new(Snapshot { position, objects });
        let mut catalogs = self.past.catalogs.lock();
        if catalogs.len() == CATALOGS_AT_HAND {
            catalogs.pop_front();
        }
        catalogs.push_back(Arc::clone(&snapshot));
        Ok(Some(snapshot))
    }

    /// A table of an earlier catalog, with the rows that it had there.
    ///
    /// # Errors
    /// [`Error::Gone`] if files that it had are no longer there.
    pub async fn table_then(&self, then: &Snapshot, id: ObjectId) -> Result<Arc<PastTable>> {
        let def = then.objects.table(id).ok_or_else(|| Error::Internal(format!("no table with id {id}")))?;
        let version = then.objects.table_version(id);
        let newest = self.newest();
        if let Some(held) = self.past.held(id, version).filter(|held| held.state.def == *def) {
            check_erasures(&newest, &held.state)?;
            return Ok(held);
        }
        let current = newest.objects.table(id).is_some() && newest.objects.table_version(id) == version;
        if !current && !self.store.exists(&commit_path(def, version)).await? {
            return Err(gone(def, version, "its log no longer has it"));
        }
        let state = match self.table(then, id).await {
            Err(Error::Corrupt { .. }) if !current => return Err(gone(def, version, "its log no longer has it")),
            state => state?,
        };
        let past = Arc::new(PastTable { state });
        // Once it is held nothing of it is removed by who begins after; who began before is waited for.
        self.past.hold(&past);
        let _nobody_cleans = self.past.cleaning.read().await;
        check_erasures(&newest, &past.state)?;
        if !current {
            self.check_files(&newest, &past.state).await?;
        }
        Ok(past)
    }

    /// One version of a table of `now`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the table has had no such version, [`Error::Gone`] if it can't be read any more.
    pub async fn table_version(&self, now: &Snapshot, id: ObjectId, version: i64) -> Result<Arc<PastTable>> {
        let def = now.objects.table(id).ok_or_else(|| Error::Internal(format!("no table with id {id}")))?;
        let newest = now.objects.table_version(id);
        if version < 0 || version > newest {
            return Err(Error::Invalid(format!(
                "table \"{}\" has no version {version}: its newest is {newest}",
                def.name
            )));
        }
        if version == newest {
            return self.table_then(now, id).await;
        }
        let gone = || gone(def, version, "the logs no longer have it");
        let bytes = self.store.read(&commit_path(def, version)).await?.ok_or_else(gone)?;
        let position = history::parse(def, version, &bytes)?.row.transaction.ok_or_else(gone)?;
        let then = self.catalog_of(position).await?.ok_or_else(gone)?;
        if then.objects.table(id).is_none() || then.objects.table_version(id) != version {
            return Err(Error::corrupt(
                commit_path(def, version).to_string(),
                format!("it says that it is of transaction {position}, which did not make it"),
            ));
        }
        self.table_then(&then, id).await
    }

    /// That the files of an earlier version which the table no longer has are still in the store.
    async fn check_files(&self, newest: &Snapshot, state: &TableState) -> Result<()> {
        let id = state.def.id;
        let kept = match newest.objects.table(id) {
            Some(_) => Some(self.table(newest, id).await?),
            None => None,
        };
        let kept: HashSet<&str> = kept.iter().flat_map(|now| now.files.iter()).map(|file| file.path.as_str()).collect();
        let removed = state.files.iter().filter(|file| !kept.contains(file.path.as_str()));
        let mut found = stream::iter(removed.map(|file| state.object_path(file)).collect::<Vec<Path>>())
            .map(|path| async move { self.store.exists(&path).await })
            .buffer_unordered(LOOK_AHEAD);
        while let Some(found) = found.try_next().await? {
            if !found {
                return Err(gone(&state.def, state.version, "maintenance has removed files that it had"));
            }
        }
        Ok(())
    }
}

/// What was erased is gone at once, though its objects go later: nobody looks at it or brings it back.
fn check_erasures(newest: &Snapshot, state: &TableState) -> Result<()> {
    let erased: HashSet<&str> = newest.objects.erasures().flat_map(|e| &e.objects).map(String::as_str).collect();
    let is_erased = |path: Path| erased.contains(path.as_ref());
    if !erased.is_empty() && state.files.iter().any(|file| is_erased(state.object_path(file))) {
        return Err(gone(&state.def, state.version, "rows that it had were erased"));
    }
    Ok(())
}

fn gone(def: &TableDef, version: i64, why: &str) -> Error {
    Error::Gone(format!("version {version} of table \"{}\" can't be read any more: {why}", def.name))
}

fn commit_path(def: &TableDef, version: i64) -> Path {
    Path::from(format!("{}/_delta_log/{version:020}.json", def.path))
}

/// Files by their paths.
fn by_path(state: &TableState) -> HashMap<&str, &Arc<crate::table::DataFile>> {
    state.files.iter().map(|file| (file.path.as_str(), file)).collect()
}

#[cfg(test)]
mod tests;
