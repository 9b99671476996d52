//! The rules that hold for every catalog, checked after each set of changes and when a checkpoint is read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::sync::Arc;

use super::{FIRST_USER_ID, ObjectId, Objects, Relation, TableDef};
use crate::error::{Error, Result};
use crate::store::SYSTEM_FOLDER;

/// Kind and name of what a set of changes drops, to tell "needed" from "never was".
pub(super) type Dropped = BTreeMap<ObjectId, String>;

type Names = BTreeMap<String, BTreeMap<String, Relation>>;

/// Checks what a table says about itself.
pub(super) fn table(table: &TableDef) -> Result<()> {
    let mut columns = BTreeSet::new();
    for column in &table.columns {
        if !columns.insert(column.name.as_str()) {
            return Err(Error::AlreadyExists { kind: "column", name: column.name.clone() });
        }
    }
    for key in table.primary_key.iter().chain(&table.partition_by) {
        if !columns.contains(key.as_str()) {
            return Err(Error::NotFound { kind: "column", name: key.clone() });
        }
    }
    let mut parts = Path::new(&table.path).components();
    let inside = parts.clone().all(|part| matches!(part, Component::Normal(_)));
    if !inside || parts.next().is_none_or(|first| first.as_os_str() == SYSTEM_FOLDER) {
        return Err(Error::Invalid(format!("a table can't be in the folder \"{}\"", table.path)));
    }
    Ok(())
}

impl Objects {
    /// Builds the index of names; fails if one is given twice or a relation's schema is missing.
    pub(super) fn check_names(&self, dropped: &Dropped) -> Result<Names> {
        let mut names = Names::new();
        for schema in self.schemas() {
            if names.insert(schema.name.clone(), BTreeMap::new()).is_some() {
                return Err(Error::AlreadyExists { kind: "schema", name: schema.name.clone() });
            }
        }
        let mut homeless: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let tables = self.tables().cloned().map(Relation::Table);
        for relation in tables.chain(self.views().cloned().map(Relation::View)) {
            let Some(members) = names.get_mut(relation.schema()) else {
                homeless.entry(relation.schema().to_owned()).or_default().push(label(&relation));
                continue;
            };
            if let Some(other) = members.insert(relation.name().to_owned(), relation) {
                return Err(Error::AlreadyExists { kind: "relation", name: other.name().to_owned() });
            }
        }
        match homeless.into_iter().next() {
            None => Ok(names),
            Some((schema, dependents)) => {
                let name = format!("schema {schema}");
                if dropped.values().any(|gone| *gone == name) {
                    Err(Error::Dependents { name, dependents })
                } else {
                    Err(Error::NotFound { kind: "schema", name: schema })
                }
            }
        }
    }

    /// Checks that what views depend on is there, and that no view depends on itself. Built-in relations (small ids)
    /// aren't in the catalog and always there.
    pub(super) fn check_views(&self, dropped: &Dropped) -> Result<()> {
        let mut orphans: BTreeMap<ObjectId, Vec<String>> = BTreeMap::new();
        for view in self.views() {
            for id in &view.depends_on {
                if *id >= FIRST_USER_ID && self.table(*id).is_none() && self.view(*id).is_none() {
                    orphans.entry(*id).or_default().push(label(&Relation::View(Arc::clone(view))));
                }
            }
        }
        if let Some((id, mut dependents)) = orphans.into_iter().next() {
            let Some(name) = dropped.get(&id).cloned() else {
                return Err(Error::NotFound { kind: "relation", name: format!("with id {id}") });
            };
            // What hangs on these views has to go too.
            for view in self.dependents(id) {
                let label = label(&Relation::View(view));
                if !dependents.contains(&label) {
                    dependents.push(label);
                }
            }
            return Err(Error::Dependents { name, dependents });
        }

        // Takes away views that need no other, again and again: what can't be taken away runs in a circle.
        let mut rest: BTreeSet<ObjectId> = self.views().map(|view| view.id).collect();
        loop {
            let waiting: BTreeSet<ObjectId> = self
                .views()
                .filter(|view| rest.contains(&view.id) && view.depends_on.iter().any(|id| rest.contains(id)))
                .map(|view| view.id)
                .collect();
            if waiting.len() == rest.len() {
                return match waiting.first().and_then(|id| self.view(*id)) {
                    None => Ok(()),
                    Some(view) => Err(Error::Invalid(format!(
                        "view \"{}\" would depend on itself, directly or through other views",
                        view.name
                    ))),
                };
            }
            rest = waiting;
        }
    }
}

/// Kind, schema and name, as in `view segments.vip`.
fn label(relation: &Relation) -> String {
    format!("{} {}.{}", relation.kind(), relation.schema(), relation.name())
}
