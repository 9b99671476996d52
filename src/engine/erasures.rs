//! Erasures after their commit: what held the rows goes when the grace period is over, the warehouse is searched for
//! what should be gone, and `audience.erasures` tells of it. None of it is written anywhere with the key: as long as this
//! process lives it remembers whom to look for; after a restart whoever has the request at hand asks for the search.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::maintain::Erased;
use catalog::objects::{Change, ObjectId};
use catalog::search::{Found, Keys, Remains};
use catalog::{Transaction, View};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::kernels::zip::zip;
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::collect;
use datafusion::scalar::ScalarValue;
use parking_lot::Mutex;

use super::Engine;
use super::records::Record;
use crate::error::{Error, Result, SqlState};

/// How often the end of an erasure is tried that others have overtaken.
const TRIES: u64 = 8;
/// How often a search says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

pub(super) const ERASURES: Record = Record {
    name: "erasures",
    comment: "requests to erase persons, and how far they are; never of whom",
    columns: &[
        ("erasure_id", "uuid"),
        ("requested_at", "timestamp with time zone"),
        ("requested_by", "text"),
        ("state", "text"),
        ("keys", "bigint"),
        ("tables", "bigint"),
        ("rows", "bigint"),
        ("objects", "bigint"),
        ("due_at", "timestamp with time zone"),
        ("removed_at", "timestamp with time zone"),
        ("verified_at", "timestamp with time zone"),
    ],
};

/// Whom erasures that are not finished are about.
#[derive(Default)]
pub(super) struct Remembered(Mutex<HashMap<ObjectId, Arc<Keys>>>);

/// A request as it is recorded with its commit.
pub(crate) struct Request<'a> {
    pub(crate) erasure_id: &'a str,
    pub(crate) requested_at: DateTime<Utc>,
    pub(crate) requested_by: &'a str,
    pub(crate) keys: usize,
    pub(crate) tables: usize,
    pub(crate) rows: u64,
    pub(crate) objects: usize,
    pub(crate) due: DateTime<Utc>,
    /// Nothing is left to remove.
    pub(crate) done: bool,
}

/// How far an erasure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Objects are left.
    Pending,
    /// None is left. Nobody has looked.
    Removed,
    /// Nothing was found.
    Verified,
    /// Something was.
    Found,
}

impl Stage {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Removed => "removed",
            Self::Verified => "verified",
            Self::Found => "found",
        }
    }
}

impl Engine {
    /// Makes `audience.erasures` if it is not there yet.
    pub(crate) async fn prepare_erasures(&self) -> Result<()> {
        self.recorded_in(&ERASURES).await.map(drop)
    }

