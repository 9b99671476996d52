//! Where a warehouse lives: one folder of one object store, local by default.

mod cloud;
mod counted;
#[cfg(test)]
pub(crate) mod faulty;
mod local;
mod location;
mod probe;
mod upload;

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode};
use url::Url;

pub use counted::Requests;
pub use local::DurableLocal;
pub(crate) use local::sync_folder;
pub use location::{Location, Object, Upload};
pub use probe::probe_conditional_put;

use self::counted::{Counted, Counts};
use crate::error::{Error, Result};

/// Folder of a warehouse that holds everything that isn't a table: log, checkpoints, lease.
pub const SYSTEM_FOLDER: &str = "_audiencedb";

/// Settings for reaching a store, collected by the caller from its configuration and environment.
///
/// Keys are those of the cloud's own tools (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT`, `GOOGLE_APPLICATION_CREDENTIALS`,
/// `AZURE_STORAGE_ACCOUNT_KEY`…), in any case. Keys of another cloud than the one opened are passed over; a key that
/// the opened one doesn't know is named in a warning.
#[derive(Clone, Default)]
pub struct StoreOptions {
    /// Key and value, the later one winning.
    pub settings: Vec<(String, String)>,
}

impl fmt::Debug for StoreOptions {
    /// Keys only: the values are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.settings.iter().map(|(key, _)| key)).finish()
    }
}

/// An open store, rooted at the warehouse's folder: every path is relative to it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    /// Address of the warehouse, ending in `/`, without secrets.
    pub url: Url,
    /// The store itself.
    pub root: Arc<dyn ObjectStore>,
    /// The warehouse's folder, canonical, if it is on this machine.
    pub local: Option<PathBuf>,
    counts: Arc<Counts>,
}

impl Store {
    fn new(url: Url, root: Arc<dyn ObjectStore>, local: Option<PathBuf>) -> Self {
        let counts = Arc::new(Counts::default());
        Self { url, root: Arc::new(Counted::new(root, Arc::clone(&counts))), local, counts }
    }

    /// A store of a test's own, which anybody in the process may open again.
    #[cfg(test)]
    pub(crate) fn of(root: Arc<dyn ObjectStore>) -> Self {
        Self::new(Url::parse("memory:///").unwrap(), root, None)
    }

