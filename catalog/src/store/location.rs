//! Files outside of the warehouse, where COPY and `audiencedb load` read and write: one object, the objects below a
//! folder, or those that match a pattern.
//!
//! Local paths and the URLs of the same clouds that can hold a warehouse, reached with the same settings. What is
//! written is there whole or not at all: [`Upload`] shows nothing before it is finished.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path as FilePath, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use glob::{MatchOptions, Pattern};
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWrite;
use url::Url;

use super::local::DurableLocal;
use super::{StoreOptions, cloud};
use crate::error::{Error, Result};

/// Bytes of one request. Objects are read in ranges, so that a reader that takes its time holds no request open.
const RANGE: u64 = 4 << 20;
/// Ranges that are asked for before the one in hand is used up.
const RANGES_AHEAD: usize = 2;
/// Bytes of one part of an upload. Stores take ten thousand parts at most.
const PART: usize = 16 << 20;
/// Parts under way at a time.
const PARTS_AHEAD: usize = 2;

const READING: &str = "reading";
const WRITING: &str = "writing";

/// A place outside of the warehouse, not yet looked at.
#[derive(Debug, Clone)]
pub struct Location {
    /// As it was given.
    text: String,
    /// What stands before the keys of objects there: `/`, or `s3://bucket/`.
    base: String,
    /// The key, or a prefix or pattern of keys.
    key: String,
    store: Arc<dyn ObjectStore>,
    store_url: ObjectStoreUrl,
    /// The path, if it is on this machine.
    local: Option<PathBuf>,
}

