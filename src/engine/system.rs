//! The part of `pg_catalog` that is the same in every database: what drivers ask about types before they begin.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion_pg_catalog::pg_catalog::PgCatalogStaticTables;

use crate::error::Result;

/// The schema of these tables. It is looked in before the search path, as in PostgreSQL.
pub(super) const PG_CATALOG: &str = "pg_catalog";

/// The tables by name.
pub(super) struct SystemTables(HashMap<&'static str, Arc<dyn TableProvider>>);

impl SystemTables {
    pub(super) fn new() -> Result<Self> {
        let all = PgCatalogStaticTables::try_new()?;
        let named = [
            ("pg_type", &all.pg_type),
            ("pg_range", &all.pg_range),
            ("pg_enum", &all.pg_enum),
            ("pg_collation", &all.pg_collation),
            ("pg_am", &all.pg_am),
        ];
        let mut tables: HashMap<&'static str, Arc<dyn TableProvider>> = HashMap::new();
        for (name, table) in named {
            tables.insert(name, table.try_into_memtable()?);
        }
        Ok(Self(tables))
    }

    pub(super) fn table(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        self.0.get(name).cloned()
    }
}
