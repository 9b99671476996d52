//! From a chain of errors to its cause, and the kinds of `DataFusionError` to SQLSTATEs.
//!
//! Operators, tasks and Arrow kernels wrap errors in each other, several levels deep. The cause is the innermost
//! error that we understand: one of ours, one of the catalog's, a full disk, or the last DataFusion or Arrow error.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use datafusion::arrow::error::ArrowError;
use datafusion::common::Span;
use datafusion::error::DataFusionError;
use datafusion::parquet::errors::ParquetError;

use super::execution::{execution, resources};
use super::planning::{no_relation, not_implemented, planning};
use super::schema::schema;
use super::storage::storage;
use super::syntax::syntax;
use super::values::arrow;
use super::{Error, Place, SqlState, between, sentence};

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        translate(&error)
    }
}

/// The cause of `error`, with the place in the statement if the planner noted one.
pub(super) fn translate(error: &DataFusionError) -> Error {
    let mut translated = cause(error);
    if let Some(diagnostic) = error.diagnostic() {
        if translated.place.is_none() && translated.position.is_none() {
            translated.place = diagnostic.span.and_then(|Span { start, .. }| Place::new(start.line, start.column));
        }
        // The planner's note has the table as the user wrote it, the error has the resolved name.
        let written = between(&diagnostic.message, "table '", "' not found");
        if let (SqlState::UNDEFINED_TABLE, Some(name)) = (translated.sqlstate, written) {
            translated.message = no_relation(name).message;
        }
    }
    translated
}

fn cause(error: &DataFusionError) -> Error {
    let mut innermost = Cause::Engine(error);
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        next = error.source();
        if let Some(own) = error.downcast_ref::<Error>() {
            return own.clone();
        } else if let Some(catalog) = error.downcast_ref::<catalog::Error>() {
            return storage(catalog);
        } else if let Some(argument) = error.downcast_ref::<udfs::InvalidArgument>() {
            return Error::new(SqlState::INVALID_PARAMETER_VALUE, argument.to_string());
        } else if let Some(engine) = error.downcast_ref::<DataFusionError>() {
            innermost = Cause::Engine(engine);
        } else if let Some(shared) = error.downcast_ref::<Arc<DataFusionError>>() {
            innermost = Cause::Engine(shared);
        } else if let Some(io_error) = error.downcast_ref::<io::Error>() {
            if is_full(io_error) {
                return io(io_error);
            }
            // `io::Error::source` skips the error it wraps and answers with that one's cause.
            if let Some(wrapped) = io_error.get_ref() {
                next = Some(wrapped);
            }
        } else if let Some(leaf) = error.downcast_ref::<ArrowError>()
            && next.is_none()
        {
            innermost = Cause::Arrow(leaf);
        }
    }
    match innermost {
        Cause::Engine(error) => engine(error),
        Cause::Arrow(error) => arrow(error),
    }
}

enum Cause<'a> {
    Engine(&'a DataFusionError),
    Arrow(&'a ArrowError),
}

/// One DataFusion error by itself.
fn engine(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::Plan(text) => planning(without_trace(text)),
        DataFusionError::NotImplemented(text) => not_implemented(without_trace(text)),
        DataFusionError::Execution(text) => execution(without_trace(text)),
        DataFusionError::ResourcesExhausted(text) => resources(without_trace(text)),
        DataFusionError::Configuration(text) => configuration(without_trace(text)),
        DataFusionError::Internal(text) => Error::internal(sentence(text)),
        DataFusionError::SchemaError(error, _) => schema(error),
        DataFusionError::SQL(error, _) => syntax(error),
        DataFusionError::ArrowError(error, _) => arrow(error),
        DataFusionError::ParquetError(error) => parquet(error),
        DataFusionError::ObjectStore(error) => store(&error.to_string()),
        DataFusionError::IoError(error) => io(error),
        DataFusionError::ExecutionJoin(error) if error.is_panic() => {
            Error::internal("a task of the statement panicked")
        }
        DataFusionError::ExecutionJoin(_) => {
            Error::new(SqlState::QUERY_CANCELED, "a task of the statement was cancelled before it ended")
        }
        DataFusionError::Substrait(text) | DataFusionError::Ffi(text) => Error::internal(sentence(text)),
        DataFusionError::External(error) => execution(&error.to_string()),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => engine(inner),
        DataFusionError::Shared(inner) => engine(inner),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => engine(first),
            None => Error::internal("a list of errors without an error"),
        },
    }
}

fn configuration(text: &str) -> Error {
    let sqlstate =
        if text.contains("not found on") { SqlState::UNDEFINED_OBJECT } else { SqlState::INVALID_PARAMETER_VALUE };
    Error::new(sqlstate, sentence(text))
}

