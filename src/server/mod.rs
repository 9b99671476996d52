//! The PostgreSQL wire protocol over `Session`: the only code that knows pgwire.
//!
//! The life of one connection:
//! 1. `listener` accepts it, bounds how many there are, and ends them all at shutdown.
//! 2. `startup` greets it: TLS (`tls`), version, role and password (`scram`), a place (`slots`), settings, cancel key.
//! 3. `wire` owns the socket: bytes in and out, and the promise that the socket is read while a
//!    statement runs, so that a client that hangs up stops its work.
//! 4. `frontend` takes messages out of those bytes; a malformed one is an error, never a panic.
//! 5. `connection` answers message by message: `simple` for a query string, `extended` for
//!    Parse / Bind / Describe / Execute, `describe` for the columns of either and `cursor` for the
//!    rows, in bounded memory; `copy` for the data of COPY, both ways.
//! 6. `statement_log` writes down and counts what became of each statement.
//! 7. `values` (beside this folder) turns Arrow values into PostgreSQL's and back.
//! 8. `cancel` finds the connection that a cancel request names.
//!
//! pgwire encodes what we send. What clients send is decoded here: its decoders trust the lengths
//! and counts inside a message and panic on wrong ones.

mod cancel;
mod connection;
mod copy;
mod cursor;
mod describe;
mod error;
mod extended;
mod frontend;
mod listener;
mod scram;
mod simple;
mod slots;
mod socket;
mod startup;
mod statement_log;
mod tls;
mod wire;

pub use listener::{Plaintext, ServerOptions, run};
pub use statement_log::{LogStatement, StatementLogOptions};
pub use tls::{Tls, TlsOptions, TlsVersion};
