//! One file to load, opened as a stream of its decompressed bytes.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use bytes::{Buf, Bytes as Chunk};
use catalog::store::{Location, Object};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, ReadBuf};

use super::options::{LoadEvent, LoadFormat, LoadObserver};
use crate::error::{Error, Result, SqlState};

/// Bytes read from storage at once.
const READ: usize = 1 << 18;

/// A file to load.
#[derive(Debug, Clone)]
pub(super) struct Input {
    /// What it is called in messages and known by: its name, after the folders that are columns.
    pub(super) name: String,
    /// Its whole path or URL.
    pub(super) whole: String,
    /// Where it was found.
    pub(super) location: Location,
    /// What was found there.
    pub(super) object: Object,
    /// Its bytes as stored.
    pub(super) size: u64,
    /// Its format.
    pub(super) format: LoadFormat,
    /// The compression that its name tells of.
    pub(super) compression: Option<Compression>,
    /// Columns and values that its folders give.
    pub(super) hive: Vec<(String, Option<String>)>,
}

/// How a text file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// A file's decompressed bytes.
pub(super) type Bytes = Pin<Box<dyn AsyncRead + Send>>;

impl Input {
    /// Opens it. What its first bytes are decides the compression; a name that says otherwise is an error.
    /// `observer` is told of the bytes read, as stored.
    pub(super) async fn open(&self, observer: Option<LoadObserver>) -> Result<Bytes> {
        let mut stored = BufReader::with_capacity(
            READ,
            Stored { chunks: self.location.read(&self.object), rest: Chunk::new(), observer },
        );
        let start = stored.fill_buf().await.map_err(|e| self.unreadable(e))?;
        let (found, empty) = (Compression::of(start), start.is_empty());
        match (self.compression, found) {
            (Some(named), found) if found != Some(named) && !empty => {
                let message = format!("\"{}\" is not a {} file", self.whole, named.name());
                Err(Error::new(SqlState::BAD_COPY_FILE_FORMAT, message))
            }
            (_, Some(Compression::Gzip)) => {
                let mut decoder = GzipDecoder::new(stored);
                decoder.multiple_members(true);
                Ok(Box::pin(decoder))
            }
            (_, Some(Compression::Zstd)) => {
                let mut decoder = ZstdDecoder::new(stored);
                decoder.multiple_members(true);
                Ok(Box::pin(decoder))
            }
            (_, None) => Ok(Box::pin(stored)),
        }
    }

    /// What reading its bytes failed with.
    pub(super) fn unreadable(&self, error: std::io::Error) -> Error {
        match error.downcast::<catalog::Error>() {
            Ok(error) => error.into(),
            // Everything that the store did not say was said by the decoder.
            Err(error) => {
                let message = format!("could not decompress \"{}\": {error}", self.whole);
                Error::new(SqlState::DATA_CORRUPTED, message)
            }
        }
    }
}

/// A file's bytes as they are stored; tells of them as they are read.
struct Stored {
    chunks: BoxStream<'static, catalog::Result<Chunk>>,
    rest: Chunk,
    observer: Option<LoadObserver>,
}

impl AsyncRead for Stored {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        while self.rest.is_empty() {
            match self.chunks.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(chunk))) => {
                    if let Some(observer) = &self.observer {
                        observer(LoadEvent::Bytes(chunk.len() as u64));
                    }
                    self.rest = chunk;
                }
                Poll::Ready(Some(Err(e))) => return Poll::Ready(Err(std::io::Error::other(e))),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
        let length = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..length]);
        self.rest.advance(length);
        Poll::Ready(Ok(()))
    }
}
