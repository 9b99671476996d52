//! Changing rows: the files that hold them are written anew without them, new rows among those that stay.
//!
//! The plan of a change says row by row what goes (by its place, see [`super::rows`]) and what comes. It is read to its
//! end while its new rows flow into the writer; then the rows that stay in the files it touched follow them, so that a
//! file that is small stays one file. Memory is bounded by the writer's sort, which spills, and by the compressed
//! places of the rows that go.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::{and, cast, filter_record_batch};
use datafusion::arrow::datatypes::{Field, Int64Type, Schema, SchemaRef, UInt32Type};
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result as PlanResult, internal_datafusion_err};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::rows::Places;
use super::scan::{LakeTable, Scan};
use super::write::{RunningWrites, Written, discard, write};
use super::{DataFile, TableState};
use crate::error::{Error, Result};

/// Columns of a change's plan before those of the table: file, row, and whether a row comes.
const BEFORE: usize = 3;

/// What is to change in a table.
pub struct Change {
    /// Its columns: the place of the row that goes ([`super::rows::FILE`] and [`super::rows::ROW`], null if none does);
    /// whether a row comes; that row, all of the table's columns in order; what is to be handed back, if anything.
    pub plan: Arc<dyn ExecutionPlan>,
    /// What if several rows of the plan name the same place.
    pub same_place: Twice,
    /// What if several rows come, none of them to a place, that have the same key. `None`: it is not looked at here.
    pub same_key: Option<Twice>,
}

/// What happens to a second row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twice {
    /// It is passed over.
    Ignored,
    /// It is an error: [`Error::Twice`].
    Refused,
}

/// A change that is written and not committed.
#[derive(Debug, Default)]
pub struct Changed {
    /// Files that go.
    pub removes: Vec<Arc<DataFile>>,
    /// Files that come.
    pub written: Written,
    /// Rows of the plan that were not passed over.
    pub rows: u64,
    /// What was to be handed back, in the plan's order if the plan has one partition.
    pub returned: Vec<RecordBatch>,
    /// The memory of what is handed back.
    pub held: Option<MemoryReservation>,
}

/// Writes a change of `state`; `bucket` as for [`write`].
///
/// # Errors
/// [`Error::Twice`], [`Error::NotNull`], what reading and writing meet; then none of its files stays.
pub(crate) async fn change(
    state: &Arc<TableState>,
    change: Change,
    files: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
    running: &RunningWrites,
    bucket: &Arc<ScalarUDF>,
    task: Arc<TaskContext>,
) -> Result<Changed> {
    let taken = Arc::new(Taken::new(state, &change, task.memory_pool())?);
    let survivors = Survivors::new(Arc::clone(&taken), files, task.session_config().target_partitions());
    let plan = UnionExec::try_new(vec![Arc::new(Coming::new(change.plan, Arc::clone(&taken))), Arc::new(survivors)])?;
    let written = write(&state.def, &state.layout, Arc::clone(&store), running, bucket, plan, task, None).await;
    if taken.refused.load(Ordering::Acquire) {
        return Err(Error::Twice);
    }
    let written = written?;
    if *taken.end.borrow() != End::Reached {
        discard(store.as_ref(), &Path::from(state.def.path.as_str()), &written).await;
        return Err(Error::Internal("the plan of a change did not come to its end".to_owned()));
    }
    let mut seen = taken.seen.lock();
    let removes = seen.places.files().filter_map(|(file, _)| state.files.get(file as usize).cloned()).collect();
    Ok(Changed {
        removes,
        written,
        rows: seen.rows,
        returned: std::mem::take(&mut seen.returned),
        held: Some(seen.reservation.take()),
    })
}

/// The table's columns as they are stored.
fn stored(state: &TableState) -> SchemaRef {
    let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
    Arc::new(Schema::new(state.schema.fields().iter().map(nullable).collect::<Vec<_>>()))
}

/// The places of the key's columns, and what makes rows of them that can be compared.
pub(super) fn key_of(state: &TableState) -> Result<(Vec<usize>, RowConverter)> {
    let schema = stored(state);
    let index = |name: &String| Ok(schema.index_of(name)?);
    let key: Vec<usize> = state.def.primary_key.iter().map(index).collect::<Result<_>>()?;
    let fields = key.iter().map(|&at| SortField::new(schema.field(at).data_type().clone())).collect();
    Ok((key, RowConverter::new(fields)?))
}

/// What has been read of a change so far.
pub(super) struct Taken {
    pub(super) state: Arc<TableState>,
    /// The table's columns as they are stored.
    pub(super) schema: SchemaRef,
    same_place: Twice,
    same_key: Option<Twice>,
    key: Vec<usize>,
    converter: Option<RowConverter>,
    pub(super) seen: Mutex<Seen>,
    pub(super) refused: AtomicBool,
    /// Partitions of the plan that have not come to their end.
    open: AtomicUsize,
    /// How the plan has ended.
    pub(super) end: watch::Sender<End>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    NotYet,
    Reached,
    Missed,
}

