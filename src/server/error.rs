//! How failures of a connection are told apart, and how they are told to the client.

use pgwire::messages::response::{ErrorResponse, NoticeResponse};

use crate::error::{Error, SqlState};
use crate::session::Notice;

/// Why the answer to one message stopped.
pub(super) enum Stop {
    /// The statement failed; the connection goes on.
    Statement(Error),
    /// The connection is over.
    Connection(End),
}

/// Why a connection ended.
pub(super) enum End {
    /// The client said goodbye, or only came to cancel.
    Closed,
    /// The client vanished, or its socket failed: nobody is left to tell.
    Gone,
    /// The server ends it, and tells the client why.
    Fatal(Box<Error>),
}

impl End {
    /// The end that `error` is.
    pub(super) fn fatal(error: Error) -> Self {
        Self::Fatal(Box::new(error))
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Statement(error)
    }
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self::Connection(end)
    }
}

/// 08P01: the client broke the protocol.
pub(super) fn protocol_violation(message: impl Into<String>) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, message)
}

/// True for an error made by `protocol_violation`.
pub(super) fn is_protocol_violation(error: &Error) -> bool {
    error.sqlstate == SqlState::PROTOCOL_VIOLATION
}

/// 57P01: the server is going down.
pub(super) fn shutting_down() -> End {
    End::fatal(Error::new(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command"))
}

/// The ErrorResponse for `error`; `severity` is ERROR or FATAL.
pub(super) fn error_response(severity: &str, error: &Error) -> ErrorResponse {
    let mut fields = fields(severity, error.sqlstate.0, &error.message, error.detail.as_deref(), error.hint.as_deref());
    if let Some(position) = error.position {
        fields.push((b'P', position.to_string()));
    }
    if let Some(context) = &error.context {
        fields.push((b'W', wire_text(context)));
    }
    ErrorResponse::new(fields)
}

/// The NoticeResponse for `notice`.
pub(super) fn notice_response(notice: &Notice) -> NoticeResponse {
    NoticeResponse::new(fields(
        notice.severity,
        notice.sqlstate.0,
        &notice.message,
        notice.detail.as_deref(),
        notice.hint.as_deref(),
    ))
}

/// A string that can go on the wire, where a zero byte ends it.
pub(super) fn wire_text(text: &str) -> String {
    text.replace('\0', "")
}

fn fields(
    severity: &str,
    sqlstate: &str,
    message: &str,
    detail: Option<&str>,
    hint: Option<&str>,
) -> Vec<(u8, String)> {
    // S may be translated, V never is; ours are the same word.
    let mut fields = vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', sqlstate.to_owned()),
        (b'M', wire_text(message)),
    ];
    fields.extend(detail.map(|text| (b'D', wire_text(text))));
    fields.extend(hint.map(|text| (b'H', wire_text(text))));
    fields
}
