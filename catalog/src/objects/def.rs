//! Definitions of the catalog's objects as the warehouse log stores them.
//!
//! What may change between releases: a field may be added if it has a serde default, so that old entries stay
//! readable. Unknown fields and variants are errors: they were written by a newer release, and to drop one (a column's
//! policy, say) could give wrong answers. A change that an older release must not even try to read raises the
//! warehouse's format number instead.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::access::AccessDef;
use super::erasure::ErasureDef;
use super::role::RoleDef;

/// Stable number of an object, never given twice in a warehouse.
pub type ObjectId = u32;

/// A schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaDef {
    /// Stable number.
    pub id: ObjectId,
    /// Name, unique in the warehouse.
    pub name: String,
    /// Text of `COMMENT ON`.
    pub comment: Option<String>,
}

/// A column of a table or view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnDef {
    /// Name, unique in its relation.
    pub name: String,
    /// What a table's column is known by under any name; no other column of the table has had it. 0 in a view, in a
    /// definition that is not staged yet, and in tables of before there were numbers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u32,
    /// Declared type as PostgreSQL's `format_type` prints it.
    pub pg_type: String,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// The default as SQL text.
    pub default: Option<String>,
    /// Text of `COMMENT ON`.
    pub comment: Option<String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableDef {
    /// Stable number.
    pub id: ObjectId,
    /// Name of its schema.
    pub schema: String,
    /// Name, unique among the tables and views of its schema.
    pub name: String,
    /// Folder of the Delta table, relative to the warehouse, parts separated by `/`. Never changes.
    pub path: String,
    /// Columns in order.
    pub columns: Vec<ColumnDef>,
    /// Columns of the primary key in order; empty for an append table.
    pub primary_key: Vec<String>,
    /// Column of `PARTITION BY RANGE`.
    pub partition_by: Option<String>,
    /// What was given in `WITH (…)`.
    pub options: BTreeMap<String, String>,
    /// Text of `COMMENT ON`.
    pub comment: Option<String>,
    /// The largest number that a column has been given.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub numbered: u32,
    /// When the table was created. Never changes.
    pub created_at: DateTime<Utc>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl TableDef {
    /// Gives a number to each new column. Those of a table of before there were numbers stay without.
    pub(crate) fn number_columns(&mut self, before: Option<&Self>) {
        let unnumbered = |name: &str| {
            before.is_some_and(|before| before.columns.iter().any(|old| old.number == 0 && old.name == name))
        };
        for column in self.columns.iter_mut().filter(|column| column.number == 0 && !unnumbered(&column.name)) {
            self.numbered += 1;
            column.number = self.numbered;
        }
    }

    /// Whether rows made for one definition fit the other: same columns, same layout.
    pub fn same_rows(&self, other: &Self) -> bool {
        let columns = |def: &Self| -> Vec<(String, String, bool)> {
            def.columns.iter().map(|c| (c.name.clone(), c.pg_type.clone(), c.not_null)).collect()
        };
        self.primary_key == other.primary_key
            && self.partition_by == other.partition_by
            && self.options == other.options
            && columns(self) == columns(other)
    }
}

/// A view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewDef {
    /// Stable number; `CREATE OR REPLACE` keeps it.
    pub id: ObjectId,
    /// Name of its schema.
    pub schema: String,
    /// Name, unique among the tables and views of its schema.
    pub name: String,
    /// The query as SQL text.
    pub sql: String,
    /// Columns in order, as they were when the view was created.
    pub columns: Vec<ColumnDef>,
    /// Tables and views that the query reads.
    pub depends_on: Vec<ObjectId>,
    /// The schemas in which the query's unqualified names are looked up, as they were when the view was created.
    pub search_path: Vec<String>,
    /// Text of `COMMENT ON`.
    pub comment: Option<String>,
    /// When the view was first created. `CREATE OR REPLACE` keeps it.
    pub created_at: DateTime<Utc>,
}

/// A change of the catalog. A put creates the object, or replaces the one with the same id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Creates or alters a schema. A new name goes with puts of everything in it.
    PutSchema(SchemaDef),
    /// Drops a schema, which must be empty then.
    DropSchema(ObjectId),
    /// Creates or alters a table.
    PutTable(TableDef),
    /// Drops a table. Its folder stays, and is never used again.
    DropTable(ObjectId),
    /// Creates or replaces a view.
    PutView(ViewDef),
    /// Drops a view.
    DropView(ObjectId),
    /// Creates or alters a role.
    PutRole(RoleDef),
    /// Drops a role, which must own nothing, hold no privilege and have no members then.
    DropRole(ObjectId),
    /// Sets owner and access control lists of a schema, table, view or the database. It goes with its object.
    PutAccess(AccessDef),
    /// Remembers what an erasure has to remove yet.
    PutErasure(ErasureDef),
    /// Says that an erasure has removed all of it.
    DropErasure(ObjectId),
}

impl Change {
    /// The object that it is about.
    pub fn id(&self) -> ObjectId {
        match self {
            Self::PutSchema(schema) => schema.id,
            Self::PutTable(table) => table.id,
            Self::PutView(view) => view.id,
            Self::PutRole(role) => role.id,
            Self::PutAccess(access) => access.id,
            Self::PutErasure(erasure) => erasure.id,
            Self::DropSchema(id) | Self::DropTable(id) | Self::DropView(id) | Self::DropRole(id) => *id,
            Self::DropErasure(id) => *id,
        }
    }
}

/// An object of the catalog.
#[derive(Debug, Clone, PartialEq)]
pub enum Definition {
    /// A schema.
    Schema(Arc<SchemaDef>),
    /// A table.
    Table(Arc<TableDef>),
    /// A view.
    View(Arc<ViewDef>),
    /// A role.
    Role(Arc<RoleDef>),
}

/// What a name in a query can stand for.
#[derive(Debug, Clone, PartialEq)]
pub enum Relation {
    /// A table.
    Table(Arc<TableDef>),
    /// A view.
    View(Arc<ViewDef>),
}

impl Relation {
    /// Stable number.
    pub fn id(&self) -> ObjectId {
        match self {
            Self::Table(table) => table.id,
            Self::View(view) => view.id,
        }
    }

    /// Name of its schema.
    pub fn schema(&self) -> &str {
        match self {
            Self::Table(table) => &table.schema,
            Self::View(view) => &view.schema,
        }
    }

    /// Name within its schema.
    pub fn name(&self) -> &str {
        match self {
            Self::Table(table) => &table.name,
            Self::View(view) => &view.name,
        }
    }

    /// `table` or `view`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Table(_) => "table",
            Self::View(_) => "view",
        }
    }
}
