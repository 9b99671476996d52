//! Who owns an object, and what others may do with it: PostgreSQL's access control lists.
//!
//! They are kept beside the objects and not in them: what was made by the superuser and never granted has no entry.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::role::{DATABASE_OWNER, POSTGRES, no_role};
use super::{Definition, ObjectId, Objects, PUBLIC_ID};
use crate::error::{Error, Result};

/// Everyone, where a role is named as the one that something is granted to.
pub const PUBLIC: ObjectId = 0;
/// The number of the one database.
pub const DATABASE: ObjectId = 5;

/// A set of privileges, in PostgreSQL's order and letters.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Privileges(u32);

/// The letters of `aclitem`, lowest bit first.
const LETTERS: &str = "arwdDxtXUCTc";

impl Privileges {
    /// No privilege.
    pub const NONE: Self = Self(0);
    /// INSERT.
    pub const INSERT: Self = Self(1);
    /// SELECT.
    pub const SELECT: Self = Self(1 << 1);
    /// UPDATE.
    pub const UPDATE: Self = Self(1 << 2);
    /// DELETE.
    pub const DELETE: Self = Self(1 << 3);
    /// TRUNCATE.
    pub const TRUNCATE: Self = Self(1 << 4);
    /// REFERENCES.
    pub const REFERENCES: Self = Self(1 << 5);
    /// TRIGGER.
    pub const TRIGGER: Self = Self(1 << 6);
    /// EXECUTE.
    pub const EXECUTE: Self = Self(1 << 7);
    /// USAGE.
    pub const USAGE: Self = Self(1 << 8);
    /// CREATE.
    pub const CREATE: Self = Self(1 << 9);
    /// TEMPORARY.
    pub const TEMPORARY: Self = Self(1 << 10);
    /// CONNECT.
    pub const CONNECT: Self = Self(1 << 11);
    /// All that there are for a table or view.
    pub const OF_TABLE: Self = Self(0x7f);
    /// All that there are for a column.
    pub const OF_COLUMN: Self = Self(1 | 1 << 1 | 1 << 2 | 1 << 5);
    /// All that there are for a schema.
    pub const OF_SCHEMA: Self = Self(1 << 8 | 1 << 9);
    /// All that there are for the database.
    pub const OF_DATABASE: Self = Self(1 << 9 | 1 << 10 | 1 << 11);

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` is in it.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in either.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this and not in the other.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Its members, each alone, in PostgreSQL's order.
    pub fn each(self) -> impl Iterator<Item = Self> {
        (0..u32::BITS).map(|bit| Self(1 << bit)).filter(move |one| self.contains(*one))
    }

    /// The privileges of a list of letters; `None` if one is unknown.
    pub fn from_letters(letters: &str) -> Option<Self> {
        letters.chars().try_fold(Self::NONE, |set, letter| {
            LETTERS.chars().position(|known| known == letter).map(|bit| set.union(Self(1 << bit)))
        })
    }

    /// The SQL word of a single privilege.
    pub fn word(self) -> &'static str {
        const WORDS: [&str; 12] = [
            "INSERT",
            "SELECT",
            "UPDATE",
            "DELETE",
            "TRUNCATE",
            "REFERENCES",
            "TRIGGER",
            "EXECUTE",
            "USAGE",
            "CREATE",
            "TEMPORARY",
            "CONNECT",
        ];
        WORDS.get(self.0.trailing_zeros() as usize).copied().unwrap_or("")
    }

    /// Letters in PostgreSQL's order, a star behind those that are in `grantable` too.
    pub fn letters(self, grantable: Self) -> String {
        let mut text = String::new();
        for (bit, letter) in LETTERS.chars().enumerate() {
            if self.contains(Self(1 << bit)) {
                text.push(letter);
                if grantable.contains(Self(1 << bit)) {
                    text.push('*');
                }
            }
        }
        text
    }
}

impl fmt::Debug for Privileges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.letters(Self::NONE))
    }
}

impl Serialize for Privileges {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.letters(Self::NONE))
    }
}

impl<'de> Deserialize<'de> for Privileges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let letters = String::deserialize(deserializer)?;
        Self::from_letters(&letters)
            .ok_or_else(|| serde::de::Error::custom(format!("\"{letters}\" are not letters of privileges")))
    }
}

/// What one role was granted by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AclItem {
    /// Who may; [`PUBLIC`] is everyone.
    pub grantee: ObjectId,
    /// Who granted it.
    pub grantor: ObjectId,
    /// What.
    pub privileges: Privileges,
    /// What of it the grantee may grant to others.
    pub grantable: Privileges,
}

/// Owner and access control lists of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessDef {
    /// The schema, table, view or database.
    pub id: ObjectId,
    /// Its owner.
    pub owner: ObjectId,
    /// Its list; `None` while nothing was ever granted or revoked: then the owner may do everything, and others what
    /// PostgreSQL lets them by default, which is nothing but to connect to the database.
    pub acl: Option<Vec<AclItem>>,
    /// Lists of single columns, by name.
    pub columns: BTreeMap<String, Vec<AclItem>>,
}

impl AccessDef {
    /// That of an object that `owner` has just made.
    pub fn owned(id: ObjectId, owner: ObjectId) -> Self {
        Self { id, owner, acl: None, columns: BTreeMap::new() }
    }
}

/// Entries by the id of their object.
pub(super) type Access = BTreeMap<ObjectId, Arc<AccessDef>>;

/// The entries of a new warehouse: PostgreSQL 15's for the schema `public`.
pub(super) fn built_in() -> Vec<Arc<AccessDef>> {
    let owner = DATABASE_OWNER;
    let item = |grantee, privileges| AclItem { grantee, grantor: owner, privileges, grantable: Privileges::NONE };
    let acl = vec![item(owner, Privileges::OF_SCHEMA), item(PUBLIC, Privileges::USAGE)];
    vec![Arc::new(AccessDef { acl: Some(acl), ..AccessDef::owned(PUBLIC_ID, owner) })]
}

impl Objects {
    /// Owner and lists of an object; the superuser's own where nothing else was said.
    pub fn access(&self, id: ObjectId) -> Arc<AccessDef> {
        self.access.get(&id).cloned().unwrap_or_else(|| Arc::new(AccessDef::owned(id, POSTGRES)))
    }

    /// The owner of an object.
    pub fn owner(&self, id: ObjectId) -> ObjectId {
        self.access.get(&id).map_or(POSTGRES, |access| access.owner)
    }

    /// Everything of which something else is said than that the superuser owns it, by id.
    pub fn accesses(&self) -> impl Iterator<Item = &Arc<AccessDef>> {
        self.access.values()
    }

    /// Checks that owners, grantees and grantors are there, and what they are of.
    pub(super) fn check_access(&self) -> Result<()> {
        for access in self.access.values() {
            let columns = match self.definition(access.id) {
                Some(Definition::Table(table)) => table.columns.clone(),
                Some(Definition::View(view)) => view.columns.clone(),
                Some(Definition::Schema(_)) => Vec::new(),
                _ if access.id == DATABASE => Vec::new(),
                _ => return Err(Error::NotFound { kind: "object", name: format!("with id {}", access.id) }),
            };
            if let Some(name) = access.columns.keys().find(|name| columns.iter().all(|c| c.name != **name)) {
                return Err(Error::NotFound { kind: "column", name: name.clone() });
            }
            let items = access.acl.iter().flatten().chain(access.columns.values().flatten());
            let roles = items.flat_map(|item| [item.grantee, item.grantor]).filter(|role| *role != PUBLIC);
            for role in roles.chain([access.owner]) {
                if self.role_by_id(role).is_none() {
                    return Err(no_role(role));
                }
            }
        }
        Ok(())
    }
}
