//! A local folder as an object store whose writes survive a power cut once they have returned.
//!
//! `LocalFileSystem` never syncs. Here a new object is written under a staging name, synced, given its own name and
//! made findable by syncing its folders, in this order: whoever can see an object sees all of it, even after a crash
//! in the middle, and a write that has returned is there for good. Reading, listing and deleting are the inner store's.

use std::collections::HashSet;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use parking_lot::Mutex;
use uuid::Uuid;

use super::upload::DurableUpload;

/// A folder as a durable object store. Puts answer without an ETag and can't be conditional on one.
#[derive(Debug)]
pub struct DurableLocal {
    inner: LocalFileSystem,
    disk: Arc<Disk>,
}

impl DurableLocal {
    /// The store rooted at `folder`, which must exist.
    pub fn new(folder: &FilePath) -> Result<Self> {
        let inner = LocalFileSystem::new_with_prefix(folder)?;
        let root = std::fs::canonicalize(folder).map_err(|e| failed("open", folder, e))?;
        Ok(Self { inner, disk: Arc::new(Disk { root, synced: Mutex::default() }) })
    }

    /// Makes an object that the inner store has put at `location` durable.
    async fn sync(&self, location: &Path) -> Result<()> {
        let file = self.inner.path_to_filesystem(location)?;
        let disk = Arc::clone(&self.disk);
        blocking(move || {
            File::open(&file).and_then(|f| f.sync_all()).map_err(|e| failed("sync", &file, e))?;
            disk.sync_folders(&file)
        })
        .await
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableLocal({})", self.disk.root.display())
    }
}

#[async_trait]
impl ObjectStore for DurableLocal {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let create = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            // The inner store knows what files can't do and says so.
            PutMode::Update(_) => return self.inner.put_opts(location, payload, options).await,
        };
        if !options.attributes.is_empty() {
            return self.inner.put_opts(location, payload, options).await;
        }
        let dest = self.inner.path_to_filesystem(location)?;
        let disk = Arc::clone(&self.disk);
        blocking(move || disk.put(&dest, &payload, create)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if !options.attributes.is_empty() {
            return self.inner.put_multipart_opts(location, options).await;
        }
        let dest = self.inner.path_to_filesystem(location)?;
        let disk = Arc::clone(&self.disk);
        blocking(move || {
            let staged = disk.stage(&dest)?;
            Ok(Box::new(DurableUpload::new(disk, staged, dest)) as Box<dyn MultipartUpload>)
        })
        .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    /// Staged uploads, running or left by a crash, are no objects: the inner store leaves out names that end in `#`
    /// and digits.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        // The inner store makes missing folders itself.
        self.disk.forget();
        self.inner.copy_opts(from, to, options).await?;
        self.sync(to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.disk.forget();
        self.inner.rename_opts(from, to, options).await?;
        self.sync(to).await?;
        let old = self.inner.path_to_filesystem(from)?;
        let disk = Arc::clone(&self.disk);
        blocking(move || disk.sync_folders(&old)).await
    }
}

/// The file operations below the store. They block.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    /// Folders known to be durable themselves, so that syncing a new file's own folder is enough.
    synced: Mutex<HashSet<PathBuf>>,
}

/// An object under way: an open file under a name that isn't listed, and that goes when this is dropped.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) file: File,
    path: PathBuf,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // The name is gone already if it was renamed. One that can't be removed costs space and isn't listed.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Disk {
    fn put(&self, dest: &FilePath, payload: &PutPayload, create: bool) -> Result<PutResult> {
        let mut staged = self.stage(dest)?;
        payload.iter().try_for_each(|chunk| staged.file.write_all(chunk)).map_err(|e| failed("write", dest, e))?;
        self.publish(&staged, dest, create)
    }

    /// Opens a new file next to `dest`, in a folder that is made if it is missing.
    pub(super) fn stage(&self, dest: &FilePath) -> Result<Staged> {
        let mut path = dest.as_os_str().to_owned();
        path.push(format!("#{}", Uuid::new_v4().as_u128()));
        let path = PathBuf::from(path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let file = match options.open(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                // Known folders may have been removed since; forget them before any is made anew.
                self.forget();
                let folder = dest.parent().unwrap_or(&self.root);
                std::fs::create_dir_all(folder).map_err(|e| failed("create the folder", folder, e))?;
                options.open(&path)
            }
            other => other,
        };
        Ok(Staged { file: file.map_err(|e| failed("create", dest, e))?, path })
    }

    /// Syncs the staged file, gives it the name `dest`, and syncs the folders. With `create`, `dest` must be free.
    pub(super) fn publish(&self, staged: &Staged, dest: &FilePath, create: bool) -> Result<PutResult> {
        staged.file.sync_all().map_err(|e| failed("sync", dest, e))?;
        if create {
            if let Err(e) = std::fs::hard_link(&staged.path, dest) {
                if e.kind() != ErrorKind::AlreadyExists {
                    return Err(failed("create", dest, e));
                }
                // Whoever put it there may have died before syncing; the caller will build on its being there.
                self.sync_folders(dest)?;
                return Err(object_store::Error::AlreadyExists {
                    path: dest.display().to_string(),
                    source: Box::new(e),
                });
            }
        } else {
            std::fs::rename(&staged.path, dest).map_err(|e| failed("write", dest, e))?;
        }
        self.sync_folders(dest)?;
        Ok(PutResult { e_tag: None, version: None })
    }

    /// Syncs the folder of `file` and, unless they are known to be durable, those above it up to the root.
    fn sync_folders(&self, file: &FilePath) -> Result<()> {
        let mut fresh = Vec::new();
        for folder in file.ancestors().skip(1) {
            let known = self.synced.lock().contains(folder);
            sync_folder(folder).map_err(|e| failed("sync the folder", folder, e))?;
            if known || folder == self.root {
                break;
            }
            fresh.push(folder.to_owned());
        }
        self.synced.lock().extend(fresh);
        Ok(())
    }

    fn forget(&self) {
        self.synced.lock().clear();
    }
}

