//! One data file of a table, and the value ranges by which a scan skips it.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, ScalarValue, Statistics};
use deltalake_core::kernel::Add;

use super::ranges::{self, Ranges};
use crate::error::Result;

/// The tag on an `add` action that says by which columns our writer sorted the file.
pub(crate) const SORT_TAG: &str = "audiencedb.sort";

/// A file that belongs to one version of a table.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Path relative to the table's folder, decoded.
    pub path: String,
    /// Its path as the log has it, if that is spelt otherwise.
    pub(crate) logged_path: Option<String>,
    /// The value of the partition column, as the log has it; `None` for null and in a table without cut.
    pub cut: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Rows, where the writer said so (ours always does).
    pub rows: Option<u64>,
    /// The columns our writer sorted it by, joined by commas.
    pub sorted_by: Option<String>,
    /// Ranges and null counts, one entry per table column.
    pub ranges: Vec<Ranges>,
}

impl DataFile {
    /// From the action that added it; `schema` is the table's schema as read.
    pub(crate) fn from_add(add: &Add, schema: &SchemaRef) -> Result<Self> {
        let (rows, ranges) = ranges::from_json(add.stats.as_deref(), schema)?;
        let sorted_by = add.tags.as_ref().and_then(|tags| tags.get(SORT_TAG).cloned().flatten());
        // Our tables are cut by one column or none.
        let cut = add.partition_values.values().next().cloned().flatten();
        Ok(Self {
            path: add.path.clone(),
            logged_path: None,
            cut,
            size: add.size.try_into().unwrap_or(0),
            rows,
            sorted_by,
            ranges,
        })
    }

    /// Its path as a `remove` action has to give it.
    pub(crate) fn logged_path(&self) -> &str {
        self.logged_path.as_deref().unwrap_or(&self.path)
    }

    /// What DataFusion plans with. Ranges are bounds, not exact values, except for row counts.
    pub(crate) fn statistics(&self, schema: &SchemaRef) -> Statistics {
        let column_statistics = self
            .ranges
            .iter()
            .zip(schema.fields())
            .map(|(r, field)| ColumnStatistics {
                null_count: r.nulls.map_or(Precision::Absent, |n| Precision::Exact(n as usize)),
                min_value: bound(&r.min, field.data_type()).map_or(Precision::Absent, Precision::Inexact),
                max_value: bound(&r.max, field.data_type()).map_or(Precision::Absent, Precision::Inexact),
                ..ColumnStatistics::new_unknown()
            })
            .collect();
        Statistics {
            num_rows: self.rows.map_or(Precision::Absent, |n| Precision::Exact(n as usize)),
            total_byte_size: Precision::Inexact(self.size as usize),
            column_statistics,
        }
    }
}

/// A table's files as containers for DataFusion's pruning.
pub(crate) struct FileRanges<'a> {
    files: &'a [Arc<DataFile>],
    schema: &'a SchemaRef,
}

impl<'a> FileRanges<'a> {
    pub(crate) fn new(files: &'a [Arc<DataFile>], schema: &'a SchemaRef) -> Self {
        Self { files, schema }
    }

    fn array(&self, column: &Column, value: impl Fn(&Ranges) -> Option<ScalarValue>) -> Option<ArrayRef> {
        let (index, field) = self.schema.column_with_name(&column.name)?;
        let unknown = ScalarValue::try_from(field.data_type()).ok()?;
        let values = self
            .files
            .iter()
            .map(|f| bound(&value(&f.ranges[index]), field.data_type()).unwrap_or_else(|| unknown.clone()));
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for FileRanges<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.array(column, |r| r.min.clone())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.array(column, |r| r.max.clone())
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let (index, _) = self.schema.column_with_name(&column.name)?;
        Some(Arc::new(self.files.iter().map(|f| f.ranges[index].nulls).collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.files.iter().map(|f| f.rows).collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &std::collections::HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// A bound in the type the column is read as: the instant is the same in every zone, its type is not.
fn bound(value: &Option<ScalarValue>, data_type: &DataType) -> Option<ScalarValue> {
    match (value, data_type) {
        (Some(ScalarValue::TimestampMicrosecond(v, Some(_))), DataType::Timestamp(_, zone)) => {
            Some(ScalarValue::TimestampMicrosecond(*v, zone.clone()))
        }
        (value, _) => value.clone(),
    }
}

/// The tags that our writer puts on a file.
pub(crate) fn tags(sorted_by: Option<&str>) -> Option<HashMap<String, Option<String>>> {
    sorted_by.map(|columns| HashMap::from([(SORT_TAG.to_owned(), Some(columns.to_owned()))]))
}

/// Whether values of this type have ranges in the log.
pub(crate) fn has_ranges(data_type: &DataType) -> bool {
    !data_type.is_nested() && !matches!(data_type, DataType::Binary | DataType::BinaryView | DataType::Boolean)
}
