//! What the parts of a file hold of the column it is sorted by: the smallest pieces that a scan can be cut into.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use datafusion::parquet::file::metadata::ParquetMetaData;
use object_store::{ObjectMeta, ObjectStore};

use super::super::TableState;
use super::super::file::DataFile;

/// Fewer rows than this are sorted faster than they are looked at.
const FEWEST_ROWS: u64 = 1 << 17;
/// More files than this are not opened while a statement is planned.
const MOST_FILES: usize = 64;
/// More pages than this are taken together by row group.
const MOST_PAGES: usize = 4096;

/// The slices of one file, in its order.
#[derive(Debug)]
pub(in super::super) struct Slices {
    /// The column, the first of those that the file is sorted by.
    pub(super) column: String,
    /// Rows of each row group.
    pub(super) row_groups: Vec<usize>,
    pub(super) slices: Vec<Slice>,
}

/// Rows that follow each other in one row group: those of one page of the column, or all.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) row_group: usize,
    pub(super) first_row: usize,
    pub(super) rows: usize,
    /// Bounds of the values; `None` if all are null.
    pub(super) bounds: Option<(ScalarValue, ScalarValue)>,
    pub(super) has_nulls: bool,
}

/// Whether these files of a table are worth looking at before they are read.
pub(in super::super) fn worthwhile(state: &TableState, files: &[Arc<DataFile>]) -> bool {
    let column = state.layout.sort.first().and_then(|name| state.schema.field_with_name(name).ok());
    column.is_some_and(|field| comparable(field.data_type()))
        && files.len() <= MOST_FILES
        && files.iter().map(|file| file.rows.unwrap_or(0)).sum::<u64>() >= FEWEST_ROWS
}

/// Types whose ranges in a footer are in the order that files are sorted in, and hold all values: those of floats
/// leave out what is not a number.
fn comparable(data_type: &DataType) -> bool {
    data_type.is_integer()
        || data_type.is_string()
        || data_type.is_decimal()
        || matches!(data_type, DataType::Date32 | DataType::Timestamp(..))
}

impl Slices {
    /// Reads what a file's footer says of `column`, which has that type in `schema`; `None` if it does not say enough.
    pub(in super::super) async fn read(
        store: &dyn ObjectStore,
        file: &ObjectMeta,
        cache: Arc<FileMetadataCache>,
        schema: &Schema,
        column: &str,
    ) -> Result<Option<Self>> {
        let footer = DFParquetMetadata::new(store, file).with_file_metadata_cache(Some(cache)).fetch_metadata().await?;
        let converter = StatisticsConverter::try_new(column, schema, footer.file_metadata().schema_descr())?;
        let converter = converter.with_missing_null_counts_as_zero(false);
        let wanted = schema.field_with_name(column)?.data_type();
        let row_groups: Vec<usize> =
            footer.row_groups().iter().map(|group| usize::try_from(group.num_rows()).unwrap_or(0)).collect();
        let slices = match Self::of_pages(&footer, &converter, &row_groups, wanted)? {
            Some(slices) => Some(slices),
            None => Self::of_row_groups(&footer, &converter, &row_groups, wanted)?,
        };
        Ok(slices.map(|slices| Self { column: column.to_owned(), row_groups, slices }))
    }

    fn of_row_groups(
        footer: &ParquetMetaData,
        converter: &StatisticsConverter<'_>,
        row_groups: &[usize],
        wanted: &DataType,
    ) -> Result<Option<Vec<Slice>>> {
        let found = Found {
            mins: converter.row_group_mins(footer.row_groups())?,
            maxes: converter.row_group_maxes(footer.row_groups())?,
            nulls: converter.row_group_null_counts(footer.row_groups())?,
        };
        found.slices(wanted, row_groups.iter().enumerate().map(|(row_group, rows)| (row_group, 0, *rows)))
    }

    fn of_pages(
        footer: &ParquetMetaData,
        converter: &StatisticsConverter<'_>,
        row_groups: &[usize],
        wanted: &DataType,
    ) -> Result<Option<Vec<Slice>>> {
        let (Some(pages), Some(offsets)) = (footer.column_index(), footer.offset_index()) else { return Ok(None) };
        let Some(column) = converter.parquet_column_index() else { return Ok(None) };
        let locations =
            |group: usize| offsets.get(group).and_then(|columns| columns.get(column)).map(|o| o.page_locations());
        let mut places = Vec::new();
        for (row_group, rows) in row_groups.iter().enumerate() {
            let Some(pages) = locations(row_group) else { return Ok(None) };
            let firsts: Vec<usize> = pages.iter().map(|p| usize::try_from(p.first_row_index).unwrap_or(0)).collect();
            let ends = firsts.iter().skip(1).copied().chain([*rows]);
            places.extend(firsts.iter().zip(ends).map(|(first, end)| (row_group, *first, end.saturating_sub(*first))));
        }
        if places.len() > MOST_PAGES {
            return Ok(None);
        }
        let all: Vec<usize> = (0..row_groups.len()).collect();
        let found = Found {
            mins: converter.data_page_mins(pages, offsets, &all)?,
            maxes: converter.data_page_maxes(pages, offsets, &all)?,
            nulls: converter.data_page_null_counts(pages, offsets, &all)?,
        };
        found.slices(wanted, places.into_iter())
    }
}

/// What a footer says of each slice.
struct Found {
    mins: ArrayRef,
    maxes: ArrayRef,
    nulls: UInt64Array,
}

impl Found {
    /// `places`: row group, first row and rows of each. `None` if there is a slice of which too little is known.
    fn slices(
        &self,
        wanted: &DataType,
        places: impl ExactSizeIterator<Item = (usize, usize, usize)>,
    ) -> Result<Option<Vec<Slice>>> {
        let one_each = [self.mins.len(), self.maxes.len(), self.nulls.len()].iter().all(|n| *n == places.len());
        if !one_each || self.mins.data_type() != wanted || self.maxes.data_type() != wanted {
            return Ok(None);
        }
        let mut slices = Vec::with_capacity(places.len());
        for (at, (row_group, first_row, rows)) in places.enumerate() {
            let nulls = self.nulls.is_valid(at).then(|| self.nulls.value(at));
            let all_null = nulls == Some(rows as u64);
            if !all_null && (self.mins.is_null(at) || self.maxes.is_null(at)) {
                return Ok(None);
            }
            let bound = |values| ScalarValue::try_from_array(values, at);
            let bounds = if all_null { None } else { Some((bound(&self.mins)?, bound(&self.maxes)?)) };
            slices.push(Slice { row_group, first_row, rows, bounds, has_nulls: nulls != Some(0) });
        }
        Ok(Some(slices))
    }
}