/// Makes what was created, renamed or removed in a folder durable.
pub(crate) fn sync_folder(folder: &FilePath) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems, most of them remote, can't sync folders and need not.
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}

/// Makes a folder and the missing ones above it, durably.
pub(super) fn create_folder(folder: &FilePath) -> io::Result<()> {
    let folder = std::path::absolute(folder)?;
    let standing = folder.ancestors().find(|above| above.exists()).map(FilePath::to_owned);
    std::fs::create_dir_all(&folder)?;
    for above in folder.ancestors() {
        sync_folder(above)?;
        if standing.as_deref() == Some(above) {
            break;
        }
    }
    Ok(())
}

/// Runs file operations where they may block. They run to their end even if the caller has gone.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}

#[derive(Debug, thiserror::Error)]
#[error("unable to {action} {}: {source}", path.display())]
struct FileError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

pub(super) fn failed(action: &'static str, path: &FilePath, source: io::Error) -> object_store::Error {
    object_store::Error::Generic {
        store: "local folder",
        source: Box::new(FileError { action, path: path.to_owned(), source }),
    }
}

/// A listing by name, as object stores give it and readers of a Delta log rely on; a folder has its own order.
fn sorted(listing: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
    let sorted = async move {
        let mut objects: Vec<ObjectMeta> = listing.try_collect().await?;
        objects.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(futures::stream::iter(objects.into_iter().map(Ok)))
    };
    sorted.try_flatten_stream().boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;
    use object_store::{Error, ObjectStoreExt};

    fn store() -> (tempfile::TempDir, DurableLocal) {
        let folder = tempfile::tempdir().unwrap();
        let store = DurableLocal::new(folder.path()).unwrap();
        (folder, store)
    }

    async fn names(store: &DurableLocal) -> Vec<String> {
        let mut names: Vec<String> =
            store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
        names.sort();
        names
    }

    fn files(folder: &FilePath) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[tokio::test]
    async fn puts_come_back_and_leave_nothing_else() {
        let (folder, store) = store();
        let path = Path::from("a/b/c");
        store.put_opts(&path, "1".into(), PutMode::Create.into()).await.unwrap();
        let again = store.put_opts(&path, "2".into(), PutMode::Create.into()).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })));
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "1");
        store.put(&path, "3".into()).await.unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "3");
        assert_eq!(files(&folder.path().join("a/b")), 1);

        let stale = object_store::UpdateVersion { e_tag: None, version: None };
        assert!(store.put_opts(&path, "4".into(), PutMode::Update(stale).into()).await.is_err());
    }

    #[tokio::test]
    async fn a_folder_that_was_removed_is_made_and_synced_again() {
        let (folder, store) = store();
        let path = Path::from("a/b/c");
        store.put(&path, "1".into()).await.unwrap();
        assert!(store.disk.synced.lock().contains(&store.disk.root.join("a")));
        std::fs::remove_dir_all(folder.path().join("a")).unwrap();
        let staged = store.disk.stage(&store.disk.root.join("a/b/d")).unwrap();
        assert!(store.disk.synced.lock().is_empty());
        store.disk.publish(&staged, &store.disk.root.join("a/b/d"), false).unwrap();
        assert_eq!(names(&store).await, ["a/b/d"]);
    }

    #[tokio::test]
    async fn uploads_appear_when_complete() {
        let (folder, store) = store();
        let path = Path::from("t/file.parquet");
        let mut upload = store.put_multipart(&path).await.unwrap();
        let parts = [upload.put_part("one ".into()), upload.put_part("two".into())];
        // Parts may be written in any order.
        for part in parts.into_iter().rev() {
            part.await.unwrap();
        }
        assert!(names(&store).await.is_empty());
        upload.complete().await.unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "one two");
        assert!(upload.complete().await.is_err());

        let mut aborted = store.put_multipart(&Path::from("t/b")).await.unwrap();
        aborted.put_part("x".into()).await.unwrap();
        aborted.abort().await.unwrap();
        drop(store.put_multipart(&Path::from("t/c")).await.unwrap());
        assert_eq!(files(&folder.path().join("t")), 1);
    }

    #[tokio::test]
    async fn copies_and_renames() {
        let (_folder, store) = store();
        store.put(&Path::from("a"), "1".into()).await.unwrap();
        store.copy(&Path::from("a"), &Path::from("x/b")).await.unwrap();
        store.rename(&Path::from("a"), &Path::from("y/c")).await.unwrap();
        assert_eq!(names(&store).await, ["x/b", "y/c"]);
        store.delete(&Path::from("x/b")).await.unwrap();
        assert_eq!(names(&store).await, ["y/c"]);
    }

    #[tokio::test]
    async fn what_a_crash_leaves_is_not_listed() {
        let (folder, store) = store();
        std::fs::write(folder.path().join("file#123"), "half").unwrap();
        assert!(names(&store).await.is_empty());
        assert!(store.list_with_delimiter(None).await.unwrap().objects.is_empty());
    }
}
