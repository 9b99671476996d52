//! Writing rows into a table's files: laid out, sorted, several writers at once.
//!
//! The rows of a plan are cut by the table's layout, repartitioned so that one writer owns a cut, sorted (spilling
//! if memory is short) and written as Parquet. Nothing is visible until the files are committed; files of a failed
//! write are removed.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::{SortOptions, cast, partition};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, Int32Type, Schema, SchemaRef};
use datafusion::config::ConfigOptions;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::ScalarUDF;
use datafusion::parquet::arrow::AsyncArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::metadata::SortingColumn;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::parquet::schema::types::ColumnPath;
use datafusion::physical_expr::expressions::{CastExpr, col, lit};
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr, ScalarFunctionExpr};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use deltalake_core::kernel::Add;
use futures::StreamExt;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::file::tags;
use super::layout::{Cut, Layout};
use super::ranges;
use crate::error::{Error, Result};
use crate::objects::TableDef;
use crate::types::PgType;

/// A file is closed once it holds about this many bytes.
pub(crate) const TARGET_FILE_BYTES: usize = 128 << 20;
/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Rows of a file of a keyed table, which is written anew as a whole when one of its rows changes: from so many in the
/// first files of a write to so many in those of a large one, doubled every [`FILES_OF_A_SIZE`] files. What is changed
/// often comes to lie in small files, and what isn't costs few of them.
pub(crate) const KEYED_FILE_ROWS: usize = 1 << 14;
const MOST_KEYED_FILE_ROWS: usize = 1 << 17;
const FILES_OF_A_SIZE: u32 = 64;

/// Files written and not yet committed.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The actions that will add them.
    pub adds: Vec<Add>,
    /// Rows in them.
    pub rows: u64,
    /// Kept until the files are committed or removed.
    pub(crate) hold: Option<Hold>,
}

/// The writes of this process whose files are not committed yet: what they write is nobody's orphan.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunningWrites(Arc<Mutex<HashSet<Uuid>>>);

impl RunningWrites {
    fn begin(&self) -> Hold {
        let write = Uuid::now_v7();
        self.0.lock().insert(write);
        Hold(Arc::new(Held { write, running: self.clone() }))
    }

    /// All that run now, by the number in their files' names.
    pub(crate) fn all(&self) -> HashSet<Uuid> {
        self.0.lock().clone()
    }
}

/// A running write, for as long as this lives.
#[derive(Debug, Clone)]
pub(crate) struct Hold(Arc<Held>);

#[derive(Debug)]
struct Held {
    write: Uuid,
    running: RunningWrites,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.running.0.lock().remove(&self.write);
    }
}

/// The write that made a file, from its name; `None` for files that aren't ours.
pub(crate) fn write_of(name: &str) -> Option<Uuid> {
    name.strip_prefix("part-")?.get(..36)?.parse().ok()
}

/// Called with the rows of every batch as it is written.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// Writes the rows of `plan`, whose columns are the table's in order and (up to a cast) in type, as files of
/// `table` under its folder in `store`. `bucket` is the hash function of keyed tables.
///
/// A null in a NOT NULL column is [`Error::NotNull`]. Memory is bounded by the sort (which spills) and one row
/// group for each writer. On error and when the future is dropped no file of this write stays referenced; files
/// that were already complete are deleted where possible.
pub async fn write(
    table: &TableDef,
    layout: &Layout,
    store: Arc<dyn ObjectStore>,
    running: &RunningWrites,
    bucket: &Arc<ScalarUDF>,
    plan: Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
    progress: Option<Progress>,
) -> Result<Written> {
    let writers = task.session_config().target_partitions().max(1);
    let plan = lay_out(layout, bucket, plan, writers, task.session_config().options())?;
    let target = Arc::new(Target::new(table, layout, store, running, progress)?);
    let mut tasks = JoinSet::new();
    for index in 0..plan.output_partitioning().partition_count() {
        let mut rows = plan.execute(index, Arc::clone(&task))?;
        let target = Arc::clone(&target);
        tasks.spawn(async move {
            let mut files = Files::new(target);
            let mut outcome = Ok(());
            while let Some(batch) = rows.next().await {
                outcome = match batch {
                    Ok(batch) => files.write(&batch).await,
                    Err(e) => Err(Error::DataFusion(e)),
                };
                if outcome.is_err() {
                    break;
                }
            }
            (files.finish(outcome.is_ok()).await, outcome)
        });
    }
    let mut written = Written::default();
    let mut failure = None;
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok((finished, outcome)) => {
                let finished = finished.map(|part| {
                    written.rows += part.rows;
                    written.adds.extend(part.adds);
                });
                if let Err(e) = outcome.and(finished) {
                    failure.get_or_insert(e);
                }
            }
            Err(e) => {
                failure.get_or_insert(Error::Internal(format!("a writer stopped: {e}")));
            }
        }
    }
    match failure {
        None => {
            written.hold = Some(target.hold.clone());
            Ok(written)
        }
        Some(e) => {
            discard(target.store.as_ref(), &target.folder, &written).await;
            Err(e)
        }
    }
}

