//! `obj_description`, `col_description`, `shobj_description`: comments.

use datafusion::common::Result;

use super::catalog_function::{Body, Entry, Row};
use crate::pg_catalog::builtin;
use crate::pg_catalog::{PG_CATALOG, PgCatalog, Reg};

pub(super) const LIST: &[Entry] = &[
    Entry { name: "obj_description", arguments: (1, 2), strict: 1, returns: "text", body: Body::Text(object) },
    Entry { name: "shobj_description", arguments: (2, 2), strict: 2, returns: "text", body: Body::Text(shared) },
    Entry { name: "col_description", arguments: (2, 2), strict: 2, returns: "text", body: Body::Text(column) },
];

fn object(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    let class = match row.text(1) {
        Some(name) => match builtin::relation(PG_CATALOG, name) {
            Some(relation) => Some(relation.oid),
            None => return Ok(None),
        },
        None if row.len() > 1 => return Ok(None),
        None => None,
    };
    let object = row.oid(catalog, 0, Reg::Class)?;
    Ok(object.and_then(|oid| catalog.comment(class, oid, 0)).map(str::to_owned))
}

/// Roles can have comments, the database and its tablespaces have none.
fn shared(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    let class = row.text(1).and_then(|name| builtin::relation(PG_CATALOG, name)).map(|relation| relation.oid);
    let oid = row.oid(catalog, 0, Reg::Role)?;
    Ok(class.zip(oid).and_then(|(class, oid)| catalog.role_comment(class, oid)).map(str::to_owned))
}

fn column(catalog: &PgCatalog, row: &Row<'_>) -> Result<Option<String>> {
    let (Some(object), Some(column)) = (row.oid(catalog, 0, Reg::Class)?, row.int(1)) else { return Ok(None) };
    let column = usize::try_from(column).ok().filter(|column| *column > 0);
    let class = Some(crate::pg_catalog::oids::catalogs::PG_CLASS);
    Ok(column.and_then(|column| catalog.comment(class, object, column)).map(str::to_owned))
}
