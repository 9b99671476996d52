//! One transaction as the warehouse log stores it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::FORMAT;
use crate::error::{Error, Result};
use crate::objects::{Change, ObjectId, Objects};

/// A committed transaction: everything it does to the catalog and to tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Format of the warehouse the entry was written in.
    pub format: u32,
    /// Position in the log and number of the transaction; the first is 1.
    pub id: u64,
    /// When it was committed, by the writer's clock.
    pub at: DateTime<Utc>,
    /// Fencing number of the writer's lease.
    pub epoch: u64,
    /// Who wrote it, for people.
    pub writer: String,
    /// Random and different for every transaction, so that a put tried twice is told from two alike transactions.
    pub token: String,
    /// Changes of the catalog.
    pub changes: Vec<Change>,
    /// Commits to tables, at most one per table. None to a table that `changes` drops.
    pub tables: Vec<TableCommit>,
}

/// What a transaction does to one table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableCommit {
    /// The table.
    pub table: ObjectId,
    /// Its folder, relative to the warehouse.
    pub path: String,
    /// The Delta version it makes.
    pub version: i64,
    /// Exact content of the Delta commit file: one JSON action per line.
    pub actions: String,
}

impl Entry {
    /// A transaction in the current format, with a token of its own.
    pub fn new(
        id: u64,
        at: DateTime<Utc>,
        epoch: u64,
        writer: impl Into<String>,
        changes: Vec<Change>,
        tables: Vec<TableCommit>,
    ) -> Self {
        let token = Uuid::new_v4().to_string();
        Self { format: FORMAT, id, at, epoch, writer: writer.into(), token, changes, tables }
    }
}

impl Objects {
    /// The catalog after a transaction, which must be the next one.
    pub fn apply_entry(&self, entry: &Entry) -> Result<Self> {
        if entry.id != self.position + 1 {
            return Err(Error::Internal(format!("transaction {} can't follow position {}", entry.id, self.position)));
        }
        let versions = entry.tables.iter().map(|commit| (commit.table, commit.version));
        let mut next = self.apply(&entry.changes)?.with_table_versions(versions)?;
        next.note_dropped(self, &entry.changes, entry.at);
        next.position = entry.id;
        Ok(next)
    }
}