/// Writes the rows of `plan`, one partition that is sorted as the layout says and belongs to `cut` as a whole, as
/// files that take the place of others: their actions say that no data changes.
pub(crate) async fn rewrite(
    table: &TableDef,
    layout: &Layout,
    store: Arc<dyn ObjectStore>,
    running: &RunningWrites,
    plan: Arc<dyn ExecutionPlan>,
    cut: Option<&str>,
    task: Arc<TaskContext>,
) -> Result<Written> {
    let target = Arc::new(Target::new(table, layout, store, running, None)?);
    let mut files = Files::new(Arc::clone(&target));
    let mut rows = plan.execute(0, task)?;
    let mut outcome = Ok(());
    while let Some(batch) = rows.next().await {
        outcome = match batch {
            Ok(batch) => match target.stored(&batch) {
                Ok(stored) => files.write_run(cut.map(str::to_owned), &stored).await,
                Err(e) => Err(e),
            },
            Err(e) => Err(Error::DataFusion(e)),
        };
        if outcome.is_err() {
            break;
        }
    }
    let mut written = files.finish(outcome.is_ok()).await?;
    if let Err(e) = outcome {
        discard(target.store.as_ref(), &target.folder, &written).await;
        return Err(e);
    }
    written.adds.iter_mut().for_each(|add| add.data_change = false);
    written.hold = Some(target.hold.clone());
    Ok(written)
}

/// Removes files that will not be committed. Best effort: what stays is an orphan that no table refers to.
pub async fn discard(store: &dyn ObjectStore, folder: &Path, written: &Written) {
    for add in &written.adds {
        let path = Path::from_iter(folder.parts().chain(Path::from(add.path.as_str()).parts()));
        if let Err(e) = store.delete(&path).await {
            tracing::warn!(%path, error = %e, "a file of a failed write could not be removed");
        }
    }
}

/// Adds the cut as a last column, brings each cut to one partition, and sorts within it.
fn lay_out(
    layout: &Layout,
    bucket: &Arc<ScalarUDF>,
    plan: Arc<dyn ExecutionPlan>,
    writers: usize,
    options: &Arc<ConfigOptions>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = plan.schema();
    let cut: Option<Arc<dyn PhysicalExpr>> = match &layout.cut {
        Cut::None => None,
        Cut::Bucket { key, buckets } => {
            let mut arguments: Vec<Arc<dyn PhysicalExpr>> = Vec::new();
            for name in key {
                arguments.push(col(name, &schema)?);
            }
            arguments.push(lit(i64::from(*buckets)));
            Some(Arc::new(ScalarFunctionExpr::try_new(Arc::clone(bucket), arguments, &schema, Arc::clone(options))?))
        }
        Cut::Day { column } => Some(Arc::new(CastExpr::new(col(column, &schema)?, DataType::Date32, None))),
    };
    let Some((cut, (name, _))) = cut.zip(layout.partition_column()) else {
        let spread: Arc<dyn ExecutionPlan> = match plan.output_partitioning().partition_count() {
            n if n == writers => plan,
            _ => Arc::new(RepartitionExec::try_new(plan, Partitioning::RoundRobinBatch(writers))?),
        };
        return sorted(spread, layout.sort.iter().map(String::as_str));
    };
    let mut columns: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::new();
    for field in schema.fields() {
        columns.push((col(field.name(), &schema)?, field.name().clone()));
    }
    columns.push((cut, name.to_owned()));
    let with_cut: Arc<dyn ExecutionPlan> = Arc::new(ProjectionExec::try_new(columns, plan)?);
    let by_cut = Partitioning::Hash(vec![col(name, &with_cut.schema())?], writers);
    let spread: Arc<dyn ExecutionPlan> = Arc::new(RepartitionExec::try_new(with_cut, by_cut)?);
    sorted(spread, std::iter::once(name).chain(layout.sort.iter().map(String::as_str)))
}

