//! Whether a statement may go on. Every refusal is 42501, in PostgreSQL's words.

use std::sync::Arc;

use catalog::objects::access::DATABASE;
use catalog::objects::{Definition, ObjectId, Objects, Privileges, Relation, RoleDef, is_temporary};

use super::acl::{held, held_on_column};
use super::columns::Use;
use super::membership::{has_rights_of, is_member_of, is_superuser};
use crate::error::{Error, Result, SqlState};

/// Schemas that everyone may look into; they hold nothing that could be granted.
const SYSTEM_SCHEMAS: [&str; 2] = ["pg_catalog", "information_schema"];

/// What a session calls the schema of its temporary tables.
pub(crate) const PG_TEMP: &str = "pg_temp";

/// Catalogs with passwords in them.
const SECRET_CATALOGS: [&str; 2] = ["pg_authid", "pg_shadow"];

/// What one role may do in one catalog: the questions that statements ask before they act.
#[derive(Debug, Clone)]
pub(crate) struct Rights {
    objects: Arc<Objects>,
    role: ObjectId,
    /// The schema of the session's temporary tables, which is its own whoever's rights count.
    temporary: Option<Arc<str>>,
}

impl Rights {
    /// The rights of a role.
    pub(crate) fn new(objects: Arc<Objects>, role: ObjectId) -> Self {
        Self { objects, role, temporary: None }
    }

    /// In a session that has temporary tables in this schema.
    pub(crate) fn with_temporary(self, schema: Option<Arc<str>>) -> Self {
        Self { temporary: schema, ..self }
    }

    /// The schema that a name stands for: `pg_temp` is that of the session's temporary tables.
    pub(crate) fn schema_named<'a>(&'a self, name: &'a str) -> &'a str {
        self.temporary.as_deref().filter(|_| name == PG_TEMP).unwrap_or(name)
    }

    /// The role.
    pub(crate) fn role(&self) -> ObjectId {
        self.role
    }

    /// The catalog.
    pub(crate) fn objects(&self) -> &Arc<Objects> {
        &self.objects
    }

    /// The rights of another role, as a view's query runs with its owner's.
    pub(crate) fn of(&self, role: ObjectId) -> Self {
        Self { objects: Arc::clone(&self.objects), role, temporary: self.temporary.clone() }
    }

    /// The role's definition; `None` if it was dropped, which has no rights then.
    pub(crate) fn definition(&self) -> Option<&Arc<RoleDef>> {
        self.objects.role_by_id(self.role)
    }

    /// Whether every check passes.
    pub(crate) fn is_superuser(&self) -> bool {
        is_superuser(&self.objects, self.role)
    }

    /// Whether the role has the rights of `other`.
    pub(crate) fn has_rights_of(&self, other: ObjectId) -> bool {
        has_rights_of(&self.objects, self.role, other)
    }

    /// Whether the role may become `other`.
    pub(crate) fn is_member_of(&self, other: ObjectId) -> bool {
        is_member_of(&self.objects, self.role, other)
    }

    /// That a relation may be used: by a privilege on all of it, or on each of `columns`; where `columns` is empty, on
    /// any column. Everything that reads or writes a relation by name asks here.
    ///
    /// # Errors
    /// 42501.
    pub(crate) fn check_relation<'a>(
        &self,
        relation: &Relation,
        privilege: Privileges,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Result<()> {
        if held(&self.objects, self.role, relation.id()).privileges.contains(privilege) {
            return Ok(());
        }
        let on_column =
            |name: &str| held_on_column(&self.objects, self.role, relation.id(), name).privileges.contains(privilege);
        let mut columns = columns.into_iter().peekable();
        let allowed = match columns.peek() {
            Some(_) => columns.all(on_column),
            None => self.objects.access(relation.id()).columns.keys().any(|name| on_column(name)),
        };
        if allowed { Ok(()) } else { Err(denied(relation.kind(), relation.name())) }
    }

    /// That a query may look at all it looks at.
    pub(crate) fn check_uses(&self, uses: &[Use]) -> Result<()> {
        uses.iter().try_for_each(|used| {
            self.check_relation(&used.relation, Privileges::SELECT, used.columns.iter().map(String::as_str))
        })
    }

    /// That a privilege on a schema is held: USAGE to name what is in it, CREATE to make something in it.
    pub(crate) fn check_schema(&self, name: &str, privilege: Privileges) -> Result<()> {
        if self.has_schema(name, privilege) {
            return Ok(());
        }
        if is_temporary(name) {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot access temporary tables of other sessions",
            ));
        }
        Err(denied("schema", name))
    }

    /// Whether a privilege on a schema is held. A schema that isn't there hides nothing.
    pub(crate) fn has_schema(&self, name: &str, privilege: Privileges) -> bool {
        if is_temporary(name) {
            return self.temporary.as_deref() == Some(name) || self.objects.schema(name).is_none();
        }
        match self.objects.schema(name) {
            Some(schema) => held(&self.objects, self.role, schema.id).privileges.contains(privilege),
            None => true,
        }
    }

    /// That a relation of `pg_catalog` may be read: all but those with passwords in them.
    pub(crate) fn check_catalog(&self, name: &str) -> Result<()> {
        if !SECRET_CATALOGS.contains(&name) || self.is_superuser() {
            return Ok(());
        }
        Err(denied(if name == "pg_shadow" { "view" } else { "table" }, name))
    }

    /// That a privilege on the database is held.
    pub(crate) fn check_database(&self, privilege: Privileges) -> Result<()> {
        if held(&self.objects, self.role, DATABASE).privileges.contains(privilege) {
            return Ok(());
        }
        Err(denied("database", crate::engine::DATABASE))
    }

    /// That the role owns an object, or has its owner's rights.
    pub(crate) fn check_owner(&self, id: ObjectId, kind: &str, name: &str) -> Result<()> {
        if self.has_rights_of(self.objects.owner(id)) {
            return Ok(());
        }
        Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("must be owner of {kind} {name}")))
    }

    /// That the role owns a relation.
    pub(crate) fn check_relation_owner(&self, relation: &Relation) -> Result<()> {
        self.check_owner(relation.id(), relation.kind(), relation.name())
    }

    /// Whether a table or view concerns the role at all: it has its owner's rights, or some privilege on it. Another
    /// session's temporary ones do not.
    pub(crate) fn sees(&self, id: ObjectId) -> bool {
        let schema = || match self.objects.definition(id)? {
            Definition::Table(table) => Some(table.schema.clone()),
            Definition::View(view) => Some(view.schema.clone()),
            _ => None,
        };
        if schema().is_some_and(|schema| is_temporary(&schema) && self.temporary.as_deref() != Some(&schema)) {
            return false;
        }
        let on_column = |name: &String| !held_on_column(&self.objects, self.role, id, name).privileges.is_empty();
        self.has_rights_of(self.objects.owner(id))
            || !held(&self.objects, self.role, id).privileges.is_empty()
            || self.objects.access(id).columns.keys().any(on_column)
    }

    /// Of the schemas of a search path, those in which names are looked up.
    pub(crate) fn visible(&self, path: impl IntoIterator<Item = String>) -> Vec<String> {
        path.into_iter()
            .filter(|schema| SYSTEM_SCHEMAS.contains(&schema.as_str()) || self.has_schema(schema, Privileges::USAGE))
            .collect()
    }
}

/// 42501 for an object of some kind.
pub(crate) fn denied(kind: &str, name: &str) -> Error {
    Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied for {kind} {name}"))
}
