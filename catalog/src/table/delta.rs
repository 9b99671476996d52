//! The open format: what we write into a table's Delta log, and how a table version is read back from it.
//!
//! Writing is plain JSON under our own commit protocol (see the warehouse log); reading is delta-rs's log replay,
//! which knows checkpoints and what foreign writers may have added. Protocol: reader 1, writer 2.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::SchemaRef;
use deltalake_core::kernel::{Action, Add, Transaction};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::protocol::checkpoints::create_checkpoint;
use deltalake_core::table::config::TablePropertiesExt;
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use serde_json::{Value, json};
use url::Url;

use super::file::DataFile;
use super::layout::Layout;
use super::write::Hold;
use crate::error::{Error, Result};
use crate::objects::TableDef;
use crate::types::PgType;

/// The operation of a commit that rewrites files and changes no data.
pub(crate) const OPTIMIZE: &str = "OPTIMIZE";
/// The operation of a commit that brings an earlier version's rows back.
pub(crate) const RESTORE: &str = "RESTORE";
/// The operation of a commit that only adds rows.
pub(crate) const WRITE: &str = "WRITE";
/// The operation of a commit that only changes what the table says of its columns.
pub(crate) const ALTER: &str = "ALTER TABLE";

/// Appends as one Delta commit: the files, and under which application transactions they were added.
#[derive(Debug, Clone, Default)]
pub struct Append {
    /// Files to add.
    pub adds: Vec<Add>,
    /// Files of an earlier version that come back. They are not this transaction's to remove.
    pub(crate) restored: Vec<Add>,
    /// `(application id, version)` pairs that make a retry recognisable.
    pub transactions: Vec<(String, i64)>,
    /// Keeps the files from being taken for orphans until they are committed or given up.
    pub(crate) holds: Vec<Hold>,
}

impl Append {
    pub(crate) fn is_empty(&self) -> bool {
        self.adds.is_empty() && self.restored.is_empty() && self.transactions.is_empty()
    }
}

/// Files that go, and those that take their place.
#[derive(Debug, Clone, Default)]
pub struct Rewrite {
    /// Files that go.
    pub removes: Vec<Arc<DataFile>>,
    /// Files that come and hold the same rows; their actions say that no data changes. What comes with other rows is
    /// in an [`Append`].
    pub adds: Vec<Add>,
    /// The statement that takes rows out: `UPDATE`, `DELETE`, `MERGE`… `None`: every row stays.
    pub operation: Option<&'static str>,
    /// As for [`Append`].
    pub(crate) holds: Vec<Hold>,
}

impl Rewrite {
    /// Whether rows go with the files that go.
    pub(crate) fn changes_rows(&self) -> bool {
        self.operation.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.removes.is_empty() && self.adds.is_empty()
    }
}

/// What a table's log says of its columns and layout.
#[derive(PartialEq)]
pub(crate) struct Description {
    schema: String,
    partition_columns: Vec<&'static str>,
    configuration: BTreeMap<String, String>,
}

impl Description {
    pub(crate) fn of(table: &TableDef) -> Result<Self> {
        let layout = Layout::of(table)?;
        let mut fields = Vec::new();
        for column in &table.columns {
            // Nullable to foreign readers even where we enforce NOT NULL: a constraint of ours, not of the format.
            fields.push(column.pg_type.parse::<PgType>()?.delta_field(&column.name, true));
        }
        let mut partition_columns = Vec::new();
        if let Some((name, delta_type)) = layout.partition_column() {
            fields.push(json!({"name": name, "type": delta_type, "nullable": true, "metadata": {}}));
            partition_columns.push(name);
        }
        let mut configuration = BTreeMap::new();
        configuration.insert("delta.dataSkippingStatsColumns".to_owned(), layout.range_columns(table)?.join(","));
        if !table.primary_key.is_empty() {
            configuration.insert("audiencedb.primary_key".to_owned(), table.primary_key.join(","));
        }
        if let Some(tag) = layout.sort_tag() {
            configuration.insert("audiencedb.sort".to_owned(), tag);
        }
        let schema = json!({"type": "struct", "fields": fields}).to_string();
        Ok(Self { schema, partition_columns, configuration })
    }
}

/// The action that says what a table is like. `id` is the table's own in its log and never changes.
pub(crate) fn metadata(table: &TableDef, id: &str, at: DateTime<Utc>) -> Result<Value> {
    let Description { schema, partition_columns, configuration } = Description::of(table)?;
    Ok(json!({"metaData": {
        "id": id,
        "name": format!("{}.{}", table.schema, table.name),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema,
        "partitionColumns": partition_columns,
        "configuration": configuration,
        "createdTime": at.timestamp_millis(),
    }}))
}

