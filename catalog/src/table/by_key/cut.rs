//! Where the keys are cut, and which stretches of which files lie in each range.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use datafusion::parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use super::slices::{Slice, Slices};

/// No more rows than this many times the table's are read.
const MOST_READ: f64 = 1.5;
/// No range has more rows than this many times its share.
const MOST_UNEVEN: f64 = 1.75;

/// Ranges of keys, and what to read for each.
#[derive(Debug)]
pub(super) struct Cuts {
    /// The first keys of all ranges but the first.
    pub(super) points: Vec<ScalarValue>,
    /// Of each range the runs: stretches of files that follow each other in the order of keys.
    pub(super) parts: Vec<Vec<Vec<Piece>>>,
}

/// A stretch of a file.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// The number of the file.
    pub(super) file: usize,
    pub(super) access: ParquetAccessPlan,
    /// Whether there may be rows before the range at its beginning, and behind it at its end.
    pub(super) begins_before: bool,
    pub(super) ends_after: bool,
    bounds: Option<(ScalarValue, ScalarValue)>,
    has_nulls: bool,
}

impl Cuts {
    /// Cuts files into `partitions` ranges of about as many rows; `None` if they can't be cut evenly.
    pub(super) fn new(files: &[&Arc<Slices>], partitions: usize) -> Option<Self> {
        let mut starts: Vec<(&ScalarValue, usize)> = files
            .iter()
            .flat_map(|file| &file.slices)
            .filter_map(|slice| slice.bounds.as_ref().map(|(min, _)| (min, slice.rows)))
            .collect();
        starts.sort_by(|a, b| compare(a.0, b.0));
        let total: usize = files.iter().flat_map(|file| &file.slices).map(|slice| slice.rows).sum();
        let mut points: Vec<ScalarValue> = Vec::with_capacity(partitions.saturating_sub(1));
        let mut before = 0;
        for (start, rows) in starts {
            let due = (points.len() + 1) * total / partitions;
            if points.len() + 1 < partitions && before >= due && points.last().is_none_or(|p| compare(p, start).is_lt())
            {
                points.push(start.clone());
            }
            before += rows;
        }
        if points.len() + 1 != partitions {
            return None;
        }
        let mut read = 0;
        let mut parts = Vec::with_capacity(partitions);
        for part in 0..partitions {
            let range = Range { from: part.checked_sub(1).map(|at| &points[at]), to: points.get(part) };
            let mut pieces = Vec::new();
            let mut rows = 0;
            for (number, file) in files.iter().enumerate() {
                if let Some((piece, of_it)) = range.piece(number, file) {
                    pieces.push(piece);
                    rows += of_it;
                }
            }
            if rows as f64 > MOST_UNEVEN * total as f64 / partitions as f64 {
                return None;
            }
            read += rows;
            parts.push(runs(pieces));
        }
        (read as f64 <= MOST_READ * total as f64).then_some(Self { points, parts })
    }

    /// The most files that lie side by side in a range.
    pub(super) fn depth(&self) -> usize {
        self.parts.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// Keys from `from` on and before `to`. Those that are null come behind all others.
struct Range<'a> {
    from: Option<&'a ScalarValue>,
    to: Option<&'a ScalarValue>,
}

impl Range<'_> {
    fn meets(&self, slice: &Slice) -> bool {
        if slice.has_nulls && self.to.is_none() {
            return true;
        }
        slice.bounds.as_ref().is_some_and(|(min, max)| {
            self.from.is_none_or(|from| compare(max, from).is_ge()) && self.to.is_none_or(|to| compare(min, to).is_lt())
        })
    }

    /// What of a file may lie in the range, and its rows.
    fn piece(&self, file: usize, slices: &Slices) -> Option<(Piece, usize)> {
        let met: Vec<&Slice> = slices.slices.iter().filter(|slice| self.meets(slice)).collect();
        let (first, last) = (met.first()?, met.last()?);
        let mut selected: Vec<Vec<RowSelector>> = vec![Vec::new(); slices.row_groups.len()];
        let mut ends = vec![0; slices.row_groups.len()];
        for slice in &met {
            let (selectors, end) = (&mut selected[slice.row_group], &mut ends[slice.row_group]);
            if slice.first_row > *end {
                selectors.push(RowSelector::skip(slice.first_row - *end));
            }
            selectors.push(RowSelector::select(slice.rows));
            *end = slice.first_row + slice.rows;
        }
        let access = selected.into_iter().zip(ends).zip(&slices.row_groups).map(|((mut selectors, end), rows)| {
            if end == 0 {
                return RowGroupAccess::Skip;
            }
            if end < *rows {
                selectors.push(RowSelector::skip(rows - end));
            }
            let selection = RowSelection::from(selectors);
            if selection.row_count() == *rows { RowGroupAccess::Scan } else { RowGroupAccess::Selection(selection) }
        });
        let bounds = met.iter().filter_map(|slice| slice.bounds.as_ref());
        let bounds = bounds.fold(None, |all: Option<(ScalarValue, ScalarValue)>, (min, max)| {
            Some(all.map_or_else(
                || (min.clone(), max.clone()),
                |(least, most)| {
                    let least = if compare(min, &least).is_lt() { min.clone() } else { least };
                    let most = if compare(max, &most).is_gt() { max.clone() } else { most };
                    (least, most)
                },
            ))
        });
        let has_nulls = met.iter().any(|slice| slice.has_nulls);
        let before = |(min, _): &(ScalarValue, ScalarValue)| self.from.is_some_and(|from| compare(min, from).is_lt());
        let after = |(_, max): &(ScalarValue, ScalarValue)| self.to.is_some_and(|to| compare(max, to).is_ge());
        let piece = Piece {
            file,
            access: ParquetAccessPlan::new(access.collect()),
            begins_before: first.bounds.as_ref().is_some_and(before),
            ends_after: self.to.is_some() && (has_nulls || last.bounds.as_ref().is_none_or(after)),
            bounds,
            has_nulls,
        };
        Some((piece, met.iter().map(|slice| slice.rows).sum()))
    }
}

/// Pieces put behind each other where all keys of one come before all of the next.
fn runs(mut pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let start = |piece: &Piece| piece.bounds.as_ref().map(|(min, _)| min.clone());
    pieces.sort_by(|a, b| match (start(a), start(b)) {
        (Some(a), Some(b)) => compare(&a, &b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    let mut runs: Vec<Vec<Piece>> = Vec::new();
    for piece in pieces {
        let follows = |run: &&mut Vec<Piece>| {
            run.last().is_some_and(|last| match (&last.bounds, &piece.bounds) {
                (Some((_, max)), Some((min, _))) => !last.has_nulls && compare(max, min).is_lt(),
                _ => false,
            })
        };
        match runs.iter_mut().find(follows) {
            Some(run) => run.push(piece),
            None => runs.push(vec![piece]),
        }
    }
    runs
}

/// Values of one type, which is one of those that compare.
fn compare(a: &ScalarValue, b: &ScalarValue) -> Ordering {
    a.partial_cmp(b).unwrap_or(Ordering::Equal)
}
