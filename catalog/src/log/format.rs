//! The warehouse's format number: what makes a folder a warehouse, and keeps this release off those it can't read.

use std::io::ErrorKind;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Log, checkpoint_folder, log_folder};
use crate::error::{Error, Result};
use crate::store::{SYSTEM_FOLDER, Store};

/// The format of warehouses that this release reads and writes.
pub const FORMAT: u32 = 1;

/// Content of the format file, and the part of any stored object that every release can read.
#[derive(Serialize, Deserialize)]
struct Format {
    format: u32,
}

impl Log {
    /// Checks that the folder is a warehouse that this release can read. An empty one is made a warehouse if `create`,
    /// else it is [`Error::NotFound`].
    ///
    /// [`Error::Unsupported`] for another format, [`Error::Invalid`] for a folder with something else in it.
    pub async fn create_or_check_format(&self, create: bool) -> Result<()> {
        if self.check_format().await? {
            return Ok(());
        }
        if !create {
            return Err(Error::NotFound { kind: "warehouse", name: self.store.url.to_string() });
        }
        let path = format_path();
        // Another process may be doing the same; if its release is another, the file that is there decides.
        if !self.store.create(&path, encode(&path, &Format { format: FORMAT })?).await? {
            self.check_format().await?;
        }
        Ok(())
    }

    /// Whether this is a warehouse that this release can read; `false` if the folder is empty. Writes nothing.
    async fn check_format(&self) -> Result<bool> {
        let path = format_path();
        if let Some(bytes) = self.store.read(&path).await? {
            let found: Format = decode(&path, &bytes)?;
            check_written(&path, found.format)?;
            return Ok(true);
        }
        for folder in [log_folder(), checkpoint_folder()] {
            if self.holds_any(&folder).await? {
                return Err(Error::corrupt(
                    path.to_string(),
                    format!("it is missing, though {folder} holds the log of a warehouse: restore it from a backup"),
                ));
            }
        }
        if let Some(name) = stranger(&self.store).await? {
            return Err(Error::Invalid(format!(
                "{} is not a warehouse and not empty (it holds \"{name}\"): choose an empty or new folder",
                self.store.url
            )));
        }
        Ok(false)
    }

    async fn holds_any(&self, folder: &Path) -> Result<bool> {
        let first = self.store.root.list(Some(folder)).try_next().await;
        Ok(first.map_err(|e| Error::store(format!("cannot list {folder}"), e))?.is_some())
    }
}

/// Something at the top that is neither ours nor hidden nor a file system's own.
async fn stranger(store: &Store) -> Result<Option<String>> {
    let is_strange = |name: &str| !name.starts_with('.') && name != "lost+found" && name != SYSTEM_FOLDER;
    let failed = |e| Error::store(format!("cannot list {}", store.url), e);

    // The store lists only files, and would look into folders it may not read.
    if let Some(folder) = &store.local {
        let failed = |e| Error::io(format!("cannot list {}", folder.display()), e);
        let entries = match std::fs::read_dir(folder) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if is_strange(&name) {
                return Ok(Some(name));
            }
        }
        return Ok(None);
    }
    let mut objects = store.root.list(None);
    while let Some(object) = objects.try_next().await.map_err(failed)? {
        let top = object.location.parts().next().map(|part| part.as_ref().to_owned());
        if let Some(name) = top.filter(|name| is_strange(name)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn format_path() -> Path {
    Path::from(format!("{SYSTEM_FOLDER}/format.json"))
}

/// Refuses an object that was written in another format.
pub(super) fn check_written(object: &Path, format: u32) -> Result<()> {
    if format == FORMAT {
        return Ok(());
    }
    let remedy = if format > FORMAT { "install a newer audiencedb" } else { "upgrade it with an older audiencedb" };
    Err(Error::Unsupported(format!(
        "{object} is in warehouse format {format}, and this audiencedb works with format {FORMAT}: {remedy}"
    )))
}

pub(super) fn encode<T: Serialize>(object: &Path, value: &T) -> Result<Bytes> {
    let bytes = serde_json::to_vec(value).map_err(|e| Error::io(format!("cannot write {object}"), e.into()))?;
    Ok(bytes.into())
}

/// Reads an object; one that this release can't read because it is of another format is no damage.
pub(super) fn decode<T: DeserializeOwned>(object: &Path, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| {
        let written = serde_json::from_slice::<Format>(bytes).map_or(FORMAT, |found| found.format);
        match check_written(object, written) {
            Err(other_format) => other_format,
            Ok(()) => Error::corrupt(object.to_string(), format!("it can't be read ({e})")),
        }
    })
}
