//! A store for tests that fails as networks do: before or after the effect, without an answer, or too late.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, future};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Random numbers that come again with their seed.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    /// A number below `sides`.
    pub(crate) fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// One client's way to a store that others have their own ways to.
#[derive(Debug)]
pub(crate) struct Faulty {
    pub(crate) inner: Arc<InMemory>,
    dice: Mutex<Dice>,
    /// Faults in a thousand requests.
    rate: u64,
    /// Puts that the client has given up and that are still under way.
    late: Mutex<Vec<(Path, PutPayload, PutOptions)>>,
    /// Told when a request is never answered: whoever waits for it waits for ever.
    pub(crate) hung: Notify,
    /// Whether requests may stay without an answer.
    pub(crate) may_hang: AtomicBool,
    /// The process is gone: what it had under way asks for nothing any more.
    pub(crate) dead: AtomicBool,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<InMemory>, seed: u64, rate: u64) -> Self {
        Self {
            inner,
            dice: Mutex::new(Dice::new(seed)),
            rate,
            late: Mutex::default(),
            hung: Notify::new(),
            may_hang: AtomicBool::new(true),
            dead: AtomicBool::new(false),
        }
    }

    fn fails(&self) -> bool {
        self.dice.lock().below(1000) < self.rate
    }

    fn below(&self, sides: u64) -> u64 {
        self.dice.lock().below(sides)
    }

    /// Lets those of the puts that were given up arrive whose time has come.
    pub(crate) async fn arrive(&self) {
        let due = if self.below(4) == 0 { self.late.lock().pop() } else { None };
        if let Some((location, payload, options)) = due {
            // Nobody waits for the answer.
            let _ = self.inner.put_opts(&location, payload, options).await;
        }
    }

    async fn asked(&self) {
        if self.dead.load(Ordering::Relaxed) {
            future::pending::<()>().await;
        }
    }

    async fn answer<T>(&self, outcome: Result<T>) -> Result<T> {
        if !self.fails() {
            return outcome;
        }
        if self.below(8) == 0 && self.may_hang.load(Ordering::Relaxed) {
            self.hung.notify_one();
            future::pending::<()>().await;
        }
        Err(lost())
    }
}

fn lost() -> Error {
    Error::Generic { store: "faulty", source: "the connection was lost".into() }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.asked().await;
        self.arrive().await;
        if self.fails() {
            // Only what is put if absent can be late: the lease keeps everything else to one writer.
            if self.below(2) == 0 && options.mode == PutMode::Create {
                self.late.lock().push((location.clone(), payload, options));
            }
            return Err(lost());
        }
        let outcome = self.inner.put_opts(location, payload, options).await;
        self.answer(outcome).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.asked().await;
        self.arrive().await;
        let outcome = self.inner.get_opts(location, options).await;
        self.answer(outcome).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        if self.dead.load(Ordering::Relaxed) {
            return stream::pending().boxed();
        }
        if self.fails() { stream::iter([Err(lost())]).boxed() } else { self.inner.delete_stream(locations) }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.dead.load(Ordering::Relaxed) {
            return stream::pending().boxed();
        }
        let listing = self.inner.list(prefix);
        // It breaks off in the middle.
        if self.fails() { listing.take(1).chain(stream::iter([Err(lost())])).boxed() } else { listing }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let outcome = self.inner.list_with_delimiter(prefix).await;
        self.answer(outcome).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let outcome = self.inner.copy_opts(from, to, options).await;
        self.answer(outcome).await
    }
}
