//! COPY from and to the caller: what `Session::execute` hands over while its statement is still running.
//!
//! Rows that come in go through a short queue to the threads that read, sort and write them, so that a caller who is
//! faster than the disk waits. Nothing of them is in the table before [`Session::finish_copy`] has returned.

use std::future::Future;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use catalog::objects::ObjectId;
use futures::StreamExt;
use tokio::sync::mpsc;

use super::{Execution, Rows, Session};
use crate::copy::Encoder;
use crate::error::{Error, Result};
use crate::statement::table::Checked;
use crate::values::encode::BatchEncoder;

/// Small pieces are put together to so many bytes before they go into the queue.
const PIECE: usize = 256 << 10;
/// Pieces in the queue.
pub(crate) const QUEUE: usize = 4;

type Work = Pin<Box<dyn Future<Output = Result<Checked>> + Send>>;

/// `COPY … FROM STDIN` that waits for its data: [`CopyIn::write`], then [`Session::finish_copy`]. Dropped before
/// that, nothing of it stays.
pub struct CopyIn {
    /// Dropped first, so that the end of the queue is not taken for the end of the data. Empty once it has failed.
    work: Option<Work>,
    queue: mpsc::Sender<Bytes>,
    buffer: BytesMut,
    table: ObjectId,
    binary: bool,
    columns: usize,
    failure: Option<Error>,
}

impl std::fmt::Debug for CopyIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CopyIn").field("binary", &self.binary).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl CopyIn {
    pub(crate) fn new(
        work: impl Future<Output = Result<Checked>> + Send + 'static,
        queue: mpsc::Sender<Bytes>,
        table: ObjectId,
        binary: bool,
        columns: usize,
    ) -> Self {
        Self { work: Some(Box::pin(work)), queue, buffer: BytesMut::new(), table, binary, columns, failure: None }
    }

    /// Whether the data is in the binary format.
    pub fn is_binary(&self) -> bool {
        self.binary
    }

    /// The number of columns that are filled.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Takes the next piece of the data, of any size and cut anywhere.
    ///
    /// # Errors
    /// What is wrong with the data so far, or 57014 if the statement was cancelled or is out of time. Give it to
    /// [`Session::fail_copy`].
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if self.buffer.is_empty() && bytes.len() >= PIECE {
            return self.send(bytes).await;
        }
        self.buffer.extend_from_slice(&bytes);
        if self.buffer.len() < PIECE {
            return Ok(());
        }
        let piece = self.buffer.split().freeze();
        self.send(piece).await
    }

    async fn send(&mut self, piece: Bytes) -> Result<()> {
        let queue = self.queue.clone();
        tokio::select! {
            biased;
            error = self.failure() => Err(error),
            sent = queue.send(piece) => match sent {
                Ok(()) => Ok(()),
                // Whoever reads has gone: its outcome says why.
                Err(_) => Err(self.failure().await),
            },
        }
    }

    /// Waits until the statement fails; it does not end otherwise before its data does.
    pub(crate) async fn failure(&mut self) -> Error {
        if let Some(work) = &mut self.work {
            let outcome = work.await;
            self.work = None;
            self.failure = Some(match outcome {
                Err(error) => error,
                Ok(_) => Error::internal("COPY ended before its data"),
            });
        }
        self.failure.clone().unwrap_or_else(|| Error::internal("COPY is over"))
    }

    /// The rows, written and not yet committed.
    async fn end(mut self) -> Result<(ObjectId, Checked)> {
        if !self.buffer.is_empty() {
            let piece = self.buffer.split().freeze();
            self.send(piece).await?;
        }
        let Self { work, queue, table, failure, .. } = self;
        drop(queue);
        match work {
            Some(work) => Ok((table, work.await?)),
            None => Err(failure.unwrap_or_else(|| Error::internal("COPY is over"))),
        }
    }
}

