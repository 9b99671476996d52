//! Small changes that are found in memory and written together.
//!
//! What one statement does to a table is found without anything being written: which rows go, which come. The changes
//! of several statements, found in one version of the table, can be written as one as long as no row is in two of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::row::{OwnedRow, RowConverter};
use datafusion::common::internal_datafusion_err;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_plan::collect;
use datafusion::physical_plan::union::UnionExec;
use object_store::ObjectStore;

use super::TableState;
use super::change::{Change, Changed, Coming, End, Survivors, Taken, key_of};
use super::rows::Places;
use super::write::{RunningWrites, write};
use crate::error::{Error, Result};

/// What a change does to one version of a table.
#[derive(Debug)]
pub struct Found {
    state: Arc<TableState>,
    places: Places,
    /// Rows that come, as they are stored.
    coming: Vec<RecordBatch>,
    /// Rows of the plan that were not passed over.
    pub rows: u64,
    /// What was to be handed back.
    pub returned: Vec<RecordBatch>,
    /// The memory of all of it.
    pub held: Option<MemoryReservation>,
}

/// Runs a change's plan and keeps what it does to `state` in memory.
///
/// # Errors
/// [`Error::Twice`], [`Error::NotNull`], what reading meets.
pub(crate) async fn find(state: &Arc<TableState>, change: Change, task: Arc<TaskContext>) -> Result<Found> {
    let taken = Arc::new(Taken::new(state, &change, task.memory_pool())?);
    let kept = MemoryConsumer::new("changed rows").register(task.memory_pool());
    let coming = collect(Arc::new(Coming::new(change.plan, Arc::clone(&taken))), task).await;
    if taken.refused.load(Ordering::Acquire) {
        return Err(Error::Twice);
    }
    let coming = coming?;
    if *taken.end.borrow() != End::Reached {
        return Err(Error::Internal("the plan of a change did not come to its end".to_owned()));
    }
    for (place, column) in state.def.columns.iter().enumerate().filter(|(_, column)| column.not_null) {
        if coming.iter().any(|rows| rows.column(place).logical_null_count() > 0) {
            let (table, column) = (state.def.name.clone(), column.name.clone());
            return Err(Error::NotNull { table, column });
        }
    }
    let mut seen = taken.seen.lock();
    let returned = std::mem::take(&mut seen.returned);
    let (places, rows) = (std::mem::take(&mut seen.places), seen.rows);
    drop(seen);
    let bytes = coming.iter().chain(&returned).map(RecordBatch::get_array_memory_size).sum::<usize>() + places.bytes();
    kept.try_grow(bytes)?;
    Ok(Found { state: Arc::clone(state), places, coming, rows, returned, held: Some(kept) })
}

/// Changes of different rows of one version of a table.
pub struct Together {
    state: Arc<TableState>,
    places: Places,
    key: Vec<usize>,
    converter: RowConverter,
    keys: HashSet<OwnedRow>,
    coming: Vec<RecordBatch>,
}

impl Together {
    /// No change of `state` yet.
    pub fn new(state: Arc<TableState>) -> Result<Self> {
        let (key, converter) = key_of(&state)?;
        Ok(Self { state, places: Places::default(), key, converter, keys: HashSet::new(), coming: Vec::new() })
    }

    /// Adds a change. False, and nothing is added: it was found in another version, or a change that is there already
    /// has one of its rows.
    pub fn add(&mut self, found: &Found) -> Result<bool> {
        // Places are counted along the list of files.
        if !Arc::ptr_eq(&found.state.files, &self.state.files) || !found.state.def.same_rows(&self.state.def) {
            return Ok(false);
        }
        let mut keys = HashSet::new();
        for rows in &found.coming {
            let columns: Vec<_> = self.key.iter().map(|&place| Arc::clone(rows.column(place))).collect();
            keys.extend(self.converter.convert_columns(&columns)?.iter().map(|key| key.owned()));
        }
        if !found.places.is_apart_from(&self.places) || !keys.is_disjoint(&self.keys) {
            return Ok(false);
        }
        self.places.extend(&found.places);
        self.keys.extend(keys);
        self.coming.extend(found.coming.iter().filter(|rows| rows.num_rows() > 0).cloned());
        Ok(true)
    }

    /// Whether nothing goes and nothing comes.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.coming.is_empty()
    }

    /// The version of the table that they were found in.
    pub fn state(&self) -> &Arc<TableState> {
        &self.state
    }
}

/// Writes changes of different rows as one; `bucket` as for [`write`].
pub(crate) async fn write_together(
    together: Together,
    files: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
    running: &RunningWrites,
    bucket: &Arc<ScalarUDF>,
    task: Arc<TaskContext>,
) -> Result<Changed> {
    let Together { state, places, coming, .. } = together;
    let missing = || internal_datafusion_err!("a change of a file that is not there");
    let mut removes = Vec::new();
    for (file, _) in places.files() {
        removes.push(state.files.get(file as usize).cloned().ok_or_else(missing)?);
    }
    let taken = Arc::new(Taken::known(&state, places, task.memory_pool()));
    let schema = Arc::clone(&taken.schema);
    let survivors = Survivors::new(taken, files, task.session_config().target_partitions());
    let coming = MemorySourceConfig::try_new_exec(&[coming], schema, None)?;
    let plan = UnionExec::try_new(vec![coming, Arc::new(survivors)])?;
    let written = write(&state.def, &state.layout, store, running, bucket, plan, task, None).await?;
    Ok(Changed { removes, written, ..Changed::default() })
}