/// An object that was found at a location.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its path or URL, for people and as text to open it again.
    pub name: String,
    /// Its path within the store: of the file system, or of the bucket.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: DateTime<Utc>,
    meta: ObjectMeta,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Location {
    /// A path of this machine, `file:///path`, `s3://bucket/key`, `gs://bucket/key`, `az://container/key` or
    /// `abfss://container@account.dfs.core.windows.net/key`. Keys are taken as they are written, `%` included; they
    /// may hold `*`, `?`, `[…]` and `**` where [`Location::list`] is asked. Nothing is contacted.
    ///
    /// # Errors
    /// [`Error::Invalid`] and [`Error::Unsupported`] for what is no such place.
    pub fn open(text: &str, options: &StoreOptions) -> Result<Self> {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("file") => {
                let invalid = || Error::Invalid(format!("\"{text}\" is not a local file: write file:///path"));
                let url = Url::parse(text).map_err(|_| invalid())?;
                if url.query().is_some() || url.fragment().is_some() {
                    return Err(Error::Invalid(format!(
                        "\"{text}\" must end after the path: write ? as %3F, # as %23"
                    )));
                }
                Self::local(text, &url.to_file_path().map_err(|()| invalid())?)
            }
            Some(scheme) if cloud::is_scheme(scheme) => Self::cloud(text, options),
            _ if text.contains("://") => {
                let message =
                    format!("files can't be reached at \"{text}\": use a path, file://, s3://, gs:// or az://");
                Err(Error::Unsupported(message))
            }
            _ => Self::local(text, FilePath::new(text)),
        }
    }

    fn local(text: &str, path: &FilePath) -> Result<Self> {
        let wrong = |e: &dyn fmt::Display| Error::Invalid(format!("\"{text}\" is not the name of a file: {e}"));
        if text.is_empty() || text.contains('\0') {
            return Err(wrong(&"it is empty, or has a zero byte"));
        }
        let path = std::path::absolute(path).map_err(|e| wrong(&e))?;
        let key = path.to_str().ok_or_else(|| wrong(&"it is not UTF-8"))?;
        Ok(Self {
            text: text.to_owned(),
            base: "/".to_owned(),
            key: key.trim_start_matches('/').to_owned(),
            store: Arc::new(LocalFileSystem::new()),
            store_url: ObjectStoreUrl::local_filesystem(),
            local: Some(path),
        })
    }

    fn cloud(text: &str, options: &StoreOptions) -> Result<Self> {
        let invalid = |why: &str| Error::Invalid(format!("\"{text}\" doesn't say which object is meant: {why}"));
        let (scheme, rest) = text.split_once("://").ok_or_else(|| invalid("write scheme://bucket/key"))?;
        let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket = format!("{}://{authority}/", scheme.to_ascii_lowercase());
        let url = Url::parse(&bucket).map_err(|e| invalid(&e.to_string()))?;
        if url.host_str().is_none_or(str::is_empty) || url.path() != "/" || url.password().is_some() {
            return Err(invalid("write scheme://bucket/key, and give secrets apart from it"));
        }
        let store = cloud::open(&url, options)?;
        let store_url = ObjectStoreUrl::parse(url.as_str())?;
        Ok(Self { text: text.to_owned(), base: bucket, key: key.to_owned(), store, store_url, local: None })
    }

    /// Whether the name has a character that stands for others.
    pub fn is_pattern(&self) -> bool {
        self.key.contains(['*', '?', '['])
    }

    /// The path, if it is on this machine.
    pub fn local_path(&self) -> Option<&FilePath> {
        self.local.as_deref()
    }

    /// What stands before the keys of objects there: `/`, or `s3://bucket/`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Lets plans read objects of this place, by their [`Object::name`] or by their key below the URL that is returned.
    pub fn register(&self, runtime: &RuntimeEnv) -> ObjectStoreUrl {
        runtime.register_object_store(self.store_url.as_ref(), Arc::clone(&self.store));
        self.store_url.clone()
    }

    /// The object of exactly this name.
    ///
    /// # Errors
    /// [`Error::File`] if there is none, or it is a folder, or may not be read.
    pub async fn object(&self) -> Result<Object> {
        if let Some(path) = self.local.clone() {
            // The store's own errors don't say what the system said.
            let found = tokio::task::spawn_blocking(move || std::fs::File::open(&path)?.metadata()).await;
            let found = found.map_err(io::Error::from).and_then(|found| found);
            let found = found.map_err(|e| Error::file(&self.text, READING, &e))?;
            if found.is_dir() {
                return Err(Error::file(&self.text, READING, &ErrorKind::IsADirectory.into()));
            }
            if !found.is_file() {
                return Err(Error::Unsupported(format!("\"{self}\" is neither a file nor a folder")));
            }
        }
        let meta = self.store.head(&self.path(&self.key)?).await.map_err(|e| self.failed(READING, e))?;
        Ok(self.found(meta))
    }

    /// The objects meant: the one of that name; else those that match, if it is a pattern; else all below, if it is a
    /// folder. By name, without empty ones and those that other tools hide (a part of the name begins with `.` or
    /// `_`).
    ///
    /// # Errors
    /// [`Error::File`] if there is none.
    pub async fn list(&self) -> Result<Vec<Object>> {
        let folder = self.key.is_empty() || self.key.ends_with('/');
        if !folder {
            match self.object().await {
                Err(Error::File { kind: ErrorKind::NotFound | ErrorKind::IsADirectory, .. }) => {}
                found => return Ok(vec![found?]),
            }
        }
        let (prefix, pattern) = if self.is_pattern() {
            let wrong = |e| Error::Invalid(format!("\"{self}\" is not a pattern of names: {e}"));
            let before = self.key.find(['*', '?', '[']).map_or("", |at| &self.key[..at]);
            let whole = self.key.trim_end_matches('/');
            (before.rsplit_once('/').map_or("", |(folders, _)| folders), Some(Pattern::new(whole).map_err(wrong)?))
        } else {
            (self.key.trim_end_matches('/'), None)
        };
        let prefix = self.path(prefix)?;
        let options =
            MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
        // A pattern may match folders: then what is below them is meant.
        let matches = |pattern: &Pattern, key: &str| {
            let folders = key.match_indices('/').map(|(at, _)| &key[..at]);
            pattern.matches_with(key, options) || folders.into_iter().any(|key| pattern.matches_with(key, options))
        };
        let mut found = Vec::new();
        let mut listing = self.store.list(Some(&prefix));
        while let Some(meta) = listing.try_next().await.map_err(|e| self.failed(READING, e))? {
            let key = meta.location.as_ref();
            let below = key.strip_prefix(prefix.as_ref()).unwrap_or(key);
            let hidden = below.split('/').any(|part| part.starts_with(['.', '_']));
            if meta.size > 0 && !hidden && pattern.as_ref().is_none_or(|pattern| matches(pattern, key)) {
                found.push(self.found(meta));
            }
        }
        if found.is_empty() {
            return Err(Error::file(&self.text, READING, &ErrorKind::NotFound.into()));
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    /// The bytes of an object that was found here, from front to back. They are those of one version: an object that
    /// is replaced meanwhile is an error where the store can tell.
    pub fn read(&self, object: &Object) -> BoxStream<'static, Result<Bytes>> {
        let (size, location, tag) = (object.size, object.meta.location.clone(), object.meta.e_tag.clone());
        let (store, name) = (Arc::clone(&self.store), object.name.clone());
        let starts = (0..size.div_ceil(RANGE)).map(move |n| n * RANGE);
        futures::stream::iter(starts)
            .map(move |start| {
                let (store, location, name) = (Arc::clone(&store), location.clone(), name.clone());
                let range = GetRange::Bounded(start..(start + RANGE).min(size));
                let options = GetOptions { range: Some(range), if_match: tag.clone(), ..GetOptions::default() };
                async move {
                    let bytes = async { store.get_opts(&location, options).await?.bytes().await };
                    bytes.await.map_err(|e| failed(&name, READING, e))
                }
            })
            .buffered(RANGES_AHEAD)
            .boxed()
    }

    /// Begins to write the object of exactly this name, replacing one that is there once it is finished.
    ///
    /// # Errors
    /// [`Error::File`] for a local file whose folder is missing or may not be written, or which is a folder itself.
    pub async fn create(&self) -> Result<Upload> {
        let (store, location): (Arc<dyn ObjectStore>, Path) = match &self.local {
            None if self.key.is_empty() || self.key.ends_with('/') => {
                return Err(Error::file(&self.text, WRITING, &ErrorKind::IsADirectory.into()));
            }
            None => (Arc::clone(&self.store), self.path(&self.key)?),
            Some(path) => {
                if path.is_dir() || self.text.ends_with('/') {
                    return Err(Error::file(&self.text, WRITING, &ErrorKind::IsADirectory.into()));
                }
                let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
                else {
                    return Err(Error::file(&self.text, WRITING, &ErrorKind::IsADirectory.into()));
                };
                // The store would make the folder; a slip in its name must not.
                std::fs::metadata(folder).map_err(|e| Error::file(&self.text, WRITING, &e))?;
                let store = DurableLocal::new(folder).map_err(|e| self.failed(WRITING, e))?;
                (Arc::new(store), self.path(name)?)
            }
        };
        let writer = BufWriter::with_capacity(store, location, PART).with_max_concurrency(PARTS_AHEAD);
        Ok(Upload { name: self.text.clone(), writer: Some(writer) })
    }

    fn path(&self, key: &str) -> Result<Path> {
        Path::parse(key).map_err(|e| Error::Invalid(format!("\"{self}\" is not the name of an object: {e}")))
    }

    fn found(&self, meta: ObjectMeta) -> Object {
        let key = meta.location.to_string();
        Object { name: format!("{}{key}", self.base), key, size: meta.size, modified: meta.last_modified, meta }
    }

    fn failed(&self, purpose: &'static str, e: object_store::Error) -> Error {
        failed(&self.text, purpose, e)
    }
}