/// The actions with which a table's log begins.
pub(crate) fn creation(table: &TableDef, id: &str, at: DateTime<Utc>) -> Result<Vec<Value>> {
    Ok(vec![json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}), metadata(table, id, at)?])
}

/// The text of one commit file: `first` (what the table is like, where that is new), then what is appended and rewritten.
///
/// `partition` is the table's partition column, if it has one.
pub(crate) fn commit(
    first: Vec<Value>,
    append: &Append,
    rewrite: &Rewrite,
    partition: Option<&str>,
    operation: &str,
    entry: u64,
    at: DateTime<Utc>,
) -> Result<String> {
    let json = |e: serde_json::Error| Error::Internal(format!("a Delta action could not be written: {e}"));
    let mut lines =
        Vec::with_capacity(first.len() + append.adds.len() + rewrite.adds.len() + rewrite.removes.len() + 2);
    // What rows were meant is nobody's business: a condition can hold what is to be forgotten.
    let parameters = if operation == WRITE { json!({"mode": "Append"}) } else { json!({"predicate": "[]"}) };
    let rows_removed: Option<u64> = rewrite.removes.iter().map(|file| file.rows).sum();
    lines.push(
        json!({"commitInfo": {
            "timestamp": at.timestamp_millis(),
            "operation": operation,
            "operationParameters": parameters,
            "engineInfo": concat!("audiencedb/", env!("CARGO_PKG_VERSION")),
            "audiencedb.transaction": entry,
            "audiencedb.committed_at": at.timestamp_micros(),
            "audiencedb.rows_removed": rows_removed,
        }})
        .to_string(),
    );
    lines.extend(first.iter().map(Value::to_string));
    for (application, version) in &append.transactions {
        lines.push(serde_json::to_string(&Action::Txn(Transaction::new(application, *version))).map_err(json)?);
    }
    for file in &rewrite.removes {
        let values: BTreeMap<&str, Option<&str>> =
            partition.map(|name| (name, file.cut.as_deref())).into_iter().collect();
        lines.push(
            json!({"remove": {
                "path": file.logged_path(),
                "deletionTimestamp": at.timestamp_millis(),
                "dataChange": rewrite.changes_rows(),
                "extendedFileMetadata": true,
                "partitionValues": values,
                "size": file.size,
            }})
            .to_string(),
        );
    }
    for add in append.adds.iter().chain(&append.restored).chain(&rewrite.adds) {
        lines.push(serde_json::to_string(&Action::Add(add.clone())).map_err(json)?);
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// A table version as the Delta log has it.
pub(crate) struct Loaded {
    pub(crate) version: i64,
    /// The table's own id in its log.
    pub(crate) id: Arc<str>,
    pub(crate) files: Vec<Arc<DataFile>>,
}

/// Handle on a table's Delta log below `folder` of the warehouse.
fn log_store(root: &Arc<dyn ObjectStore>, folder: &str) -> Result<LogStoreRef> {
    // delta-rs takes paths from this URL and looks them up in `root`, which begins at the warehouse's folder: so does
    // the URL, whatever the store's own is.
    let url = Url::parse("memory:///").map_err(|e| Error::Internal(e.to_string()))?;
    let location =
        url.join(&format!("{folder}/")).map_err(|e| Error::Invalid(format!("table folder \"{folder}\": {e}")))?;
    let prefixed: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(Arc::clone(root), Path::from(folder)));
    Ok(default_logstore(prefixed, Arc::clone(root), &location, &StorageConfig::default()))
}

/// Replays a table's log up to `version` (`None`: the newest).
pub(crate) async fn load(
    root: &Arc<dyn ObjectStore>,
    table: &TableDef,
    schema: &SchemaRef,
    version: Option<i64>,
) -> Result<Loaded> {
    let delta = open(root, table, version).await?;
    let state = delta.snapshot().map_err(|e| failure(table, e))?;
    if state.protocol().min_reader_version() > 1 {
        return Err(Error::Unsupported(format!(
            "table \"{}\" was changed by another writer to Delta reader version {}, this release reads version 1",
            table.name,
            state.protocol().min_reader_version()
        )));
    }
    let mut files = Vec::with_capacity(state.log_data().num_files());
    for view in state.log_data().iter() {
        if view.deletion_vector_descriptor().is_some() {
            return Err(Error::Unsupported(format!(
                "table \"{}\" has deletion vectors written by another engine",
                table.name
            )));
        }
        #[expect(deprecated, reason = "the only way to a file's tags, which say how it is sorted")]
        let mut add = view.add_action();
        let logged = std::mem::replace(&mut add.path, view.object_store_path().to_string());
        let mut file = DataFile::from_add(&add, schema)?;
        file.logged_path = (logged != file.path).then_some(logged);
        files.push(Arc::new(file));
    }
    let version = i64::try_from(state.version()).map_err(|e| Error::Internal(e.to_string()))?;
    Ok(Loaded { version, id: state.metadata().id().into(), files })
}

/// The actions that added these files of a table version, by their paths in the store.
pub(crate) async fn adds(
    root: &Arc<dyn ObjectStore>,
    table: &TableDef,
    version: i64,
    paths: &HashSet<&str>,
) -> Result<Vec<Add>> {
    let delta = open(root, table, Some(version)).await?;
    let state = delta.snapshot().map_err(|e| failure(table, e))?;
    let mut adds = Vec::with_capacity(paths.len());
    for view in state.log_data().iter() {
        let path = view.object_store_path().to_string();
        if paths.contains(path.as_str()) {
            #[expect(deprecated, reason = "the only way to a file's tags, which say how it is sorted")]
            let mut add = view.add_action();
            // It is spelt for the log when it is written.
            add.path = path;
            add.data_change = true;
            adds.push(add);
        }
    }
    Ok(adds)
}

/// The version an application last committed to a table, `None` if it never did.
pub(crate) async fn transaction(
    root: &Arc<dyn ObjectStore>,
    table: &TableDef,
    application: &str,
) -> Result<Option<i64>> {
    let delta = open(root, table, None).await?;
    let state = delta.snapshot().map_err(|e| failure(table, e))?;
    state.transaction_version(delta.log_store().as_ref(), application).await.map_err(|e| failure(table, e))
}

/// The application transactions that a commit of ours tells of, and their versions.
pub(crate) fn transactions(actions: &str) -> serde_json::Result<Vec<(String, i64)>> {
    // A commit has a line for each file; only these few are read.
    let lines = actions.lines().filter(|line| line.starts_with(r#"{"txn""#));
    lines
        .map(|line| {
            let mut action: HashMap<String, Transaction> = serde_json::from_str(line)?;
            Ok(action.remove("txn").map(|mark| (mark.app_id, mark.version)))
        })
        .filter_map(serde_json::Result::transpose)
        .collect()
}

/// Writes a checkpoint of a table version, so that reading it needs none of the commits before.
pub(crate) async fn checkpoint(root: &Arc<dyn ObjectStore>, table: &TableDef, version: i64) -> Result<()> {
    let delta = open(root, table, Some(version)).await?;
    // delta-rs blocks inside of this future.
    let runtime = tokio::runtime::Handle::current();
    let written = tokio::task::spawn_blocking(move || runtime.block_on(create_checkpoint(&delta, None)));
    written.await.map_err(|e| Error::Internal(format!("a checkpoint stopped: {e}")))?.map_err(|e| failure(table, e))
}

/// The files that were removed from a table and when, in milliseconds of the epoch, as far as its log still tells.
pub(crate) async fn tombstones(
    root: &Arc<dyn ObjectStore>,
    table: &TableDef,
    version: i64,
) -> Result<(HashMap<String, i64>, Duration)> {
    let delta = open(root, table, Some(version)).await?;
    let state = delta.snapshot().map_err(|e| failure(table, e))?;
    let remembered = state.table_config().deleted_file_retention_duration();
    let log_store = delta.log_store();
    let mut removed = state.all_tombstones(log_store.as_ref());
    let mut found = HashMap::new();
    while let Some(tombstone) = removed.try_next().await.map_err(|e| failure(table, e))? {
        if let Some(at) = tombstone.deletion_timestamp() {
            found.insert(tombstone.path().into_owned(), at);
        }
    }
    Ok((found, remembered))
}

async fn open(root: &Arc<dyn ObjectStore>, table: &TableDef, version: Option<i64>) -> Result<DeltaTable> {
    let mut delta = DeltaTable::new(log_store(root, &table.path)?);
    match version {
        None => delta.load().await,
        Some(v) => delta.load_version(v.try_into().map_err(|_| Error::Internal(format!("table version {v}")))?).await,
    }
    .map_err(|e| failure(table, e))?;
    Ok(delta)
}

fn failure(table: &TableDef, e: DeltaTableError) -> Error {
    match e {
        DeltaTableError::ObjectStore { source } => {
            Error::store(format!("read the log of table \"{}\"", table.name), source)
        }
        other => Error::Corrupt {
            object: format!("the log of table \"{}\" in {}", table.name, table.path),
            message: other.to_string(),
        },
    }
}
