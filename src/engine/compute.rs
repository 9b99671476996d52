//! Threads for queries, apart from those that serve connections: an operator that computes for seconds without a pause
//! must not keep the server from hearing that it was cancelled.

use std::future::Future;

use datafusion::error::DataFusionError;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::error::{Error, Result, SqlState};

/// Batches that may wait between the threads that make them and the one that sends them.
const AHEAD: usize = 2;

/// Plans are run, as they are made, by recursion.
const STACK: usize = 16 << 20;

/// The threads. Work that is under way when they are dropped is abandoned.
pub(super) struct Compute {
    runtime: Option<Runtime>,
}

impl Compute {
    /// As many threads as the machine has cores.
    pub(super) fn new() -> Result<Self> {
        let runtime = Builder::new_multi_thread().thread_name("query").thread_stack_size(STACK).enable_all().build();
        let runtime =
            runtime.map_err(|e| Error::new(SqlState::OUT_OF_MEMORY, format!("could not start threads: {e}")))?;
        Ok(Self { runtime: Some(runtime) })
    }

    fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<tokio::task::JoinHandle<T>> {
        let runtime = self.runtime.as_ref().ok_or_else(|| Error::internal("the query threads are gone"))?;
        Ok(runtime.spawn(work))
    }

    /// Runs `work` there and waits for it; it stops when the caller goes away.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let task = self.spawn(work)?;
        let _stop = Stop(task.abort_handle());
        task.await.map_err(|e| Error::internal(format!("a query thread stopped: {e}")))
    }

    /// Runs `work` there for nobody in particular; a runtime that is gone does not.
    pub(super) fn leave(&self, work: impl Future<Output = ()> + Send + 'static) {
        let _ = self.spawn(work);
    }

    /// Drives a stream there; what is returned yields its items and stops it when dropped.
    pub(super) fn stream<O, S, T>(&self, open: O) -> Result<BoxStream<'static, Result<T, DataFusionError>>>
    where
        O: FnOnce() -> Result<S, DataFusionError> + Send + 'static,
        S: Stream<Item = Result<T, DataFusionError>> + Send + Unpin + 'static,
        T: Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let task = self.spawn(async move {
            match open() {
                Ok(mut stream) => {
                    while let Some(item) = stream.next().await {
                        // What has failed is not asked again: operators need not survive that.
                        let failed = item.is_err();
                        if sender.send(item).await.is_err() || failed {
                            break;
                        }
                    }
                }
                // Nobody is left to tell if this fails.
                Err(e) => drop(sender.send(Err(e)).await),
            }
        })?;
        let stop = Stop(task.abort_handle());
        Ok(futures::stream::unfold((receiver, stop), |(mut receiver, stop)| async move {
            receiver.recv().await.map(|item| (item, (receiver, stop)))
        })
        .boxed())
    }
}

impl Drop for Compute {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for its threads is not allowed where an engine may be dropped.
            runtime.shutdown_background();
        }
    }
}

struct Stop(AbortHandle);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