/// A store's error as one about a file.
fn failed(name: &str, purpose: &'static str, e: object_store::Error) -> Error {
    let kind = match &e {
        object_store::Error::NotFound { .. } => Some(ErrorKind::NotFound),
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            Some(ErrorKind::PermissionDenied)
        }
        _ => None,
    };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&e);
    while let Some(error) = cause {
        match error.downcast_ref::<io::Error>() {
            // What the system said is shorter and better known than what was wrapped round it.
            Some(io) if io.raw_os_error().is_some() => return Error::file(name, purpose, io),
            _ => cause = error.source(),
        }
    }
    match kind {
        Some(kind) => Error::file(name, purpose, &kind.into()),
        None => Error::file(name, purpose, &io::Error::other(e)),
    }
}

/// An object that is being written: `AsyncWrite`, then [`Upload::finish`]. Dropped before that, it was never there.
pub struct Upload {
    name: String,
    /// Empty once finished.
    writer: Option<BufWriter>,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Upload {
    /// Appends bytes, waiting for the store where it is slow.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Err(Error::Internal("an upload was written twice".into())) };
        writer.put(bytes).await.map_err(|e| failed(&self.name, WRITING, e))
    }

    /// Makes the object visible, whole and durable.
    pub async fn finish(mut self) -> Result<()> {
        // After an error there is nothing left to abandon: the store has refused the parts as a whole.
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        let done = tokio::io::AsyncWriteExt::shutdown(&mut writer).await;
        done.map_err(|e| match e.downcast::<object_store::Error>() {
            Ok(e) => failed(&self.name, WRITING, e),
            Err(e) => Error::file(&self.name, WRITING, &e),
        })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else { return };
        // A cloud keeps the parts of an upload that nobody ends. Without a runtime nothing more can be asked of it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(e) = writer.abort().await {
                    tracing::warn!(error = %e, "an unfinished upload could not be abandoned");
                }
            });
        }
    }
}

