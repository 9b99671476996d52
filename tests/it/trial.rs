//! One test: a name and an async body that returns an [`Outcome`].

use std::fmt;
use std::future::Future;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

/// A test that hangs has failed.
const LONGEST: Duration = Duration::from_secs(900);

/// As the program has it.
const STACK: usize = 16 << 20;

/// What a test body returns; `?` turns every error it can meet into a [`Fault`].
pub type Outcome<T = ()> = Result<T, Fault>;

/// Why a test failed, in words.
#[derive(Debug)]
pub struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Fault {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self(format!("input/output: {error}"))
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => Self(format!("{}: {}", db.code().code(), db.message())),
            None => Self(format!("{error:?}")),
        }
    }
}

impl From<audiencedb::Error> for Fault {
    fn from(error: audiencedb::Error) -> Self {
        Self(format!("{}: {}", error.sqlstate.0, error.message))
    }
}

impl From<tokio::task::JoinError> for Fault {
    fn from(error: tokio::task::JoinError) -> Self {
        Self(format!("a task of the test stopped: {error}"))
    }
}

impl From<tokio::time::error::Elapsed> for Fault {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self("took too long".to_owned())
    }
}

/// A trial that runs `body` on a runtime of its own.
pub fn trial<F, Fut>(name: impl Into<String>, body: F) -> Trial
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Outcome>,
{
    Trial::test(name, move || {
        // What a test awaits itself runs on its own thread, which has to have as much stack as the others.
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || run(body))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn run<F, Fut>(body: F) -> Result<(), Failed>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Outcome>,
{
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_stack_size(STACK).enable_all().build()?;
    let outcome = runtime.block_on(async { tokio::time::timeout(LONGEST, body()).await });
    // A server that is still busy must not hold the verdict back.
    runtime.shutdown_timeout(Duration::from_secs(5));
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(fault)) => Err(Failed::from(fault)),
        Err(_) => Err(Failed::from("the test hung")),
    }
}

/// Fails with `words` unless `condition` holds.
pub fn ensure(condition: bool, words: impl fmt::Display) -> Outcome {
    if condition { Ok(()) } else { Err(Fault(words.to_string())) }
}

/// Fails unless both sides are equal; shows them otherwise.
pub fn same<T: PartialEq<U> + fmt::Debug, U: fmt::Debug>(what: &str, got: T, want: U) -> Outcome {
    ensure(got == want, format_args!("{what}: got {got:?}, expected {want:?}"))
}

/// Fails unless `result` is a database error with this SQLSTATE; returns its message.
pub fn refused<T>(result: Result<T, tokio_postgres::Error>, sqlstate: &str) -> Outcome<String> {
    let error = match result {
        Ok(_) => return Err(Fault(format!("succeeded, expected the error {sqlstate}"))),
        Err(error) => error,
    };
    let Some(db) = error.as_db_error() else { return Err(Fault(format!("expected {sqlstate}, got {error:?}"))) };
    let message = db.message().to_owned();
    ensure(db.code().code() == sqlstate, format_args!("expected {sqlstate}, got {}: {message}", db.code().code()))?;
    Ok(message)
}

/// Whether the long tier was asked for.
pub fn full() -> bool {
    std::env::var_os("AUDIENCEDB_FULL").is_some_and(|v| v == "1")
}