fn sorted<'a>(plan: Arc<dyn ExecutionPlan>, columns: impl Iterator<Item = &'a str>) -> Result<Arc<dyn ExecutionPlan>> {
    let options = SortOptions { descending: false, nulls_first: false };
    let mut order = Vec::new();
    for name in columns {
        order.push(PhysicalSortExpr::new(col(name, &plan.schema())?, options));
    }
    Ok(match LexOrdering::new(order) {
        Some(order) => Arc::new(SortExec::new(order, plan).with_preserve_partitioning(true)),
        None => plan,
    })
}

/// Everything that the writers of one statement share.
struct Target {
    table: String,
    store: Arc<dyn ObjectStore>,
    folder: Path,
    stored: SchemaRef,
    required: Vec<usize>,
    partition_column: Option<&'static str>,
    range_columns: Vec<String>,
    sort_tag: Option<String>,
    properties: WriterProperties,
    keyed: bool,
    progress: Option<Progress>,
    hold: Hold,
    /// Files begun so far, to name the next one.
    begun: AtomicU32,
}

impl Target {
    fn new(
        table: &TableDef,
        layout: &Layout,
        store: Arc<dyn ObjectStore>,
        running: &RunningWrites,
        progress: Option<Progress>,
    ) -> Result<Self> {
        let mut fields = Vec::new();
        for column in &table.columns {
            fields.push(Field::new(&column.name, column.pg_type.parse::<PgType>()?.stored(), true));
        }
        let stored = Arc::new(Schema::new(fields));
        let zstd = ZstdLevel::try_new(1).map_err(|e| Error::DataFusion(e.into()))?;
        let keyed = !table.primary_key.is_empty();
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(zstd))
            .set_created_by(concat!("audiencedb ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_max_row_group_row_count(Some(if keyed { MOST_KEYED_FILE_ROWS } else { ROW_GROUP_ROWS }));
        // People are looked up by key and by the column that rows are sorted by: those get bloom filters.
        for name in table.primary_key.iter().chain(layout.sort.first()) {
            let path = ColumnPath::from(name.as_str());
            properties = properties
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_fpp(path.clone(), 0.01)
                .set_column_bloom_filter_max_ndv(path, MOST_KEYED_FILE_ROWS as u64);
        }
        let sorting: Option<Vec<SortingColumn>> = layout
            .sort
            .iter()
            .map(|name| {
                let column_idx = leaf_index(&stored, name)?;
                Some(SortingColumn { column_idx, descending: false, nulls_first: false })
            })
            .collect();
        properties = properties.set_sorting_columns(sorting.filter(|s| !s.is_empty()));
        Ok(Self {
            table: table.name.clone(),
            store,
            folder: Path::from(table.path.as_str()),
            stored,
            required: (0..table.columns.len()).filter(|&i| table.columns[i].not_null).collect(),
            partition_column: layout.partition_column().map(|(name, _)| name),
            range_columns: layout.range_columns(table)?,
            sort_tag: layout.sort_tag(),
            properties: properties.build(),
            keyed,
            progress,
            hold: running.begin(),
            begun: AtomicU32::new(0),
        })
    }

    /// The table's own columns of a batch, in the types they are stored in.
    fn stored(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let stored: Vec<ArrayRef> = batch.columns()[..self.stored.fields().len()]
            .iter()
            .zip(self.stored.fields())
            .map(|(array, field)| Ok(cast(array, field.data_type())?))
            .collect::<Result<_>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.stored), stored)?)
    }
}

/// The position of a top-level column among Parquet's leaves; `None` after nested columns, whose leaves differ.
fn leaf_index(schema: &Schema, name: &str) -> Option<i32> {
    let index = schema.index_of(name).ok()?;
    let nested_before = schema.fields()[..index].iter().any(|f| f.data_type().is_nested());
    if nested_before { None } else { i32::try_from(index).ok() }
}

/// One writer: the file it has open, and the files it has finished.
struct Files {
    target: Arc<Target>,
    open: Option<OpenFile>,
    written: Written,
}

struct OpenFile {
    cut: Option<String>,
    path: String,
    writer: AsyncArrowWriter<BufWriter>,
    /// How many more rows it takes.
    room: usize,
}

impl Files {
    fn new(target: Arc<Target>) -> Self {
        Self { target, open: None, written: Written::default() }
    }

