//! `role_table_grants`, `table_privileges`, `role_column_grants`, `column_privileges`, `applicable_roles` and
//! `enabled_roles`: who may do what, as far as it concerns who asks.

use std::collections::BTreeSet;

use catalog::objects::access::PUBLIC;
use catalog::objects::{AclItem, ColumnDef, ObjectId, Privileges, Relation};
use datafusion::common::Result;

use super::yes_or_no;
use crate::pg_catalog::rows::Rows;
use crate::pg_catalog::table::Wanted;
use crate::pg_catalog::{DATABASE, PgCatalog, roles};
use crate::privileges::{acl, is_member_of, rights_of};

/// One privilege that somebody holds.
struct Grant {
    grantor: ObjectId,
    grantee: ObjectId,
    privilege: Privileges,
    grantable: bool,
}

/// The single privileges of a list. What the owner holds he may grant.
fn grants<'a>(items: &'a [AclItem], owner: ObjectId) -> impl Iterator<Item = Grant> + 'a {
    items.iter().flat_map(move |item| {
        item.privileges.each().map(move |privilege| Grant {
            grantor: item.grantor,
            grantee: item.grantee,
            privilege,
            grantable: item.grantable.contains(privilege) || item.grantee == owner,
        })
    })
}

/// Which grants a view shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Those by and to roles whose rights one has.
    OfRoles,
    /// Those and what everyone may.
    All,
}

/// Whose rights who asks has: all roles' if it is a superuser.
fn enabled(catalog: &PgCatalog) -> BTreeSet<ObjectId> {
    if catalog.rights.is_superuser() {
        return catalog.view.objects().roles().map(|role| role.id).collect();
    }
    rights_of(catalog.view.objects(), catalog.rights.role())
}

fn shows(shown: Shown, enabled: &BTreeSet<ObjectId>, grant: &Grant) -> bool {
    enabled.contains(&grant.grantor)
        || enabled.contains(&grant.grantee)
        || (shown == Shown::All && grant.grantee == PUBLIC)
}

fn grantee_name(catalog: &PgCatalog, id: ObjectId) -> Option<String> {
    if id == PUBLIC { Some("PUBLIC".to_owned()) } else { roles::role_name(catalog, id) }
}

fn relations(catalog: &PgCatalog) -> impl Iterator<Item = Relation> + '_ {
    let objects = catalog.view.objects();
    let tables = objects.tables().cloned().map(Relation::Table);
    tables.chain(objects.views().cloned().map(Relation::View))
}

pub(super) fn fill_role_table_grants(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    fill_tables(catalog, rows, Shown::OfRoles)
}

pub(super) fn fill_table_privileges(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    fill_tables(catalog, rows, Shown::All)
}

fn fill_tables(catalog: &PgCatalog, rows: &mut Rows, shown: Shown) -> Result<()> {
    let mut out = rows.columns([
        "grantor",
        "grantee",
        "table_catalog",
        "table_schema",
        "table_name",
        "privilege_type",
        "is_grantable",
        "with_hierarchy",
    ])?;
    let objects = catalog.view.objects();
    let enabled = enabled(catalog);
    for relation in relations(catalog) {
        let access = objects.access(relation.id());
        let items = acl::effective(objects, &access);
        for grant in grants(&items, access.owner).filter(|grant| shows(shown, &enabled, grant)) {
            out.push([
                roles::role_name(catalog, grant.grantor).into(),
                grantee_name(catalog, grant.grantee).into(),
                DATABASE.into(),
                relation.schema().into(),
                relation.name().into(),
                grant.privilege.word().into(),
                yes_or_no(grant.grantable),
                yes_or_no(grant.privilege == Privileges::SELECT),
            ])?;
        }
    }
    Ok(())
}

pub(super) fn fill_role_column_grants(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    fill_columns(catalog, rows, Shown::OfRoles)
}

pub(super) fn fill_column_privileges(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    fill_columns(catalog, rows, Shown::All)
}

fn fill_columns(catalog: &PgCatalog, rows: &mut Rows, shown: Shown) -> Result<()> {
    let mut out = rows.columns([
        "grantor",
        "grantee",
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "privilege_type",
        "is_grantable",
    ])?;
    let objects = catalog.view.objects();
    let enabled = enabled(catalog);
    for relation in relations(catalog) {
        let access = objects.access(relation.id());
        let whole = acl::effective(objects, &access);
        let columns: &[ColumnDef] = match &relation {
            Relation::Table(table) => &table.columns,
            Relation::View(view) => &view.columns,
        };
        for column in columns {
            let own = access.columns.get(&column.name).map(Vec::as_slice).unwrap_or_default();
            // What one may do with all of it, one may do with each column.
            let all = grants(&whole, access.owner).filter(|grant| Privileges::OF_COLUMN.contains(grant.privilege));
            let mut seen = Vec::new();
            for grant in all.chain(grants(own, access.owner)).filter(|grant| shows(shown, &enabled, grant)) {
                let key = (grant.grantor, grant.grantee, grant.privilege);
                if seen.contains(&key) {
                    continue;
                }
                seen.push(key);
                out.push([
                    roles::role_name(catalog, grant.grantor).into(),
                    grantee_name(catalog, grant.grantee).into(),
                    DATABASE.into(),
                    relation.schema().into(),
                    relation.name().into(),
                    column.name.as_str().into(),
                    grant.privilege.word().into(),
                    yes_or_no(grant.grantable),
                ])?;
            }
        }
    }
    Ok(())
}

pub(super) fn fill_enabled_roles(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["role_name"])?;
    for id in enabled(catalog) {
        out.push([roles::role_name(catalog, id).into()])?;
    }
    Ok(())
}

pub(super) fn fill_applicable_roles(catalog: &PgCatalog, wanted: &Wanted, rows: &mut Rows) -> Result<()> {
    fill_memberships(catalog, wanted, rows, false)
}

pub(super) fn fill_administrable_roles(catalog: &PgCatalog, wanted: &Wanted, rows: &mut Rows) -> Result<()> {
    fill_memberships(catalog, wanted, rows, true)
}

fn fill_memberships(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows, only_admin: bool) -> Result<()> {
    let mut out = rows.columns(["grantee", "role_name", "is_grantable"])?;
    let objects = catalog.view.objects();
    for (member, membership) in objects.memberships() {
        let mine = is_member_of(objects, catalog.rights.role(), member.id);
        if mine && (membership.admin || !only_admin) {
            out.push([
                member.name.as_str().into(),
                roles::role_name(catalog, membership.role).into(),
                yes_or_no(membership.admin),
            ])?;
        }
    }
    Ok(())
}
