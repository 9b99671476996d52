//! What can go wrong in the catalog, sorted by what happened, so that a caller can decide who acts.

use std::error::Error as StdError;
use std::io;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;

/// Result of a catalog operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the catalog. Messages are lowercase and name the thing and, where there is one, the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such schema, table, view or warehouse.
    #[error("{kind} \"{name}\" does not exist")]
    NotFound {
        /// What was looked for: `schema`, `relation`, `warehouse`…
        kind: &'static str,
        /// The name as the user knows it.
        name: String,
    },
    /// The name (or the folder of a table) is taken.
    #[error("{kind} \"{name}\" already exists")]
    AlreadyExists {
        /// What exists: `schema`, `relation`, `folder`…
        kind: &'static str,
        /// The name as the user knows it.
        name: String,
    },
    /// A row has no value where its column must have one.
    #[error("null value in column \"{column}\" of table \"{table}\", which is NOT NULL")]
    NotNull {
        /// Name of the table.
        table: String,
        /// Name of the column.
        column: String,
    },
    /// A statement that may change a row once has come to it, or to its key, a second time.
    #[error("a row would be changed a second time by the same statement")]
    Twice,
    /// An object can't go because others need it.
    #[error(
        "cannot drop {name} because other objects depend on it ({}): drop them first or use CASCADE",
        .dependents.join(", ")
    )]
    Dependents {
        /// Kind and name of the object to drop, as in `table orders`.
        name: String,
        /// Kind and name of everything that needs it, nearest first.
        dependents: Vec<String>,
    },
    /// Another commit took the position; nothing was written and the transaction may be retried from a fresh snapshot.
    #[error("{0}")]
    Conflict(String),
    /// The store failed while a commit was written and can't say whether it is there. It may turn out to be.
    #[error("the outcome of the commit is not known: {0}")]
    Uncertain(Box<Error>),
    /// A commit is in the warehouse log, but its version of a table was written by someone else. Never retry: the
    /// transaction is committed, and rolling it forward needs a person to remove the foreign version.
    #[error(
        "version {version} of the Delta table in \"{table}\" was written by another program, but the warehouse log has \
         committed that version itself: move the foreign file {version:020}.json out of the table's _delta_log, and \
         write to this table through audiencedb only"
    )]
    Diverged {
        /// Folder of the table, relative to the warehouse.
        table: String,
        /// The Delta version in dispute.
        version: i64,
    },
    /// Another process is the writer of this warehouse.
    #[error("the warehouse is in use by {holder}: send writes there, or stop it first")]
    LeaseHeld {
        /// Who holds the lease, for people.
        holder: String,
    },
    /// This process was the writer and no longer is.
    #[error("this process has lost the warehouse's write lease: restart it once the store can be reached")]
    LeaseLost,
    /// A write was asked of something that only reads.
    #[error("{0}")]
    ReadOnly(String),
    /// What was asked for was there once and has been removed since.
    #[error("{0}")]
    Gone(String),
    /// The user's input is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The input is fine, but this version or this store can't do it.
    #[error("{0}")]
    Unsupported(String),
    /// The disk or the quota is full. Carries what was being done.
    #[error("{0}: no space left on the device, free some and try again")]
    DiskFull(String),
    /// The object store failed.
    #[error("{context}: {source}")]
    Store {
        /// What was being done, as in `cannot read _audiencedb/format.json`.
        context: String,
        /// The store's own error.
        source: object_store::Error,
    },
    /// A file or object outside of the warehouse can't be read or written.
    #[error("could not open file \"{name}\" for {purpose}: {cause}")]
    File {
        /// Its path or URL.
        name: String,
        /// `reading` or `writing`.
        purpose: &'static str,
        /// What the system or the store said.
        cause: String,
        /// The kind of fault, where it is a known one.
        kind: io::ErrorKind,
    },
    /// A stored object isn't what was written there.
    #[error("{object} is damaged: {message}")]
    Corrupt {
        /// Path of the object, relative to the warehouse.
        object: String,
        /// What is wrong with it, and the remedy if there is one.
        message: String,
    },
    /// The query engine failed.
    #[error(transparent)]
    DataFusion(DataFusionError),
    /// A local file operation outside the object store failed.
    #[error("{context}: {source}")]
    Io {
        /// What was being done, as in `cannot lock /data/_audiencedb/lock`.
        context: String,
        /// The system's error.
        source: io::Error,
    },
    /// A mistake of ours.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// A failure of the object store while doing `context`; a full disk becomes [`Error::DiskFull`].
    pub fn store(context: impl Into<String>, source: object_store::Error) -> Self {
        let context = context.into();
        if is_disk_full(&source) { Self::DiskFull(context) } else { Self::Store { context, source } }
    }

    /// A failure of a local file operation while doing `context`; a full disk becomes [`Error::DiskFull`].
    pub fn io(context: impl Into<String>, source: io::Error) -> Self {
        let context = context.into();
        if is_disk_full(&source) { Self::DiskFull(context) } else { Self::Io { context, source } }
    }

    /// A file outside of the warehouse that can't be read or written; a full disk becomes [`Error::DiskFull`].
    pub fn file(name: &str, purpose: &'static str, source: &io::Error) -> Self {
        if is_disk_full(source) {
            return Self::DiskFull(format!("could not write to file \"{name}\""));
        }
        let cause = match source.kind() {
            // As the system words them, wherever the fault was met.
            io::ErrorKind::NotFound => "No such file or directory".to_owned(),
            io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
            io::ErrorKind::IsADirectory => "Is a directory".to_owned(),
            _ => {
                let text = source.to_string();
                text.split(" (os error ").next().unwrap_or(&text).to_owned()
            }
        };
        Self::File { name: name.to_owned(), purpose, cause, kind: source.kind() }
    }

    /// A stored object that isn't what was written there.
    pub fn corrupt(object: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Corrupt { object: object.into(), message: message.into() }
    }
}