fn parquet(error: &ParquetError) -> Error {
    let sqlstate = match error {
        ParquetError::NYI(_) => SqlState::FEATURE_NOT_SUPPORTED,
        ParquetError::External(_) => SqlState::IO_ERROR,
        _ => SqlState::DATA_CORRUPTED,
    };
    Error::new(sqlstate, sentence(&error.to_string()))
}

/// An error of the object store, by its text: only the catalog knows its type.
pub(super) fn store(text: &str) -> Error {
    let gone = text.starts_with("Object at location ") && text.contains(" not found: ");
    Error::new(if gone { SqlState::UNDEFINED_FILE } else { SqlState::IO_ERROR }, sentence(text))
}

/// An error of the operating system.
pub(super) fn io(error: &io::Error) -> Error {
    if is_full(error) {
        return disk_full("no space left on the device");
    }
    // The writer of spilled rows can only fail as a writer does.
    let text = error.to_string();
    if text.contains("max_temp_directory_size") {
        return resources(&text);
    }
    let sqlstate = match error.kind() {
        io::ErrorKind::NotFound => SqlState::UNDEFINED_FILE,
        _ => SqlState::IO_ERROR,
    };
    Error::new(sqlstate, sentence(&text))
}

/// 53100, with what to do about it.
pub(super) fn disk_full(message: impl Into<String>) -> Error {
    Error::new(SqlState::DISK_FULL, message)
        .with_hint("free some space or raise the quota, then run the statement again")
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn without_trace(text: &str) -> &str {
    text.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use datafusion::common::{Column, Diagnostic, Location, SchemaError};

    use super::*;

    #[test]
    fn a_full_spill_folder_is_a_limit_however_it_is_told() {
        let text = "The used disk space during the spilling process has exceeded the allowable limit of 4.0 MB. Please try \
                    increasing the config: `datafusion.runtime.max_temp_directory_size`.";
        let error = Error::from(DataFusionError::IoError(io::Error::other(text)));
        assert_eq!(error.sqlstate, SqlState::CONFIGURATION_LIMIT_EXCEEDED);
        assert!(error.detail.is_some_and(|detail| !detail.contains("datafusion")));
    }

    fn code(error: DataFusionError) -> &'static str {
        Error::from(error).sqlstate.0
    }

    #[test]
    fn the_cause_is_found_below_its_wrappings() {
        let own = Error::new(SqlState::QUERY_CANCELED, "canceling statement due to user request");
        let inside = DataFusionError::from(own.clone());
        let arrow = ArrowError::ExternalError(Box::new(DataFusionError::Shared(Arc::new(inside.context("scan")))));
        assert_eq!(Error::from(DataFusionError::from(arrow).context("merge")), own);

        let wrapped = io::Error::other(DataFusionError::External(Box::new(own.clone())));
        assert_eq!(Error::from(DataFusionError::IoError(wrapped)), own);

        let storage = catalog::Error::ReadOnly("this server only reads".into());
        assert_eq!(code(DataFusionError::External(Box::new(storage)).context("write")), "25006");
        let full = io::Error::other(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(code(DataFusionError::External(Box::new(full))), "53100");
        let first =
            DataFusionError::Collection(vec![ArrowError::DivideByZero.into(), DataFusionError::Internal("x".into())]);
        assert_eq!(code(first), "22012");
    }

    #[test]
    fn kinds_have_their_codes() {
        assert_eq!(code(DataFusionError::NotImplemented("x".into())), "0A000");
        assert_eq!(code(DataFusionError::ResourcesExhausted("x".into())), "53200");
        assert_eq!(code(DataFusionError::IoError(io::Error::from(io::ErrorKind::NotFound))), "58P01");
        assert_eq!(code(DataFusionError::Configuration("bad value".into())), "22023");
        let error = Error::from(DataFusionError::Internal("no such batch.".into()));
        assert_eq!(error.message, "internal error: no such batch; please report it");
        assert_eq!(error.sqlstate.0, "XX000");
        assert_eq!(store("Object at location a/b not found: gone").sqlstate.0, "58P01");
        assert_eq!(store("Generic S3 error: timed out").sqlstate.0, "58030");
    }

    #[test]
    fn the_planners_span_becomes_a_position() {
        let span = Span::new(Location { line: 2, column: 6 }, Location { line: 2, column: 8 });
        let plan = DataFusionError::Plan("table 'audience.segments.ab' not found".into());
        let error = plan.with_diagnostic(Diagnostic::new_error("table 'segments.ab' not found", Some(span)));
        let error = Error::from(error.context("planning"));
        assert_eq!((error.sqlstate.0, error.place), ("42P01", Place::new(2, 6)));
        assert_eq!(error.message, "relation \"segments.ab\" does not exist");

        let missing =
            SchemaError::FieldNotFound { field: Box::new(Column::new_unqualified("x")), valid_fields: vec![] };
        let error = Error::from(DataFusionError::SchemaError(Box::new(missing), Box::new(None)));
        assert_eq!((error.message.as_str(), error.position), ("column \"x\" does not exist", None));
    }
}
