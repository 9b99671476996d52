//! Tests of commits that change what a table is like.

use std::path::Path as FsPath;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{Volatility, create_udf};
use datafusion::scalar::ScalarValue;
use serde_json::Value;

use super::*;
use crate::objects::{ColumnDef, FIRST_USER_ID};
use crate::transaction::Transaction;

async fn open(folder: &FsPath) -> Arc<Warehouse> {
    let number = Arc::new(|arguments: &[_]| Ok(datafusion::logical_expr::ColumnarValue::clone(&arguments[0])));
    Warehouse::open(Options {
        location: folder.to_str().unwrap().to_owned(),
        store: StoreOptions::default(),
        bucket: Arc::new(create_udf("bucket", vec![DataType::Int32], DataType::Int32, Volatility::Immutable, number)),
        holder: HolderInfo::this_process("test"),
        create: true,
    })
    .await
    .unwrap()
}

fn column(name: &str, pg_type: &str) -> ColumnDef {
    ColumnDef { number: 0, name: name.into(), pg_type: pg_type.into(), not_null: false, default: None, comment: None }
}

fn table() -> TableDef {
    TableDef {
        id: FIRST_USER_ID,
        schema: "public".into(),
        name: "t".into(),
        path: "public/t".into(),
        columns: vec![column("a", "integer"), column("b", "text")],
        primary_key: vec![],
        partition_by: None,
        options: BTreeMap::new(),
        comment: None,
        numbered: 0,
        created_at: Utc::now(),
    }
}

/// A file of three rows, `a` from 1 to 3; nobody reads it.
fn file(name: &str) -> Written {
    let stats = r#"{"numRecords":3,"minValues":{"a":1},"maxValues":{"a":3},"nullCount":{"a":0,"b":1}}"#;
    let add = Add {
        path: format!("{name}.parquet"),
        size: 10,
        data_change: true,
        stats: Some(stats.to_owned()),
        ..Add::default()
    };
    Written { adds: vec![add], rows: 3, hold: None }
}

async fn with_rows(warehouse: &Arc<Warehouse>) -> TableDef {
    let mut work = Transaction::begin(warehouse).await.unwrap();
    work.change(CatalogChange::PutTable(table())).unwrap();
    work.append(FIRST_USER_ID, file("one"), Vec::new(), None);
    work.commit().await.unwrap();
    table_now(warehouse)
}

fn table_now(warehouse: &Warehouse) -> TableDef {
    warehouse.newest().objects.table(FIRST_USER_ID).unwrap().as_ref().clone()
}

async fn alter(warehouse: &Arc<Warehouse>, def: TableDef) -> Result<()> {
    let mut work = Transaction::begin(warehouse).await?;
    work.change(CatalogChange::PutTable(def))?;
    work.commit().await
}

async fn state(warehouse: &Arc<Warehouse>) -> Arc<TableState> {
    warehouse.table(&warehouse.newest(), FIRST_USER_ID).await.unwrap()
}

/// The action of that name in a commit of the table's log.
fn action(folder: &FsPath, version: u64, name: &str) -> Option<Value> {
    let path = folder.join(format!("public/t/_delta_log/{version:020}.json"));
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| serde_json::from_str::<Value>(line).unwrap().get(name).cloned())
}

#[tokio::test]
async fn a_new_column_is_told_in_the_log_under_the_same_id() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = open(folder.path()).await;
    let mut def = with_rows(&warehouse).await;
    let before = state(&warehouse).await;
    let old = warehouse.newest();
    def.columns.insert(0, column("c", "date"));
    alter(&warehouse, def.clone()).await.unwrap();

    let created = action(folder.path(), 0, "metaData").unwrap();
    let altered = action(folder.path(), 1, "metaData").unwrap();
    assert_eq!(altered["id"], created["id"]);
    assert!(altered["schemaString"].as_str().unwrap().contains("\"name\":\"c\""), "{altered}");
    assert_eq!(action(folder.path(), 1, "add"), None);
    // What is known of a column follows it to its new place; of one that a file lacks nothing is.
    let seen = state(&warehouse).await;
    assert_eq!((seen.version, seen.schema.fields().len()), (1, 3));
    assert_eq!(seen.files[0].ranges[0], crate::table::Ranges::default());
    assert_eq!(seen.files[0].ranges[1], before.files[0].ranges[0]);
    assert_eq!(before.files[0].ranges[0].max, Some(ScalarValue::Int32(Some(3))));
    // The older snapshot still reads by the older definition.
    assert_eq!(warehouse.table(&old, FIRST_USER_ID).await.unwrap().schema.fields().len(), 2);

    // Read back from the log, it is the same.
    warehouse.stop_writing().await.unwrap();
    drop(warehouse);
    let warehouse = open(folder.path()).await;
    let loaded = state(&warehouse).await;
    assert_eq!(loaded.files[0].ranges, seen.files[0].ranges);
    assert_eq!(loaded.log_id, seen.log_id);
    assert!(loaded.log_id.is_some());
}