impl From<DataFusionError> for Error {
    /// An error of ours that came back through a plan is itself again.
    fn from(error: DataFusionError) -> Self {
        let error = match error {
            DataFusionError::External(inner) => match inner.downcast::<Self>() {
                Ok(own) => return *own,
                Err(other) => DataFusionError::External(other),
            },
            other => other,
        };
        if is_disk_full(&error) {
            return Self::DiskFull("cannot write the result of the query".into());
        }
        Self::DataFusion(error)
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        DataFusionError::from(error).into()
    }
}

impl From<Error> for DataFusionError {
    /// For code that runs inside a plan; [`Error::from`] takes it out again.
    fn from(error: Error) -> Self {
        match error {
            Error::DataFusion(inner) => inner,
            other => Self::External(Box::new(other)),
        }
    }
}

/// Whether a full disk or quota is anywhere in the chain of causes.
pub fn is_disk_full(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        if matches!(error.downcast_ref::<Error>(), Some(Error::DiskFull(_))) {
            return true;
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            if matches!(io.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                return true;
            }
            // `io::Error::source` skips the error it wraps and answers with that one's cause.
            if let Some(inner) = io.get_ref() {
                next = Some(inner);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> io::Error {
        io::Error::from(io::ErrorKind::StorageFull)
    }

    #[test]
    fn finds_a_full_disk_below_other_errors() {
        let store = object_store::Error::Generic { store: "test", source: Box::new(full()) };
        // The parquet writer wraps store errors in an io::Error of kind Other.
        let wrapped = DataFusionError::IoError(io::Error::other(store));
        assert!(matches!(Error::from(wrapped.context("writing")), Error::DiskFull(_)));
        assert!(matches!(Error::io("x", full()), Error::DiskFull(_)));
        assert!(matches!(Error::io("x", io::Error::other("no")), Error::Io { .. }));
    }

    #[test]
    fn comes_back_from_a_plan_as_itself() {
        let error = DataFusionError::from(Error::LeaseLost);
        assert!(matches!(Error::from(error), Error::LeaseLost));
    }
}
