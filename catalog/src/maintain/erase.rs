//! The end of an erasure: once its grace period is over, its objects go, and with them every log that may tell of what
//! was in them.
//!
//! Rows are gone from all tables with the commit; this removes the files they were in by their exact paths, sums up the
//! logs of the tables and of the warehouse and removes what was before. Any of it may be done twice: after a crash the
//! next writer finds the erasure in the catalog and begins again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{Duration, Utc};
use object_store::path::Path;

use super::clean::{list, numbered, remove};
use super::{LOG, Maintained};
use crate::error::{Error, Result};
use crate::objects::{ErasureDef, ObjectId};
use crate::store::sync_folder;
use crate::table;
use crate::warehouse::{Snapshot, Warehouse};

/// A statement or transaction from before the erasure is waited for so long after the grace period, and no longer.
const READERS_MAY_TAKE: Duration = Duration::hours(1);

/// How far an erasure has come.
#[derive(Debug, Clone, PartialEq)]
pub enum Erased {
    /// Its grace period is not over, or somebody in this process still reads what was before it.
    Waiting(Arc<ErasureDef>),
    /// Nothing is left to remove; whoever asked says so with [`crate::objects::Change::DropErasure`].
    Removed(Arc<ErasureDef>, Maintained),
    /// There is no such erasure: somebody else has finished it.
    Finished,
}

impl Warehouse {
    /// Removes what an erasure has to remove, if the time has come.
    pub async fn finish_erasure(self: &Arc<Self>, id: ObjectId) -> Result<Erased> {
        let _one_at_a_time = self.maintenance.lock().await;
        self.settle().await?;
        let newest = self.snapshot().await?;
        let Some(def) = newest.objects.erasure(id).cloned() else { return Ok(Erased::Finished) };
        let now = Utc::now();
        if now < def.due || (self.is_read(&def, &newest) && now < def.due + READERS_MAY_TAKE) {
            return Ok(Erased::Waiting(def));
        }
        let (mut done, mut gone) = (Maintained::default(), Vec::new());
        for path in &def.objects {
            let object = Path::from(path.as_str());
            // What is there no more was removed before a crash, or by maintenance.
            if let Some(found) = self.store.find(&object).await? {
                remove(self, &found, false, &mut done).await?;
                gone.push(found.location);
            }
        }
        let live = self.live();
        self.remove_staged(SystemTime::from(def.requested_at), false, &mut done).await?;
        for folder in &def.folders {
            let table = newest.objects.tables().find(|table| table.path == *folder);
            let Some(table) = table else {
                // Dropped since: nobody can ask for anything of it.
                for object in list(self, &Path::from(folder.as_str())).await? {
                    remove(self, &object, false, &mut done).await?;
                    gone.push(object.location);
                }
                continue;
            };
            // The oldest version from after the erasure that somebody here still reads.
            let read = live.iter().filter(|snapshot| snapshot.objects.erasure(id).is_some());
            let read = read.map(|snapshot| snapshot.objects.table_version(table.id));
            let base = read.fold(newest.objects.table_version(table.id), i64::min);
            table::checkpoint(&self.store.root, table, base).await?;
            let objects = list(self, &Path::from(format!("{folder}/{LOG}"))).await?;
            for (version, _, object) in objects.iter().filter_map(numbered) {
                if version < base {
                    remove(self, object, false, &mut done).await?;
                    gone.push(object.location.clone());
                }
            }
        }
        self.log.checkpoint(&newest.objects, newest.position).await?;
        for object in self.log.before(newest.position).await? {
            remove(self, &object, false, &mut done).await?;
            gone.push(object.location);
        }
        self.settle_removals(gone).await?;
        Ok(Erased::Removed(def, done))
    }

    /// Makes removals durable: after a power cut nothing may be there again that nobody will remove.
    async fn settle_removals(&self, gone: Vec<Path>) -> Result<()> {
        let Some(root) = self.store.local.clone() else { return Ok(()) };
        let folders: BTreeSet<PathBuf> =
            gone.iter().filter_map(|path| root.join(path.as_ref()).parent().map(PathBuf::from)).collect();
        let synced = tokio::task::spawn_blocking(move || {
            folders.iter().filter(|folder| folder.exists()).try_for_each(|folder| sync_folder(folder))
        });
        let synced = synced.await.map_err(|e| Error::Internal(format!("syncing folders stopped: {e}")))?;
        synced.map_err(|e| Error::io("cannot make removals durable", e))
    }

    /// Whether a snapshot of this process is from before an erasure and has one of its tables, or has one that was
    /// dropped since.
    fn is_read(&self, def: &ErasureDef, newest: &Snapshot) -> bool {
        self.live().iter().any(|snapshot| {
            let before = snapshot.objects.erasure(def.id).is_none();
            let mut tables = snapshot.objects.tables().filter(|table| def.folders.contains(&table.path));
            tables.any(|table| before || newest.objects.table(table.id).is_none())
        })
    }
}
