//! Roles and what they own, as the catalogs show them: `pg_authid`, `pg_roles`, `pg_user`, `pg_shadow`.
//!
//! The one place that says who there is and who owns what: every other catalog asks here.

use datafusion::common::Result;

use super::rows::{Datum, Rows};
use super::table::Wanted;
use super::{PgCatalog, oids};

/// A role.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) superuser: bool,
    pub(crate) inherit: bool,
    pub(crate) create_role: bool,
    pub(crate) create_database: bool,
    pub(crate) can_login: bool,
    pub(crate) replication: bool,
    pub(crate) bypass_rls: bool,
    pub(crate) connection_limit: i64,
}

/// All roles.
pub(crate) fn roles(_: &PgCatalog) -> Vec<Role> {
    vec![Role {
        oid: oids::SUPERUSER,
        name: "postgres".to_owned(),
        superuser: true,
        inherit: true,
        create_role: true,
        create_database: true,
        can_login: true,
        replication: true,
        bypass_rls: true,
        connection_limit: -1,
    }]
}

/// The role with that number.
pub(crate) fn role_name(catalog: &PgCatalog, oid: u32) -> Option<String> {
    roles(catalog).into_iter().find(|role| role.oid == oid).map(|role| role.name)
}

/// The number of the role of that name.
pub(crate) fn role_oid(catalog: &PgCatalog, name: &str) -> Option<u32> {
    roles(catalog).into_iter().find(|role| role.name == name).map(|role| role.oid)
}

/// Who owns a table or view.
pub(crate) fn relation_owner(_: &PgCatalog, _: u32) -> u32 {
    oids::SUPERUSER
}

/// Who owns a schema.
pub(crate) fn schema_owner(_: &PgCatalog, _: u32) -> u32 {
    oids::SUPERUSER
}

pub(super) fn fill_authid(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
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
    ])?;
    for role in roles(catalog) {
        out.push(attributes(&role))?;
    }
    Ok(())
}

pub(super) fn fill_roles(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
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
        "rolpassword",
    ])?;
    for role in roles(catalog) {
        let [a, b, c, d, e, f, g, h, i, j] = attributes(&role);
        out.push([a, b, c, d, e, f, g, h, i, j, "********".into()])?;
    }
    Ok(())
}

fn attributes(role: &Role) -> [Datum<'_>; 10] {
    [
        role.oid.into(),
        role.name.as_str().into(),
        role.superuser.into(),
        role.inherit.into(),
        role.create_role.into(),
        role.create_database.into(),
        role.can_login.into(),
        role.replication.into(),
        role.bypass_rls.into(),
        role.connection_limit.into(),
    ]
}

pub(super) fn fill_user(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out =
        rows.columns(["usename", "usesysid", "usecreatedb", "usesuper", "userepl", "usebypassrls", "passwd"])?;
    for role in roles(catalog).iter().filter(|role| role.can_login) {
        let [name, oid, createdb, superuser, replication, bypass] = login(role);
        out.push([name, oid, createdb, superuser, replication, bypass, "********".into()])?;
    }
    Ok(())
}

pub(super) fn fill_shadow(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["usename", "usesysid", "usecreatedb", "usesuper", "userepl", "usebypassrls"])?;
    for role in roles(catalog).iter().filter(|role| role.can_login) {
        out.push(login(role))?;
    }
    Ok(())
}

fn login(role: &Role) -> [Datum<'_>; 6] {
    [
        role.name.as_str().into(),
        role.oid.into(),
        role.create_database.into(),
        role.superuser.into(),
        role.replication.into(),
        role.bypass_rls.into(),
    ]
}
