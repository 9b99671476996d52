//! What a session has to tell its user besides results. Functions that run on other threads put theirs here too.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::SqlState;

/// How many are kept until they are sent: a function can have one for every row.
const MOST: usize = 1000;

/// Something the user should know that is not an error.
#[derive(Debug, Clone)]
pub struct Notice {
    /// `NOTICE`, `WARNING`, `INFO`.
    pub severity: &'static str,
    /// The condition; 00000 for a plain notice.
    pub sqlstate: SqlState,
    /// What happened, lowercase.
    pub message: String,
    /// More of it.
    pub detail: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The notices of one session since they were last taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notices(Arc<Mutex<Vec<Notice>>>);

impl Notices {
    pub(crate) fn push(&self, severity: &'static str, sqlstate: SqlState, message: impl Into<String>) {
        let mut notices = self.0.lock();
        if notices.len() < MOST {
            notices.push(Notice { severity, sqlstate, message: message.into(), detail: None, hint: None });
        }
    }

    /// A warning without a more telling code.
    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.push("WARNING", SqlState::WARNING, message);
    }

    pub(crate) fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock())
    }
}
