//! `pg_namespace`: schemas.

use datafusion::common::Result;

use super::rows::Rows;
use super::table::Wanted;
use super::{PG_CATALOG, PgCatalog, oids, roles};
use crate::information_schema::INFORMATION_SCHEMA;

pub(super) fn fill(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["oid", "nspname", "nspowner", "nspacl"])?;
    for (oid, name) in catalog.schemas() {
        out.push([oid.into(), name.into(), roles::owner(catalog, oid).into(), roles::acl(catalog, oid)])?;
    }
    Ok(())
}

impl PgCatalog {
    /// All schemas, with their numbers.
    pub(crate) fn schemas(&self) -> impl Iterator<Item = (u32, &str)> {
        let own = self.view.objects().schemas().map(|schema| (schema.id, schema.name.as_str()));
        [(oids::PG_CATALOG, PG_CATALOG), (oids::INFORMATION_SCHEMA, INFORMATION_SCHEMA)].into_iter().chain(own)
    }

    /// The number of a schema.
    pub(crate) fn schema_oid(&self, name: &str) -> Option<u32> {
        match name {
            PG_CATALOG => Some(oids::PG_CATALOG),
            INFORMATION_SCHEMA => Some(oids::INFORMATION_SCHEMA),
            _ => self.view.objects().schema(name).map(|schema| schema.id),
        }
    }
}
