//! Statements about roles, privileges and owners as the rest of the engine sees them.

use std::fmt;

use catalog::objects::Privileges;

use super::ast::QualifiedName;

/// A role as it is named in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleSpec {
    /// By its name, folded.
    Name(String),
    /// CURRENT_USER or CURRENT_ROLE.
    CurrentUser,
    /// SESSION_USER.
    SessionUser,
    /// PUBLIC: everyone.
    Public,
}

/// A password or verifier: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// An option of CREATE ROLE or ALTER ROLE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleOption {
    /// \[NO\]SUPERUSER.
    Superuser(bool),
    /// \[NO\]INHERIT.
    Inherit(bool),
    /// \[NO\]CREATEROLE.
    CreateRole(bool),
    /// \[NO\]CREATEDB.
    CreateDb(bool),
    /// \[NO\]LOGIN.
    Login(bool),
    /// \[NO\]REPLICATION.
    Replication(bool),
    /// \[NO\]BYPASSRLS.
    BypassRls(bool),
    /// CONNECTION LIMIT.
    ConnectionLimit(i32),
    /// PASSWORD; `None` is NULL.
    Password(Option<Secret>),
    /// VALID UNTIL.
    ValidUntil(String),
    /// IN ROLE: what the new role is a member of.
    InRole(Vec<RoleSpec>),
    /// ROLE or USER: the new role's members.
    Members(Vec<RoleSpec>),
    /// ADMIN: members with the admin option.
    Admins(Vec<RoleSpec>),
}

/// A statement about roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleStatement {
    /// CREATE ROLE, USER, GROUP; LOGIN is among the options of a USER.
    Create {
        /// The name, folded.
        name: String,
        /// Each kind once.
        options: Vec<RoleOption>,
    },
    /// ALTER ROLE or USER.
    Alter {
        /// The role.
        role: RoleSpec,
        /// Each kind once.
        options: Vec<RoleOption>,
    },
    /// ALTER ROLE … RENAME TO.
    Rename {
        /// The old name, folded.
        name: String,
        /// The new one, folded.
        to: String,
    },
    /// DROP ROLE.
    Drop {
        /// The roles.
        roles: Vec<RoleSpec>,
        /// Say nothing but a notice of those that don't exist.
        if_exists: bool,
    },
    /// GRANT or REVOKE of membership, ALTER GROUP.
    Membership {
        /// The roles that are granted.
        roles: Vec<RoleSpec>,
        /// To or from whom.
        members: Vec<RoleSpec>,
        /// GRANT, not REVOKE.
        grant: bool,
        /// WITH ADMIN OPTION, ADMIN OPTION FOR.
        admin: bool,
        /// GRANTED BY.
        granted_by: Option<RoleSpec>,
        /// Its tag.
        tag: &'static str,
    },
    /// COMMENT ON ROLE.
    Comment {
        /// The role's name, folded.
        name: String,
        /// The text.
        comment: Option<String>,
    },
    /// REASSIGN OWNED BY.
    ReassignOwned {
        /// The owners.
        from: Vec<RoleSpec>,
        /// The new owner.
        to: RoleSpec,
    },
    /// DROP OWNED BY.
    DropOwned {
        /// The owners.
        roles: Vec<RoleSpec>,
        /// Take what depends on it along.
        cascade: bool,
    },
}

/// What GRANT and REVOKE are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantTarget {
    /// Tables and views by name.
    Tables(Vec<QualifiedName>),
    /// ALL TABLES IN SCHEMA.
    AllTables(Vec<String>),
    /// Schemas.
    Schemas(Vec<String>),
    /// Databases.
    Databases(Vec<String>),
}

/// A privilege of GRANT or REVOKE with the columns it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPrivilege {
    /// The privilege; `None` is ALL.
    pub privilege: Option<Privileges>,
    /// The columns, folded; none for the whole object.
    pub columns: Vec<String>,
}

/// GRANT or REVOKE of privileges on objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantStatement {
    /// GRANT, not REVOKE.
    pub grant: bool,
    /// At least one.
    pub privileges: Vec<NamedPrivilege>,
    /// On what.
    pub target: GrantTarget,
    /// To or from whom.
    pub grantees: Vec<RoleSpec>,
    /// WITH GRANT OPTION, GRANT OPTION FOR.
    pub grant_option: bool,
    /// GRANTED BY.
    pub granted_by: Option<RoleSpec>,
    /// CASCADE.
    pub cascade: bool,
}

/// The object of ALTER … OWNER TO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owned {
    /// ALTER TABLE, which takes views too.
    Table(QualifiedName),
    /// ALTER VIEW.
    View(QualifiedName),
    /// ALTER SCHEMA.
    Schema(String),
}

/// ALTER … OWNER TO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerStatement {
    /// The object.
    pub object: Owned,
    /// Say nothing but a notice if it doesn't exist.
    pub if_exists: bool,
    /// The new owner.
    pub owner: RoleSpec,
}
