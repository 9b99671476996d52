//! The error for arguments that a function does not take.

use std::fmt;

use datafusion_common::DataFusionError;

/// A value that a function does not take; the message names the function, the value and the remedy.
///
/// It travels as [`DataFusionError::External`]; an engine finds it by downcast and reports it as the caller's
/// mistake (SQLSTATE 22023).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidArgument(String);

impl InvalidArgument {
    /// The error to return from a function.
    pub(crate) fn error(message: impl Into<String>) -> DataFusionError {
        DataFusionError::External(Box::new(Self(message.into())))
    }
}

impl fmt::Display for InvalidArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidArgument {}
