//! Rows by their place: which file of a table version, which row of the file.
//!
//! A statement that changes rows reads the table through a [`RowTable`], which has two columns more than the table;
//! what it finds becomes a [`Places`], and the files are written anew without those rows (see [`super::change`]).
//! Everything that skips files, row groups and pages works as in any other scan: Parquet's reader numbers rows by
//! their place in the file, whatever it skips.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type, SchemaRef, UInt32Type};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Constraints, DataFusionError, Result, ScalarValue, internal_datafusion_err};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::parquet::arrow::RowNumber;
use datafusion::physical_plan::ExecutionPlan;
use roaring::RoaringBitmap;

use super::DataFile;
use super::scan::{LakeTable, Scan};

/// The column that gives the file, by its place in the table version's list. Nobody types its name.
pub const FILE: &str = "\u{1e}file";
/// The column that gives the row in the file, from 0.
pub const ROW: &str = "\u{1e}row";

/// A table's columns and the two that say where a row is.
pub(super) fn numbered(schema: &SchemaRef) -> TableSchema {
    let file: FieldRef = Arc::new(Field::new(FILE, DataType::UInt32, false));
    let row: FieldRef = Arc::new(Field::new(ROW, DataType::Int64, false).with_extension_type(RowNumber));
    TableSchema::builder(Arc::clone(schema))
        .with_table_partition_cols(vec![file])
        .with_virtual_columns(vec![row])
        .build()
}

/// The number of every file of a list.
pub(super) fn numbers(files: &[Arc<DataFile>]) -> Result<HashMap<&str, ScalarValue>> {
    files
        .iter()
        .enumerate()
        .map(|(number, file)| {
            let number = u32::try_from(number).map_err(|e| DataFusionError::External(e.into()))?;
            Ok((file.path.as_str(), ScalarValue::UInt32(Some(number))))
        })
        .collect()
}

/// One version of a table with the place of every row: its columns, then [`FILE`] and [`ROW`].
#[derive(Debug)]
pub struct RowTable {
    table: LakeTable,
    schema: SchemaRef,
}

impl RowTable {
    /// The rows of `table` with their places.
    pub fn new(table: LakeTable) -> Self {
        let schema = Arc::clone(numbered(&table.schema()).table_schema());
        Self { table, schema }
    }
}

#[async_trait]
impl TableProvider for RowTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn constraints(&self) -> Option<&Constraints> {
        self.table.constraints()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let on_place = |filter: &Expr| filter.column_refs().iter().any(|c| c.name == FILE || c.name == ROW);
        let support = |filter: &&Expr| match on_place(filter) {
            true => TableProviderFilterPushDown::Unsupported,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let kept = self.table.prune(session, filters)?;
        let partitions = session.config_options().execution.target_partitions;
        let scan = Scan { projection, limit, partitions, most_ordered: 0, numbered: true, slices: HashMap::new() };
        self.table.scan_files(session.config_options(), session.runtime_env(), &kept, scan)
    }
}

/// Places of rows in one version of a table: compressed sets of row numbers, file by file.
#[derive(Debug, Clone, Default)]
pub struct Places(BTreeMap<u32, RoaringBitmap>);

impl Places {
    /// Adds the places that the last-but-one and last columns named [`FILE`] and [`ROW`] of a batch give. Says of
    /// each row whether its place is new; rows without a place are `None`.
    pub(super) fn insert(&mut self, batch: &RecordBatch, file: usize, row: usize) -> Result<Vec<Option<bool>>> {
        let files = batch.column(file).as_primitive_opt::<UInt32Type>();
        let rows = batch.column(row).as_primitive_opt::<Int64Type>();
        let (Some(files), Some(rows)) = (files, rows) else {
            return Err(internal_datafusion_err!("a plan of changes has no places"));
        };
        let mut new = Vec::with_capacity(batch.num_rows());
        for at in 0..batch.num_rows() {
            if files.is_null(at) || rows.is_null(at) {
                new.push(None);
                continue;
            }
            let place = u32::try_from(rows.value(at)).map_err(|e| DataFusionError::External(e.into()))?;
            new.push(Some(self.0.entry(files.value(at)).or_default().insert(place)));
        }
        Ok(new)
    }

    /// Whether no place is in both.
    pub(super) fn is_apart_from(&self, other: &Self) -> bool {
        self.0.iter().all(|(file, rows)| other.0.get(file).is_none_or(|others| rows.is_disjoint(others)))
    }

    /// Adds the places of another.
    pub(super) fn extend(&mut self, other: &Self) {
        for (file, rows) in &other.0 {
            *self.0.entry(*file).or_default() |= rows;
        }
    }

    /// How many places there are.
    pub fn len(&self) -> u64 {
        self.0.values().map(RoaringBitmap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The files that have one, and how many of their rows.
    pub fn files(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.0.iter().map(|(file, rows)| (*file, rows.len()))
    }

    /// Which rows of a file, by their numbers, are not among the places.
    pub(super) fn others(&self, file: u32, rows: &[i64]) -> BooleanArray {
        let Some(places) = self.0.get(&file) else { return BooleanArray::from(vec![true; rows.len()]) };
        rows.iter().map(|row| Some(u32::try_from(*row).is_ok_and(|row| !places.contains(row)))).collect()
    }

    /// Bytes in memory, about.
    pub fn bytes(&self) -> usize {
        self.0.values().map(|rows| rows.serialized_size() + 64).sum()
    }
}
