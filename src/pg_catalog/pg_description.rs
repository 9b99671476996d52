//! `pg_description`: comments on the warehouse's objects, and what PostgreSQL and the functions say of themselves.

use std::collections::HashMap;
use std::sync::LazyLock;

use datafusion::common::Result;

use super::oids::catalogs;
use super::rows::{Datum, Rows};
use super::table::Wanted;
use super::{PgCatalog, builtin};

/// A comment: class, object, column (0 for the object itself), text.
type Comment<'a> = (u32, u32, usize, &'a str);

pub(super) fn fill(catalog: &PgCatalog, wanted: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["objoid", "classoid", "objsubid", "description"])?;
    for (class, object, column, text) in own(catalog).chain(documented(catalog)).chain(built_in(catalog)) {
        if wanted.wants("objoid", object) && wanted.wants("classoid", class) {
            let column = Datum::Int(i64::try_from(column).unwrap_or_default());
            out.push([object.into(), class.into(), column, text.into()])?;
        }
    }
    Ok(())
}

impl PgCatalog {
    /// The comment on an object or, if `column` is not 0, on a column of it. Without a class any object will do.
    pub(crate) fn comment(&self, class: Option<u32>, object: u32, column: usize) -> Option<&str> {
        let is_it = |(c, o, n, _): &Comment<'_>| class.is_none_or(|class| class == *c) && *o == object && *n == column;
        let direct = match class {
            Some(catalogs::PG_CLASS) | None => self.relation_comment(object, column),
            _ => None,
        };
        direct
            .or_else(|| schemas(self).find(is_it).map(|(_, _, _, text)| text))
            .or_else(|| {
                self.functions.by_oid(object)?.description.as_deref().filter(|_| class != Some(catalogs::PG_CLASS))
            })
            .or_else(|| built_in_comment(class?, object).filter(|_| column == 0))
    }

    fn relation_comment(&self, oid: u32, column: usize) -> Option<&str> {
        let objects = self.view.objects();
        let (comment, columns) = match (objects.table(oid), objects.view(oid)) {
            (Some(table), _) => (&table.comment, &table.columns),
            (_, Some(view)) => (&view.comment, &view.columns),
            _ => return None,
        };
        match column.checked_sub(1) {
            None => comment.as_deref(),
            Some(column) => columns.get(column)?.comment.as_deref(),
        }
    }
}

/// PostgreSQL's words about a built-in thing.
fn built_in_comment(class: u32, object: u32) -> Option<&'static str> {
    static BY_OBJECT: LazyLock<HashMap<(i64, i64), &'static str>> = LazyLock::new(|| {
        let comment = |row: &'static Vec<Datum<'static>>| match row.as_slice() {
            [Datum::Int(object), Datum::Int(class), _, Datum::Text(text)] => Some(((*class, *object), text.as_ref())),
            _ => None,
        };
        builtin::rows("pg_description").unwrap_or_default().iter().filter_map(comment).collect()
    });
    BY_OBJECT.get(&(class.into(), object.into())).copied()
}

fn schemas(catalog: &PgCatalog) -> impl Iterator<Item = Comment<'_>> {
    let schemas = catalog.view.objects().schemas();
    schemas.filter_map(|schema| Some((catalogs::PG_NAMESPACE, schema.id, 0, schema.comment.as_deref()?)))
}

/// Comments on the warehouse's objects.
fn own(catalog: &PgCatalog) -> impl Iterator<Item = Comment<'_>> {
    let objects = catalog.view.objects();
    let tables = objects.tables().map(|table| (table.id, &table.comment, &table.columns));
    let views = objects.views().map(|view| (view.id, &view.comment, &view.columns));
    let relations = tables.chain(views).flat_map(|(id, comment, columns)| {
        let columns = columns.iter().enumerate();
        let columns = columns.filter_map(move |(i, c)| Some((catalogs::PG_CLASS, id, i + 1, c.comment.as_deref()?)));
        comment.as_deref().map(|text| (catalogs::PG_CLASS, id, 0, text)).into_iter().chain(columns)
    });
    schemas(catalog).chain(relations)
}

/// What the engine's functions say of themselves, where PostgreSQL has no such function.
fn documented(catalog: &PgCatalog) -> impl Iterator<Item = Comment<'_>> {
    let functions = catalog.functions.all().iter();
    functions.filter_map(|function| Some((catalogs::PG_PROC, function.oid, 0, function.description.as_deref()?)))
}

/// PostgreSQL's words about built-in things.
fn built_in(catalog: &PgCatalog) -> impl Iterator<Item = Comment<'_>> {
    let rows = builtin::rows("pg_description").unwrap_or_default().iter();
    rows.filter_map(move |row| match row.as_slice() {
        [Datum::Int(object), Datum::Int(class), Datum::Int(_), Datum::Text(text)] => {
            let (class, object) = (u32::try_from(*class).ok()?, u32::try_from(*object).ok()?);
            let is_known = match class {
                catalogs::PG_PROC => catalog.functions.by_oid(object).is_some(),
                // Only while nobody has said something better.
                catalogs::PG_NAMESPACE => {
                    catalog.schemas().any(|(oid, _)| oid == object) && !schemas(catalog).any(|c| c.1 == object)
                }
                _ => true,
            };
            is_known.then_some((class, object, 0, text.as_ref()))
        }
        _ => None,
    })
}
