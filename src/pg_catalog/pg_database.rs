//! `pg_database` and `pg_tablespace`: the one database of a warehouse, and where PostgreSQL would keep it.

use datafusion::common::Result;

use super::rows::{Datum, Rows};
use super::table::Wanted;
use super::{PgCatalog, oids, roles};

/// The one database.
pub(crate) const DATABASE: &str = "audience";
/// UTF8 by PostgreSQL's numbers.
const UTF8: i32 = 6;

pub(super) fn fill(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "oid",
        "datname",
        "datdba",
        "encoding",
        "datlocprovider",
        "datallowconn",
        "datconnlimit",
        "dattablespace",
        "datcollate",
        "datctype",
        "datacl",
    ])?;
    out.push([
        oids::DATABASE.into(),
        DATABASE.into(),
        roles::database_owner(catalog).into(),
        UTF8.into(),
        "c".into(),
        true.into(),
        (-1).into(),
        oids::DEFAULT_TABLESPACE.into(),
        // Text is ordered by its bytes.
        "C".into(),
        "C".into(),
        roles::acl(catalog, oids::DATABASE),
    ])
}

pub(super) fn fill_tablespaces(_: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["oid", "spcname", "spcowner", "spcacl"])?;
    for (oid, name) in [(oids::DEFAULT_TABLESPACE, "pg_default"), (oids::GLOBAL_TABLESPACE, "pg_global")] {
        out.push([oid.into(), name.into(), oids::SUPERUSER.into(), Datum::Null])?;
    }
    Ok(())
}
