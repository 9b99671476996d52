//! What the catalog reports, with PostgreSQL's codes.

use std::io;

use super::engine::{disk_full, io as system, store, translate};
use super::{Error, SqlState, sentence};

impl From<catalog::Error> for Error {
    fn from(error: catalog::Error) -> Self {
        storage(&error)
    }
}

pub(super) fn storage(error: &catalog::Error) -> Error {
    use catalog::Error as Catalog;
    let with = |sqlstate: SqlState| Error::new(sqlstate, error.to_string());
    match error {
        Catalog::NotFound { kind: "schema", .. } => with(SqlState::INVALID_SCHEMA_NAME),
        Catalog::NotFound { kind: "relation" | "table" | "view", .. } => with(SqlState::UNDEFINED_TABLE),
        Catalog::NotFound { kind: "column", .. } => with(SqlState::UNDEFINED_COLUMN),
        Catalog::NotFound { .. } => with(SqlState::UNDEFINED_OBJECT),
        Catalog::AlreadyExists { kind: "schema", .. } => with(SqlState::DUPLICATE_SCHEMA),
        Catalog::AlreadyExists { kind: "relation" | "table" | "view", .. } => with(SqlState::DUPLICATE_TABLE),
        Catalog::AlreadyExists { kind: "column", .. } => with(SqlState::DUPLICATE_COLUMN),
        Catalog::AlreadyExists { .. } => with(SqlState::DUPLICATE_OBJECT),
        Catalog::Dependents { name, dependents } => {
            let details: Vec<String> = dependents.iter().map(|d| format!("{d} depends on {name}")).collect();
            let message = format!("cannot drop {name} because other objects depend on it");
            Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_detail(details.join("\n"))
                .with_hint("use DROP ... CASCADE to drop the dependent objects too")
        }
        Catalog::NotNull { table, column } => {
            let message =
                format!("null value in column \"{column}\" of relation \"{table}\" violates not-null constraint");
            Error::new(SqlState::NOT_NULL_VIOLATION, message)
        }
        Catalog::Twice => with(SqlState::CARDINALITY_VIOLATION),
        Catalog::Conflict(_) => with(SqlState::SERIALIZATION_FAILURE).with_hint("run the transaction again"),
        Catalog::Uncertain(_) => with(SqlState::STATEMENT_COMPLETION_UNKNOWN)
            .with_hint("look whether the change is there before you make it again"),
        Catalog::Diverged { .. } | Catalog::Corrupt { .. } => with(SqlState::DATA_CORRUPTED),
        Catalog::LeaseHeld { .. } => with(SqlState::OBJECT_IN_USE),
        // Nothing is wrong with the statement, and it may succeed elsewhere or after a restart.
        Catalog::LeaseLost => with(SqlState::CANNOT_CONNECT_NOW),
        Catalog::ReadOnly(_) => with(SqlState::READ_ONLY_SQL_TRANSACTION),
        Catalog::Gone(_) => with(SqlState::SNAPSHOT_TOO_OLD)
            .with_hint("retain and retain_log in [maintenance] of the configuration say how long history is kept"),
        Catalog::Invalid(_) => with(SqlState::INVALID_PARAMETER_VALUE),
        Catalog::Unsupported(_) => with(SqlState::FEATURE_NOT_SUPPORTED),
        Catalog::DiskFull(context) => disk_full(format!("{context}: no space left on the device")),
        Catalog::Store { source, .. } => with(store(&source.to_string()).sqlstate),
        Catalog::File { name, kind: io::ErrorKind::IsADirectory, .. } => {
            Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is a directory"))
        }
        Catalog::File { kind, .. } => with(match kind {
            io::ErrorKind::NotFound => SqlState::UNDEFINED_FILE,
            io::ErrorKind::PermissionDenied => SqlState::INSUFFICIENT_PRIVILEGE,
            _ => SqlState::IO_ERROR,
        }),
        Catalog::Io { source, .. } => with(system(source).sqlstate),
        Catalog::Internal(text) => Error::internal(sentence(text)),
        Catalog::DataFusion(inner) => translate(inner),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::error::ArrowError;

    use super::*;

    #[test]
    fn catalog_errors_have_postgresqls_codes() {
        let not_found = |kind| catalog::Error::NotFound { kind, name: "x".into() };
        let error = Error::from(not_found("relation"));
        assert_eq!((error.sqlstate.0, error.message.as_str()), ("42P01", "relation \"x\" does not exist"));
        assert_eq!(Error::from(not_found("schema")).sqlstate.0, "3F000");
        assert_eq!(Error::from(catalog::Error::Conflict("x".into())).sqlstate.0, "40001");
        assert_eq!(Error::from(catalog::Error::DataFusion(ArrowError::DivideByZero.into())).sqlstate.0, "22012");
        assert_eq!(Error::from(catalog::Error::DiskFull("writing t".into())).sqlstate.0, "53100");
        let uncertain = catalog::Error::Uncertain(Box::new(catalog::Error::DiskFull("writing t".into())));
        assert_eq!(Error::from(uncertain).sqlstate.0, "40003");
    }

    #[test]
    fn dependents_are_listed_in_the_detail() {
        let dependents = vec!["view segments.vip".to_owned(), "view v".to_owned()];
        let error = Error::from(catalog::Error::Dependents { name: "table t".into(), dependents });
        assert_eq!(error.sqlstate.0, "2BP01");
        assert_eq!(error.message, "cannot drop table t because other objects depend on it");
        assert_eq!(error.detail.as_deref(), Some("view segments.vip depends on table t\nview v depends on table t"));
        assert!(error.hint.unwrap().contains("CASCADE"));
    }
}