/// `COPY … TO STDOUT`: the data, piece by piece. Dropping it stops the work.
pub struct CopyOut {
    rows: Rows,
    encoder: Encoder,
    batch: Option<BatchEncoder>,
    binary: bool,
    columns: usize,
    /// The header has gone out.
    begun: bool,
    /// The trailer has.
    ended: bool,
    sent: u64,
}

impl std::fmt::Debug for CopyOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CopyOut").field("binary", &self.binary).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl CopyOut {
    pub(crate) fn new(rows: Rows, encoder: Encoder, binary: bool) -> Self {
        let columns = rows.schema.fields().len();
        Self { rows, encoder, batch: None, binary, columns, begun: false, ended: false, sent: 0 }
    }

    /// Whether the data is in the binary format.
    pub fn is_binary(&self) -> bool {
        self.binary
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The next piece of the data; `None` when that was all.
    ///
    /// # Errors
    /// What the query meets; nothing follows it.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        let mut piece = BytesMut::new();
        match self.piece(&mut piece).await {
            Ok(()) if piece.is_empty() => None,
            Ok(()) => Some(Ok(piece.freeze())),
            Err(error) => Some(Err(error)),
        }
    }

    async fn piece(&mut self, out: &mut BytesMut) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        match self.advance().await? {
            Some(rows) => {
                self.header(out)?;
                for row in 0..rows {
                    self.row(row, out)?;
                }
                Ok(())
            }
            None => self.trailer(out),
        }
    }

    /// Goes on to the next batch with rows; how many it has, `None` at the end.
    pub(crate) async fn advance(&mut self) -> Result<Option<usize>> {
        while let Some(batch) = self.rows.next().await {
            let batch = batch?;
            if batch.num_rows() > 0 {
                self.batch = Some(self.encoder.batch(&batch)?);
                return Ok(Some(batch.num_rows()));
            }
        }
        self.batch = None;
        Ok(None)
    }

    /// Appends what stands before the rows, the first time.
    pub(crate) fn header(&mut self, out: &mut BytesMut) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) { Ok(()) } else { self.encoder.header(out) }
    }

    /// Appends a row of the batch. In the binary format the header is part of the first row, as in PostgreSQL.
    pub(crate) fn row(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.header(out)?;
        let batch = self.batch.as_ref().ok_or_else(|| Error::internal("a row was asked of no batch"))?;
        self.encoder.row(batch, row, out)?;
        self.sent += 1;
        Ok(())
    }

    /// Appends what stands behind the rows, and the header if there were none.
    pub(crate) fn trailer(&mut self, out: &mut BytesMut) -> Result<()> {
        self.header(out)?;
        self.ended = true;
        self.encoder.trailer(out);
        Ok(())
    }

    /// The command tag after the rows so far.
    pub fn tag(&self) -> String {
        self.rows.tag(self.sent)
    }
}

impl Session {
    /// Ends a COPY whose data has been written: its rows are part of the transaction, and committed if that is the
    /// statement's own.
    ///
    /// # Errors
    /// What is wrong with the data, keys that exist, and what committing meets; then nothing of it stays.
    pub async fn finish_copy(&mut self, copy: CopyIn) -> Result<Execution> {
        let outcome = match copy.end().await {
            Ok((table, checked)) => {
                let rows = checked.written.rows;
                self.work()
                    .map(|work| work.append(table, checked.written, Vec::new(), checked.checked_at))
                    .map(|()| Execution::done(format!("COPY {rows}")))
            }
            Err(error) => Err(error),
        };
        self.settle(outcome).await
    }

    /// Ends a COPY that failed for `error`, as [`CopyIn::write`] returned it or for a reason of the caller's. Returns
    /// the error to report.
    pub async fn fail_copy(&mut self, copy: CopyIn, error: Error) -> Error {
        drop(copy);
        match self.settle(Err(error)).await {
            Err(error) => error,
            Ok(_) => Error::internal("a COPY that failed has succeeded"),
        }
    }
}
