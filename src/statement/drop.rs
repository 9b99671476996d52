//! DROP TABLE, VIEW, SCHEMA: refused while something depends on the object, or with CASCADE taking that along.

use std::sync::Arc;

use catalog::objects::{Change, ObjectId, Objects, Relation, SYSTEM_SCHEMA, is_temporary};

use super::QualifiedName;
use super::ast::ObjectKind;
use super::table::{self, find_if_exists};
use crate::engine::suggest;
use crate::error::{Error, Result, SqlState};
use crate::session::{Execution, Session};

/// Schemas that every warehouse has.
pub(super) const BUILT_IN: [&str; 3] = ["public", "segments", SYSTEM_SCHEMA];

/// Runs DROP.
pub(super) fn run(
    session: &mut Session,
    object: ObjectKind,
    names: &[QualifiedName],
    if_exists: bool,
    cascade: bool,
) -> Result<Execution> {
    let mut targets: Vec<Target> = Vec::new();
    for name in names {
        let target = match object {
            ObjectKind::Schema => schema(session, &name.name)?,
            ObjectKind::Table | ObjectKind::View => relation(session, object, name)?,
        };
        match target {
            Some(target) => {
                check_owner(session, &target)?;
                targets.push(target);
            }
            None if if_exists => session.notice(format!("{} \"{name}\" does not exist, skipping", kind(object))),
            None => {
                let sqlstate = match object {
                    ObjectKind::Schema => SqlState::INVALID_SCHEMA_NAME,
                    ObjectKind::Table | ObjectKind::View => SqlState::UNDEFINED_TABLE,
                };
                let error = Error::new(sqlstate, format!("{} \"{name}\" does not exist", kind(object)));
                let rights = session.rights()?;
                let path = session.search_path()?;
                let hint = match object {
                    ObjectKind::Schema => suggest::schema(&rights, &name.name),
                    _ => suggest::relation(&rights, name.schema.as_deref(), &name.name, &path),
                };
                return Err(match hint {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                });
            }
        }
    }
    drop_targets(session, targets, cascade)?;
    Ok(Execution::done(match object {
        ObjectKind::Table => "DROP TABLE",
        ObjectKind::View => "DROP VIEW",
        ObjectKind::Schema => "DROP SCHEMA",
    }))
}

/// That a relation or its schema is owned, as PostgreSQL asks for before it drops something.
fn check_owner(session: &mut Session, target: &Target) -> Result<()> {
    let rights = session.rights()?;
    match target {
        Target::Schema { id, name } => rights.check_owner(*id, "schema", name),
        Target::Relation(relation) => {
            let schema = rights.objects().schema(relation.schema()).map(|schema| rights.objects().owner(schema.id));
            if schema.is_some_and(|owner| rights.has_rights_of(owner)) {
                return Ok(());
            }
            rights.check_relation_owner(relation)
        }
    }
}

/// Drops what is named and, with `cascade`, what depends on it.
///
/// # Errors
/// 2BP01 if something depends on it otherwise.
pub(super) fn drop_targets(session: &mut Session, targets: Vec<Target>, cascade: bool) -> Result<()> {
    let objects = Arc::clone(session.work()?.objects());
    let mut doomed: Vec<Relation> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    for target in &targets {
        for relation in target.relations(&objects) {
            if target.is_schema() {
                others.push(describe(&relation));
            }
            doom(&mut doomed, relation);
        }
    }
    // Views that read what goes, and views that read those: `dependents` knows them all.
    let named: Vec<ObjectId> = doomed.iter().map(Relation::id).collect();
    for id in &named {
        for view in objects.dependents(*id) {
            let relation = Relation::View(view);
            if !named.contains(&relation.id()) && !doomed.iter().any(|d| d.id() == relation.id()) {
                others.push(describe(&relation));
            }
            doom(&mut doomed, relation);
        }
    }
    if !others.is_empty() && !cascade {
        let what = targets.first().map_or_else(String::new, |t| t.describe());
        return Err(Error::new(
            SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
            format!("cannot drop {what} because other objects depend on it"),
        )
        .with_detail(others.iter().map(|other| format!("{other} depends on {what}")).collect::<Vec<_>>().join("\n"))
        .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
    }
    match others.as_slice() {
        [] => {}
        [one] => session.notice(format!("drop cascades to {one}")),
        several => session.notice(format!("drop cascades to {} other objects: {}", several.len(), several.join(", "))),
    }
    let work = session.work()?;
    // Readers before what they read, so that the catalog is whole after each change.
    while !doomed.is_empty() {
        let free = doomed
            .iter()
            .position(|r| !work.objects().dependents(r.id()).iter().any(|v| doomed.iter().any(|d| d.id() == v.id)));
        let relation = doomed.remove(free.unwrap_or(0));
        work.change(match relation {
            Relation::Table(table) => Change::DropTable(table.id),
            Relation::View(view) => Change::DropView(view.id),
        })?;
    }
    for target in targets {
        if let Target::Schema { id, .. } = target {
            work.change(Change::DropSchema(id))?;
        }
    }
    Ok(())
}

/// Something to drop.
pub(super) enum Target {
    /// A table or view.
    Relation(Relation),
    /// A schema.
    Schema { id: ObjectId, name: String },
}

impl Target {
    fn relations(&self, objects: &Objects) -> Vec<Relation> {
        match self {
            Self::Relation(relation) => vec![relation.clone()],
            Self::Schema { name, .. } => objects.relations(name).cloned().collect(),
        }
    }

    fn is_schema(&self) -> bool {
        matches!(self, Self::Schema { .. })
    }

    fn describe(&self) -> String {
        match self {
            Self::Relation(relation) => describe(relation),
            Self::Schema { name, .. } => format!("schema {name}"),
        }
    }
}

fn doom(doomed: &mut Vec<Relation>, relation: Relation) {
    if !doomed.iter().any(|d| d.id() == relation.id()) {
        doomed.push(relation);
    }
}

fn schema(session: &mut Session, name: &str) -> Result<Option<Target>> {
    if BUILT_IN.contains(&name) {
        let message = format!("cannot drop schema {name} because it is required by the database system");
        return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
    }
    let schema = session.work()?.objects().schema(name).cloned();
    Ok(schema.map(|schema| Target::Schema { id: schema.id, name: schema.name.clone() }))
}

fn relation(session: &mut Session, object: ObjectKind, name: &QualifiedName) -> Result<Option<Target>> {
    let found = find_if_exists(session, name)?;
    match (&found, object) {
        (Some(Relation::View(_)), ObjectKind::Table) => {
            Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a table", name.name))
                .with_hint("Use DROP VIEW to remove a view."))
        }
        (Some(Relation::Table(_)), ObjectKind::View) => {
            Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a view", name.name))
                .with_hint("Use DROP TABLE to remove a table."))
        }
        _ => {
            if let Some(Relation::Table(def)) = &found {
                table::writable(def)?;
            }
            Ok(found.map(Target::Relation))
        }
    }
}

fn kind(object: ObjectKind) -> &'static str {
    match object {
        ObjectKind::Table => "table",
        ObjectKind::View => "view",
        ObjectKind::Schema => "schema",
    }
}

/// `view segments.vip`, without the schema where it is `public` or temporary, as PostgreSQL's messages have it.
pub(super) fn describe(relation: &Relation) -> String {
    match relation.schema() {
        schema if schema == "public" || is_temporary(schema) => format!("{} {}", relation.kind(), relation.name()),
        schema => format!("{} {schema}.{}", relation.kind(), relation.name()),
    }
}