#[tokio::test]
async fn what_the_log_does_not_tell_needs_no_version() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = open(folder.path()).await;
    let mut def = with_rows(&warehouse).await;
    let before = state(&warehouse).await;
    def.name = "renamed".into();
    def.columns[0].not_null = true;
    alter(&warehouse, def).await.unwrap();
    let after = state(&warehouse).await;
    assert_eq!(after.version, before.version);
    assert_eq!((after.def.name.as_str(), after.schema.field(0).is_nullable()), ("renamed", false));
    assert!(Arc::ptr_eq(&after.files, &before.files));
    assert_eq!(after.def.path, "public/t");
    assert!(action(folder.path(), 1, "commitInfo").is_none());
}

#[tokio::test]
async fn files_that_go_and_the_definition_that_replaces_them_are_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = open(folder.path()).await;
    let mut def = with_rows(&warehouse).await;
    def.columns.remove(1);
    let mut work = Transaction::begin(&warehouse).await.unwrap();
    let files = work.view().table(FIRST_USER_ID).await.unwrap().files.as_ref().clone();
    work.change(CatalogChange::PutTable(def)).unwrap();
    work.change_rows(FIRST_USER_ID, files, file("two"), "ALTER TABLE", Some(0));
    let inside = work.view().table(FIRST_USER_ID).await.unwrap();
    assert_eq!((inside.files.len(), inside.files[0].ranges.len()), (1, 1));
    work.commit().await.unwrap();

    let path = |version, name| action(folder.path(), version, name).unwrap()["path"].as_str().unwrap().to_owned();
    assert_eq!((path(1, "remove"), path(1, "add")), ("one.parquet".to_owned(), "two.parquet".to_owned()));
    assert!(action(folder.path(), 1, "metaData").is_some());
    let seen = state(&warehouse).await;
    assert_eq!((seen.version, seen.files.len(), seen.files[0].ranges.len()), (1, 1, 1));
}

#[tokio::test]
async fn rows_that_come_meanwhile_are_a_conflict_where_all_were_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = open(folder.path()).await;
    let def = with_rows(&warehouse).await;
    let append = async || {
        let mut work = Transaction::begin(&warehouse).await.unwrap();
        work.append(FIRST_USER_ID, file("more"), Vec::new(), None);
        work
    };
    let stage = async |relies: bool| {
        let mut work = Transaction::begin(&warehouse).await.unwrap();
        let mut def = def.clone();
        def.columns[0].not_null = relies;
        def.comment = Some("x".into());
        work.change(CatalogChange::PutTable(def)).unwrap();
        if relies {
            let version = state(&warehouse).await.version;
            work.rely_on_rows(FIRST_USER_ID, version);
        }
        work
    };
    let looked = stage(true).await;
    append().await.commit().await.unwrap();
    assert!(matches!(looked.commit().await, Err(Error::Conflict(_))));

    let spoken = stage(false).await;
    append().await.commit().await.unwrap();
    spoken.commit().await.unwrap();
    assert_eq!(state(&warehouse).await.version, 2);

    // The other way round: rows for the table as it was.
    let late = append().await;
    stage(true).await.commit().await.unwrap();
    assert!(matches!(late.commit().await, Err(Error::Conflict(_))));
    // Looked at and left as they were, they need no version of their own.
    assert_eq!(state(&warehouse).await.version, 2);
}

