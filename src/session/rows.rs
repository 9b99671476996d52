//! The rows of a running statement, batch by batch.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use futures::{Stream, StreamExt};

use super::running::Running;
use crate::engine::activity::Backend;
use crate::error::Result;

/// A result as it is produced. Holds a batch at a time; dropping it stops the work behind it.
pub struct Rows {
    /// The columns, as announced.
    pub schema: SchemaRef,
    /// The statement's name in its command tag: `SELECT`, `EXPLAIN`, `SHOW`.
    pub command: &'static str,
    /// A client that does not choose gets them in the binary format.
    pub(crate) binary: bool,
    stream: Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>,
    /// The statement, for a client that suspended it and comes back.
    pub(super) running: Running,
    /// The session, which rests when the rows are gone.
    pub(super) backend: Option<Arc<Backend>>,
}

impl Rows {
    /// Rows of `stream`, ended by cancel or deadline of `running`; an error sets `failed`.
    pub(crate) fn new(
        command: &'static str,
        schema: SchemaRef,
        stream: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
        running: Running,
        failed: Arc<AtomicBool>,
    ) -> Self {
        let handle = running.clone();
        let stream = futures::stream::unfold(Some((Box::pin(stream), running, failed)), |state| async move {
            let (mut stream, running, failed) = state?;
            match running.race(async { stream.next().await.transpose() }).await {
                Ok(Some(batch)) => Some((Ok(batch), Some((stream, running, failed)))),
                Ok(None) => None,
                Err(e) => {
                    failed.store(true, Ordering::Release);
                    Some((Err(e), None))
                }
            }
        });
        Self { schema, command, binary: false, stream: Box::pin(stream), running: handle, backend: None }
    }

    /// The command tag after `rows` rows.
    pub fn tag(&self, rows: u64) -> String {
        match self.command {
            "EXPLAIN" | "SHOW" | "CALL" => self.command.to_owned(),
            "INSERT" => format!("INSERT 0 {rows}"),
            command => format!("{command} {rows}"),
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if let Some(backend) = &self.backend {
            backend.rest();
        }
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("command", &self.command).finish_non_exhaustive()
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next_unpin(context)
    }
}
