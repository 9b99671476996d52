//! What belongs to no table: old entries of the warehouse's log, folders of dropped tables, files that a process was
//! writing when it was killed.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::clean::{before, list, remove};
use super::{MaintainOptions, Maintained};
use crate::error::{Error, Result};
use crate::table::write_of;
use crate::warehouse::Warehouse;

/// A file under way that nobody has written to for so long is nobody's, whatever the retention.
const STAGED_FOR: Duration = Duration::from_secs(3600);

impl Warehouse {
    /// Removes what no process needs any more and no table owns.
    pub async fn maintain_log(self: &Arc<Self>, options: &MaintainOptions) -> Result<Maintained> {
        let _one_at_a_time = self.maintenance.lock().await;
        self.settle().await?;
        let mut done = Maintained::default();
        if let Some(retain) = options.retain_log {
            for object in self.log.superseded(before(retain)?).await? {
                remove(self, &object, options.dry_run, &mut done).await?;
            }
        }
        if let Some(retain) = options.retain {
            self.remove_dropped(retain, options.dry_run, &mut done).await?;
            if let Some(cutoff) = SystemTime::now().checked_sub(retain.max(STAGED_FOR)) {
                self.remove_staged(cutoff, options.dry_run, &mut done).await?;
            }
        }
        Ok(done)
    }

    /// The folders of tables that were dropped before the retention, unless a snapshot here still reads them.
    async fn remove_dropped(self: &Arc<Self>, retain: Duration, dry_run: bool, done: &mut Maintained) -> Result<()> {
        let cutoff = before(retain)?;
        let live = self.live();
        let newest = self.snapshot().await?;
        for (path, at) in newest.objects.dropped() {
            let read = live.iter().any(|snapshot| snapshot.objects.tables().any(|table| table.path == *path));
            if *at >= cutoff || read || self.emptied.lock().contains(path) {
                continue;
            }
            for object in list(self, &object_store::path::Path::from(path.as_str())).await? {
                remove(self, &object, dry_run, done).await?;
            }
            if dry_run {
                continue;
            }
            if let Some(root) = &self.store.local {
                let folder = root.join(path);
                match tokio::fs::remove_dir_all(&folder).await {
                    Ok(()) => {}
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                    Err(e) => return Err(Error::io(format!("cannot remove {}", folder.display()), e)),
                }
            }
            self.emptied.lock().insert(path.clone());
        }
        Ok(())
    }

    /// Files of a local folder that were being written when their process was killed. They have names of their own
    /// and are in no listing. Those go that were last written to before `cutoff`.
    pub(super) async fn remove_staged(&self, cutoff: SystemTime, dry_run: bool, done: &mut Maintained) -> Result<()> {
        let Some(root) = self.store.local.clone() else { return Ok(()) };
        let running = self.running.all();
        let found = tokio::task::spawn_blocking(move || staged(&root, cutoff));
        let found = found.await.map_err(|e| Error::Internal(format!("looking for files stopped: {e}")))?;
        for (path, size) in found.map_err(|e| Error::io("cannot look for files that nobody wrote to the end", e))? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if write_of(&name).is_some_and(|write| running.contains(&write)) {
                continue;
            }
            if !dry_run {
                match tokio::fs::remove_file(&path).await {
                    Ok(()) => {}
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                    Err(e) => return Err(Error::io(format!("cannot remove {}", path.display()), e)),
                }
            }
            done.files_removed += 1;
            done.bytes_removed += size;
        }
        Ok(())
    }
}

/// Staged files below `root` that were last written to before `cutoff`, with their sizes.
fn staged(root: &FilePath, cutoff: SystemTime) -> std::io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let metadata = match entry.metadata() {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if is_staged(&name) && metadata.modified()? < cutoff {
                found.push((entry.path(), metadata.len()));
            }
        }
    }
    Ok(found)
}

/// Names that the store gives to what it is writing end in `#` and a number.
fn is_staged(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}
