//! What a warehouse's catalog holds at one position of its log: schemas, tables, views, roles, and who may do what.
//!
//! An [`Objects`] never changes; applying [`Change`]s gives the next one, which shares with it what stayed the same.

pub mod access;
mod check;
mod def;
mod erasure;
pub mod role;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use access::{AccessDef, AclItem, Privileges};
pub use def::{Change, ColumnDef, Definition, ObjectId, Relation, SchemaDef, TableDef, ViewDef};
pub use erasure::ErasureDef;
pub use role::{Membership, RoleDef, Validity};

use self::check::Dropped;
use self::snapshot::Snapshot;
use crate::error::{Error, Result};

/// The first id given to an object of a user. Smaller ones are built in.
pub const FIRST_USER_ID: ObjectId = 16384;

/// Ids of the schemas that a new warehouse has.
pub(crate) const PUBLIC_ID: ObjectId = 2200;
const SEGMENTS_ID: ObjectId = 2201;
const SYSTEM_ID: ObjectId = 2202;

/// The schema of the engine's own tables, which nobody else makes, drops or writes to.
pub const SYSTEM_SCHEMA: &str = "audience";

/// How the schemas of temporary tables are called, each of which is one session's.
pub const TEMPORARY_SCHEMAS: &str = "pg_temp_";

/// Whether a schema is one of temporary tables.
pub fn is_temporary(schema: &str) -> bool {
    schema.starts_with(TEMPORARY_SCHEMAS)
}

/// The whole catalog at one log position. Immutable, cheap to clone. The default is that of a new warehouse: empty
/// schemas `public`, `segments` and `audience`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Snapshot", into = "Snapshot")]
pub struct Objects {
    /// The log entry that this is the catalog after; 0 in a new warehouse.
    pub position: u64,
    /// The smallest id that is larger than all there have been: for the next new object.
    pub next_id: ObjectId,
    schemas: Arc<BTreeMap<ObjectId, Arc<SchemaDef>>>,
    tables: Arc<BTreeMap<ObjectId, Arc<TableDef>>>,
    views: Arc<BTreeMap<ObjectId, Arc<ViewDef>>>,
    roles: Arc<role::Roles>,
    access: Arc<access::Access>,
    /// Schema name, relation name, relation. Has every schema, also an empty one.
    names: Arc<BTreeMap<String, BTreeMap<String, Relation>>>,
    /// The Delta version of each table that has one.
    table_versions: Arc<BTreeMap<ObjectId, i64>>,
    /// Folders of all tables there have ever been: files of a dropped table may still be read, and what a crash left
    /// behind in its folder must not turn up in another table.
    used_paths: Arc<BTreeSet<String>>,
    /// Folders of dropped tables, and when those were dropped.
    dropped: Arc<BTreeMap<String, DateTime<Utc>>>,
    /// Erasures that are not finished.
    erasures: Arc<erasure::Erasures>,
}

impl Default for Objects {
    fn default() -> Self {
        let schemas = [
            SchemaDef { id: PUBLIC_ID, name: "public".into(), comment: None },
            SchemaDef { id: SEGMENTS_ID, name: "segments".into(), comment: None },
            system_schema(),
        ];
        Self {
            position: 0,
            next_id: FIRST_USER_ID,
            names: Arc::new(schemas.iter().map(|s| (s.name.clone(), BTreeMap::new())).collect()),
            schemas: Arc::new(schemas.into_iter().map(|s| (s.id, Arc::new(s))).collect()),
            tables: Arc::default(),
            views: Arc::default(),
            roles: Arc::new(role::built_in().into_iter().map(|r| (r.id, r)).collect()),
            access: Arc::new(access::built_in().into_iter().map(|a| (a.id, a)).collect()),
            table_versions: Arc::default(),
            used_paths: Arc::default(),
            dropped: Arc::default(),
            erasures: Arc::default(),
        }
    }
}

impl Objects {
    /// The table or view of that name.
    pub fn lookup(&self, schema: &str, name: &str) -> Option<Relation> {
        self.names.get(schema)?.get(name).cloned()
    }

    /// The object with that id as it is defined now; `None` for built-in relations, which are not in the catalog.
    pub fn definition(&self, id: ObjectId) -> Option<Definition> {
        let schema = || self.schemas.get(&id).cloned().map(Definition::Schema);
        let table = || self.tables.get(&id).cloned().map(Definition::Table);
        let view = || self.views.get(&id).cloned().map(Definition::View);
        let role = || self.roles.get(&id).cloned().map(Definition::Role);
        schema().or_else(table).or_else(view).or_else(role)
    }

