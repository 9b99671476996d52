//! From a name to a table on storage.
//!
//! A *warehouse* is a folder in an object store: a log of everything that was ever committed ([`log`]), and Delta
//! tables that other engines read in place ([`table`]). This crate guarantees:
//!
//! * A commit is one object put if absent. It may span tables and catalog objects; it is there whole or not at all.
//! * A reader holds one [`Snapshot`]; what it sees never changes under it.
//! * A statement that was acknowledged is durable: local files are synced before the commit refers to them.
//! * One process writes at a time ([`lease`]); any number read.
//!
//! How to use it: [`Warehouse::open`], then [`Transaction::begin`], [`Warehouse::write`] for rows,
//! [`Transaction::change`] for definitions, [`Transaction::commit`].
//!
//! It knows DataFusion, Delta and object stores. It does not know SQL text, sessions, or the wire.

pub mod error;
pub mod lease;
pub mod log;
pub mod maintain;
pub mod objects;
pub mod past;
pub mod search;
pub mod store;
pub mod table;
pub mod transaction;
pub mod types;
mod warehouse;

pub use error::{Error, Result};
pub use transaction::{Transaction, View};
pub use warehouse::{FilesHeld, Options, STORE_URL, Snapshot, Warehouse};
