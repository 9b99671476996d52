//! Savepoints of the open block: SAVEPOINT, RELEASE and ROLLBACK TO.

use std::sync::atomic::Ordering;

use super::Session;
use crate::error::{Error, Result, SqlState};

impl Session {
    /// `SAVEPOINT`: remembers what the open block has staged.
    pub(crate) async fn set_savepoint(&mut self, name: &str) -> Result<()> {
        self.only_in_block("SAVEPOINT")?;
        self.begin_work().await?;
        let savepoint = self.work()?.savepoint();
        self.savepoints.push((name.to_owned(), savepoint, self.settings.saved()));
        self.cursors.savepoint();
        Ok(())
    }

    /// `RELEASE SAVEPOINT`: forgets it and those set after it, keeping their work.
    pub(crate) fn release_savepoint(&mut self, name: &str) -> Result<()> {
        let at = self.find_savepoint("RELEASE SAVEPOINT", name)?;
        self.savepoints.truncate(at);
        self.cursors.release(at);
        Ok(())
    }

    /// `ROLLBACK TO SAVEPOINT`: forgets what was staged since; the block goes on even if it had failed.
    pub(crate) fn rollback_to(&mut self, name: &str) -> Result<()> {
        let at = self.find_savepoint("ROLLBACK TO SAVEPOINT", name)?;
        self.savepoints.truncate(at + 1);
        let (_, savepoint, saved) = &self.savepoints[at];
        let savepoint = savepoint.clone();
        self.settings.return_to(saved);
        self.work()?.return_to(savepoint);
        self.cursors.roll_back_to(at);
        self.failed.store(false, Ordering::Release);
        Ok(())
    }

    fn find_savepoint(&mut self, statement: &str, name: &str) -> Result<usize> {
        self.only_in_block(statement)?;
        self.savepoints.iter().rposition(|(set, ..)| set == name).ok_or_else(|| {
            self.failed.store(true, Ordering::Release);
            Error::new(SqlState::INVALID_SAVEPOINT_SPECIFICATION, format!("savepoint \"{name}\" does not exist"))
        })
    }
}
