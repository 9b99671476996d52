//! The statement that is running now: its cancellation and its deadline.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result, SqlState};

/// Ends the statement that a session is running, from anywhere. A cancel that comes between statements does nothing.
#[derive(Debug, Clone, Default)]
pub struct Canceller {
    current: Arc<Mutex<CancellationToken>>,
    /// Nothing is running: a result may be half read, but nobody waits for it.
    idle: Arc<AtomicBool>,
    /// The session is to end altogether.
    terminated: CancellationToken,
}

impl Canceller {
    /// Ends the running statement with 57014.
    pub fn cancel(&self) {
        if !self.idle.load(Ordering::Acquire) {
            self.current.lock().cancel();
        }
    }

    /// Says that the session is waiting for its next command, or no longer.
    pub(crate) fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Ordering::Release);
    }

    /// Cancelled when the session is to end.
    pub(crate) fn terminated(&self) -> &CancellationToken {
        &self.terminated
    }

    /// 57P01 if the session is to end.
    pub(super) fn check(&self) -> Result<()> {
        if self.terminated.is_cancelled() { Err(terminated()) } else { Ok(()) }
    }

    /// Registers the statement that starts now.
    pub(super) fn begin(&self, timeout: Option<Duration>) -> Running {
        let running =
            Running { token: CancellationToken::new(), terminated: self.terminated.clone(), deadline: Arc::default() };
        self.resume(&running, timeout);
        running
    }

    /// Registers a statement that goes on where it was suspended; the limit on its time starts anew.
    pub(super) fn resume(&self, running: &Running, timeout: Option<Duration>) {
        *running.deadline.lock() = timeout.and_then(|t| Instant::now().checked_add(t));
        *self.current.lock() = running.token.clone();
    }
}

/// A statement's own end: races its work against cancel and deadline.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    token: CancellationToken,
    terminated: CancellationToken,
    /// Of the part that runs now: what a client suspended does not run.
    deadline: Arc<Mutex<Option<Instant>>>,
}

impl Running {
    /// Cancelled once the statement has ended, in whatever way, for work that no dropped future stops.
    pub(crate) fn ended(&self) -> &CancellationToken {
        &self.token
    }

    /// A part of the statement, which may end before it does.
    pub(crate) fn part(&self) -> Self {
        Self { token: self.token.child_token(), ..self.clone() }
    }

    /// The result of `work`, or 57014 if the statement is cancelled or out of time first (57P01 if its session is to
    /// end); `work` is then dropped.
    pub(crate) async fn race<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let deadline = *self.deadline.lock();
        let out_of_time = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.terminated.cancelled() => Err(terminated()),
            () = self.token.cancelled() => {
                Err(Error::new(SqlState::QUERY_CANCELED, "canceling statement due to user request"))
            }
            () = out_of_time => {
                Err(Error::new(SqlState::QUERY_CANCELED, "canceling statement due to statement timeout"))
            }
            result = work => result,
        }
    }
}

fn terminated() -> Error {
    Error::new(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}
