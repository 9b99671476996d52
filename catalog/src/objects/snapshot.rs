//! The form in which a whole catalog is stored in a checkpoint: plain lists, nothing that follows from the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::check::{self, Dropped};
use super::{
    AccessDef, ErasureDef, FIRST_USER_ID, ObjectId, Objects, RoleDef, SchemaDef, TableDef, ViewDef, access, role,
    system_schema,
};
use crate::error::{Error, Result};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshot {
    position: u64,
    next_id: ObjectId,
    schemas: Vec<Arc<SchemaDef>>,
    tables: Vec<Arc<TableDef>>,
    views: Vec<Arc<ViewDef>>,
    /// Checkpoints from before there were roles have none, and mean what a new warehouse has.
    #[serde(default = "role::built_in")]
    roles: Vec<Arc<RoleDef>>,
    #[serde(default = "access::built_in")]
    access: Vec<Arc<AccessDef>>,
    table_versions: BTreeMap<ObjectId, i64>,
    used_paths: BTreeSet<String>,
    #[serde(default)]
    dropped: BTreeMap<String, DateTime<Utc>>,
    #[serde(default)]
    erasures: Vec<Arc<ErasureDef>>,
}

impl From<Objects> for Snapshot {
    fn from(objects: Objects) -> Self {
        Self {
            position: objects.position,
            next_id: objects.next_id,
            schemas: objects.schemas().cloned().collect(),
            tables: objects.tables().cloned().collect(),
            views: objects.views().cloned().collect(),
            roles: objects.roles().cloned().collect(),
            access: objects.accesses().cloned().collect(),
            table_versions: (*objects.table_versions).clone(),
            used_paths: (*objects.used_paths).clone(),
            dropped: (*objects.dropped).clone(),
            erasures: objects.erasures().cloned().collect(),
        }
    }
}

impl TryFrom<Snapshot> for Objects {
    type Error = Error;

    /// Holds a checkpoint to the rules that every change is held to.
    fn try_from(snapshot: Snapshot) -> Result<Self> {
        let Snapshot {
            position,
            next_id,
            schemas,
            tables,
            views,
            roles,
            access,
            table_versions,
            used_paths,
            dropped,
            erasures,
        } = snapshot;
        let ids = schemas.iter().map(|s| s.id).chain(tables.iter().map(|t| t.id)).chain(views.iter().map(|v| v.id));
        let ids = ids.chain(roles.iter().map(|r| r.id)).chain(erasures.iter().map(|e| e.id));
        let mut seen = BTreeSet::new();
        for id in ids {
            if !seen.insert(id) || id >= next_id.max(FIRST_USER_ID) {
                return Err(Error::Invalid(format!("the object id {id} is used twice or was never given")));
            }
        }
        for table in &tables {
            check::table(table)?;
            if !used_paths.contains(&table.path) {
                return Err(Error::Invalid(format!("the folder \"{}\" isn't marked as used", table.path)));
            }
        }
        // Checkpoints of earlier releases lack it.
        let schemas = std::iter::once(Arc::new(system_schema())).chain(schemas);
        let mut objects = Self {
            position,
            next_id,
            schemas: Arc::new(schemas.map(|s| (s.id, s)).collect()),
            tables: Arc::new(tables.into_iter().map(|t| (t.id, t)).collect()),
            views: Arc::new(views.into_iter().map(|v| (v.id, v)).collect()),
            roles: Arc::new(roles.into_iter().map(|r| (r.id, r)).collect()),
            access: Arc::new(access.into_iter().map(|a| (a.id, a)).collect()),
            names: Arc::default(),
            table_versions: Arc::default(),
            used_paths: Arc::new(used_paths),
            dropped: Arc::new(dropped),
            erasures: Arc::new(erasures.into_iter().map(|e| (e.id, e)).collect()),
        };
        objects.names = Arc::new(objects.check_names(&Dropped::new())?);
        objects.check_views(&Dropped::new())?;
        objects.check_roles()?;
        objects.check_access()?;
        objects.with_table_versions(table_versions)
    }
}
