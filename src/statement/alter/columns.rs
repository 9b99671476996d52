//! The actions of ALTER TABLE, put together to one new definition; RENAME COLUMN of tables and views.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::objects::{Change, ColumnDef, ObjectId, Relation, TableDef, ViewDef};
use catalog::table::layout::{BUCKETS, CLUSTER_BY, ERASE_BY};
use catalog::types::PgType;
use datafusion::sql::sqlparser::ast::{Expr, Value};

use super::access_after;
use super::reshape::{self, Reshaping, Source};
use super::views::{self, Reader, Reshaped};
use crate::engine::Planner;
use crate::engine::types::storable;
use crate::error::{Error, Result, SqlState};
use crate::session::Session;
use crate::statement::alter_ast::TableAction;
use crate::statement::ast::{Column, fold};
use crate::statement::drop::{Target, describe, drop_targets};
use crate::statement::table;

/// Runs the actions of one ALTER TABLE.
pub(super) async fn alter(session: &mut Session, relation: &Relation, actions: &[TableAction]) -> Result<()> {
    let Relation::Table(def) = relation else {
        let action = actions.first().map_or("", TableAction::name);
        let message = format!("ALTER action {action} cannot be performed on relation \"{}\"", relation.name());
        return Err(
            Error::new(SqlState::WRONG_OBJECT_TYPE, message).with_detail("This operation is not supported for views.")
        );
    };
    let old = locked(session, def.id, &def.name).await?;
    let planner = session.planner()?;
    let readers = views::readers(session, old.id).await?;
    let mut shape = Shape::of(&old);
    let mut ordered: Vec<&TableAction> = actions.iter().collect();
    ordered.sort_by_key(|action| action.pass());
    for action in ordered {
        shape.apply(session, &planner, &readers, action)?;
    }
    let dropped = std::mem::take(&mut shape.read_by);
    let Some(reshaping) = shape.finished()? else { return Ok(()) };
    let doomed = doom(session, dropped)?;
    let readers: Vec<Reader> = readers.into_iter().filter(|reader| !doomed.contains(&reader.view.id)).collect();
    reshape::apply(session, &planner, &readers, &old, reshaping).await
}

/// Runs RENAME COLUMN.
pub(super) async fn rename(session: &mut Session, relation: &Relation, from: &str, to: &str) -> Result<()> {
    let check = |name: &str, columns: &[ColumnDef]| {
        if columns.iter().all(|column| column.name != from) {
            let message = format!("column \"{from}\" does not exist");
            return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
        }
        match columns.iter().any(|column| column.name == to) {
            true => Err(exists(to, name)),
            false => Ok(()),
        }
    };
    let view = match relation {
        Relation::Table(def) => {
            let old = locked(session, def.id, &def.name).await?;
            check(&old.name, &old.columns)?;
            let (planner, readers) = (session.planner()?, views::readers(session, old.id).await?);
            let mut shape = Shape::of(&old);
            shape.rename(from, to);
            let Some(reshaping) = shape.finished()? else { return Ok(()) };
            return reshape::apply(session, &planner, &readers, &old, reshaping).await;
        }
        Relation::View(view) => view,
    };
    check(&view.name, &view.columns)?;
    let readers = views::readers(session, view.id).await?;
    let objects = Arc::clone(session.work()?.objects());
    let mut renamed = ViewDef::clone(view);
    renamed.columns.iter_mut().filter(|column| column.name == from).for_each(|column| column.name = to.to_owned());
    let access = access_after(&objects.access(view.id), |name| Some((if name == from { to } else { name }).to_owned()));
    let mut changes = vec![Change::PutView(renamed)];
    changes.extend(access.map(Change::PutAccess));
    let reshaped = Reshaped {
        before: relation,
        schema: relation.schema(),
        name: relation.name(),
        gained: vec![to.to_owned()],
        renamed: Some((from, to)),
    };
    for reader in &readers {
        changes.extend(reshaped.kept(&objects, reader)?.map(Change::PutView));
    }
    session.work()?.change_together(changes)?;
    let known = readers.iter().filter(|reader| reader.sound).map(|reader| reader.view.id);
    views::check(session, &known.collect::<Vec<_>>(), &format!("rename column {from} of view {}", view.name)).await
}