pub(super) struct Seen {
    pub(super) places: Places,
    keys: HashSet<OwnedRow>,
    pub(super) rows: u64,
    pub(super) returned: Vec<RecordBatch>,
    /// Bytes of keys and of what is handed back.
    bytes: usize,
    pub(super) reservation: MemoryReservation,
}

impl Taken {
    pub(super) fn new(state: &Arc<TableState>, change: &Change, pool: &Arc<dyn MemoryPool>) -> Result<Self> {
        let schema = stored(state);
        let mut key = Vec::new();
        let mut converter = None;
        if change.same_key.is_some() && !state.def.primary_key.is_empty() {
            let (places, of_key) = key_of(state)?;
            (key, converter) = (places, Some(of_key));
        }
        let partitions = change.plan.output_partitioning().partition_count();
        Ok(Self { key, converter, ..Self::of(state, schema, change.same_place, change.same_key, partitions, pool) })
    }

    /// Places that are known: nothing is left to be read of a plan.
    pub(super) fn known(state: &Arc<TableState>, places: Places, pool: &Arc<dyn MemoryPool>) -> Self {
        let taken = Self::of(state, stored(state), Twice::Refused, None, 0, pool);
        taken.seen.lock().places = places;
        taken.end.send_replace(End::Reached);
        taken
    }

    fn of(
        state: &Arc<TableState>,
        schema: SchemaRef,
        same_place: Twice,
        same_key: Option<Twice>,
        partitions: usize,
        pool: &Arc<dyn MemoryPool>,
    ) -> Self {
        let seen = Seen {
            places: Places::default(),
            keys: HashSet::new(),
            rows: 0,
            returned: Vec::new(),
            bytes: 0,
            reservation: MemoryConsumer::new("changed rows").register(pool),
        };
        Self {
            state: Arc::clone(state),
            schema,
            same_place,
            same_key,
            key: Vec::new(),
            converter: None,
            seen: Mutex::new(seen),
            refused: AtomicBool::new(false),
            open: AtomicUsize::new(partitions),
            end: watch::Sender::new(End::NotYet),
        }
    }

    /// Takes a batch of the plan; returns the rows of it that come.
    fn take(&self, batch: &RecordBatch) -> PlanResult<RecordBatch> {
        let width = self.schema.fields().len();
        let comes = batch.column(2).as_boolean();
        let stored: Vec<ArrayRef> = batch.columns()[BEFORE..BEFORE + width]
            .iter()
            .zip(self.schema.fields())
            .map(|(array, field)| cast(array, field.data_type()))
            .collect::<Result<_, _>>()?;
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), stored)?;

        let mut seen = self.seen.lock();
        let places = seen.places.insert(batch, 0, 1)?;
        let keys = match &self.converter {
            Some(converter) => {
                let columns: Vec<ArrayRef> = self.key.iter().map(|&at| Arc::clone(rows.column(at))).collect();
                Some(converter.convert_columns(&columns)?)
            }
            None => None,
        };
        let mut taken = Vec::with_capacity(batch.num_rows());
        for (at, place) in places.into_iter().enumerate() {
            let (new, twice) = match (place, &keys) {
                (Some(new), _) => (new, self.same_place),
                (None, Some(keys)) => {
                    let key = keys.row(at).owned();
                    let size = key.as_ref().len() + 48;
                    let new = seen.keys.insert(key);
                    seen.bytes += if new { size } else { 0 };
                    (new, self.same_key.unwrap_or(Twice::Refused))
                }
                (None, None) => (true, Twice::Ignored),
            };
            if !new && twice == Twice::Refused {
                self.refused.store(true, Ordering::Release);
                return Err(DataFusionError::External(Box::new(Error::Twice)));
            }
            taken.push(new);
        }
        let taken = BooleanArray::from(taken);
        seen.rows += taken.true_count() as u64;
        let behind = batch.num_columns() - BEFORE - width;
        if behind > 0 {
            let columns: Vec<usize> = (BEFORE + width..batch.num_columns()).collect();
            let returned = filter_record_batch(&batch.project(&columns)?, &taken)?;
            seen.bytes += returned.get_array_memory_size();
            seen.returned.push(returned);
        }
        let bytes = seen.bytes + seen.places.bytes();
        seen.reservation.try_resize(bytes)?;
        drop(seen);
        Ok(filter_record_batch(&rows, &and(&taken, comes)?)?)
    }
}

/// Says how one partition of the plan has ended, also if it is dropped before.
struct Ending {
    taken: Arc<Taken>,
    reached: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.reached {
            self.taken.end.send_replace(End::Missed);
        } else if self.taken.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.taken.end.send_if_modified(|end| {
                let first = *end == End::NotYet;
                if first {
                    *end = End::Reached;
                }
                first
            });
        }
    }
}

/// The rows that come, in the order of the plan.
pub(super) struct Coming {
    plan: Arc<dyn ExecutionPlan>,
    taken: Arc<Taken>,
    properties: Arc<PlanProperties>,
}

