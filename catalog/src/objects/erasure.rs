//! Erasures that are committed and not finished: the objects that still hold what was erased, and when they go.
//!
//! They are part of the catalog so that they are committed together with the rows that go, and so that whoever writes
//! next goes on with them. Nothing in them tells of whom they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ObjectId, Objects};

/// Erasures by their numbers.
pub(super) type Erasures = BTreeMap<ObjectId, Arc<ErasureDef>>;

/// An erasure whose rows are gone from every table and whose objects are not yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureDef {
    /// Stable number.
    pub id: ObjectId,
    /// Its number among the engine's records.
    pub erasure_id: String,
    /// When it was asked for: what a killed process had begun to write before is nobody's.
    pub requested_at: DateTime<Utc>,
    /// From when on the objects may be removed.
    pub due: DateTime<Utc>,
    /// Folders of the tables whose logs go, up to the version that is the newest then.
    pub folders: Vec<String>,
    /// Objects that go, relative to the warehouse.
    pub objects: Vec<String>,
}

impl Objects {
    /// Erasures that are not finished.
    pub fn erasures(&self) -> impl Iterator<Item = &Arc<ErasureDef>> {
        self.erasures.values()
    }

    /// The erasure with that number, while it is not finished.
    pub fn erasure(&self, id: ObjectId) -> Option<&Arc<ErasureDef>> {
        self.erasures.get(&id)
    }
}
