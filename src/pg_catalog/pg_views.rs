//! `pg_tables` and `pg_views`: relations by name.

use datafusion::common::Result;

use super::rows::{Datum, Rows};
use super::table::Wanted;
use super::{PgCatalog, builtin, oids, roles};

pub(super) fn fill_tables(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "schemaname",
        "tablename",
        "tableowner",
        "hasindexes",
        "hasrules",
        "hastriggers",
        "rowsecurity",
    ])?;
    let mut push = |schema: &str, name: &str, owner: u32, indexed: bool| {
        let owner = roles::role_name(catalog, owner);
        let no = || Datum::Bool(false);
        out.push([schema.into(), name.into(), owner.into(), indexed.into(), no(), no(), no()])
    };
    for table in catalog.view.objects().tables() {
        let owner = roles::owner(catalog, table.id);
        push(&table.schema, &table.name, owner, !table.primary_key.is_empty())?;
    }
    for relation in builtin::RELATIONS.iter().filter(|relation| relation.kind == "r") {
        push(relation.schema, relation.name, oids::SUPERUSER, false)?;
    }
    Ok(())
}

pub(super) fn fill_views(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["schemaname", "viewname", "viewowner", "definition"])?;
    for view in catalog.view.objects().views() {
        let owner = roles::role_name(catalog, roles::owner(catalog, view.id));
        out.push([view.schema.as_str().into(), view.name.as_str().into(), owner.into(), definition(&view.sql).into()])?;
    }
    for relation in builtin::RELATIONS.iter().filter(|relation| relation.kind == "v") {
        let owner = roles::role_name(catalog, oids::SUPERUSER);
        out.push([relation.schema.into(), relation.name.into(), owner.into(), Datum::Null])?;
    }
    Ok(())
}

/// A view's query as `pg_get_viewdef` shows it: the text as it was typed, where PostgreSQL prints its own.
pub(crate) fn definition(sql: &str) -> String {
    format!(" {};", sql.trim().trim_end_matches(';'))
}
