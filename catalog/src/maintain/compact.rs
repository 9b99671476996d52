//! Compaction: which files are merged, and the merge that keeps their order.
//!
//! Files of one bucket or one day become files of the size that a large write makes. Sorted files are merged, which
//! takes a row of each at a time; where there are too many, or where one was written by somebody else and is not
//! sorted, the rows are sorted anew, spilling if memory is short. Either way the result is what our writer would have
//! written: same order and tag, same bloom filters, same ranges in the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::catalog::Session;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use crate::error::Result;
use crate::table::{self, DataFile, LakeTable, TARGET_FILE_BYTES, TableState, Written};
use crate::warehouse::{STORE_URL, Warehouse};

/// A file of at least this size is good as it is.
const LARGE_BYTES: u64 = TARGET_FILE_BYTES as u64 / 2;
/// So many files are read side by side; more are sorted instead.
pub(super) const MERGE_FAN_IN: usize = 64;
/// So many files are rewritten at once.
const MOST_FILES: usize = 4096;

/// Files that become one.
#[derive(Debug)]
pub(super) struct Bin {
    pub(super) cut: Option<String>,
    pub(super) files: Vec<Arc<DataFile>>,
}

impl Bin {
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// The files to merge: those of every cut that has at least `from` small ones, and those that are not sorted though
/// they should be. `thrifty` leaves out a file that is larger than all the smaller ones together.
pub(super) fn bins(state: &TableState, from: usize, thrifty: bool) -> Vec<Bin> {
    let tag = state.layout.sort_tag();
    let unsorted = |file: &DataFile| tag.is_some() && file.sorted_by != tag;
    let mut cuts: BTreeMap<Option<&str>, Vec<&Arc<DataFile>>> = BTreeMap::new();
    for file in state.files.iter().filter(|file| file.size < LARGE_BYTES || unsorted(file)) {
        cuts.entry(file.cut.as_deref()).or_default().push(file);
    }
    let mut bins = Vec::new();
    for (cut, mut files) in cuts {
        let any_unsorted = files.iter().any(|file| unsorted(file));
        if files.len() < from.max(2) && !any_unsorted {
            continue;
        }
        if thrifty && !any_unsorted {
            leave_out_large(&mut files, from);
        }
        // Names of files begin with the time they were written: neighbours in time are neighbours in the result.
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut bin = Bin { cut: cut.map(str::to_owned), files: Vec::new() };
        let mut bytes = 0;
        for file in files {
            if !bin.files.is_empty() && (bytes + file.size > TARGET_FILE_BYTES as u64 || bin.files.len() == MOST_FILES)
            {
                let full = std::mem::replace(&mut bin, Bin { cut: cut.map(str::to_owned), files: Vec::new() });
                bins.push(full);
                bytes = 0;
            }
            bytes += file.size;
            bin.files.push(Arc::clone(file));
        }
        bins.push(bin);
    }
    bins.retain(|bin| bin.files.len() > 1 || bin.files.iter().any(|file| unsorted(file)));
    bins
}

/// Takes out the largest files as long as they outweigh the rest.
fn leave_out_large(files: &mut Vec<&Arc<DataFile>>, from: usize) {
    files.sort_by_key(|file| file.size);
    let mut below: u64 = files.iter().map(|file| file.size).sum();
    while let Some(largest) = files.last() {
        below -= largest.size;
        if files.len() <= from || largest.size <= below {
            break;
        }
        files.pop();
    }
}

/// Writes the rows of a bin as new files.
pub(super) async fn merge(
    warehouse: &Warehouse,
    state: &TableState,
    bin: &Bin,
    session: &dyn Session,
) -> Result<Written> {
    let plan = plan(state, bin, session)?;
    let store = Arc::clone(&warehouse.store.root);
    let (def, layout) = (&state.def, &state.layout);
    table::rewrite(def, layout, store, &warehouse.running, plan, bin.cut.as_deref(), session.task_ctx()).await
}

/// One partition of the bin's rows, in the table's order if it has one.
pub(super) fn plan(state: &TableState, bin: &Bin, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
    let only = TableState { files: Arc::new(bin.files.clone()), ..state.clone() };
    let schema = Arc::clone(&state.schema);
    let table = LakeTable::new(Arc::new(only), Arc::clone(&schema), ObjectStoreUrl::parse(STORE_URL)?);
    let scan = table.scan_all(session, 1, MERGE_FAN_IN)?;
    let options = SortOptions { descending: false, nulls_first: false };
    let sort = state.layout.sort.iter().map(|name| Ok(PhysicalSortExpr::new(col(name, &schema)?, options)));
    let Some(order) = LexOrdering::new(sort.collect::<Result<Vec<_>>>()?) else {
        return Ok(match scan.output_partitioning().partition_count() {
            1 => scan,
            _ => Arc::new(CoalescePartitionsExec::new(scan)),
        });
    };
    let sorted: Arc<dyn ExecutionPlan> = if scan.output_ordering().is_some() {
        scan
    } else {
        Arc::new(SortExec::new(order.clone(), scan).with_preserve_partitioning(true))
    };
    Ok(match sorted.output_partitioning().partition_count() {
        1 => sorted,
        _ => Arc::new(SortPreservingMergeExec::new(order, sorted)),
    })
}