    /// The table with that id.
    pub fn table(&self, id: ObjectId) -> Option<&Arc<TableDef>> {
        self.tables.get(&id)
    }

    /// The view with that id.
    pub fn view(&self, id: ObjectId) -> Option<&Arc<ViewDef>> {
        self.views.get(&id)
    }

    /// The schema of that name.
    pub fn schema(&self, name: &str) -> Option<&Arc<SchemaDef>> {
        self.schemas.values().find(|schema| schema.name == name)
    }

    /// All schemas, by id.
    pub fn schemas(&self) -> impl Iterator<Item = &Arc<SchemaDef>> {
        self.schemas.values()
    }

    /// All tables, by id.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableDef>> {
        self.tables.values()
    }

    /// All views, by id.
    pub fn views(&self) -> impl Iterator<Item = &Arc<ViewDef>> {
        self.views.values()
    }

    /// The tables and views of a schema, by name; none if there is no such schema.
    pub fn relations(&self, schema: &str) -> impl Iterator<Item = &Relation> {
        self.names.get(schema).into_iter().flat_map(BTreeMap::values)
    }

    /// The views that need a table or view, directly or through other views, nearest first.
    pub fn dependents(&self, id: ObjectId) -> Vec<Arc<ViewDef>> {
        let mut seen = BTreeSet::from([id]);
        let mut found: Vec<Arc<ViewDef>> = Vec::new();
        let mut nearest = vec![id];
        while !nearest.is_empty() {
            let next: Vec<_> = self
                .views()
                .filter(|view| !seen.contains(&view.id) && view.depends_on.iter().any(|id| nearest.contains(id)))
                .cloned()
                .collect();
            nearest = next.iter().map(|view| view.id).collect();
            seen.extend(&nearest);
            found.extend(next);
        }
        found
    }

    /// The Delta version of a table at this position; -1 before its first commit.
    pub fn table_version(&self, id: ObjectId) -> i64 {
        self.table_versions.get(&id).copied().unwrap_or(-1)
    }

    /// Whether a folder belongs or has ever belonged to a table.
    pub fn is_path_used(&self, path: &str) -> bool {
        self.used_paths.contains(path)
    }

    /// Folders of dropped tables, and when those were dropped.
    pub fn dropped(&self) -> impl Iterator<Item = (&String, &DateTime<Utc>)> {
        self.dropped.iter()
    }

    /// Remembers the folders of the tables that `changes`, applied to `before`, dropped; they may have made them too.
    pub(crate) fn note_dropped(&mut self, before: &Self, changes: &[Change], at: DateTime<Utc>) {
        for change in changes {
            let path = match change {
                Change::PutTable(table) if self.table(table.id).is_none() => table.path.clone(),
                Change::DropTable(id) => match before.table(*id) {
                    Some(table) => table.path.clone(),
                    None => continue,
                },
                _ => continue,
            };
            Arc::make_mut(&mut self.dropped).insert(path, at);
        }
    }

    /// The catalog after `changes`, taken together: their order matters only where they name the same object.
    ///
    /// Fails, naming the object, if a name or folder is taken, a schema or relation is missing, something needed is
    /// dropped, or views would refer to themselves. [`Error::Conflict`] says that the id of a new object was given to
    /// another one meanwhile: the caller has planned against an older catalog.
    pub fn apply(&self, changes: &[Change]) -> Result<Self> {
        let mut next = self.clone();
        if changes.is_empty() {
            return Ok(next);
        }
        let mut dropped = Dropped::new();
        for change in changes {
            next.apply_one(change, &mut dropped)?;
        }
        next.names = Arc::new(next.check_names(&dropped)?);
        next.check_views(&dropped)?;
        next.check_roles()?;
        next.check_access()?;
        Ok(next)
    }

    /// The catalog with tables at newer Delta versions. A version may skip ahead, but not stay or go back.
    pub fn with_table_versions(&self, versions: impl IntoIterator<Item = (ObjectId, i64)>) -> Result<Self> {
        let mut next = self.clone();
        for (id, version) in versions {
            let Some(table) = self.tables.get(&id) else {
                return Err(Error::NotFound { kind: "table", name: format!("with id {id}") });
            };
            let old = next.table_version(id);
            if version <= old {
                return Err(Error::Conflict(format!(
                    "table \"{}\" is at version {old} and can't go to {version}",
                    table.name
                )));
            }
            Arc::make_mut(&mut next.table_versions).insert(id, version);
        }
        Ok(next)
    }

    fn apply_one(&mut self, change: &Change, dropped: &mut Dropped) -> Result<()> {
        match change {
            Change::PutSchema(schema) => {
                if !self.schemas.contains_key(&schema.id) {
                    self.claim(schema.id, &schema.name)?;
                }
                Arc::make_mut(&mut self.schemas).insert(schema.id, Arc::new(schema.clone()));
            }
            Change::PutTable(table) => {
                check::table(table)?;
                match self.tables.get(&table.id) {
                    Some(old) if old.path != table.path || old.created_at != table.created_at => {
                        return Err(id_taken(table.id, &table.name));
                    }
                    Some(_) => {}
                    None => {
                        self.claim(table.id, &table.name)?;
                        if !Arc::make_mut(&mut self.used_paths).insert(table.path.clone()) {
                            return Err(Error::AlreadyExists { kind: "folder", name: table.path.clone() });
                        }
                    }
                }
                Arc::make_mut(&mut self.tables).insert(table.id, Arc::new(table.clone()));
            }
            Change::PutView(view) => {
                match self.views.get(&view.id) {
                    Some(old) if old.created_at != view.created_at => return Err(id_taken(view.id, &view.name)),
                    Some(_) => {}
                    None => self.claim(view.id, &view.name)?,
                }
                Arc::make_mut(&mut self.views).insert(view.id, Arc::new(view.clone()));
            }
            Change::DropSchema(id) => {
                let old = Arc::make_mut(&mut self.schemas).remove(id).ok_or_else(|| unknown("schema", *id))?;
                Arc::make_mut(&mut self.access).remove(id);
                dropped.insert(*id, format!("schema {}", old.name));
            }
            Change::DropTable(id) => {
                let old = Arc::make_mut(&mut self.tables).remove(id).ok_or_else(|| unknown("table", *id))?;
                Arc::make_mut(&mut self.table_versions).remove(id);
                Arc::make_mut(&mut self.access).remove(id);
                dropped.insert(*id, format!("table {}", old.name));
            }
            Change::DropView(id) => {
                let old = Arc::make_mut(&mut self.views).remove(id).ok_or_else(|| unknown("view", *id))?;
                Arc::make_mut(&mut self.access).remove(id);
                dropped.insert(*id, format!("view {}", old.name));
            }
            Change::PutRole(role) => {
                if !self.roles.contains_key(&role.id) {
                    self.claim(role.id, &role.name)?;
                }
                Arc::make_mut(&mut self.roles).insert(role.id, Arc::new(role.clone()));
            }
            Change::DropRole(id) => {
                let old = Arc::make_mut(&mut self.roles).remove(id).ok_or_else(|| unknown("role", *id))?;
                if role::is_built_in(*id) {
                    return Err(Error::Invalid(format!("the role \"{}\" is built in", old.name)));
                }
            }
            Change::PutAccess(access) => {
                Arc::make_mut(&mut self.access).insert(access.id, Arc::new(access.clone()));
            }
            Change::PutErasure(erasure) => {
                if !self.erasures.contains_key(&erasure.id) {
                    self.claim(erasure.id, &erasure.erasure_id)?;
                }
                Arc::make_mut(&mut self.erasures).insert(erasure.id, Arc::new(erasure.clone()));
            }
            Change::DropErasure(id) => {
                // Two may have finished the same one.
                Arc::make_mut(&mut self.erasures).remove(id).ok_or_else(|| unknown("erasure", *id))?;
            }
        }
        Ok(())
    }

    /// Gives an id to a new object.
    fn claim(&mut self, id: ObjectId, name: &str) -> Result<()> {
        if id < FIRST_USER_ID {
            return Err(Error::Internal(format!("\"{name}\" was given the built-in object id {id}")));
        }
        if self.definition(id).is_some() || self.erasures.contains_key(&id) {
            return Err(id_taken(id, name));
        }
        let after = id.checked_add(1).ok_or_else(|| Error::Unsupported("the warehouse is out of object ids".into()))?;
        self.next_id = self.next_id.max(after);
        Ok(())
    }
}

fn system_schema() -> SchemaDef {
    let comment = Some("what the engine keeps of what it did, and its procedures".into());
    SchemaDef { id: SYSTEM_ID, name: SYSTEM_SCHEMA.into(), comment }
}

fn id_taken(id: ObjectId, name: &str) -> Error {
    Error::Conflict(format!("\"{name}\" can't have the object id {id}, another transaction has used it: try again"))
}

fn unknown(kind: &'static str, id: ObjectId) -> Error {
    Error::NotFound { kind, name: format!("with id {id}") }
}

#[cfg(test)]
mod tests;
