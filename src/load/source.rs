//! One file to load, opened as a stream of its decompressed bytes.

use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
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
    /// Where it is.
    pub(super) place: Place,
    /// Its bytes as stored.
    pub(super) size: u64,
    /// Its format.
    pub(super) format: LoadFormat,
    /// The compression that its name tells of.
    pub(super) compression: Option<Compression>,
    /// Columns and values that its folders give.
    pub(super) hive: Vec<(String, Option<String>)>,
}

/// Where a file is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// On this machine.
    Local(PathBuf),
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
        let mut stored = BufReader::with_capacity(READ, Counted { inner: self.stored().await?, observer });
        let start = stored.fill_buf().await.map_err(|e| self.unreadable(&e))?;
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

    async fn stored(&self) -> Result<Bytes> {
        match &self.place {
            Place::Local(path) => {
                let file = tokio::fs::File::open(path).await.map_err(|e| self.unreadable(&e))?;
                Ok(Box::pin(file))
            }
        }
    }

    /// What reading its bytes failed with.
    pub(super) fn unreadable(&self, error: &std::io::Error) -> Error {
        use std::io::ErrorKind;
        let corrupt = matches!(
            error.kind(),
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof | ErrorKind::Other
        );
        let (sqlstate, what) = match (error.kind(), corrupt) {
            (ErrorKind::NotFound, _) => (SqlState::UNDEFINED_FILE, "could not open"),
            (_, true) => (SqlState::DATA_CORRUPTED, "could not decompress"),
            _ => (SqlState::IO_ERROR, "could not read"),
        };
        Error::new(sqlstate, format!("{what} \"{}\": {error}", self.whole))
    }
}

/// Tells of bytes as they are read.
struct Counted {
    inner: Bytes,
    observer: Option<LoadObserver>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.inner.as_mut().poll_read(cx, buffer);
        let read = buffer.filled().len() - before;
        if let (true, Some(observer)) = (read > 0, &self.observer) {
            observer(LoadEvent::Bytes(read as u64));
        }
        polled
    }
}