    /// Writes one batch; with a cut, its last column says which file each run of rows goes to.
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = self.target.stored.fields().len();
        for &index in &self.target.required {
            if batch.column(index).logical_null_count() > 0 {
                return Err(Error::NotNull {
                    table: self.target.table.clone(),
                    column: self.target.stored.field(index).name().clone(),
                });
            }
        }
        let rows = self.target.stored(batch)?;
        match self.target.partition_column {
            None => self.write_run(None, &rows).await?,
            Some(_) => {
                let cut = batch.column(columns);
                for Range { start, end } in partition(&[Arc::clone(cut)])?.ranges() {
                    let value = cut_text(cut, start)?;
                    self.write_run(value, &rows.slice(start, end - start)).await?;
                }
            }
        }
        if let Some(progress) = &self.target.progress {
            progress(rows.num_rows() as u64);
        }
        Ok(())
    }

    async fn write_run(&mut self, cut: Option<String>, rows: &RecordBatch) -> Result<()> {
        if self.open.as_ref().is_some_and(|open| open.cut != cut) {
            self.close().await?;
        }
        let mut written = 0;
        while written < rows.num_rows() {
            let open = match &mut self.open {
                Some(open) => open,
                none => none.insert(OpenFile::create(&self.target, cut.clone())?),
            };
            let next = rows.slice(written, open.room.min(rows.num_rows() - written));
            open.writer.write(&next).await.map_err(parquet)?;
            written += next.num_rows();
            open.room -= next.num_rows();
            if open.room == 0 || open.writer.bytes_written() + open.writer.in_progress_size() >= TARGET_FILE_BYTES {
                self.close().await?;
            }
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let metadata = open.writer.close().await.map_err(parquet)?;
        let target = &self.target;
        let stats = ranges::to_json(&metadata, &target.stored, &target.range_columns)?;
        let full = Path::from_iter(target.folder.parts().chain(Path::from(open.path.as_str()).parts()));
        let object =
            target.store.head(&full).await.map_err(|e| Error::store("read back the size of a written file", e))?;
        self.written.rows += metadata.file_metadata().num_rows() as u64;
        self.written.adds.push(Add {
            path: open.path,
            partition_values: target.partition_column.map(|name| (name.to_owned(), open.cut)).into_iter().collect(),
            size: object.size as i64,
            modification_time: object.last_modified.timestamp_millis(),
            data_change: true,
            stats: Some(stats),
            tags: tags(target.sort_tag.as_deref()),
            ..Add::default()
        });
        Ok(())
    }

    /// Closes what is open, or abandons it if the write failed, and hands over the finished files.
    async fn finish(mut self, succeeded: bool) -> Result<Written> {
        if succeeded {
            if let Err(e) = self.close().await {
                discard(self.target.store.as_ref(), &self.target.folder, &self.written).await;
                return Err(e);
            }
        } else if let Some(open) = self.open.take() {
            let mut upload = open.writer.into_inner();
            if let Err(e) = upload.abort().await {
                tracing::warn!(error = %e, "an unfinished upload could not be abandoned");
            }
        }
        Ok(self.written)
    }
}

impl OpenFile {
    fn create(target: &Target, cut: Option<String>) -> Result<Self> {
        // Files of one write share its number, by which a file that nobody refers to is told from one under way.
        let number = target.begun.fetch_add(1, Ordering::Relaxed);
        let name = format!("part-{}-{number:05}.zstd.parquet", target.hold.0.write);
        let path = match (target.partition_column, &cut) {
            (None, _) => name,
            (Some(column), value) => {
                format!("{column}={}/{name}", value.as_deref().unwrap_or("__HIVE_DEFAULT_PARTITION__"))
            }
        };
        let full = Path::from_iter(target.folder.parts().chain(Path::from(path.as_str()).parts()));
        let upload = BufWriter::new(Arc::clone(&target.store), full);
        let writer = AsyncArrowWriter::try_new(upload, Arc::clone(&target.stored), Some(target.properties.clone()));
        let doubled = (number / FILES_OF_A_SIZE).min((MOST_KEYED_FILE_ROWS / KEYED_FILE_ROWS).ilog2());
        let room = if target.keyed { KEYED_FILE_ROWS << doubled } else { usize::MAX };
        Ok(Self { cut, path, writer: writer.map_err(parquet)?, room })
    }
}

/// A cut's value as Delta writes partition values.
fn cut_text(cut: &ArrayRef, row: usize) -> Result<Option<String>> {
    if cut.is_null(row) {
        return Ok(None);
    }
    match cut.data_type() {
        DataType::Int32 => Ok(Some(cut.as_primitive::<Int32Type>().value(row).to_string())),
        DataType::Date32 => {
            let day = Date32Type::to_naive_date_opt(cut.as_primitive::<Date32Type>().value(row));
            let day = day.ok_or_else(|| Error::Invalid("date out of range for a day partition".to_owned()))?;
            Ok(Some(day.format("%Y-%m-%d").to_string()))
        }
        other => Err(Error::Internal(format!("a partition column of type {other}"))),
    }
}

fn parquet(e: datafusion::parquet::errors::ParquetError) -> Error {
    Error::DataFusion(e.into())
}