/// The table as it is once nobody else of this process puts rows into it by key or merges its files.
async fn locked(session: &mut Session, id: ObjectId, name: &str) -> Result<Arc<TableDef>> {
    session.close_table(id).await?;
    let def = session.work()?.objects().table(id).cloned();
    def.ok_or_else(|| Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist")))
}

/// Drops the views that read dropped columns, and what reads those; returns all of them.
fn doom(session: &mut Session, views: Vec<Relation>) -> Result<Vec<ObjectId>> {
    let objects = Arc::clone(session.work()?.objects());
    let mut doomed: Vec<Relation> = Vec::new();
    for view in views {
        let below = objects.dependents(view.id()).into_iter().map(Relation::View);
        for relation in std::iter::once(view).chain(below) {
            if doomed.iter().all(|other| other.id() != relation.id()) {
                doomed.push(relation);
            }
        }
    }
    let names: Vec<String> = doomed.iter().map(describe).collect();
    match names.as_slice() {
        [] => return Ok(Vec::new()),
        [one] => session.notice(format!("drop cascades to {one}")),
        several => session.notice(format!("drop cascades to {} other objects: {}", several.len(), several.join(", "))),
    }
    let ids = doomed.iter().map(Relation::id).collect();
    drop_targets(session, doomed.into_iter().map(Target::Relation).collect(), true)?;
    Ok(ids)
}

fn exists(column: &str, table: &str) -> Error {
    let message = format!("column \"{column}\" of relation \"{table}\" already exists");
    Error::new(SqlState::DUPLICATE_COLUMN, message)
}

/// The definition that comes to be, and where each of its columns comes from.
struct Shape<'a> {
    old: &'a TableDef,
    new: TableDef,
    sources: Vec<Source>,
    renamed: Option<(String, String)>,
    dropped: Vec<String>,
    /// Views that go with dropped columns.
    read_by: Vec<Relation>,
    /// Whether the files have to be written anew.
    rewrites: bool,
    /// Whether keys have to be looked at.
    checks_keys: bool,
}

impl<'a> Shape<'a> {
    fn of(old: &'a TableDef) -> Self {
        Self {
            old,
            new: old.clone(),
            sources: old.columns.iter().map(|column| Source::Old(column.name.clone())).collect(),
            renamed: None,
            dropped: Vec::new(),
            read_by: Vec::new(),
            rewrites: false,
            checks_keys: false,
        }
    }