    /// Opens the warehouse's store.
    ///
    /// `location` is a folder (plain path or `file://`), `memory://`, `s3://bucket/prefix`, `gs://bucket/prefix`,
    /// `az://container/prefix` or `abfss://container@account.dfs.core.windows.net/prefix`. A local folder that is
    /// missing is created if `create`, else [`Error::NotFound`]. Clouds aren't contacted before the first request.
    pub async fn open(location: &str, options: &StoreOptions, create: bool) -> Result<Self> {
        if location.is_empty() {
            return Err(Error::Invalid("the warehouse's location is empty: give a folder or a URL".into()));
        }
        // `s3:/bucket` is a slip of the pen, not a folder, so any known scheme makes it a URL.
        let scheme = location.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        let is_url = location.contains("://")
            || scheme.is_some_and(|scheme| scheme == "file" || scheme == "memory" || cloud::is_scheme(&scheme));
        if !is_url {
            return Self::open_folder(location.into(), create).await;
        }

        let url =
            Url::parse(location).map_err(|e| Error::Invalid(format!("\"{location}\" is not a valid URL: {e}")))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Error::Invalid(format!(
                "the warehouse's location \"{location}\" must end after the path: settings are given apart from it"
            )));
        }
        match url.scheme() {
            "file" => {
                let folder = url.to_file_path().map_err(|()| {
                    Error::Invalid(format!("\"{location}\" is not a local folder: write file:///path"))
                })?;
                Self::open_folder(folder, create).await
            }
            "memory" => match (url.host_str(), url.path()) {
                (None | Some(""), "" | "/") => Ok(Self::new(as_folder(url), Arc::new(InMemory::new()), None)),
                _ => Err(Error::Invalid("a warehouse in memory has no name: write memory://".into())),
            },
            scheme if cloud::is_scheme(scheme) => {
                let root = cloud::open(&url, options)?;
                Ok(Self::new(as_folder(url), root, None))
            }
            scheme => Err(Error::Unsupported(format!(
                "a warehouse can't be kept at \"{scheme}://\": use a folder, memory://, s3://, gs://, az:// or abfss://"
            ))),
        }
    }

    async fn open_folder(folder: PathBuf, create: bool) -> Result<Self> {
        let opened = tokio::task::spawn_blocking(move || Self::open_folder_blocking(&folder, create));
        opened.await.map_err(|e| Error::io("cannot open the warehouse's folder", e.into()))?
    }

    fn open_folder_blocking(folder: &FilePath, create: bool) -> Result<Self> {
        let name = folder.display();
        match std::fs::metadata(folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(Error::Invalid(format!("{name} is a file: a warehouse needs a folder"))),
            Err(e) if e.kind() == ErrorKind::NotFound && create => local::create_folder(folder)
                .map_err(|e| Error::io(format!("cannot create the warehouse's folder {name}"), e))?,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(Error::NotFound { kind: "warehouse", name: name.to_string() });
            }
            Err(e) => return Err(Error::io(format!("cannot open the warehouse's folder {name}"), e)),
        }
        let folder = std::fs::canonicalize(folder)
            .map_err(|e| Error::io(format!("cannot open the warehouse's folder {name}"), e))?;
        let url = Url::from_directory_path(&folder)
            .map_err(|()| Error::Invalid(format!("{} can't be written as a URL", folder.display())))?;
        let store = DurableLocal::new(&folder)
            .map_err(|e| Error::store(format!("cannot open the warehouse's folder {}", folder.display()), e))?;
        Ok(Self::new(url, Arc::new(store), Some(folder)))
    }

    /// What has been asked of it since it was opened.
    pub fn requests(&self) -> Requests {
        self.counts.now()
    }

    /// Whether the warehouse lives in this process's memory and can't be seen by another.
    pub fn is_memory(&self) -> bool {
        self.url.scheme() == "memory"
    }

    /// Reads a whole small object; `None` if there is none.
    pub async fn read(&self, path: &Path) -> Result<Option<Bytes>> {
        let read = async { self.root.get(path).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(Error::store(format!("cannot read {path}"), e)),
        }
    }

    /// Whether an object exists.
    pub async fn exists(&self, path: &Path) -> Result<bool> {
        Ok(self.find(path).await?.is_some())
    }

    /// An object's size and when it was last written; `None` if there is none.
    pub async fn find(&self, path: &Path) -> Result<Option<ObjectMeta>> {
        match self.root.head(path).await {
            Ok(found) => Ok(Some(found)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(Error::store(format!("cannot look for {path}"), e)),
        }
    }

    /// Writes an object that must not exist yet, so that success means: durable, and exactly these bytes.
    ///
    /// Safe to repeat: if the object is there with the same bytes (a retry of a request whose answer was lost) that
    /// is success too. `false` means that other bytes are there. After an error the object may be there or not.
    pub async fn create(&self, path: &Path, bytes: Bytes) -> Result<bool> {
        match self.root.put_opts(path, bytes.clone().into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(self.read(path).await?.is_some_and(|b| b == bytes)),
            Err(e) => Err(Error::store(format!("cannot write {path}"), e)),
        }
    }
}

fn as_folder(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn open(location: &str, create: bool) -> Result<Store> {
        Store::open(location, &StoreOptions::default(), create).await
    }

    #[tokio::test]
    async fn locations() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a b/c");
        let text = folder.to_str().unwrap();
        assert!(matches!(open(text, false).await, Err(Error::NotFound { kind: "warehouse", .. })));
        let store = open(text, true).await.unwrap();
        assert!(store.url.as_str().ends_with("/a%20b/c/"));
        assert_eq!(store.local, Some(std::fs::canonicalize(&folder).unwrap()));
        assert_eq!(open(store.url.as_str(), false).await.unwrap().url, store.url);

        std::fs::write(folder.join("file"), "x").unwrap();
        assert!(matches!(open(folder.join("file").to_str().unwrap(), true).await, Err(Error::Invalid(_))));

        assert!(open("memory://", true).await.unwrap().is_memory());
        assert!(matches!(open("memory://shop", true).await, Err(Error::Invalid(_))));
        assert!(matches!(open("s3:/bucket", true).await, Err(Error::Invalid(_))));
        assert!(matches!(open("s3://bucket/x?region=a", true).await, Err(Error::Invalid(_))));
        assert!(matches!(open("ftp://host/x", true).await, Err(Error::Unsupported(_))));
        assert!(matches!(open("", true).await, Err(Error::Invalid(_))));
    }

    #[tokio::test]
    async fn create_is_repeatable_only_with_the_same_bytes() {
        let store = open("memory://", true).await.unwrap();
        let path = Path::from("a/b");
        assert!(store.create(&path, Bytes::from_static(b"1")).await.unwrap());
        assert!(store.create(&path, Bytes::from_static(b"1")).await.unwrap());
        assert!(!store.create(&path, Bytes::from_static(b"2")).await.unwrap());
        assert_eq!(store.read(&path).await.unwrap().unwrap(), "1");
        assert!(store.read(&Path::from("a/c")).await.unwrap().is_none());
    }
}
