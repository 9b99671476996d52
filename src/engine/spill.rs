//! The folder that operators spill to: one of this process's own, so that what a killed process left behind can be
//! told from what a living one needs, and is removed.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, SqlState};

/// How the folders are named; whatever else is in the folder for temporary files is not ours.
const PREFIX: &str = "audiencedb-spill-";
/// The file in each that its process holds a lock on. The kernel frees it with the process, however that ends.
const LOCK: &str = "in-use";

/// The folder of this process; it is removed with this.
#[derive(Debug)]
pub(super) struct SpillFolder {
    path: PathBuf,
    _lock: File,
}

impl SpillFolder {
    /// Makes one in `parent`, removing those of processes that are no more.
    pub(super) fn create(parent: &Path) -> Result<Self> {
        let failed = |e: io::Error| {
            let message = format!("could not use \"{}\" for temporary files: {e}", parent.display());
            Error::new(SqlState::IO_ERROR, message)
        };
        std::fs::create_dir_all(parent).map_err(failed)?;
        clean(parent).map_err(failed)?;
        let path = parent.join(format!("{PREFIX}{}-{:08x}", std::process::id(), rand::random::<u32>()));
        std::fs::create_dir(&path).map_err(failed)?;
        let lock = File::create(path.join(LOCK)).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        // What can't be removed now is removed by the next start.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn clean(parent: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(parent)? {
        let path = entry?.path();
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if ours && is_left_behind(&path) {
            match std::fs::remove_dir_all(&path) {
                Ok(()) => {
                    tracing::info!(folder = %path.display(), "removed temporary files of a process that was killed")
                }
                Err(error) => {
                    tracing::warn!(folder = %path.display(), %error, "could not remove temporary files of a killed process");
                }
            }
        }
    }
    Ok(())
}

/// Whether no process holds the folder. One that is just being made has no lock file yet and counts as held.
fn is_left_behind(folder: &Path) -> bool {
    let Ok(lock) = File::open(folder.join(LOCK)) else { return false };
    !matches!(lock.try_lock(), Err(TryLockError::WouldBlock | TryLockError::Error(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_left_behind_is_removed() {
        let parent = std::env::temp_dir().join(format!("audiencedb-test-{:08x}", rand::random::<u32>()));
        let living = SpillFolder::create(&parent).unwrap();
        std::fs::write(living.path().join("run"), "x").unwrap();
        let dead = parent.join(format!("{PREFIX}1-0"));
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        std::fs::write(dead.join("run"), "x").unwrap();
        let foreign = parent.join("somebody-elses");
        std::fs::create_dir(&foreign).unwrap();

        let second = SpillFolder::create(&parent).unwrap();
        assert!(living.path().join("run").exists() && foreign.exists() && !dead.exists());
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
        drop(living);
        std::fs::remove_dir_all(parent).unwrap();
    }
}
