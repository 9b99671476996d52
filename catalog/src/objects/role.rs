//! Roles: who may log in, what they may do as such, and the roles they are members of.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ObjectId, Objects};
use crate::error::{Error, Result};

/// The superuser that every warehouse has; owns whatever has no other owner.
pub const POSTGRES: ObjectId = 10;
/// Members may read every table and view, and look into every schema.
pub const READ_ALL_DATA: ObjectId = 6181;
/// Members may write every table and view, and look into every schema.
pub const WRITE_ALL_DATA: ObjectId = 6182;
/// Members may read files and URLs that the server can reach.
pub const READ_SERVER_FILES: ObjectId = 4569;
/// Members may write files and URLs that the server can reach.
pub const WRITE_SERVER_FILES: ObjectId = 4570;
/// Members may read all monitoring data.
pub const MONITOR: ObjectId = 3373;
/// Members may read all settings.
pub const READ_ALL_SETTINGS: ObjectId = 3374;
/// Members may read what other sessions are doing.
pub const READ_ALL_STATS: ObjectId = 3375;
/// Members may end the statements and sessions of others who are no superusers.
pub const SIGNAL_BACKEND: ObjectId = 4200;
/// Has one member that is written nowhere: the owner of the database.
pub const DATABASE_OWNER: ObjectId = 6171;

/// The roles that every warehouse has, but for [`POSTGRES`], and the predefined roles they are members of.
const PREDEFINED: [(ObjectId, &str, &[ObjectId]); 9] = [
    (READ_ALL_DATA, "pg_read_all_data", &[]),
    (WRITE_ALL_DATA, "pg_write_all_data", &[]),
    (READ_SERVER_FILES, "pg_read_server_files", &[]),
    (WRITE_SERVER_FILES, "pg_write_server_files", &[]),
    (MONITOR, "pg_monitor", &[READ_ALL_SETTINGS, READ_ALL_STATS]),
    (READ_ALL_SETTINGS, "pg_read_all_settings", &[]),
    (READ_ALL_STATS, "pg_read_all_stats", &[]),
    (SIGNAL_BACKEND, "pg_signal_backend", &[]),
    (DATABASE_OWNER, "pg_database_owner", &[]),
];

/// A role: a user if it may log in, a group if it has members, often both.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleDef {
    /// Stable number.
    pub id: ObjectId,
    /// Name, unique among roles.
    pub name: String,
    /// Every check of a privilege passes.
    pub superuser: bool,
    /// What the roles it is a member of may do, it may do without `SET ROLE`.
    pub inherit: bool,
    /// May create, alter and drop roles.
    pub create_role: bool,
    /// May create databases; kept as it was said, there is one database.
    pub create_db: bool,
    /// May open a session.
    pub login: bool,
    /// May replicate; kept as it was said, there is no replication.
    pub replication: bool,
    /// No row policy holds for it.
    pub bypass_rls: bool,
    /// How many sessions it may have open; -1 for any number.
    pub connection_limit: i32,
    /// A SCRAM-SHA-256 verifier in PostgreSQL's text form, never a password.
    pub password: Option<String>,
    /// Until when the password is taken.
    pub valid_until: Option<Validity>,
    /// The roles it is a member of.
    pub member_of: Vec<Membership>,
    /// Text of `COMMENT ON`.
    pub comment: Option<String>,
}

impl std::fmt::Debug for RoleDef {
    /// Without the verifier, which must not come into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleDef").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// `VALID UNTIL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validity {
    /// `'infinity'`: said, and without end.
    Infinity,
    /// Until then.
    Until(DateTime<Utc>),
}

/// That the role it is written at is a member of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// The role that it is a member of.
    pub role: ObjectId,
    /// Who made it a member.
    pub grantor: ObjectId,
    /// May make others members, and end that.
    pub admin: bool,
}

impl RoleDef {
    /// A role as `CREATE ROLE name` makes it.
    pub fn new(id: ObjectId, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            superuser: false,
            inherit: true,
            create_role: false,
            create_db: false,
            login: false,
            replication: false,
            bypass_rls: false,
            connection_limit: -1,
            password: None,
            valid_until: None,
            member_of: Vec::new(),
            comment: None,
        }
    }
}

/// Whether every warehouse has this role, so that it can't be dropped or renamed.
pub fn is_built_in(id: ObjectId) -> bool {
    id == POSTGRES || PREDEFINED.iter().any(|(built_in, ..)| *built_in == id)
}

/// The roles of a new warehouse.
pub(super) fn built_in() -> Vec<Arc<RoleDef>> {
    let postgres = RoleDef {
        superuser: true,
        create_role: true,
        create_db: true,
        login: true,
        replication: true,
        bypass_rls: true,
        ..RoleDef::new(POSTGRES, "postgres")
    };
    let predefined = PREDEFINED.iter().map(|(id, name, member_of)| {
        let membership = |role: &ObjectId| Membership { role: *role, grantor: POSTGRES, admin: false };
        RoleDef { member_of: member_of.iter().map(membership).collect(), ..RoleDef::new(*id, *name) }
    });
    std::iter::once(postgres).chain(predefined).map(Arc::new).collect()
}

/// Roles by id; the names are few enough to be looked through.
pub(super) type Roles = BTreeMap<ObjectId, Arc<RoleDef>>;

impl Objects {
    /// The role of that name.
    pub fn role(&self, name: &str) -> Option<&Arc<RoleDef>> {
        self.roles.values().find(|role| role.name == name)
    }

    /// The role with that id.
    pub fn role_by_id(&self, id: ObjectId) -> Option<&Arc<RoleDef>> {
        self.roles.get(&id)
    }

    /// All roles, by id.
    pub fn roles(&self) -> impl Iterator<Item = &Arc<RoleDef>> {
        self.roles.values()
    }

    /// All memberships: the member, and what it is a member of.
    pub fn memberships(&self) -> impl Iterator<Item = (&Arc<RoleDef>, &Membership)> {
        self.roles().flat_map(|member| member.member_of.iter().map(move |membership| (member, membership)))
    }

    /// Checks names and memberships of all roles.
    pub(super) fn check_roles(&self) -> Result<()> {
        let mut names = BTreeMap::new();
        for role in self.roles() {
            if names.insert(role.name.as_str(), role.id).is_some() {
                return Err(Error::AlreadyExists { kind: "role", name: role.name.clone() });
            }
            for membership in &role.member_of {
                if !self.roles.contains_key(&membership.role) {
                    return Err(no_role(membership.role));
                }
            }
        }
        if self.roles.get(&POSTGRES).is_none_or(|postgres| !postgres.superuser) {
            return Err(Error::Invalid("the role \"postgres\" must stay a superuser".into()));
        }
        Ok(())
    }
}

pub(super) fn no_role(id: ObjectId) -> Error {
    Error::NotFound { kind: "role", name: format!("with id {id}") }
}
