//! What a statement can name in FROM: the tables and views of one catalog view, as DataFusion's catalog traits.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::View;
use catalog::objects::Relation;
use datafusion::arrow::datatypes::{Fields, Schema};
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result;

use super::types::in_zone;

/// The one database of a warehouse.
pub(crate) const DATABASE: &str = "audience";
/// The schema that DataFusion answers from the catalog traits themselves.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// The relations of one statement.
///
/// Only tables are served by [`SchemaProvider::table`]; views are expanded by the planner, which knows the
/// settings they are planned under.
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
    pub(crate) fn scan(&self, state: Arc<catalog::table::TableState>) -> catalog::Result<Arc<dyn TableProvider>> {
        let fields: Fields = state.schema.fields().iter().map(|f| in_zone(f, &self.time_zone)).collect();
        Ok(Arc::new(self.view.warehouse().provider(state, Arc::new(Schema::new(fields)))?))
    }

    /// The relations of `information_schema`.
    pub(crate) fn information_schema(self: &Arc<Self>) -> Arc<dyn SchemaProvider> {
        Arc::new(InformationSchemaProvider::new(Arc::clone(self) as _))
    }
}

impl CatalogProviderList for Relations {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![DATABASE.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        let database = Database { view: self.view.clone(), time_zone: Arc::clone(&self.time_zone) };
        (name == DATABASE).then(|| Arc::new(database) as _)
    }
}

#[derive(Debug)]
struct Database {
    view: View,
    time_zone: Arc<str>,
}

impl CatalogProvider for Database {
    fn schema_names(&self) -> Vec<String> {
        self.view.objects().schemas().map(|s| s.name.clone()).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.view.objects().schema(name)?;
        let relations = Relations::new(self.view.clone(), Arc::clone(&self.time_zone));
        Some(Arc::new(NamedSchema { name: name.to_owned(), relations }))
    }
}

#[derive(Debug)]
struct NamedSchema {
    name: String,
    relations: Relations,
}

#[async_trait]
impl SchemaProvider for NamedSchema {
    fn table_names(&self) -> Vec<String> {
        self.relations.view.objects().relations(&self.name).map(|r| r.name().to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(match self.relations.lookup(&self.name, name) {
            Some(Relation::Table(def)) => Some(self.relations.table(def.id).await?),
            Some(Relation::View(def)) => Some(Arc::new(Described::of(&def)?)),
            None => None,
        })
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.relations.lookup(&self.name, name).map(|relation| match relation {
            Relation::Table(_) => TableType::Base,
            Relation::View(_) => TableType::View,
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.relations.lookup(&self.name, name).is_some()
    }
}

/// A view as `information_schema` lists it: its columns and text, without planning it.
#[derive(Debug)]
struct Described {
    schema: Arc<Schema>,
    sql: String,
}

impl Described {
    fn of(def: &catalog::objects::ViewDef) -> catalog::Result<Self> {
        let mut fields = Vec::new();
        for column in &def.columns {
            fields.push(match column.pg_type.parse::<catalog::types::PgType>() {
                Ok(pg) => pg.field(&column.name, true),
                // A view may have columns that no table can store (intervals): listed as text.
                Err(_) => catalog::types::PgType::Text.field(&column.name, true),
            });
        }
        Ok(Self { schema: Arc::new(Schema::new(fields)), sql: def.sql.clone() })
    }
}

#[async_trait]
impl TableProvider for Described {
    fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn get_table_definition(&self) -> Option<&str> {
        Some(&self.sql)
    }

    async fn scan(
        &self,
        _: &dyn datafusion::catalog::Session,
        _: Option<&Vec<usize>>,
        _: &[datafusion::prelude::Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn datafusion::physical_plan::ExecutionPlan>> {
        datafusion::common::internal_err!("a view was scanned without having been planned")
    }
}
