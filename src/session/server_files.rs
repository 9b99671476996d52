//! Who may read and write files of the server and objects behind URLs: COPY and external tables ask here.

use super::Session;

impl Session {
    /// Whether the session's role may read them.
    pub(crate) fn may_read_server_files(&self) -> bool {
        self.user == crate::engine::SUPERUSER
    }

    /// Whether the session's role may write them.
    pub(crate) fn may_write_server_files(&self) -> bool {
        self.user == crate::engine::SUPERUSER
    }
}
