//! Finds out whether a store keeps the promise that every commit rests on: one winner per object name.

use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutResult};
use uuid::Uuid;

use super::{SYSTEM_FOLDER, Store};
use crate::error::{Error, Result};

/// Checks with a small throw-away object that the store refuses to create what exists and, where the lease needs it
/// (not in a local folder, which is locked instead), to update what has changed. A store that accepts either is
/// refused with [`Error::Unsupported`]: two writers could overwrite each other's commits there.
pub async fn probe_conditional_put(store: &Store) -> Result<()> {
    let path = Path::from(format!("{SYSTEM_FOLDER}/probe/{}", Uuid::new_v4()));
    let verdict = probe(store, &path).await;
    if let Err(e) = store.root.delete(&path).await {
        // Harmless for the warehouse, and after a failed probe there may be nothing to delete.
        tracing::warn!("cannot delete the probe object {path}: {e}");
    }
    verdict
}

async fn probe(store: &Store, path: &Path) -> Result<()> {
    let first = put(store, path, PutMode::Create)
        .await?
        .ok_or_else(|| refused(store, "it says that a new object exists already"))?;
    if put(store, path, PutMode::Create).await?.is_some() {
        return Err(refused(store, "it overwrites an object that was to be created"));
    }
    if store.local.is_some() {
        return Ok(());
    }
    let old = PutMode::Update(first.into());
    if put(store, path, old.clone()).await?.is_none() {
        return Err(refused(store, "it refuses to update an object that hasn't changed"));
    }
    if put(store, path, old).await?.is_some() {
        return Err(refused(store, "it overwrites an object that has changed"));
    }
    Ok(())
}

/// `None` if the store refused because of the condition. Every put has its own content, so its own ETag too.
async fn put(store: &Store, path: &Path, mode: PutMode) -> Result<Option<PutResult>> {
    let content = Uuid::new_v4().to_string();
    match store.root.put_opts(path, content.into(), mode.into()).await {
        Ok(done) => Ok(Some(done)),
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(None),
        Err(e @ (StoreError::NotImplemented { .. } | StoreError::NotSupported { .. })) => {
            Err(refused(store, &e.to_string()))
        }
        Err(e) => Err(Error::store(format!("cannot write {path}"), e)),
    }
}

fn refused(store: &Store, why: &str) -> Error {
    Error::Unsupported(format!(
        "{} can't hold a warehouse that is written to, since it lacks conditional put ({why}): turn that on, or use \
         another store",
        store.url
    ))
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::Arc;

    use async_trait::async_trait;
    use futures::StreamExt;
    use futures::stream::BoxStream;
    use object_store::memory::InMemory;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
        PutOptions, PutPayload,
    };
    use url::Url;

    use super::*;
    use crate::store::StoreOptions;

    /// A store that takes one kind of conditional put for a plain one, as some S3 look-alikes do.
    #[derive(Debug)]
    struct Careless {
        inner: InMemory,
        creates: bool,
    }

    impl fmt::Display for Careless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "Careless")
        }
    }

    #[async_trait]
    impl ObjectStore for Careless {
        async fn put_opts(
            &self,
            location: &Path,
            payload: PutPayload,
            mut options: PutOptions,
        ) -> object_store::Result<PutResult> {
            if self.creates == matches!(options.mode, PutMode::Create) {
                options.mode = PutMode::Overwrite;
            }
            self.inner.put_opts(location, payload, options).await
        }

        async fn put_multipart_opts(
            &self,
            location: &Path,
            options: PutMultipartOptions,
        ) -> object_store::Result<Box<dyn MultipartUpload>> {
            self.inner.put_multipart_opts(location, options).await
        }

        async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
            self.inner.get_opts(location, options).await
        }

        fn delete_stream(
            &self,
            locations: BoxStream<'static, object_store::Result<Path>>,
        ) -> BoxStream<'static, object_store::Result<Path>> {
            self.inner.delete_stream(locations)
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
            self.inner.list(prefix)
        }

        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
            self.inner.list_with_delimiter(prefix).await
        }

        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
            self.inner.copy_opts(from, to, options).await
        }
    }

    #[tokio::test]
    async fn accepts_memory_and_folders_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for location in ["memory://", folder.path().to_str().unwrap()] {
            let store = Store::open(location, &StoreOptions::default(), true).await.unwrap();
            probe_conditional_put(&store).await.unwrap();
            assert_eq!(store.root.list(None).count().await, 0);
        }
    }

    #[tokio::test]
    async fn refuses_a_store_that_ignores_conditions() {
        for creates in [true, false] {
            let inner: Arc<dyn ObjectStore> = Arc::new(Careless { inner: InMemory::new(), creates });
            let store = Store::new(Url::parse("s3://careless/").unwrap(), inner, None);
            let error = probe_conditional_put(&store).await.unwrap_err();
            assert!(matches!(error, Error::Unsupported(_)), "{error}");
        }
    }
}