impl AsyncWrite for Upload {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.writer {
            Some(writer) => Pin::new(writer).poll_write(context, bytes),
            None => Poll::Ready(Err(ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.writer {
            Some(writer) => Pin::new(writer).poll_flush(context),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Does nothing: whoever writes through this does not decide whether the whole is good.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn at(path: &FilePath) -> Location {
        Location::open(path.to_str().unwrap(), &StoreOptions::default()).unwrap()
    }

    fn kind<T>(outcome: Result<T>) -> Option<ErrorKind> {
        match outcome {
            Err(Error::File { kind, .. }) => Some(kind),
            _ => None,
        }
    }

    async fn names(location: &Location, below: &FilePath) -> Vec<String> {
        let below = format!("{}/", below.display());
        location.list().await.unwrap().into_iter().map(|object| object.name.replace(&below, "")).collect()
    }

    #[tokio::test]
    async fn files_folders_and_patterns() {
        let base = tempfile::tempdir().unwrap();
        let folder = std::fs::canonicalize(base.path()).unwrap();
        for name in ["a.csv", "b.csv", "c.txt", "day=1/x y.csv", "day=2/z.csv", "_tmp/h.csv", ".h.csv", "[1].csv"] {
            std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            std::fs::write(folder.join(name), "x").unwrap();
        }
        std::fs::write(folder.join("empty.csv"), "").unwrap();
        assert_eq!(names(&at(&folder.join("*.csv")), &folder).await, ["[1].csv", "a.csv", "b.csv"]);
        assert_eq!(names(&at(&folder.join("day=*/*")), &folder).await, ["day=1/x y.csv", "day=2/z.csv"]);
        assert_eq!(names(&at(&folder.join("day=*")), &folder).await, ["day=1/x y.csv", "day=2/z.csv"]);
        assert_eq!(names(&at(&folder.join("**/?.csv")), &folder).await, ["a.csv", "b.csv", "day=2/z.csv"]);
        assert_eq!(names(&at(&folder.join("[1].csv")), &folder).await, ["[1].csv"], "the exact name comes first");
        assert_eq!(names(&at(&folder), &folder).await.len(), 6);
        assert_eq!(kind(at(&folder.join("*.parquet")).list().await), Some(ErrorKind::NotFound));
        assert_eq!(kind(at(&folder.join("none")).object().await), Some(ErrorKind::NotFound));
        assert_eq!(kind(at(&folder).object().await), Some(ErrorKind::IsADirectory));
        let url = format!("file://{}/day=1/x%20y.csv", folder.display());
        assert_eq!(Location::open(&url, &StoreOptions::default()).unwrap().object().await.unwrap().size, 1);
    }

    #[tokio::test]
    async fn what_is_written_appears_whole_or_not_at_all() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("out.bin");
        let location = at(&file);
        let bytes: Vec<u8> = (0..40 << 20).map(|n: u32| (n % 251) as u8).collect();
        let mut upload = location.create().await.unwrap();
        upload.write_all(&bytes[..30 << 20]).await.unwrap();
        assert!(!file.exists());
        drop(upload);
        let mut upload = location.create().await.unwrap();
        upload.write_all(&bytes).await.unwrap();
        upload.finish().await.unwrap();
        let object = location.object().await.unwrap();
        let read: Vec<Bytes> = location.read(&object).try_collect().await.unwrap();
        assert!(read.concat() == bytes, "what is read is what was written");
        assert!(read.iter().all(|chunk| chunk.len() as u64 <= RANGE));
        std::fs::write(&file, "shorter").unwrap();
        let outcome: Result<Vec<Bytes>> = location.read(&object).try_collect().await;
        assert!(outcome.is_err(), "a replaced file is not read on");
        assert_eq!(kind(at(&base.path().join("none/out")).create().await), Some(ErrorKind::NotFound));
        assert_eq!(kind(at(base.path()).create().await), Some(ErrorKind::IsADirectory));
        // The staged file of the upload that was dropped goes as soon as its last part is written.
        for _ in 0..100 {
            if std::fs::read_dir(base.path()).unwrap().count() == 1 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("an unfinished upload left a file");
    }

    #[test]
    fn places_that_are_none() {
        let open = |text: &str| Location::open(text, &StoreOptions::default());
        for text in ["", "s3:/bucket/key", "s3:///key", "s3://user:secret@bucket/key", "file://host/x", "file:///a?b"] {
            assert!(matches!(open(text), Err(Error::Invalid(_))), "{text}");
        }
        for text in ["http://host/file", "memory://x", "ftp://x/y"] {
            assert!(matches!(open(text), Err(Error::Unsupported(_))), "{text}");
        }
        let found = open("s3://bucket/a b/100%/x?.csv").unwrap();
        assert_eq!((found.key.as_str(), found.base.as_str()), ("a b/100%/x?.csv", "s3://bucket/"));
        assert!(found.is_pattern());
    }
}
