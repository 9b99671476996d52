//! What happened to a table, commit by commit, the newest first.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use serde_json::Value;

use super::commit_path;
use crate::error::{Error, Result};
use crate::objects::TableDef;
use crate::warehouse::Warehouse;

/// How many commits are read ahead.
const READ_AHEAD: usize = 8;

/// One commit to a table.
#[derive(Debug, Clone, Default)]
pub struct TableCommitted {
    /// The version it made.
    pub version: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// `WRITE`, `UPDATE`, `OPTIMIZE`…
    pub operation: String,
    /// The transaction that it was part of: its place in the warehouse's log.
    pub transaction: Option<u64>,
    /// Rows of the files that came, where their writers said so.
    pub rows_added: Option<u64>,
    /// Rows of the files that went, where the commit says so.
    pub rows_removed: Option<u64>,
    /// Files that came.
    pub files_added: u64,
    /// Files that went.
    pub files_removed: u64,
    /// Bytes of the files that came.
    pub bytes_added: u64,
    /// Bytes of the files that went.
    pub bytes_removed: u64,
    /// Whether the version can still be read.
    pub readable: bool,
}

/// A commit, and the files that it names.
pub(super) struct Parsed {
    pub(super) row: TableCommitted,
    adds: Vec<String>,
    removes: Vec<String>,
}

/// What is left of a table's history.
struct Left {
    /// The paths of its data files that are in the store.
    files: HashSet<String>,
    /// The oldest version that its log can give.
    version: i64,
    /// The oldest place of the warehouse's log that can be looked back to.
    position: u64,
}

impl Warehouse {
    /// The commits to a table up to version `newest`, newest first, as long as its log has them. Read as they are
    /// asked for.
    pub fn table_history(
        self: &Arc<Self>,
        def: Arc<TableDef>,
        newest: i64,
    ) -> BoxStream<'static, Result<TableCommitted>> {
        let this = Arc::clone(self);
        let commits = async move {
            let left = this.left_of(&def).await?;
            let commits = stream::iter((0..=newest).rev()).map(move |version| {
                let (this, def) = (Arc::clone(&this), Arc::clone(&def));
                async move {
                    let bytes = this.store.read(&commit_path(&def, version)).await?;
                    bytes.map(|bytes| parse(&def, version, &bytes)).transpose()
                }
            });
            let commits = commits.buffered(READ_AHEAD).try_take_while(|found| {
                let found = found.is_some();
                async move { Ok(found) }
            });
            let mut missing: HashSet<String> = HashSet::new();
            Ok::<_, Error>(commits.map(move |found: Result<Option<Parsed>>| {
                let Some(Parsed { mut row, adds, removes }) = found? else {
                    return Err(Error::Internal("a commit that is not there was read".into()));
                };
                let known = row.version == newest || row.transaction.is_some_and(|position| position >= left.position);
                row.readable = missing.is_empty() && known && row.version >= left.version;
                // The version before is without what came, and with what went.
                for path in &adds {
                    missing.remove(path);
                }
                missing.extend(removes.into_iter().filter(|path| !left.files.contains(path)));
                Ok(row)
            }))
        };
        stream::once(commits).try_flatten().boxed()
    }

    async fn left_of(&self, def: &TableDef) -> Result<Left> {
        // Its newest commit may not be in its log yet.
        let newest = self.newest();
        if newest.objects.table(def.id).is_some()
            && !self.store.exists(&commit_path(def, newest.objects.table_version(def.id))).await?
        {
            self.mend().await?;
        }
        let folder = Path::from(def.path.as_str());
        let mut listing = self.store.root.list(Some(&folder));
        let (mut files, mut first, mut checkpoint) = (HashSet::new(), false, None);
        while let Some(object) =
            listing.try_next().await.map_err(|e| Error::store(format!("cannot list {folder}"), e))?
        {
            let Some(parts) = object.location.prefix_match(&folder) else { continue };
            let path = Path::from_iter(parts);
            let Some(name) = path.as_ref().strip_prefix("_delta_log/") else {
                files.insert(path.to_string());
                continue;
            };
            let Some((version, rest)) = name.split_once('.') else { continue };
            let Ok(version) = version.parse::<i64>() else { continue };
            first |= version == 0 && rest == "json";
            if rest.starts_with("checkpoint.") {
                checkpoint = Some(checkpoint.map_or(version, |oldest: i64| oldest.min(version)));
            }
        }
        let version = if first { 0 } else { checkpoint.unwrap_or(i64::MAX) };
        Ok(Left { files, version, position: self.log.oldest().await? })
    }
}

/// Reads a commit file.
pub(super) fn parse(def: &TableDef, version: i64, bytes: &[u8]) -> Result<Parsed> {
    let damaged = |e: &dyn std::fmt::Display| Error::corrupt(commit_path(def, version).to_string(), e.to_string());
    let text = std::str::from_utf8(bytes).map_err(|e| damaged(&e))?;
    let mut row = TableCommitted { version, rows_added: Some(0), ..TableCommitted::default() };
    let (mut adds, mut removes) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        let action: Value = serde_json::from_str(line).map_err(|e| damaged(&e))?;
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        if let Some(info) = action.get("commitInfo") {
            let micros = info["audiencedb.committed_at"].as_i64();
            // Milliseconds alone are of before; the time that is told is not before the commit's own.
            let coarse = || info["timestamp"].as_i64()?.checked_mul(1000)?.checked_add(999);
            let micros = micros.or_else(coarse).unwrap_or(0);
            row.at = DateTime::from_timestamp_micros(micros).unwrap_or_default();
            row.operation = info["operation"].as_str().unwrap_or("UNKNOWN").to_owned();
            row.transaction = info["audiencedb.transaction"].as_u64();
            row.rows_removed = info["audiencedb.rows_removed"].as_u64();
        } else if let Some(add) = action.get("add") {
            row.files_added += 1;
            row.bytes_added += number(&add["size"]);
            let stats = add["stats"].as_str().and_then(|stats| serde_json::from_str::<Value>(stats).ok());
            let rows = stats.and_then(|stats| stats["numRecords"].as_u64());
            row.rows_added = row.rows_added.zip(rows).map(|(sum, rows)| sum + rows);
            adds.extend(decoded(&add["path"]));
        } else if let Some(remove) = action.get("remove") {
            row.files_removed += 1;
            row.bytes_removed += number(&remove["size"]);
            removes.extend(decoded(&remove["path"]));
        }
    }
    if removes.is_empty() {
        row.rows_removed = Some(0);
    }
    Ok(Parsed { row, adds, removes })
}

/// A path as it is in the store: the log has it as part of a URL.
fn decoded(path: &Value) -> Option<String> {
    let path = path.as_str()?;
    Some(Path::from_url_path(path).map_or_else(|_| path.to_owned(), |path| path.to_string()))
}
