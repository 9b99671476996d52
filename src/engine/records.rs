//! Tables in schema `audience` in which the engine keeps what it did. They are Delta tables like all others, made
//! when they are first needed, under paths that never change; only the engine puts rows into them.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::Transaction;
use catalog::maintain::Maintained;
use catalog::objects::{Change, ColumnDef, Relation, SYSTEM_SCHEMA, TableDef};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::Schema;
use datafusion::error::DataFusionError;

use super::Engine;
use crate::error::{Error, Result};

/// Another session may be making the same table.
const TRIES: usize = 5;

/// A table of the engine's.
pub(super) struct Record {
    pub(super) name: &'static str,
    pub(super) comment: &'static str,
    /// Names and types.
    pub(super) columns: &'static [(&'static str, &'static str)],
}

const MAINTENANCE_RUNS: Record = Record {
    name: "maintenance_runs",
    comment: "what maintenance did to tables, a row for each kind of work",
    columns: &[
        ("run_id", "uuid"),
        ("table_schema", "text"),
        ("table_name", "text"),
        ("kind", "text"),
        ("trigger", "text"),
        ("started_at", "timestamp with time zone"),
        ("ended_at", "timestamp with time zone"),
        ("files_before", "bigint"),
        ("files_after", "bigint"),
        ("bytes_read", "bigint"),
        ("bytes_written", "bigint"),
        ("files_removed", "bigint"),
        ("bytes_removed", "bigint"),
        ("table_version", "bigint"),
        ("error", "text"),
    ],
};

/// One run of maintenance on a table.
pub(super) struct MaintenanceRun<'a> {
    pub(super) table: &'a TableDef,
    pub(super) trigger: &'static str,
    pub(super) started_at: DateTime<Utc>,
    pub(super) outcome: &'a Result<Maintained>,
}

/// Whether runs on this table are told of: those on the table that tells would go on for ever.
pub(super) fn is_told(table: &TableDef) -> bool {
    table.schema != SYSTEM_SCHEMA || table.name != MAINTENANCE_RUNS.name
}

impl Engine {
    /// Adds a run to `audience.maintenance_runs`; one that found nothing to do is left out.
    pub(super) async fn record_run(self: &Arc<Self>, run: MaintenanceRun<'_>) -> Result<()> {
        let mut kinds: Vec<&str> = Vec::new();
        let (done, error) = match run.outcome {
            Ok(done) => {
                let kind = |did: bool, name: &'static str| did.then_some(name);
                kinds.extend(kind(done.commits > 0, "compact"));
                kinds.extend(kind(done.checkpoints > 0, "checkpoint"));
                kinds.extend(kind(done.files_removed > 0, "vacuum"));
                (*done, None)
            }
            Err(error) => {
                kinds.push("maintain");
                (Maintained::default(), Some(error.message.clone()))
            }
        };
        if kinds.is_empty() {
            return Ok(());
        }
        let rows = kinds.len();
        let of = |kind: &str, value: u64| -> Vec<Option<i64>> {
            kinds.iter().map(|k| (*k == kind && error.is_none()).then_some(value as i64)).collect()
        };
        let text = |value: Option<&str>| Arc::new(StringArray::from(vec![value; rows])) as ArrayRef;
        let instant = |at: DateTime<Utc>| {
            let array = TimestampMicrosecondArray::from(vec![at.timestamp_micros(); rows]);
            Arc::new(array.with_timezone("UTC")) as ArrayRef
        };
        let numbers = |values: Vec<Option<i64>>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let version = error.is_none().then_some(done.version);
        let columns = vec![
            text(Some(&uuid::Uuid::new_v4().to_string())),
            text(Some(&run.table.schema)),
            text(Some(&run.table.name)),
            Arc::new(StringArray::from(kinds.clone())) as ArrayRef,
            text(Some(run.trigger)),
            instant(run.started_at),
            instant(Utc::now()),
            numbers(of("compact", done.files_before)),
            numbers(of("compact", done.files_after)),
            numbers(of("compact", done.bytes_read)),
            numbers(of("compact", done.bytes_written)),
            numbers(of("vacuum", done.files_removed)),
            numbers(of("vacuum", done.bytes_removed)),
            numbers(vec![version; rows]),
            text(error.as_deref()),
        ];
        self.record(&MAINTENANCE_RUNS, columns).await
    }

    /// Adds rows to a table of the engine's, together with those of others.
    async fn record(self: &Arc<Self>, record: &Record, columns: Vec<ArrayRef>) -> Result<()> {
        let def = self.recorded_in(record).await?;
        let schema = catalog::table::schema(&def)?;
        let mut stored = Vec::with_capacity(columns.len());
        for (array, field) in columns.iter().zip(schema.fields()) {
            stored.push(cast(array, field.data_type()).map_err(DataFusionError::from)?);
        }
        let fields: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), stored).map_err(DataFusionError::from)?;
        self.join_group(def, rows).outcome().await
    }

    /// The table, made if it is not there yet.
    pub(super) async fn recorded_in(&self, record: &Record) -> Result<Arc<TableDef>> {
        for _ in 0..TRIES {
            let mut work = Transaction::begin(self.warehouse()).await?;
            if let Some(Relation::Table(def)) = work.objects().lookup(SYSTEM_SCHEMA, record.name) {
                return Ok(def);
            }
            let columns = record.columns.iter().map(|(name, pg_type)| ColumnDef {
                number: 0,
                name: (*name).to_owned(),
                pg_type: (*pg_type).to_owned(),
                not_null: false,
                default: None,
                comment: None,
            });
            let def = TableDef {
                id: work.allocate_id(),
                schema: SYSTEM_SCHEMA.to_owned(),
                name: record.name.to_owned(),
                path: format!("{SYSTEM_SCHEMA}/{}", record.name),
                columns: columns.collect(),
                primary_key: Vec::new(),
                partition_by: None,
                options: BTreeMap::new(),
                comment: Some(record.comment.to_owned()),
                numbered: 0,
                created_at: Utc::now(),
            };
            work.change(Change::PutTable(def))?;
            match work.commit().await {
                Ok(()) | Err(catalog::Error::Conflict(_) | catalog::Error::AlreadyExists { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(Error::internal(format!("table {SYSTEM_SCHEMA}.{} could not be made", record.name)))
    }
}
