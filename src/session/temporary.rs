//! The temporary tables of a session: their schema, which is made with the first of them, and what becomes of them at
//! the end of transactions.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::objects::role::POSTGRES;
use catalog::objects::{Change, ObjectId, Privileges, Relation, SchemaDef, TEMPORARY_SCHEMAS};

use parking_lot::RwLock;

use super::Session;
use crate::engine::{Engine, removal_of};
use crate::error::{Error, Result, SqlState};
use crate::privileges::PG_TEMP;
use crate::statement::OnCommit;

/// What a session has of them. Dropped with the session, it has the schema removed.
pub(super) struct Temporary {
    engine: Arc<Engine>,
    /// The schema's name, once it has been made; the transaction that made it may have been rolled back.
    schema: Option<Arc<str>>,
    /// Tables of which something becomes with each commit.
    on_commit: BTreeMap<ObjectId, OnCommit>,
    /// Number and name of the schema as the running statement sees it, for functions.
    listed: Arc<RwLock<Option<(ObjectId, String)>>>,
}

impl Temporary {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, schema: None, on_commit: BTreeMap::new(), listed: Arc::default() }
    }

    pub(super) fn listed(&self) -> Arc<RwLock<Option<(ObjectId, String)>>> {
        Arc::clone(&self.listed)
    }

    pub(super) fn schema(&self) -> Option<&Arc<str>> {
        self.schema.as_ref()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(schema) = self.schema.take() {
            self.engine.end_temporary(schema.to_string());
        }
    }
}

impl Session {
    /// The schema of the session's temporary tables, if there is one.
    pub(crate) fn temporary_schema(&mut self) -> Result<Option<Arc<str>>> {
        let Some(schema) = self.temporary.schema.clone() else { return Ok(None) };
        Ok(self.work()?.objects().schema(&schema).is_some().then_some(schema))
    }

    /// Tells the session's functions of the schema.
    pub(super) fn list_temporary(&self) {
        let name = self.temporary.schema.clone();
        let schema = name.and_then(|name| self.work.as_ref()?.objects().schema(&name).cloned());
        *self.temporary.listed.write() = schema.map(|schema| (schema.id, schema.name.clone()));
    }

    /// The schema in which a temporary table is made; made itself if need be.
    ///
    /// # Errors
    /// 42501 if the role may have no temporary tables, 42P16 if another schema was named.
    pub(crate) fn temporary_schema_for(&mut self, named: Option<&str>) -> Result<String> {
        let own = self.temporary.schema.clone();
        if named.is_some_and(|named| named != PG_TEMP && own.as_deref() != Some(named)) {
            let message = "cannot create temporary relation in non-temporary schema";
            return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message));
        }
        if self.rights()?.check_database(Privileges::TEMPORARY).is_err() {
            let message =
                format!("permission denied to create temporary tables in database \"{}\"", crate::engine::DATABASE);
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        if let Some(schema) = self.temporary_schema()? {
            return Ok(schema.to_string());
        }
        let engine = Arc::clone(&self.engine);
        let work = self.work()?;
        let id = work.allocate_id();
        let schema = own.unwrap_or_else(|| {
            let schema: Arc<str> = format!("{TEMPORARY_SCHEMAS}{id}").into();
            engine.keep_temporary(&schema);
            schema
        });
        // Roles come and go in a session; its schema is nobody's.
        work.set_owner(POSTGRES);
        work.change(Change::PutSchema(SchemaDef { id, name: schema.to_string(), comment: None }))?;
        self.temporary.schema = Some(Arc::clone(&schema));
        Ok(schema.to_string())
    }

    /// Notes what becomes of a new temporary table when a transaction commits.
    pub(crate) fn on_commit(&mut self, table: ObjectId, action: OnCommit) {
        if action != OnCommit::PreserveRows {
            self.temporary.on_commit.insert(table, action);
        }
    }

    /// Does what is to be done to temporary tables before a transaction commits.
    pub(super) async fn end_temporary_rows(&mut self) -> Result<()> {
        if self.temporary.on_commit.is_empty() || self.work.is_none() {
            return Ok(());
        }
        let actions = self.temporary.on_commit.clone();
        let work = self.work()?;
        for (id, action) in &actions {
            let objects = Arc::clone(work.objects());
            let Some(table) = objects.table(*id).cloned() else { continue };
            match action {
                OnCommit::PreserveRows => {}
                OnCommit::DeleteRows => work.forget_rows(*id).await,
                OnCommit::Drop => {
                    let readers = objects.dependents(*id).into_iter().map(Relation::View);
                    let gone = readers.chain([Relation::Table(table)]).map(|relation| removal_of(&relation));
                    work.forget_rows(*id).await;
                    work.change_together(gone.collect())?;
                }
            }
        }
        let objects = Arc::clone(work.objects());
        self.temporary.on_commit.retain(|id, _| objects.table(*id).is_some());
        Ok(())
    }

    /// Drops all of the session's temporary tables and views.
    pub(crate) async fn discard_temporary(&mut self) -> Result<()> {
        let Some(schema) = self.temporary_schema()? else { return Ok(()) };
        self.engine.begin_writing().await?;
        let work = self.work()?;
        let gone: Vec<Change> = work.objects().relations(&schema).map(removal_of).collect();
        Ok(work.change_together(gone)?)
    }
}
