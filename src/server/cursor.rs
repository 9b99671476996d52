//! The rows of one statement on their way to the client, batch by batch.
//!
//! Memory holds one batch and one flush of output, whatever the size of the result: the next batch is
//! asked for when the socket has taken the rows of the last one.

use datafusion::arrow::record_batch::RecordBatch;
use futures::StreamExt;

use crate::error::Result;
use crate::session::{Rows, Session};

use super::describe::column_count;
use super::error::Stop;
use super::wire::Wire;
use crate::values::encode::{Format, Formatting, RowEncoder};

/// A result that is being sent. Dropping it stops the statement.
pub(super) struct Cursor {
    rows: Rows,
    encoder: RowEncoder,
    columns: i16,
    /// Rows of the last batch that a limit kept back.
    rest: Option<RecordBatch>,
}

/// What one call of `Cursor::send` did.
pub(super) struct Sent {
    pub(super) rows: u64,
    /// False: the limit was reached first, and there may be more.
    pub(super) finished: bool,
}

impl Cursor {
    /// A cursor at the first of `rows`, whose columns go out in `formats` with the settings that
    /// `session` has now.
    pub(super) fn new(session: &Session, rows: Rows, formats: &[Format]) -> Result<Self> {
        let columns = column_count(&rows.schema)?;
        let formatting = Formatting::from_settings(|name| session.setting(name))?;
        let encoder = RowEncoder::try_new(&rows.schema, formats, formatting)?;
        Ok(Self { rows, encoder, columns, rest: None })
    }

    /// Goes on after the client had suspended it.
    pub(super) fn resume(&self, session: &mut Session) {
        session.resume(&self.rows);
    }

    /// Sends up to `limit` rows, or all that are left.
    pub(super) async fn send(&mut self, wire: &mut Wire, limit: Option<u64>) -> Result<Sent, Stop> {
        let mut sent = 0;
        loop {
            let most = match limit {
                Some(limit) if sent >= limit => return Ok(Sent { rows: sent, finished: false }),
                Some(limit) => usize::try_from(limit - sent).unwrap_or(usize::MAX),
                None => usize::MAX,
            };
            let batch = match self.rest.take() {
                Some(rest) => rest,
                None => match wire.while_connected(self.rows.next()).await? {
                    Some(batch) => batch?,
                    None => return Ok(Sent { rows: sent, finished: true }),
                },
            };
            let now = batch.num_rows().min(most);
            if now < batch.num_rows() {
                self.rest = Some(batch.slice(now, batch.num_rows() - now));
            }
            // Only the part that goes out now is prepared: a client that fetches in small steps
            // must not pay for the whole batch each time.
            let part = batch.slice(0, now);
            let encoder = self.encoder.batch(&part)?;
            for row in 0..now {
                wire.push_row(self.columns, |output| encoder.row(row, output))?;
                wire.flush_if_full().await?;
            }
            wire.count_rows(now);
            sent += now as u64;
        }
    }

    /// The tag of the command after `rows` rows.
    pub(super) fn tag(&self, rows: u64) -> String {
        self.rows.tag(rows)
    }
}
