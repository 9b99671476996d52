//! What a statement can name in FROM: the tables and views of one catalog view.

use std::sync::Arc;

use catalog::View;
use catalog::objects::Relation;
use catalog::past::PastTable;
use catalog::table::TableState;
use datafusion::arrow::datatypes::{Fields, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use parking_lot::Mutex;

use super::travel::Travel;
use super::types::in_zone;

/// The relations of one statement. Views are expanded by the planner, which knows the settings they are planned under.
pub(crate) struct Relations {
    view: View,
    time_zone: Arc<str>,
    travel: Option<Travel>,
    /// Earlier versions of tables that the statement reads.
    held: Mutex<Vec<Arc<PastTable>>>,
}

impl std::fmt::Debug for Relations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relations").field("view", &self.view).finish_non_exhaustive()
    }
}

impl Relations {
    /// Tables as they are, or with `travel` as they were.
    pub(crate) fn new(view: View, time_zone: Arc<str>, travel: Option<Travel>) -> Self {
        Self { view, time_zone, travel, held: Mutex::default() }
    }

    /// The catalog.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// The object of that name.
    pub(crate) fn lookup(&self, schema: &str, name: &str) -> Option<Relation> {
        self.view.objects().lookup(schema, name)
    }

    /// A provider that scans a table.
    pub(crate) async fn table(&self, id: u32) -> catalog::Result<Arc<dyn TableProvider>> {
        match &self.travel {
            Some(travel) => travel.table(self, id).await,
            None => self.scan(self.view.table(id).await?),
        }
    }

    /// A provider that scans an earlier version of a table, whose files stay as long as this statement.
    pub(crate) fn version(&self, past: Arc<PastTable>) -> catalog::Result<Arc<dyn TableProvider>> {
        let state = Arc::clone(past.state());
        self.hold(past);
        self.scan(state)
    }

    /// Keeps the files of an earlier version as long as this statement reads.
    pub(super) fn hold(&self, past: Arc<PastTable>) {
        self.held.lock().push(past);
    }

    /// The instant that is looked back to.
    pub(super) fn travel(&self) -> Option<&Travel> {
        self.travel.as_ref()
    }

    /// The session's time zone.
    pub(super) fn time_zone(&self) -> &Arc<str> {
        &self.time_zone
    }

    /// A provider over a given state of a table.
    pub(crate) fn scan(&self, state: Arc<TableState>) -> catalog::Result<Arc<dyn TableProvider>> {
        let schema = self.columns(&state);
        Ok(Arc::new(self.view.warehouse().provider(state, schema)?))
    }

    /// [`Relations::scan`] that also tells where each row is.
    pub(crate) fn rows(&self, state: Arc<TableState>) -> catalog::Result<Arc<dyn TableProvider>> {
        let schema = self.columns(&state);
        Ok(Arc::new(self.view.warehouse().row_provider(state, schema)?))
    }

    /// A table's columns, instants in the session's zone.
    fn columns(&self, state: &TableState) -> SchemaRef {
        let fields: Fields = state.schema.fields().iter().map(|f| in_zone(f, &self.time_zone)).collect();
        Arc::new(Schema::new(fields))
    }
}
