//! Roles, what they own and what was granted to them: `pg_authid`, `pg_roles`, `pg_user`, `pg_shadow`, `pg_group`,
//! `pg_auth_members`.
//!
//! The one place that says who there is and who owns what: every other catalog asks here.

use catalog::objects::ObjectId;
use catalog::objects::access::{AclItem, PUBLIC};
use catalog::objects::role::{RoleDef, Validity};
use datafusion::common::Result;

use super::names::quoted;
use super::rows::{Datum, Rows};
use super::table::Wanted;
use super::{PgCatalog, oids};

/// What stands where a password would, for those who may not see it.
const HIDDEN: &str = "********";

/// The name of the role with that number.
pub(crate) fn role_name(catalog: &PgCatalog, oid: u32) -> Option<String> {
    catalog.view.objects().role_by_id(oid).map(|role| role.name.clone())
}

/// The number of the role of that name.
pub(crate) fn role_oid(catalog: &PgCatalog, name: &str) -> Option<u32> {
    catalog.view.objects().role(name).map(|role| role.id)
}

/// Who owns a schema, table or view.
pub(crate) fn owner(catalog: &PgCatalog, object: ObjectId) -> u32 {
    catalog.view.objects().owner(object)
}

/// What was granted on an object, as `aclitem`s; NULL where nothing ever was.
pub(crate) fn acl(catalog: &PgCatalog, object: ObjectId) -> Datum<'static> {
    catalog.view.objects().access(object).acl.as_ref().map_or(Datum::Null, |items| acl_items(catalog, items))
}

/// What was granted on a column of it.
pub(crate) fn column_acl(catalog: &PgCatalog, object: ObjectId, column: &str) -> Datum<'static> {
    let access = catalog.view.objects().access(object);
    access.columns.get(column).map_or(Datum::Null, |items| acl_items(catalog, items))
}

fn acl_items(catalog: &PgCatalog, items: &[AclItem]) -> Datum<'static> {
    let name = |role: ObjectId| match role {
        PUBLIC => String::new(),
        role => role_name(catalog, role).map_or_else(|| role.to_string(), |name| quoted(&name)),
    };
    let item = |item: &AclItem| {
        let letters = item.privileges.letters(item.grantable);
        Datum::from(format!("{}={letters}/{}", name(item.grantee), name(item.grantor)))
    };
    Datum::List(items.iter().map(item).collect())
}

fn roles(catalog: &PgCatalog) -> impl Iterator<Item = &RoleDef> {
    catalog.view.objects().roles().map(AsRef::as_ref)
}

fn valid_until(role: &RoleDef) -> Datum<'static> {
    match role.valid_until {
        Some(Validity::Until(at)) => Datum::Int(at.timestamp_micros()),
        // An Arrow time stamp has no infinity; without an end and with an infinite one is the same.
        Some(Validity::Infinity) | None => Datum::Null,
    }
}

pub(super) fn fill_authid(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    // A verifier is a secret; that there is one is not.
    fill_attributes(catalog, rows, |role| role.password.as_ref().map(|_| HIDDEN).into())
}

pub(super) fn fill_roles(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    fill_attributes(catalog, rows, |_| HIDDEN.into())
}

fn fill_attributes(catalog: &PgCatalog, rows: &mut Rows, password: impl Fn(&RoleDef) -> Datum<'static>) -> Result<()> {
    let mut out = rows.columns([
        "oid",
        "rolname",
        "rolsuper",
        "rolinherit",
        "rolcreaterole",
        "rolcreatedb",
        "rolcanlogin",
        "rolreplication",
        "rolbypassrls",
        "rolconnlimit",
        "rolvaliduntil",
        "rolpassword",
    ])?;
    for role in roles(catalog) {
        out.push([
            role.id.into(),
            role.name.as_str().into(),
            role.superuser.into(),
            role.inherit.into(),
            role.create_role.into(),
            role.create_db.into(),
            role.login.into(),
            role.replication.into(),
            role.bypass_rls.into(),
            role.connection_limit.into(),
            valid_until(role),
            password(role),
        ])?;
    }
    Ok(())
}

pub(super) fn fill_users(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out =
        rows.columns(["usename", "usesysid", "usecreatedb", "usesuper", "userepl", "usebypassrls", "passwd"])?;
    for role in roles(catalog).filter(|role| role.login) {
        out.push([
            role.name.as_str().into(),
            role.id.into(),
            role.create_db.into(),
            role.superuser.into(),
            role.replication.into(),
            role.bypass_rls.into(),
            HIDDEN.into(),
        ])?;
    }
    Ok(())
}

pub(super) fn fill_groups(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["groname", "grosysid", "grolist"])?;
    for group in roles(catalog).filter(|role| !role.login) {
        let members = roles(catalog).filter(|role| role.member_of.iter().any(|member| member.role == group.id));
        let members = Datum::ints(members.map(|member| member.id.into()));
        out.push([group.name.as_str().into(), group.id.into(), members])?;
    }
    Ok(())
}

pub(super) fn fill_members(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["roleid", "member", "grantor", "admin_option"])?;
    for (member, membership) in catalog.view.objects().memberships() {
        out.push([membership.role.into(), member.id.into(), membership.grantor.into(), membership.admin.into()])?;
    }
    Ok(())
}

/// Who owns the database.
pub(super) fn database_owner(catalog: &PgCatalog) -> u32 {
    owner(catalog, oids::DATABASE)
}

/// `pg_shdescription`: comments on roles.
pub(super) fn fill_comments(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["objoid", "classoid", "description"])?;
    for role in roles(catalog) {
        if let Some(comment) = &role.comment {
            out.push([role.id.into(), oids::catalogs::PG_AUTHID.into(), comment.as_str().into()])?;
        }
    }
    Ok(())
}

impl PgCatalog {
    /// The comment on a role.
    pub(crate) fn role_comment(&self, class: u32, oid: u32) -> Option<&str> {
        let role = self.view.objects().role_by_id(oid).filter(|_| class == oids::catalogs::PG_AUTHID)?;
        role.comment.as_deref()
    }
}
