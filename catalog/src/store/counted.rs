//! A store that counts what is asked of it: requests, failures and bytes are what clouds bill and operators watch.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

/// What has been asked of a store since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// Reads, whole or of a range; several ranges asked for at once count as one.
    pub gets: u64,
    /// Writes; each part of a large object is one.
    pub puts: u64,
    /// Listings, whatever their length.
    pub lists: u64,
    /// Objects removed.
    pub deletes: u64,
    /// Copies and renames.
    pub copies: u64,
    /// Those of them that failed. A missing object, and one that is there already, are answers, not failures.
    pub failures: u64,
    /// Bytes of the objects and ranges asked for.
    pub bytes_read: u64,
    /// Bytes handed over to be written.
    pub bytes_written: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    gets: AtomicU64,
    puts: AtomicU64,
    lists: AtomicU64,
    deletes: AtomicU64,
    copies: AtomicU64,
    failures: AtomicU64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
}

impl Counts {
    pub(super) fn now(&self) -> Requests {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Requests {
            gets: of(&self.gets),
            puts: of(&self.puts),
            lists: of(&self.lists),
            deletes: of(&self.deletes),
            copies: of(&self.copies),
            failures: of(&self.failures),
            bytes_read: of(&self.bytes_read),
            bytes_written: of(&self.bytes_written),
        }
    }

    fn failed<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome {
            self.fault(error);
        }
        outcome
    }

    fn fault(&self, error: &Error) {
        let answer = matches!(
            error,
            Error::NotFound { .. }
                | Error::AlreadyExists { .. }
                | Error::Precondition { .. }
                | Error::NotModified { .. }
        );
        if !answer {
            add(&self.failures, 1);
        }
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// The store it wraps, counted.
#[derive(Debug)]
pub(super) struct Counted {
    inner: Arc<dyn ObjectStore>,
    counts: Arc<Counts>,
}

impl Counted {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, counts: Arc<Counts>) -> Self {
        Self { inner, counts }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Counted {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        add(&self.counts.puts, 1);
        add(&self.counts.bytes_written, payload.content_length() as u64);
        self.counts.failed(self.inner.put_opts(location, payload, opts).await)
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        add(&self.counts.puts, 1);
        let inner = self.counts.failed(self.inner.put_multipart_opts(location, opts).await)?;
        Ok(Box::new(CountedUpload { inner, counts: Arc::clone(&self.counts) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        add(&self.counts.gets, 1);
        let head = options.head;
        let mut result = self.counts.failed(self.inner.get_opts(location, options).await)?;
        if !head {
            add(&self.counts.bytes_read, result.range.end.saturating_sub(result.range.start));
        }
        if let GetResultPayload::Stream(stream) = result.payload {
            let counts = Arc::clone(&self.counts);
            result.payload = GetResultPayload::Stream(stream.inspect_err(move |e| counts.fault(e)).boxed());
        }
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        add(&self.counts.gets, 1);
        let parts = self.counts.failed(self.inner.get_ranges(location, ranges).await)?;
        add(&self.counts.bytes_read, parts.iter().map(|part| part.len() as u64).sum());
        Ok(parts)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let counts = Arc::clone(&self.counts);
        let counted = move |outcome: Result<Path>| {
            add(&counts.deletes, 1);
            counts.failed(outcome)
        };
        self.inner.delete_stream(locations).map(counted).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        add(&self.counts.lists, 1);
        let counts = Arc::clone(&self.counts);
        self.inner.list(prefix).inspect_err(move |e| counts.fault(e)).boxed()
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        add(&self.counts.lists, 1);
        let counts = Arc::clone(&self.counts);
        self.inner.list_with_offset(prefix, offset).inspect_err(move |e| counts.fault(e)).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        add(&self.counts.lists, 1);
        self.counts.failed(self.inner.list_with_delimiter(prefix).await)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        add(&self.counts.copies, 1);
        self.counts.failed(self.inner.copy_opts(from, to, options).await)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        add(&self.counts.copies, 1);
        self.counts.failed(self.inner.rename_opts(from, to, options).await)
    }
}

/// An upload in parts.
#[derive(Debug)]
struct CountedUpload {
    inner: Box<dyn MultipartUpload>,
    counts: Arc<Counts>,
}

#[async_trait]
impl MultipartUpload for CountedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        add(&self.counts.puts, 1);
        add(&self.counts.bytes_written, data.content_length() as u64);
        let counts = Arc::clone(&self.counts);
        let part = self.inner.put_part(data);
        Box::pin(async move { counts.failed(part.await) })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.counts.failed(self.inner.complete().await)
    }

    async fn abort(&mut self) -> Result<()> {
        self.counts.failed(self.inner.abort().await)
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn counts_what_is_asked() {
        let counts = Arc::new(Counts::default());
        let store = Counted::new(Arc::new(InMemory::new()), Arc::clone(&counts));
        let (there, missing) = (Path::from("a"), Path::from("b"));
        store.put(&there, PutPayload::from_static(b"12345")).await.unwrap();
        store.get(&there).await.unwrap().bytes().await.unwrap();
        store.get_ranges(&there, &[0..2, 3..4]).await.unwrap();
        store.head(&there).await.unwrap();
        // Nothing is there, and the store says so: no failure.
        store.get(&missing).await.unwrap_err();
        store.delete(&there).await.unwrap();
        assert_eq!(store.list(None).count().await, 0);
        let seen = counts.now();
        let expected =
            Requests { gets: 4, puts: 1, lists: 1, deletes: 1, bytes_read: 8, bytes_written: 5, ..Requests::default() };
        assert_eq!(seen, expected);
        // Asked for beyond its end.
        store.put(&there, PutPayload::from_static(b"1")).await.unwrap();
        store.get_range(&there, 5..7).await.unwrap_err();
        assert_eq!(counts.now().failures, 1);
    }
}
