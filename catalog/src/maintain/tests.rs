//! Tests of maintenance.

use std::collections::BTreeMap;

use chrono::Utc;

use super::*;
use crate::objects::{ColumnDef, TableDef};
use crate::table::DataFile;

fn table() -> TableDef {
    let column = |name: &str, pg_type: &str| ColumnDef {
        number: 0,
        name: name.into(),
        pg_type: pg_type.into(),
        not_null: true,
        default: None,
        comment: None,
    };
    TableDef {
        id: crate::objects::FIRST_USER_ID,
        schema: "public".into(),
        name: "events".into(),
        path: "public/events".into(),
        columns: vec![column("profile_id", "text"), column("ts", "timestamp with time zone")],
        primary_key: vec![],
        partition_by: Some("ts".into()),
        options: BTreeMap::new(),
        comment: None,
        numbered: 0,
        created_at: Utc::now(),
    }
}

fn state(files: &[(&str, u64, bool)]) -> TableState {
    let empty = TableState::empty(Arc::new(table()), 0).unwrap();
    let tag = empty.layout.sort_tag();
    let files = files.iter().enumerate().map(|(at, (day, mebibytes, sorted))| {
        Arc::new(DataFile {
            path: format!("_day={day}/part-{at:05}"),
            logged_path: None,
            cut: Some((*day).to_owned()),
            size: mebibytes << 20,
            rows: Some(1),
            sorted_by: tag.clone().filter(|_| *sorted),
            ranges: Vec::new(),
        })
    });
    TableState { files: Arc::new(files.collect()), ..empty }
}

fn sizes(state: &TableState, from: usize, thrifty: bool) -> Vec<Vec<u64>> {
    let bins = compact::bins(state, from, thrifty);
    bins.iter().map(|bin| bin.files.iter().map(|file| file.size >> 20).collect()).collect()
}

#[test]
fn small_files_of_a_day_are_merged_up_to_the_size_of_a_large_one() {
    let state = state(&[
        ("2026-03-01", 20, true),
        ("2026-03-02", 1, true),
        ("2026-03-01", 100, true),
        ("2026-03-01", 60, true),
        ("2026-03-01", 50, true),
        ("2026-03-01", 30, true),
    ]);
    assert_eq!(sizes(&state, 2, false), [vec![20, 60], vec![50, 30]]);
    assert!(sizes(&state, 5, false).is_empty());
}

#[test]
fn a_file_that_is_not_sorted_is_rewritten_even_alone() {
    let state = state(&[("2026-03-01", 100, false), ("2026-03-02", 100, true), ("2026-03-02", 1, true)]);
    assert_eq!(sizes(&state, 2, false), [vec![100]]);
}

#[test]
fn thrift_leaves_a_large_file_until_the_small_ones_outweigh_it() {
    let state = state(&[("2026-03-01", 40, true), ("2026-03-01", 1, true), ("2026-03-01", 1, true)]);
    assert_eq!(sizes(&state, 2, true), [vec![1, 1]]);
    assert_eq!(sizes(&state, 2, false), [vec![40, 1, 1]]);
    // Too few without it, so it goes along rather than nothing being done.
    assert_eq!(sizes(&state, 3, true), [vec![40, 1, 1]]);
}

/// A keyed table of one bucket with files of so many rows, from one key to another.
fn keyed(files: &[(u64, i32, i32)]) -> TableState {
    let def = TableDef { primary_key: vec!["profile_id".into()], partition_by: None, ..table() };
    let empty = TableState::empty(Arc::new(def), 0).unwrap();
    let tag = empty.layout.sort_tag();
    let key = |n: &i32| Some(datafusion::common::ScalarValue::Utf8(Some(format!("p{n:03}"))));
    let files = files.iter().enumerate().map(|(at, (rows, first, last))| {
        let range = crate::table::Ranges { min: key(first), max: key(last), nulls: Some(0) };
        Arc::new(DataFile {
            path: format!("_bucket=0/part-{at:05}"),
            logged_path: None,
            cut: Some("0".to_owned()),
            size: (1 + at as u64) << 20,
            rows: Some(*rows),
            sorted_by: tag.clone(),
            ranges: vec![range, crate::table::Ranges::default()],
        })
    });
    TableState { files: Arc::new(files.collect()), ..empty }
}

#[test]
fn files_of_a_keyed_table_that_follow_each_other_stay_as_they_are() {
    let whole = table::KEYED_FILE_ROWS as u64;
    let written = keyed(&[(whole, 0, 9), (whole, 10, 19), (whole, 20, 29), (whole, 30, 39)]);
    assert!(sizes(&written, 2, false).is_empty());
    // Changed rows take the place of others, in files of their own.
    let changed = keyed(&[(whole, 0, 9), (whole, 20, 29), (whole, 30, 39), (whole, 10, 19)]);
    assert!(sizes(&changed, 2, false).is_empty());
    let overlapping = keyed(&[(whole, 0, 9), (whole, 10, 19), (whole, 5, 15)]);
    assert_eq!(sizes(&overlapping, 2, false), [vec![1, 2, 3]]);
    let small = keyed(&[(whole, 0, 9), (whole, 10, 19), (1, 20, 20), (1, 21, 21)]);
    assert_eq!(sizes(&small, 2, true), [vec![1, 2, 3, 4]]);
    assert!(sizes(&small, 4, true).is_empty());
}