#[tokio::test]
async fn a_version_that_its_log_lacks_is_told_before_it_is_summed_up() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = open(folder.path()).await;
    with_rows(&warehouse).await;
    let log = folder.path().join("public/t/_delta_log");
    let interrupted = async |version: u64| {
        // The warehouse's log takes the commit, the table's can't: the name is taken by what can't be read.
        let path = log.join(format!("{version:020}.json"));
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        let mut work = Transaction::begin(&warehouse).await.unwrap();
        work.append(FIRST_USER_ID, file(&format!("more {version}")), Vec::new(), None);
        work.commit().await.unwrap();
        std::fs::remove_file(&path).unwrap();
    };

    interrupted(1).await;
    let newest = state(&warehouse).await;
    assert_eq!((newest.version, action(folder.path(), 1, "add")), (1, None));
    warehouse.sum_up(&newest).await.unwrap();
    assert!(action(folder.path(), 1, "add").is_some());
    assert!(log.join(format!("{:020}.checkpoint.parquet", 1)).exists());

    interrupted(2).await;
    warehouse.tables.lock().clear();
    assert_eq!((state(&warehouse).await.version, state(&warehouse).await.files.len()), (2, 3));
}

fn erasure(folder: &str, object: &str) -> crate::objects::ErasureDef {
    crate::objects::ErasureDef {
        id: FIRST_USER_ID + 1,
        erasure_id: "one".into(),
        requested_at: Utc::now(),
        due: Utc::now(),
        folders: vec![folder.to_owned()],
        objects: vec![object.to_owned()],
    }
}

async fn erase(warehouse: &Arc<Warehouse>) {
    let gone = state(warehouse).await.files.as_ref().clone();
    let mut work = Transaction::begin(warehouse).await.unwrap();
    work.change_rows(FIRST_USER_ID, gone, file("two"), "DELETE", None);
    work.change(CatalogChange::PutErasure(erasure("public/t", "public/t/one.parquet"))).unwrap();
    work.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_to_be_erased_never_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = open(folder.path()).await;
    with_rows(&warehouse).await;
    erase(&warehouse).await;
    let mut work = Transaction::begin(&warehouse).await.unwrap();
    work.append(FIRST_USER_ID, file("one"), Vec::new(), None);
    let refused = work.commit().await;
    assert!(matches!(&refused, Err(Error::Invalid(message)) if message.contains("erased")), "{refused:?}");
    let mut work = Transaction::begin(&warehouse).await.unwrap();
    work.append(FIRST_USER_ID, file("three"), Vec::new(), None);
    work.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_goes_on_with_the_next_writer() {
    let folder = tempfile::tempdir().unwrap();
    let object = folder.path().join("public/t/one.parquet");
    let warehouse = open(folder.path()).await;
    with_rows(&warehouse).await;
    std::fs::write(&object, "rows").unwrap();
    let reader = warehouse.snapshot().await.unwrap();
    erase(&warehouse).await;
    let waits = warehouse.finish_erasure(FIRST_USER_ID + 1).await.unwrap();
    assert!(matches!(waits, crate::maintain::Erased::Waiting(_)) && object.exists());
    drop(reader);
    drop(warehouse);

    let warehouse = open(folder.path()).await;
    warehouse.begin_writing().await.unwrap();
    let removed = warehouse.finish_erasure(FIRST_USER_ID + 1).await.unwrap();
    assert!(matches!(removed, crate::maintain::Erased::Removed(..)) && !object.exists());
    let first = |path: &str| folder.path().join(path).join("00000000000000000000.json").exists();
    assert!(!first("public/t/_delta_log"), "the table's log still begins where it began");
    assert!(!folder.path().join("_audiencedb/log/00000000000000000001.json").exists());
    for _ in 0..2 {
        let mut work = Transaction::begin(&warehouse).await.unwrap();
        let dropped = work.change(CatalogChange::DropErasure(FIRST_USER_ID + 1));
        match dropped {
            Ok(()) => work.commit().await.unwrap(),
            Err(e) => assert!(matches!(e, Error::NotFound { kind: "erasure", .. })),
        }
    }
    let again = warehouse.finish_erasure(FIRST_USER_ID + 1).await.unwrap();
    assert_eq!(again, crate::maintain::Erased::Finished);
    drop(warehouse);
    let warehouse = open(folder.path()).await;
    assert_eq!(state(&warehouse).await.files.len(), 1);
}
