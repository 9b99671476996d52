//! Cursors of DECLARE as the client's protocol reads them.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;

use super::{Prepared, Rows, Session, TransactionStatus};
use crate::error::Result;
use crate::statement;

impl Session {
    /// What FETCH returns now, whatever it was prepared with; `None` if it is another statement.
    pub(crate) fn fetched_columns(&self, prepared: &Prepared) -> Option<Option<SchemaRef>> {
        statement::fetched_columns(self, &prepared.statement.kind)
    }

    /// The next `limit` rows, or all, of a cursor that the client reads as a portal; `None` if there is none.
    pub(crate) fn fetch_by_protocol(&mut self, name: &str, limit: Option<u64>) -> Result<Option<Rows>> {
        let Ok(cursor) = self.cursors.get(name) else { return Ok(None) };
        if self.transaction() == TransactionStatus::Failed {
            return Ok(None);
        }
        self.canceller.check()?;
        let running = self.canceller.begin(self.settings.statement_timeout());
        self.place.resume();
        let direction = statement::Direction::Forward(limit.unwrap_or(statement::Direction::ALL));
        let mut rows = statement::cursor::rows(self, &cursor, direction, running)?;
        rows.backend = Some(Arc::clone(&self.place));
        Ok(Some(rows))
    }
}
