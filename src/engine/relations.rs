//! What a statement can name in FROM: the tables and views of one catalog view.

use std::sync::Arc;

use catalog::View;
use catalog::objects::Relation;
use catalog::table::TableState;
use datafusion::arrow::datatypes::{Fields, Schema, SchemaRef};
use datafusion::catalog::TableProvider;

use super::types::in_zone;

/// The relations of one statement. Views are expanded by the planner, which knows the settings they are planned under.
#[derive(Debug)]
pub(crate) struct Relations {
    view: View,
    time_zone: Arc<str>,
}

impl Relations {
    pub(crate) fn new(view: View, time_zone: Arc<str>) -> Self {
        Self { view, time_zone }
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
        let state = self.view.table(id).await?;
        self.scan(state)
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
