//! The lease on a local folder: an exclusive lock on one file, freed by the kernel when the process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::HolderInfo;
use crate::error::{Error, Result};
use crate::store::{SYSTEM_FOLDER, sync_folder};

/// How often and how long to ask for a lock that is taken: a process that has just been killed may hold it for a
/// moment more.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// First line of the lock file. The file is rewritten in place, since a new file would be without the lock; anything
/// after the first line is the end of an older, longer one. Unknown fields are ignored: this is for people, and
/// another release may have written it.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    epoch: u64,
    since: DateTime<Utc>,
    holder: HolderInfo,
}

/// A locked lock file.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
    path: PathBuf,
    epoch: u64,
}

impl FolderLock {
    /// Locks the warehouse in `folder`. Blocks, for half a second at most.
    pub(super) fn acquire(folder: &Path, holder: HolderInfo) -> Result<Self> {
        let folder = folder.join(SYSTEM_FOLDER);
        let path = folder.join("lock");
        let failed = |e| Error::io(format!("cannot lock {}", path.display()), e);

        std::fs::create_dir_all(&folder).map_err(failed)?;
        let mut file = lock(&path)?;
        let epoch = match read(&mut file).map_err(failed)? {
            Content::Record(record) => record.epoch + 1,
            Content::Blank => 1,
            Content::Damaged => {
                return Err(Error::corrupt(
                    path.display().to_string(),
                    "it isn't a lock file of audiencedb: remove it while no audiencedb process uses the warehouse",
                ));
            }
        };
        write(&mut file, &Record { epoch, since: Utc::now(), holder }).map_err(failed)?;
        // The file holds the epoch, so it has to be there after a power cut too.
        sync_folder(&folder).map_err(failed)?;
        Ok(Self { file, path, epoch })
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether the locked file still is the warehouse's lock file. The kernel takes no lock away, but a person may
    /// remove the file, and then the next process locks another one.
    pub(super) fn is_held(&self) -> bool {
        is_same(&self.file, &self.path).unwrap_or(false)
    }
}

fn lock(path: &Path) -> Result<File> {
    let failed = |e| Error::io(format!("cannot lock {}", path.display()), e);
    let mut attempt = 1;
    loop {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) if is_same(&file, path).map_err(failed)? => return Ok(file),
            // Someone replaced the file between opening and locking it.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if attempt >= ATTEMPTS => {
                let holder = match read(&mut file).map_err(failed)? {
                    Content::Record(Record { since, holder, .. }) => {
                        format!("{holder}, since {}", since.to_rfc3339_opts(SecondsFormat::Secs, true))
                    }
                    Content::Blank | Content::Damaged => "another process".to_owned(),
                };
                return Err(Error::LeaseHeld { holder });
            }
            Err(TryLockError::WouldBlock) => {
                attempt += 1;
                std::thread::sleep(PAUSE);
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
    }
}

enum Content {
    Record(Record),
    /// Never written, or cut off by a power failure before it was.
    Blank,
    Damaged,
}

fn read(file: &mut File) -> io::Result<Content> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(64 << 10).read_to_end(&mut bytes)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(Content::Blank);
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(serde_json::from_slice(line).map_or(Content::Damaged, Content::Record))
}

fn write(file: &mut File, record: &Record) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    file.seek(SeekFrom::Start(0))?;
    // One write, so that being killed leaves the old line or the new one.
    file.write_all(&line)?;
    file.set_len(line.len() as u64)?;
    file.sync_all()
}

/// Whether `path` leads to the open file.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let open = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok(named.dev() == open.dev() && named.ino() == open.ino()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Elsewhere a file that is open can't be removed.
#[cfg(not(unix))]
fn is_same(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(what: &str) -> HolderInfo {
        HolderInfo { pid: 1, host: "h".into(), what: what.into() }
    }

    #[test]
    fn keeps_its_count_through_odd_contents() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SYSTEM_FOLDER).join("lock");
        drop(FolderLock::acquire(folder.path(), holder("a very long description of the work")).unwrap());
        drop(FolderLock::acquire(folder.path(), holder("short")).unwrap());
        // As if killed between the write and the cut.
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("rest of a longer line\n");
        std::fs::write(&path, text).unwrap();
        assert_eq!(FolderLock::acquire(folder.path(), holder("x")).unwrap().epoch(), 3);

        std::fs::write(&path, [0; 100]).unwrap();
        assert_eq!(FolderLock::acquire(folder.path(), holder("x")).unwrap().epoch(), 1);
        std::fs::write(&path, "mine\n").unwrap();
        assert!(matches!(FolderLock::acquire(folder.path(), holder("x")), Err(Error::Corrupt { .. })));
    }
}
