//! Tests of where keys are cut: nothing is lost or read twice, and keys stay whole.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};

use super::cut::{Cuts, Piece};
use super::slices::{Slice, Slices};

type Key = Option<i64>;

/// Nulls behind all others.
fn place(key: Key) -> (bool, i64) {
    (key.is_none(), key.unwrap_or(0))
}

/// A file of sorted keys in pages of `page` rows and row groups of three pages.
fn slices(keys: &[Key], page: usize) -> Arc<Slices> {
    let mut slices = Vec::new();
    let mut row_groups = Vec::new();
    for (row_group, rows) in keys.chunks(3 * page).enumerate() {
        row_groups.push(rows.len());
        for (number, rows) in rows.chunks(page).enumerate() {
            let bound = |key: Option<&Key>| key.copied().flatten().map(|key| ScalarValue::Int64(Some(key)));
            let (first, last) = (rows.iter().find(|key| key.is_some()), rows.iter().rev().find(|key| key.is_some()));
            slices.push(Slice {
                row_group,
                first_row: number * page,
                rows: rows.len(),
                bounds: bound(first).zip(bound(last)),
                has_nulls: rows.iter().any(Option::is_none),
            });
        }
    }
    Arc::new(Slices { column: "key".into(), row_groups, slices })
}

/// What a plan of access reads of a file.
fn accessed(keys: &[Key], slices: &Slices, access: &ParquetAccessPlan) -> Vec<Key> {
    let mut read = Vec::new();
    let mut start = 0;
    for (rows, access) in slices.row_groups.iter().zip(access.inner()) {
        let mut at = start;
        match access {
            RowGroupAccess::Skip => {}
            RowGroupAccess::Scan => read.extend(&keys[start..start + rows]),
            RowGroupAccess::Selection(selection) => {
                for selector in selection.iter() {
                    if !selector.skip {
                        read.extend(&keys[at..at + selector.row_count]);
                    }
                    at += selector.row_count;
                }
                assert_eq!(at, start + rows);
            }
        }
        start += rows;
    }
    read
}

/// What is left of a piece in its range; that trimming is asked for where it is needed is checked on the way.
fn trimmed(read: Vec<Key>, piece: &Piece, from: Option<i64>, to: Option<i64>) -> Vec<Key> {
    let early = |key: &Key| from.is_some_and(|from| key.is_some_and(|key| key < from));
    let late = |key: &Key| to.is_some_and(|to| key.is_none_or(|key| key >= to));
    assert!(piece.begins_before || !read.iter().any(early));
    assert!(piece.ends_after || !read.iter().any(late));
    read.into_iter().filter(|key| !early(key) && !late(key)).collect()
}

/// Cuts the files and reads all of it back.
fn check(files: &[Vec<Key>], page: usize, partitions: usize) -> Option<Cuts> {
    let known: Vec<Arc<Slices>> = files.iter().map(|keys| slices(keys, page)).collect();
    let cuts = Cuts::new(&known.iter().collect::<Vec<_>>(), partitions)?;
    let points: Vec<i64> = cuts
        .points
        .iter()
        .map(|point| match point {
            ScalarValue::Int64(Some(point)) => *point,
            other => panic!("{other} is no key"),
        })
        .collect();
    assert!(points.is_sorted_by(|a, b| a < b));
    assert_eq!((cuts.parts.len(), points.len()), (partitions, partitions - 1));
    let mut all = Vec::new();
    for (part, runs) in cuts.parts.iter().enumerate() {
        let (from, to) = (part.checked_sub(1).map(|at| points[at]), points.get(part).copied());
        for run in runs {
            let mut rows = Vec::new();
            for piece in run {
                let read = accessed(&files[piece.file], &known[piece.file], &piece.access);
                rows.extend(trimmed(read, piece, from, to));
            }
            assert!(rows.is_sorted_by_key(|key| place(*key)), "{rows:?}");
            all.extend(rows);
        }
    }
    let mut wanted = files.concat();
    all.sort_by_key(|key| place(*key));
    wanted.sort_by_key(|key| place(*key));
    assert_eq!(all, wanted);
    Some(cuts)
}

fn sorted(mut keys: Vec<Key>) -> Vec<Key> {
    keys.sort_by_key(|key| place(*key));
    keys
}

/// A sequence that looks random, the same in every run.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(seed), |n| Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)))
        .skip(3)
        .map(|n| n >> 33)
}

#[test]
fn one_sorted_file_is_one_run_of_each_range() {
    let cuts = check(&[(0..1000).map(Some).collect()], 10, 4).unwrap();
    assert_eq!(cuts.depth(), 1);
    let points: Vec<String> = cuts.points.iter().map(ToString::to_string).collect();
    assert_eq!(points, ["250", "500", "750"]);
}

#[test]
fn files_that_follow_each_other_are_one_run() {
    let files: Vec<Vec<Key>> = (0..5).map(|file| (0..100).map(|key| Some(file * 100 + key)).collect()).collect();
    assert_eq!(check(&files, 10, 2).unwrap().depth(), 1);
    // A key in both keeps them apart.
    let mut touching = files.clone();
    touching[1][0] = Some(99);
    assert_eq!(check(&touching, 10, 2).unwrap().depth(), 2);
}

#[test]
fn what_cannot_be_cut_evenly_is_not_cut() {
    assert!(check(&[vec![Some(7); 1000]], 10, 2).is_none());
    let mostly_one = sorted((0..100).map(Some).chain(std::iter::repeat_n(Some(50), 900)).collect());
    assert!(check(&[mostly_one], 10, 2).is_none());
    assert!(check(&[vec![None; 1000]], 10, 2).is_none());
    assert!(check(&[vec![Some(1), Some(2)]], 10, 2).is_none());
}

#[test]
fn nothing_is_lost_or_read_twice_whatever_lies_where() {
    let mut numbers = numbers(7);
    let mut draw = |below: u64| numbers.next().unwrap() % below;
    let mut cut = 0;
    for _ in 0..2000 {
        let files: Vec<Vec<Key>> = (0..1 + draw(5))
            .map(|_| {
                let (from, spread) = (draw(300), 1 + draw(200));
                let keys = (0..1 + draw(300)).map(|_| (draw(20) > 0).then(|| (from + draw(spread)) as i64));
                sorted(keys.collect())
            })
            .collect();
        let (page, partitions) = (1 + draw(20) as usize, 2 + draw(6) as usize);
        cut += usize::from(check(&files, page, partitions).is_some());
    }
    assert!(cut > 500, "only {cut} were cut");
}
