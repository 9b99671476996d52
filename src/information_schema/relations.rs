//! `schemata`, `tables`, `views` and `view_table_usage`.

use catalog::objects::is_temporary;
use datafusion::common::Result;

use super::yes_or_no;
use crate::pg_catalog::rows::{Datum, Rows};
use crate::pg_catalog::table::Wanted;
use crate::pg_catalog::{DATABASE, PgCatalog, builtin, pg_views, roles};

pub(super) fn fill_schemata(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["catalog_name", "schema_name", "schema_owner"])?;
    for (oid, name) in catalog.schemas() {
        let owner = roles::role_name(catalog, roles::owner(catalog, oid));
        out.push([DATABASE.into(), name.into(), owner.into()])?;
    }
    Ok(())
}

pub(super) fn fill_tables(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out =
        rows.columns(["table_catalog", "table_schema", "table_name", "table_type", "is_insertable_into", "is_typed"])?;
    let mut push = |schema: &str, name: &str, is_view: bool, insertable: bool| {
        let kind = match is_view {
            _ if is_temporary(schema) => "LOCAL TEMPORARY",
            true => "VIEW",
            false => "BASE TABLE",
        };
        let insertable = yes_or_no(insertable);
        out.push([DATABASE.into(), schema.into(), name.into(), kind.into(), insertable, yes_or_no(false)])
    };
    let objects = catalog.view.objects();
    for table in objects.tables().filter(|table| catalog.rights.sees(table.id)) {
        push(&table.schema, &table.name, false, true)?;
    }
    for view in objects.views().filter(|view| catalog.rights.sees(view.id)) {
        push(&view.schema, &view.name, true, false)?;
    }
    for relation in builtin::RELATIONS.iter() {
        push(relation.schema, relation.name, relation.kind == "v", false)?;
    }
    Ok(())
}

pub(super) fn fill_views(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "table_catalog",
        "table_schema",
        "table_name",
        "view_definition",
        "check_option",
        "is_updatable",
        "is_insertable_into",
        "is_trigger_updatable",
        "is_trigger_deletable",
        "is_trigger_insertable_into",
    ])?;
    let mut push = |schema: &str, name: &str, definition: Datum<'_>| {
        let no = || yes_or_no(false);
        out.push([DATABASE.into(), schema.into(), name.into(), definition, "NONE".into(), no(), no(), no(), no(), no()])
    };
    for view in catalog.view.objects().views().filter(|view| catalog.rights.sees(view.id)) {
        push(&view.schema, &view.name, pg_views::definition(&view.sql).into())?;
    }
    for relation in builtin::RELATIONS.iter().filter(|relation| relation.kind == "v") {
        push(relation.schema, relation.name, Datum::Null)?;
    }
    Ok(())
}

pub(super) fn fill_view_tables(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out =
        rows.columns(["view_catalog", "view_schema", "view_name", "table_catalog", "table_schema", "table_name"])?;
    for view in catalog.view.objects().views() {
        for read in view.depends_on.iter().filter_map(|id| catalog.relation(*id)) {
            out.push([
                DATABASE.into(),
                view.schema.as_str().into(),
                view.name.as_str().into(),
                DATABASE.into(),
                read.schema().into(),
                read.name().into(),
            ])?;
        }
    }
    Ok(())
}
