//! Compaction: which files are merged, and the merge that keeps their order.
//!
//! Files of one bucket or one day become files of the size that a large write makes; those of a keyed table stay small
//! enough to be changed, but few of them can hold the same key. Sorted files are merged, which
//! takes a row of each at a time; where there are too many, or where one was written by somebody else and is not
//! sorted, the rows are sorted anew, spilling if memory is short. Either way the result is what our writer would have
//! written: same order and tag, same bloom filters, same ranges in the log.

use std::cmp::Ordering;
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

use uuid::Uuid;

use crate::error::Result;
use crate::table::{self, DataFile, KEYED_FILE_ROWS, LakeTable, TARGET_FILE_BYTES, TableState, Written};
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

/// Files that are merged or left together: one, or several of a keyed table that follow each other by key.
struct Run<'a> {
    files: Vec<&'a Arc<DataFile>>,
    bytes: u64,
}

impl<'a> Run<'a> {
    fn push(&mut self, file: &'a Arc<DataFile>) {
        self.bytes += file.size;
        self.files.push(file);
    }
}

/// The files to merge: those of every cut that has at least `from` small runs, and those that are not sorted though
/// they should be. `thrifty` leaves out a run that is larger than all the smaller ones together.
pub(super) fn bins(state: &TableState, from: usize, thrifty: bool) -> Vec<Bin> {
    let tag = state.layout.sort_tag();
    let unsorted = |file: &DataFile| tag.is_some() && file.sorted_by != tag;
    let mut cuts: BTreeMap<Option<&str>, Vec<&Arc<DataFile>>> = BTreeMap::new();
    for file in state.files.iter() {
        cuts.entry(file.cut.as_deref()).or_default().push(file);
    }
    let mut bins = Vec::new();
    for (cut, files) in cuts {
        let mut runs = runs(state, files);
        runs.retain(|run| run.bytes < LARGE_BYTES || run.files.iter().any(|file| unsorted(file)));
        let any_unsorted = runs.iter().any(|run| run.files.iter().any(|file| unsorted(file)));
        if runs.len() < from.max(2) && !any_unsorted {
            continue;
        }
        if thrifty && !any_unsorted {
            leave_out_large(&mut runs, from);
        }
        // Names of files begin with the time they were written: neighbours in time are neighbours in the result.
        runs.sort_by(|a, b| a.files[0].path.cmp(&b.files[0].path));
        let empty = || Bin { cut: cut.map(str::to_owned), files: Vec::new() };
        let (mut bin, mut bytes, mut taken) = (empty(), 0, 0);
        let mut full = |bin: Bin, taken: usize| {
            if taken > 1 || bin.files.iter().any(|file| unsorted(file)) {
                bins.push(bin);
            }
        };
        for run in runs {
            let many = bin.files.len() + run.files.len() > MOST_FILES;
            if taken > 0 && (bytes + run.bytes > TARGET_FILE_BYTES as u64 || many) {
                full(std::mem::replace(&mut bin, empty()), taken);
                (bytes, taken) = (0, 0);
            }
            bytes += run.bytes;
            taken += 1;
            bin.files.extend(run.files.into_iter().cloned());
        }
        full(bin, taken);
    }
    bins
}

/// The files of one cut in runs. Files of a keyed table are as small as they are for the sake of changes: what counts
/// is how many of them can hold the same key.
fn runs<'a>(state: &TableState, files: Vec<&'a Arc<DataFile>>) -> Vec<Run<'a>> {
    let alone = |file: &'a Arc<DataFile>| Run { files: vec![file], bytes: file.size };
    let first = state.layout.sort.first().filter(|_| !state.def.primary_key.is_empty());
    let Some(column) = first.and_then(|first| state.schema.index_of(first).ok()) else {
        return files.into_iter().map(alone).collect();
    };
    let tag = state.layout.sort_tag();
    let full = |file: &Arc<DataFile>| file.rows.is_some_and(|rows| rows as usize >= KEYED_FILE_ROWS / 2);
    let (whole, small): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.sorted_by == tag && full(file));
    let bounds = |file: &'a Arc<DataFile>| (&file.ranges[column].min, &file.ranges[column].max);
    let (mut known, unknown): (Vec<_>, Vec<_>) =
        whole.into_iter().partition(|file| bounds(file).0.is_some() && bounds(file).1.is_some());
    known.sort_by(|a, b| bounds(a).0.partial_cmp(bounds(b).0).unwrap_or(Ordering::Equal));
    let mut runs: Vec<Run<'a>> = small.into_iter().map(alone).collect();
    let chained = runs.len();
    for file in known {
        let follows = |run: &&mut Run<'a>| run.files.last().is_some_and(|last| bounds(last).1 <= bounds(file).0);
        match runs[chained..].iter_mut().find(follows) {
            Some(run) => run.push(file),
            None => runs.push(alone(file)),
        }
    }
    // Of one write no key is in two files.
    let mut writes: BTreeMap<Option<Uuid>, Run<'a>> = BTreeMap::new();
    for file in unknown {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        writes.entry(table::write_of(name)).or_insert_with(|| Run { files: Vec::new(), bytes: 0 }).push(file);
    }
    runs.extend(writes.into_values());
    runs
}

/// Takes out the largest runs as long as they outweigh the rest.
fn leave_out_large(runs: &mut Vec<Run<'_>>, from: usize) {
    runs.sort_by_key(|run| run.bytes);
    let mut below: u64 = runs.iter().map(|run| run.bytes).sum();
    while let Some(largest) = runs.last() {
        below -= largest.bytes;
        if runs.len() <= from || largest.bytes <= below {
            break;
        }
        runs.pop();
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
