//! An earlier version's rows as the table's newest: its files come back, the others go.

use std::collections::HashSet;
use std::sync::Arc;

use super::by_path;
use super::columns::{Then, columns_then};
use crate::error::{Error, Result};
use crate::objects::{ObjectId, TableDef};
use crate::table;
use crate::transaction::Transaction;

/// What restoring a version has staged.
#[derive(Debug, Clone, Copy)]
pub struct Restored {
    /// The version that the commit makes; the table's own if nothing changes.
    pub version: i64,
    /// Files that come back.
    pub files_restored: u64,
    /// Files that go.
    pub files_removed: u64,
    /// Rows of the table after it; `None` if a foreign writer left a file without a count.
    pub rows: Option<u64>,
}

impl Transaction {
    /// Stages that a table has the rows of one of its versions again.
    ///
    /// # Errors
    /// [`Error::Invalid`] and [`Error::Gone`] as for reading the version; [`Error::Unsupported`] if the table has been
    /// altered so that its files don't fit. [`Error::Conflict`] at commit if somebody else changed rows meanwhile.
    pub async fn restore(&mut self, id: ObjectId, version: i64) -> Result<Restored> {
        let warehouse = Arc::clone(self.warehouse());
        let view = self.view();
        let past = view.version(id, version).await?;
        let now = view.table(id).await?;
        let committed = view.committed(id).await?.map_or(-1, |state| state.version);
        let then = Arc::clone(past.state());
        check_fit(&then.def, &now.def)?;

        let (have, want) = (by_path(&now), by_path(&then));
        let gone: Vec<_> = now.files.iter().filter(|file| !want.contains_key(file.path.as_str())).cloned().collect();
        let back: HashSet<&str> = want.keys().filter(|path| !have.contains_key(**path)).copied().collect();
        let restored = Restored {
            version: if gone.is_empty() && back.is_empty() { committed } else { committed + 1 },
            files_restored: back.len() as u64,
            files_removed: gone.len() as u64,
            rows: then.rows(),
        };
        let adds = if back.is_empty() {
            Vec::new()
        } else {
            table::adds(&warehouse.store.root, &then.def, then.version, &back).await?
        };
        if adds.len() != back.len() {
            return Err(Error::Internal(format!("the log of \"{}\" has other files than before", now.def.name)));
        }
        self.stage_restored(id, gone, adds, committed);
        self.hold_past(past);
        Ok(restored)
    }
}

/// That files of `then` are right under the definition of `now` as they are.
fn check_fit(then: &TableDef, now: &TableDef) -> Result<()> {
    let unfit = |why: String| {
        Err(Error::Unsupported(format!(
            "the version can't be restored, table \"{}\" has been altered since: {why}; read it with table_at() and \
             insert the rows",
            now.name
        )))
    };
    if (&then.primary_key, &then.partition_by, &then.options) != (&now.primary_key, &now.partition_by, &now.options) {
        return unfit("its key or layout is another".into());
    }
    if let Some(dropped) = then.columns.iter().find(|old| now.columns.iter().all(|column| column.name != old.name)) {
        return unfit(format!("column \"{}\" is not there any more", dropped.name));
    }
    for (column, source) in now.columns.iter().zip(columns_then(then, now)?) {
        let old = then.columns.iter().find(|old| old.name == column.name);
        match (source, old) {
            (Then::Column(name), Some(old)) if name == column.name => {
                if column.not_null && !old.not_null {
                    return unfit(format!("column \"{}\" has become NOT NULL", column.name));
                }
            }
            // Files without the column have null in it.
            (Then::Nowhere, None) if !column.not_null && column.default.is_none() => {}
            (Then::Nowhere, None) => return unfit(format!("column \"{}\" was added", column.name)),
            _ => return unfit(format!("column \"{}\" is another one", column.name)),
        }
    }
    Ok(())
}
