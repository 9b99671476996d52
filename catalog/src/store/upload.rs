//! A large object written part by part to a local folder, durable once complete.

use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart};
use parking_lot::Mutex;

use super::local::{Disk, Staged, blocking, failed};

/// An upload that shows nothing until it is complete and leaves nothing if it is dropped before: the staged file goes
/// with the last part that still writes to it.
#[derive(Debug)]
pub(super) struct DurableUpload {
    disk: Arc<Disk>,
    /// Empty once completed or aborted, so that a late part can't touch the finished object.
    staged: Arc<Mutex<Option<Staged>>>,
    dest: PathBuf,
    /// Where the next part goes, in bytes from the start.
    offset: u64,
}

impl DurableUpload {
    pub(super) fn new(disk: Arc<Disk>, staged: Staged, dest: PathBuf) -> Self {
        Self { disk, staged: Arc::new(Mutex::new(Some(staged))), dest, offset: 0 }
    }
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let offset = self.offset;
        self.offset += data.content_length() as u64;
        let staged = Arc::clone(&self.staged);
        let dest = self.dest.clone();
        blocking(move || {
            let mut staged = staged.lock();
            let Some(Staged { file, .. }) = staged.as_mut() else { return Err(finished()) };
            file.seek(SeekFrom::Start(offset))
                .and_then(|_| data.iter().try_for_each(|chunk| file.write_all(chunk)))
                .map_err(|e| failed("write", &dest, e))
        })
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = Arc::clone(&self.staged);
        let disk = Arc::clone(&self.disk);
        let dest = self.dest.clone();
        blocking(move || {
            let mut slot = staged.lock();
            let Some(staged) = slot.as_ref() else { return Err(finished()) };
            // After a failure the file stays in its slot, and goes with the upload.
            let done = disk.publish(staged, &dest, false)?;
            *slot = None;
            Ok(done)
        })
        .await
    }

    async fn abort(&mut self) -> Result<()> {
        let staged = Arc::clone(&self.staged);
        blocking(move || staged.lock().take().map(drop).ok_or_else(finished)).await
    }
}

fn finished() -> Error {
    Error::Generic { store: "local folder", source: "the upload is already completed or aborted".into() }
}
