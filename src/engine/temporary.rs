//! The schemas of temporary tables: one for each session that has some, gone with it.
//!
//! What is in them is committed like everything else. A session that ends takes its schema along; what a process left
//! behind that was killed is removed by the next one that writes.

use std::collections::HashSet;
use std::sync::Arc;

use catalog::Transaction;
use catalog::objects::{Change, Objects, Relation, is_temporary};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::Engine;
use crate::error::Result;

/// How often it is tried to remove schemas while others commit.
const TRIES: usize = 8;

/// The schemas of the sessions of this process.
#[derive(Default)]
pub(super) struct TemporarySchemas {
    live: Mutex<HashSet<String>>,
    swept: OnceCell<()>,
    /// Whether the engine is closed; held while something is removed.
    closed: tokio::sync::Mutex<bool>,
}

impl Engine {
    /// Says that a session has a schema.
    pub(crate) fn keep_temporary(&self, schema: &str) {
        self.temporary.live.lock().insert(schema.to_owned());
    }

    /// Removes the schema of a session that has ended, in the background.
    pub(crate) fn end_temporary(self: &Arc<Self>, schema: String) {
        self.temporary.live.lock().remove(&schema);
        let engine = Arc::clone(self);
        self.compute.leave(async move {
            let closed = engine.temporary.closed.lock().await;
            if *closed {
                return;
            }
            if let Err(error) = engine.remove_temporary(|name| name == schema).await {
                tracing::warn!(%error, schema, "could not remove temporary tables, the next start will");
            }
        });
    }

    /// Removes what processes left behind that are no more; once, by who may write.
    pub(super) async fn remove_left_behind(&self) -> Result<()> {
        let removed = async { self.remove_temporary(|name| !self.temporary.live.lock().contains(name)).await };
        self.temporary.swept.get_or_try_init(|| removed).await.copied()
    }

    /// Removes all schemas before the engine is closed.
    pub(super) async fn close_temporary(&self) {
        let mut closed = self.temporary.closed.lock().await;
        *closed = true;
        if self.warehouse.is_writing() {
            if let Err(error) = self.remove_temporary(|_| true).await {
                tracing::warn!(%error, "could not remove temporary tables, the next start will");
            }
        }
    }

    async fn remove_temporary(&self, doomed: impl Fn(&str) -> bool) -> Result<()> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut work = Transaction::begin(&self.warehouse).await?;
            let changes = removal(work.objects(), |name| is_temporary(name) && doomed(name));
            if changes.is_empty() {
                return Ok(());
            }
            work.change_together(changes)?;
            match work.commit().await {
                Err(catalog::Error::Conflict(_)) if tries < TRIES => {}
                outcome => return Ok(outcome?),
            }
        }
    }
}

/// What removes schemas and all that is in them.
fn removal(objects: &Objects, doomed: impl Fn(&str) -> bool) -> Vec<Change> {
    let schemas: Vec<_> = objects.schemas().filter(|schema| doomed(&schema.name)).collect();
    let inside = schemas.iter().flat_map(|schema| objects.relations(&schema.name)).map(removal_of);
    inside.chain(schemas.iter().map(|schema| Change::DropSchema(schema.id))).collect()
}

/// What drops a relation.
pub(crate) fn removal_of(relation: &Relation) -> Change {
    match relation {
        Relation::Table(table) => Change::DropTable(table.id),
        Relation::View(view) => Change::DropView(view.id),
    }
}