    /// Stages the record of a request.
    pub(crate) async fn record_erasure(&self, work: &mut Transaction, request: Request<'_>) -> Result<()> {
        let def = self.recorded_in(&ERASURES).await?;
        let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let number = |value: u64| Arc::new(Int64Array::from(vec![value as i64])) as ArrayRef;
        let instant = |at: Option<DateTime<Utc>>| {
            let array = TimestampMicrosecondArray::from(vec![at.map(|at| at.timestamp_micros())]);
            Arc::new(array.with_timezone("UTC")) as ArrayRef
        };
        let stage = if request.done { Stage::Removed } else { Stage::Pending };
        let columns = vec![
            text(request.erasure_id),
            instant(Some(request.requested_at)),
            text(request.requested_by),
            text(stage.name()),
            number(request.keys as u64),
            number(request.tables as u64),
            number(request.rows),
            number(request.objects as u64),
            instant(Some(request.due)),
            instant(request.done.then_some(request.requested_at)),
            instant(None),
        ];
        let schema = catalog::table::schema(&def)?;
        let mut stored = Vec::with_capacity(columns.len());
        for (array, field) in columns.iter().zip(schema.fields()) {
            stored.push(cast(array, field.data_type()).map_err(DataFusionError::from)?);
        }
        let fields: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), stored).map_err(DataFusionError::from)?;
        let plan = MemorySourceConfig::try_new_exec(&[vec![rows.clone()]], rows.schema(), None)?;
        let written = self.write(&def, plan, self.merging().task_ctx(), None).await?;
        work.append(def.id, written, Vec::new(), None);
        Ok(())
    }

    /// Stages new values of columns of a request's record.
    async fn retell(&self, work: &mut Transaction, erasure_id: &str, news: &[(&str, ScalarValue)]) -> Result<()> {
        let def = self.recorded_in(&ERASURES).await?;
        let view: View = work.view();
        let state = view.table(def.id).await?;
        let schema = Arc::clone(&state.schema);
        let session = self.merging();
        let provider = self.warehouse.provider(Arc::clone(&state), Arc::clone(&schema))?;
        let plan = provider.scan(&session, None, &[], None).await?;
        let batches = collect(plan, session.task_ctx()).await?;
        let rows = concat_batches(&schema, &batches).map_err(DataFusionError::from)?;
        let failed = || Error::internal("audience.erasures has other columns than it was made with");
        let ids = rows.column_by_name("erasure_id").ok_or_else(failed)?;
        let ids = cast(ids, &DataType::Utf8).map_err(DataFusionError::from)?;
        let ours: BooleanArray = ids.as_string::<i32>().iter().map(|id| Some(id == Some(erasure_id))).collect();
        let mut columns = rows.columns().to_vec();
        for (name, value) in news {
            let at = schema.index_of(name).map_err(DataFusionError::from)?;
            let value = cast(&value.to_array()?, schema.field(at).data_type()).map_err(DataFusionError::from)?;
            let value = datafusion::arrow::array::Scalar::new(value);
            columns[at] = zip(&ours, &value, &columns[at]).map_err(DataFusionError::from)?;
        }
        let rows = RecordBatch::try_new(schema, columns).map_err(DataFusionError::from)?;
        let plan = MemorySourceConfig::try_new_exec(&[vec![rows.clone()]], rows.schema(), None)?;
        let written = self.write(&def, plan, session.task_ctx(), None).await?;
        work.change_rows(def.id, state.files.as_ref().clone(), written, "UPDATE", None);
        Ok(())
    }

    /// Commits new values of columns of a request's record together with `changes`.
    async fn commit_news(&self, erasure_id: &str, news: &[(&str, ScalarValue)], changes: &[Change]) -> Result<()> {
        let def = self.recorded_in(&ERASURES).await?;
        let _held = self.warehouse.hold_files(def.id).await;
        for attempt in 1.. {
            let mut work = Transaction::begin(&self.warehouse).await?;
            for change in changes {
                work.change(change.clone())?;
            }
            self.retell(&mut work, erasure_id, news).await?;
            match work.commit().await {
                Err(catalog::Error::Conflict(_)) if attempt < TRIES => {
                    tokio::time::sleep(Duration::from_millis(10 << attempt)).await;
                }
                outcome => return Ok(outcome?),
            }
        }
        Err(Error::internal("the end of an erasure was tried too often"))
    }

    /// Remembers, for as long as this process lives, whom an erasure is about.
    pub(crate) fn remember_erased(&self, id: ObjectId, keys: Arc<Keys>) {
        self.erased.0.lock().insert(id, keys);
    }

    /// Forgets whom an erasure was about that came to nothing.
    pub(crate) fn forget_erased(&self, id: ObjectId) {
        self.erased.0.lock().remove(&id);
    }

    /// What is left of former rows of tables, in files that no version needs and in their logs.
    pub(crate) async fn remains(&self, view: View, tables: Vec<ObjectId>, keys: Arc<Keys>) -> Result<Remains> {
        let work = async move { view.warehouse().remains(&view, &tables, &keys).await };
        Ok(self.compute.run(work).await??)
    }

    /// Removes what an erasure has to remove, if it may already, and looks for what should be gone if it is known what
    /// that is. What it finds comes with the stage.
    pub(crate) async fn finish_erasure(self: &Arc<Self>, id: ObjectId) -> Result<(Stage, Vec<Found>)> {
        let warehouse = Arc::clone(&self.warehouse);
        let erased = self.compute.run(async move { warehouse.finish_erasure(id).await }).await??;
        let def = match erased {
            Erased::Waiting(_) => return Ok((Stage::Pending, Vec::new())),
            Erased::Finished => return Ok((Stage::Removed, Vec::new())),
            Erased::Removed(def, _) => def,
        };
        let now = || ScalarValue::TimestampMicrosecond(Some(Utc::now().timestamp_micros()), Some("UTC".into()));
        let news = [("state", ScalarValue::from(Stage::Removed.name())), ("removed_at", now())];
        self.commit_news(&def.erasure_id, &news, &[Change::DropErasure(id)]).await?;
        tracing::info!(erasure = def.erasure_id, objects = def.objects.len(), "erased objects removed");
        let keys = self.erased.0.lock().remove(&id);
        match keys {
            None => Ok((Stage::Removed, Vec::new())),
            Some(keys) => self.verify_erasure(Some(&def.erasure_id), keys).await,
        }
    }

    /// Looks through every object of the warehouse; the outcome is recorded with the erasure, if one is named.
    pub(crate) async fn verify_erasure(
        self: &Arc<Self>,
        erasure_id: Option<&str>,
        keys: Arc<Keys>,
    ) -> Result<(Stage, Vec<Found>)> {
        let warehouse = Arc::clone(&self.warehouse);
        let told = Mutex::new(Instant::now());
        let each = move |number: usize, of: usize| {
            let mut told = told.lock();
            if told.elapsed() >= TELL_EVERY {
                *told = Instant::now();
                tracing::info!(object = number, of, "looking for what was erased");
            }
        };
        let found = self.compute.run(async move { warehouse.search(&keys, each).await }).await??;
        let stage = if found.is_empty() { Stage::Verified } else { Stage::Found };
        if let Some(erasure_id) = erasure_id {
            let now = (stage == Stage::Verified).then(|| Utc::now().timestamp_micros());
            let at = ScalarValue::TimestampMicrosecond(now, Some("UTC".into()));
            let news = [("state", ScalarValue::from(stage.name())), ("verified_at", at)];
            self.commit_news(erasure_id, &news, &[]).await?;
        }
        Ok((stage, found))
    }

    /// Goes on with the erasures that are not finished.
    pub(crate) async fn finish_erasures(self: &Arc<Self>) -> Result<()> {
        let newest = self.warehouse.newest();
        let due: Vec<_> = newest.objects.erasures().filter(|def| def.due <= Utc::now()).cloned().collect();
        drop(newest);
        for def in due {
            match self.finish_erasure(def.id).await {
                Ok((Stage::Found, found)) => tracing::warn!(
                    erasure = def.erasure_id,
                    objects = found.len(),
                    "what was erased is found elsewhere: CALL audience.verify_erasure says where"
                ),
                Ok(_) => {}
                // Somebody else has finished it.
                Err(e) if e.sqlstate == SqlState::UNDEFINED_OBJECT => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