    fn apply(
        &mut self,
        session: &mut Session,
        planner: &Planner,
        readers: &[Reader],
        action: &TableAction,
    ) -> Result<()> {
        match action {
            TableAction::Add { column, if_not_exists, key } => self.add(session, planner, column, *if_not_exists, *key),
            TableAction::Drop { name, if_exists, cascade } => self.drop(session, readers, name, *if_exists, *cascade),
            TableAction::Type { name, data_type, using } => {
                let place = self.place(name)?;
                self.movable(name, "alter")?;
                if let Some(reader) = readers.iter().find(|reader| reader.uses(name)) {
                    let view = describe(&Relation::View(Arc::clone(&reader.view)));
                    let message = "cannot alter type of a column used by a view or rule";
                    return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                        .with_detail(format!("rule _RETURN on {view} depends on column \"{name}\"")));
                }
                let pg = storable(data_type)?;
                table::tell_of_numeric(session, name, data_type);
                self.change_type(place, pg, using.as_ref())
            }
            TableAction::Default { name, default } => {
                let place = self.place(name)?;
                if let Some(default) = default {
                    table::check_default(planner, default)?;
                }
                self.new.columns[place].default = default.as_ref().map(ToString::to_string);
                Ok(())
            }
            TableAction::NotNull { name, not_null } => {
                let place = self.place(name)?;
                if !not_null && self.new.primary_key.contains(name) {
                    let message = format!("column \"{name}\" is in a primary key");
                    return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message));
                }
                self.new.columns[place].not_null = *not_null;
                Ok(())
            }
            TableAction::AddKey(columns) => self.add_key(columns.iter().map(fold).collect()),
            TableAction::DropConstraint { name, if_exists } => {
                if !self.new.primary_key.is_empty() && *name == format!("{}_pkey", self.old.name) {
                    self.drop_key();
                    return Ok(());
                }
                let message = format!("constraint \"{name}\" of relation \"{}\" does not exist", self.old.name);
                if *if_exists {
                    session.notice(format!("{message}, skipping"));
                    return Ok(());
                }
                Err(Error::new(SqlState::UNDEFINED_OBJECT, message))
            }
        }
    }

    /// Where a column is.
    fn place(&self, name: &str) -> Result<usize> {
        self.new.columns.iter().position(|column| column.name == name).ok_or_else(|| {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", self.old.name);
            Error::new(SqlState::UNDEFINED_COLUMN, message)
        })
    }

    /// That the table is not cut by the column.
    fn movable(&self, name: &str, verb: &str) -> Result<()> {
        if self.new.partition_by.as_deref() != Some(name) {
            return Ok(());
        }
        let table = &self.old.name;
        let message =
            format!("cannot {verb} column \"{name}\" because it is part of the partition key of relation \"{table}\"");
        Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message))
    }

    fn add(
        &mut self,
        session: &mut Session,
        planner: &Planner,
        column: &Column,
        if_not_exists: bool,
        key: bool,
    ) -> Result<()> {
        let name = fold(&column.name);
        if self.new.columns.iter().any(|other| other.name == name) {
            let error = exists(&name, &self.old.name);
            if if_not_exists {
                session.notice(format!("{}, skipping", error.message));
                return Ok(());
            }
            return Err(error);
        }
        let def = table::column(session, planner, column)?;
        let is_null = |value: &Expr| matches!(value, Expr::Value(value) if value.value == Value::Null);
        match &column.default {
            Some(default) if !is_null(default) => {
                self.rewrites = true;
                self.sources.push(Source::Given(Box::new(default.clone())));
            }
            _ => self.sources.push(Source::Null),
        }
        self.new.columns.push(def);
        if key { self.add_key(vec![name]) } else { Ok(()) }
    }

    fn drop(
        &mut self,
        session: &mut Session,
        readers: &[Reader],
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<()> {
        let place = match self.place(name) {
            Err(e) if if_exists => {
                session.notice(format!("{}, skipping", e.message));
                return Ok(());
            }
            place => place?,
        };
        self.movable(name, "drop")?;
        let table = describe(&Relation::Table(Arc::new(self.old.clone())));
        let views = readers.iter().filter(|reader| reader.uses(name)).map(|reader| Arc::clone(&reader.view));
        let views: Vec<Relation> = views.map(Relation::View).collect();
        if !views.is_empty() && !cascade {
            let details = views.iter().map(|view| format!("{} depends on column {name} of {table}", describe(view)));
            let message = format!("cannot drop column {name} of {table} because other objects depend on it");
            return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_detail(details.collect::<Vec<_>>().join("\n"))
                .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        self.read_by.extend(views);
        if self.new.primary_key.iter().any(|key| key == name) {
            self.drop_key();
        }
        self.recluster(|column| (column != name).then(|| column.to_owned()));
        self.new.columns.remove(place);
        self.sources.remove(place);
        self.dropped.push(name.to_owned());
        self.rewrites = true;
        Ok(())
    }

    fn change_type(&mut self, place: usize, pg: PgType, using: Option<&Expr>) -> Result<()> {
        let column = &mut self.new.columns[place];
        let (name, old) = (column.name.clone(), column.pg_type.parse::<PgType>()?);
        if !matches!(self.sources[place], Source::Old(_)) {
            let message = format!("cannot alter type of column \"{name}\" twice");
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        if using.is_none() && !is_automatic(&old, &pg) {
            let message = format!("column \"{name}\" cannot be cast automatically to type {pg}");
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint(format!("You might need to specify \"USING {name}::{pg}\".")));
        }
        column.pg_type = pg.to_string();
        if using.is_none() && fits(&old, &pg) {
            return Ok(());
        }
        self.rewrites = true;
        self.checks_keys |= self.new.primary_key.contains(&name);
        self.sources[place] = match using {
            Some(using) => {
                reshape::check_transform(using)?;
                Source::Given(Box::new(using.clone()))
            }
            None => Source::Converted(name),
        };
        Ok(())
    }

    fn add_key(&mut self, key: Vec<String>) -> Result<()> {
        if !self.new.primary_key.is_empty() {
            let message = format!("multiple primary keys for table \"{}\" are not allowed", self.old.name);
            return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message));
        }
        for (place, name) in key.iter().enumerate() {
            if key[..place].contains(name) {
                let message = format!("column \"{name}\" appears twice in primary key constraint");
                return Err(Error::new(SqlState::DUPLICATE_COLUMN, message));
            }
            let Some(column) = self.new.columns.iter_mut().find(|column| column.name == *name) else {
                let message = format!("column \"{name}\" named in key does not exist");
                return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
            };
            column.not_null = true;
        }
        self.new.primary_key = key;
        (self.rewrites, self.checks_keys) = (true, true);
        Ok(())
    }

    fn drop_key(&mut self) {
        self.new.primary_key.clear();
        self.new.options.remove(BUCKETS);
        // Files of a keyed table are cut by its key.
        self.rewrites = true;
    }

    fn rename(&mut self, from: &str, to: &str) {
        let renamed = |name: &str| (if name == from { to } else { name }).to_owned();
        self.new.columns.iter_mut().for_each(|column| column.name = renamed(&column.name));
        self.new.primary_key.iter_mut().for_each(|name| *name = renamed(name));
        self.new.partition_by = self.new.partition_by.as_deref().map(renamed);
        self.recluster(|column| Some(renamed(column)));
        self.renamed = Some((from.to_owned(), to.to_owned()));
        self.rewrites = true;
    }

    /// Changes the columns that options name: those by which rows are sorted, and the one that tells of whom they are.
    fn recluster(&mut self, change: impl Fn(&str) -> Option<String>) {
        if let Some(column) = self.new.options.remove(ERASE_BY)
            && let Some(column) = if column.is_empty() { Some(column) } else { change(&column) }
        {
            self.new.options.insert(ERASE_BY.to_owned(), column);
        }
        let Some(columns) = self.new.options.remove(CLUSTER_BY) else { return };
        let columns: Vec<String> =
            columns.split(',').filter_map(|column| change(column.trim().trim_matches('"'))).collect();
        if !columns.is_empty() {
            self.new.options.insert(CLUSTER_BY.to_owned(), columns.join(","));
        }
    }

    /// All of it; `None` if nothing changes.
    fn finished(self) -> Result<Option<Reshaping>> {
        if self.new == *self.old && !self.rewrites {
            return Ok(None);
        }
        if self.new.columns.is_empty() {
            return Err(Error::unsupported("a table without columns"));
        }
        catalog::table::Layout::of(&self.new)?;
        let before: BTreeMap<&str, bool> =
            self.old.columns.iter().map(|column| (column.name.as_str(), column.not_null)).collect();
        let mut not_null = Vec::new();
        for (column, source) in self.new.columns.iter().zip(&self.sources) {
            let was = match source {
                Source::Old(name) => before.get(name.as_str()).copied().unwrap_or(false),
                _ => false,
            };
            if column.not_null && !was {
                not_null.push((column.name.clone(), source.clone()));
            }
        }
        let added = |source: &Source, name: &str| match source {
            Source::Null => true,
            Source::Given(_) => !before.contains_key(name) || self.dropped.iter().any(|dropped| dropped == name),
            Source::Old(_) | Source::Converted(_) => false,
        };
        let columns = self.new.columns.iter().zip(&self.sources);
        let mut gained: Vec<String> = columns
            .filter(|(column, source)| added(source, &column.name))
            .map(|(column, _)| column.name.clone())
            .collect();
        gained.extend(self.renamed.iter().map(|(_, to)| to.clone()));
        Ok(Some(Reshaping {
            gained,
            not_null,
            new: self.new,
            sources: self.sources,
            renamed: self.renamed,
            dropped: self.dropped,
            rewrites: self.rewrites,
            checks_keys: self.checks_keys,
        }))
    }
}

