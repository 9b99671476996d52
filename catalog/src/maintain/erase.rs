//! The end of an erasure: once its grace period is over, its objects go, and with them every log that may tell of what
//! was in them.
//!
//! Rows are gone from all tables with the commit; this removes the files they were in by their exact paths, sums up the
//! logs of the tables and of the warehouse and removes what was before. Any of it may be done twice: after a crash the
//! next writer finds the erasure in the catalog and begins again.

use std::sync::Arc;
use std::time::SystemTime;

use chrono::{Duration, Utc};
use object_store::path::Path;

use super::clean::{list, numbered, remove};
use super::{LOG, Maintained};
use crate::error::Result;
use crate::objects::{ErasureDef, ObjectId};
use crate::warehouse::Warehouse;

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
        if now < def.due || (self.is_read(&def) && now < def.due + READERS_MAY_TAKE) {
            return Ok(Erased::Waiting(def));
        }
        let mut done = Maintained::default();
        for path in &def.objects {
            let object = Path::from(path.as_str());
            // What is there no more was removed before a crash, or by maintenance.
            if let Some(found) = self.store.find(&object).await? {
                remove(self, &found, false, &mut done).await?;
            }
        }
        self.remove_staged(SystemTime::from(def.requested_at), false, &mut done).await?;
        for folder in &def.folders {
            let table = newest.objects.tables().find(|table| table.path == *folder);
            let Some(table) = table else { continue };
            let state = self.table(&newest, table.id).await?;
            self.sum_up(&state).await?;
            let objects = list(self, &Path::from(format!("{folder}/{LOG}"))).await?;
            for (version, _, object) in objects.iter().filter_map(numbered) {
                if version < state.version {
                    remove(self, object, false, &mut done).await?;
                }
            }
        }
        self.log.checkpoint(&newest.objects, newest.position).await?;
        for object in self.log.before(newest.position).await? {
            remove(self, &object, false, &mut done).await?;
        }
        Ok(Erased::Removed(def, done))
    }

    /// Whether a snapshot of this process is from before an erasure and has one of its tables.
    fn is_read(&self, def: &ErasureDef) -> bool {
        self.live().iter().any(|snapshot| {
            snapshot.objects.erasure(def.id).is_none()
                && snapshot.objects.tables().any(|table| def.folders.contains(&table.path))
        })
    }
}