impl Coming {
    pub(super) fn new(plan: Arc<dyn ExecutionPlan>, taken: Arc<Taken>) -> Self {
        let partitions = plan.output_partitioning().partition_count();
        let properties = properties(&taken.schema, partitions);
        Self { plan, taken, properties }
    }
}

impl ExecutionPlan for Coming {
    fn name(&self) -> &str {
        "ComingRows"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.plan]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let plan = children.pop().ok_or_else(|| internal_datafusion_err!("a change without its plan"))?;
        Ok(Arc::new(Self::new(plan, Arc::clone(&self.taken))))
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        let input = self.plan.execute(partition, task)?;
        let ending = Ending { taken: Arc::clone(&self.taken), reached: false };
        let rows = futures::stream::unfold(Some((input, ending)), |reading| async move {
            let (mut input, mut ending) = reading?;
            loop {
                let batch = match input.next().await {
                    None => {
                        ending.reached = true;
                        return None;
                    }
                    Some(batch) => batch.and_then(|batch| ending.taken.take(&batch)),
                };
                match batch {
                    Ok(batch) if batch.num_rows() == 0 => {}
                    Ok(batch) => return Some((Ok(batch), Some((input, ending)))),
                    Err(e) => return Some((Err(e), None)),
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.taken.schema), rows)))
    }
}

/// The rows that stay in the files of which rows go; they come once the plan of the change has ended.
pub(super) struct Survivors {
    taken: Arc<Taken>,
    files: ObjectStoreUrl,
    partitions: usize,
    properties: Arc<PlanProperties>,
}

impl Survivors {
    pub(super) fn new(taken: Arc<Taken>, files: ObjectStoreUrl, partitions: usize) -> Self {
        let properties = properties(&taken.schema, partitions);
        Self { taken, files, partitions, properties }
    }
}

impl ExecutionPlan for Survivors {
    fn name(&self) -> &str {
        "StayingRows"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        let (taken, url, partitions) = (Arc::clone(&self.taken), self.files.clone(), self.partitions);
        let schema = Arc::clone(&taken.schema);
        let rows = futures::stream::once(async move {
            let mut end = taken.end.subscribe();
            let ended = end.wait_for(|end| *end != End::NotYet).await.map(|end| *end);
            if !ended.is_ok_and(|end| end == End::Reached) {
                // Nothing of it will be kept. Why is told where it happened.
                let none = futures::stream::empty();
                let none: SendableRecordBatchStream =
                    Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&taken.schema), none));
                return Ok(none);
            }
            staying(&taken, url, partition, partitions, task)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows.try_flatten())))
    }
}

/// The rows that stay in every `partitions`th of the files, from the `partition`th.
fn staying(
    taken: &Arc<Taken>,
    url: ObjectStoreUrl,
    partition: usize,
    partitions: usize,
    task: Arc<TaskContext>,
) -> PlanResult<SendableRecordBatchStream> {
    let places = taken.seen.lock().places.clone();
    let state = &taken.state;
    let touched = places.files().filter(|(number, gone)| {
        let rows = state.files.get(*number as usize).and_then(|file| file.rows);
        rows != Some(*gone)
    });
    let mine = touched.skip(partition).step_by(partitions);
    let kept: Vec<Arc<DataFile>> = mine.filter_map(|(number, _)| state.files.get(number as usize).cloned()).collect();
    let table = LakeTable::new(Arc::clone(state), Arc::clone(&state.schema), url);
    let scan =
        Scan { projection: None, limit: None, partitions: 1, most_ordered: 0, numbered: true, slices: HashMap::new() };
    let plan = table.scan_files(task.session_config().options(), &task.runtime_env(), &kept, scan)?;
    let schema = Arc::clone(&taken.schema);
    let rows = if kept.is_empty() { None } else { Some(plan.execute(0, task)?) };
    let inner = Arc::clone(&schema);
    let rows = futures::stream::iter(rows).flatten().map(move |batch| {
        let batch = batch?;
        let width = inner.fields().len();
        let files = batch.column(width).as_primitive::<UInt32Type>();
        let numbers = batch.column(width + 1).as_primitive::<Int64Type>();
        // A batch holds rows of one file.
        let Some(&file) = files.values().first() else { return Ok(RecordBatch::new_empty(Arc::clone(&inner))) };
        let stay = places.others(file, numbers.values());
        let rows = RecordBatch::try_new(Arc::clone(&inner), batch.columns()[..width].to_vec())?;
        Ok(filter_record_batch(&rows, &stay)?)
    });
    let rows = rows.try_filter(|batch| std::future::ready(batch.num_rows() > 0));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

fn properties(schema: &SchemaRef, partitions: usize) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(Arc::clone(schema)),
        Partitioning::UnknownPartitioning(partitions),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

macro_rules! shown_by_name {
    ($($plan:ty),*) => { $(
        impl DisplayAs for $plan {
            fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl fmt::Debug for $plan {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    )* };
}

shown_by_name!(Coming, Survivors);