/// Whether a value becomes one of another type without being told to: PostgreSQL's casts in an assignment.
fn is_automatic(from: &PgType, to: &PgType) -> bool {
    use PgType::{
        Array, BigInt, Char, Date, Double, Integer, Json, Jsonb, Numeric, Real, SmallInt, Text, Time, Timestamp,
        Timestamptz, Varchar,
    };
    let is_number = |pg: &PgType| matches!(pg, SmallInt | Integer | BigInt | Real | Double | Numeric(..));
    match (from, to) {
        (from, to) if from == to => true,
        (_, Text | Varchar(_) | Char(_)) => true,
        (from, to) if is_number(from) && is_number(to) => true,
        (Date | Timestamp | Timestamptz, Date | Timestamp | Timestamptz) => true,
        (Timestamp | Timestamptz, Time) => true,
        (Json | Jsonb, Json | Jsonb) => true,
        (Array(from), Array(to)) => is_automatic(from, to),
        _ => false,
    }
}

/// Whether stored values of one type are stored values of the other as they are.
fn fits(from: &PgType, to: &PgType) -> bool {
    match (from, to) {
        (PgType::Text | PgType::Varchar(_), PgType::Text | PgType::Varchar(None)) => true,
        (PgType::Varchar(Some(from)), PgType::Varchar(Some(to))) => from <= to,
        (from, to) => from == to,
    }
}
