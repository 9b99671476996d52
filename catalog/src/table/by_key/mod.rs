//! Sorted files read person by person: the rows of a scan cut by ranges of the column that its files are sorted by.
//!
//! Whoever groups rows by that column, or looks at each group in its order, needs all rows of a key in one place. The
//! usual ways there are to send every row to the thread that its key's hash names, and to sort. In files that are
//! sorted already the rows of a range of keys are a stretch of each file, found by the ranges of its pages: a
//! partition reads the stretches of its range, side by side where order counts and one after another where it
//! doesn't. What comes out is declared as partitioned by range, which DataFusion takes for what it is: never for its
//! own hash, so that a join of two such inputs is planned as one of strangers.

mod cut;
mod exec;
mod slices;

use std::sync::Arc;

use datafusion::common::{ColumnStatistics, Result, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};

use self::cut::Cuts;
use self::exec::{ByKeyExec, Stretch};
pub(super) use self::slices::{Slices, worthwhile};

/// More files than this many side by side cost more to merge than sorting saves.
const MERGE_FAN_IN: usize = 8;

/// The scan cut into `partitions` ranges of the first column that its files are sorted by; `None` if it is no scan of
/// ours, or of files that can't be cut, or that can't be cut evenly. `ordered`: whether the order of rows within a
/// range matters; it is kept anyway where that costs nothing.
pub fn by_key(plan: &dyn ExecutionPlan, partitions: usize, ordered: bool) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(source) = plan.downcast_ref::<DataSourceExec>() else { return Ok(None) };
    let Some(config) = source.data_source().downcast_ref::<FileScanConfig>() else { return Ok(None) };
    let Some(ordering) = plan.properties().output_ordering() else { return Ok(None) };
    // What the scan yields first in its order has to be the column that its files were looked at by.
    let key = ordering.first().clone();
    let Some(column) = key.expr.downcast_ref::<Column>() else { return Ok(None) };
    let files: Vec<&PartitionedFile> = config.file_groups.iter().flat_map(FileGroup::iter).collect();
    let slices: Option<Vec<&Arc<Slices>>> = files.iter().map(|file| file.extension::<Arc<Slices>>()).collect();
    let Some(slices) = slices.filter(|slices| slices.iter().all(|s| s.column == column.name())) else {
        return Ok(None);
    };
    if config.limit.is_some() {
        return Ok(None);
    }
    let Some(cuts) = Cuts::new(&slices, partitions) else { return Ok(None) };
    if ordered && cuts.depth() > MERGE_FAN_IN {
        return Ok(None);
    }
    let merge = (ordered || cuts.depth() == 1).then(|| ordering.clone());

    let mut groups = Vec::new();
    let mut parts = Vec::with_capacity(partitions);
    for part in cuts.parts {
        let mut runs = Vec::with_capacity(part.len());
        for run in part {
            let mut stretches = Vec::with_capacity(run.len());
            for piece in run {
                stretches.push(Stretch {
                    group: groups.len(),
                    begins_before: piece.begins_before,
                    ends_after: piece.ends_after,
                });
                groups.push(FileGroup::new(vec![restricted(files[piece.file], piece.access)]));
            }
            runs.push(stretches);
        }
        parts.push(runs);
    }
    let stretches = groups.len();
    let config = FileScanConfigBuilder::from(config.clone())
        .with_file_groups(groups)
        // Keeps every stretch where it is, whoever has time.
        .with_output_partitioning(Some(Partitioning::UnknownPartitioning(stretches)))
        .build();
    let scan = DataSourceExec::from_data_source(config);
    Ok(Some(Arc::new(ByKeyExec::try_new(scan, parts, key, cuts.points, merge)?)))
}

/// A file of which only what `access` names is read. What is known of the whole file holds for less of it, but for
/// the count of rows.
fn restricted(file: &PartitionedFile, access: ParquetAccessPlan) -> PartitionedFile {
    let mut piece = file.clone().with_extension(access);
    piece.statistics = file.statistics.as_ref().map(|known| {
        let columns = known.column_statistics.iter().map(|column| ColumnStatistics {
            min_value: column.min_value.clone().to_inexact(),
            max_value: column.max_value.clone().to_inexact(),
            null_count: column.null_count.to_inexact(),
            ..ColumnStatistics::new_unknown()
        });
        Arc::new(Statistics {
            num_rows: known.num_rows.to_inexact(),
            total_byte_size: known.total_byte_size.to_inexact(),
            column_statistics: columns.collect(),
        })
    });
    piece
}

#[cfg(test)]
mod tests;
