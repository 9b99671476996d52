//! Tests of looking back.

use std::path::Path as FsPath;
use std::time::Duration;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{Volatility, create_udf};
use deltalake_core::kernel::Add;

use super::*;
use crate::lease::HolderInfo;
use crate::maintain::{Maintained, vacuum};
use crate::objects::{Change, ColumnDef, ErasureDef, FIRST_USER_ID};
use crate::store::StoreOptions;
use crate::table::Written;
use crate::transaction::Transaction;
use crate::warehouse::Options;

const ID: ObjectId = FIRST_USER_ID;

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
    let (name, pg_type) = (name.into(), pg_type.into());
    ColumnDef { number: 0, name, pg_type, not_null: false, default: None, comment: None }
}

fn definition() -> TableDef {
    TableDef {
        id: ID,
        schema: "public".into(),
        name: "t".into(),
        path: "public/t".into(),
        columns: vec![column("a", "integer"), column("b", "text")],
        primary_key: vec![],
        partition_by: None,
        options: Default::default(),
        comment: None,
        numbered: 0,
        created_at: Utc::now(),
    }
}

/// A file of three rows that nobody decodes.
fn file(folder: &FsPath, name: &str) -> Written {
    let path = format!("{name}.parquet");
    std::fs::create_dir_all(folder.join("public/t")).unwrap();
    std::fs::write(folder.join("public/t").join(&path), "0123456789").unwrap();
    let stats = Some(r#"{"numRecords":3}"#.to_owned());
    Written { adds: vec![Add { path, size: 10, data_change: true, stats, ..Add::default() }], rows: 3, hold: None }
}

/// Version 0 has file `0`; each later one the file of its number in the place of the one before.
async fn filled(folder: &FsPath, versions: i64) -> (Arc<Warehouse>, Vec<DateTime<Utc>>) {
    let warehouse = open(folder).await;
    let mut instants = Vec::new();
    for version in 0..=versions {
        let mut work = Transaction::begin(&warehouse).await.unwrap();
        if version == 0 {
            work.change(Change::PutTable(definition())).unwrap();
            work.append(ID, file(folder, "0"), Vec::new(), None);
        } else {
            let before = work.view().table(ID).await.unwrap().files.as_ref().clone();
            work.change_rows(ID, before, file(folder, &version.to_string()), "UPDATE", None);
        }
        work.commit().await.unwrap();
        instants.push(Utc::now());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (warehouse, instants)
}

fn names(past: &PastTable) -> Vec<&str> {
    past.state().files.iter().map(|file| file.path.as_str()).collect()
}

async fn version(warehouse: &Warehouse, version: i64) -> Result<Arc<PastTable>> {
    warehouse.table_version(&warehouse.newest(), ID, version).await
}

async fn clean(warehouse: &Arc<Warehouse>) {
    tokio::time::sleep(Duration::from_millis(2)).await;
    let state = warehouse.table(&warehouse.newest(), ID).await.unwrap();
    vacuum(warehouse, &state, Duration::ZERO, false, &mut Maintained::default()).await.unwrap();
}

#[tokio::test]
async fn every_version_and_every_instant_has_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let began = Utc::now();
    let (warehouse, instants) = filled(folder.path(), 70).await;
    // The second time nothing is at hand, and the catalog comes from a checkpoint and what follows it.
    for reopened in [false, true] {
        let warehouse = if reopened {
            warehouse.stop_writing().await.unwrap();
            open(folder.path()).await
        } else {
            Arc::clone(&warehouse)
        };
        for number in [0, 1, 31, 62, 63, 64, 69, 70] {
            let expected = [format!("{number}.parquet")];
            assert_eq!(names(&*version(&warehouse, number).await.unwrap()), expected);
            let then = warehouse.catalog_at(instants[number as usize]).await.unwrap().unwrap();
            assert_eq!(names(&*warehouse.table_then(&then, ID).await.unwrap()), expected);
        }
        let before = warehouse.catalog_at(began).await.unwrap().unwrap();
        assert!(before.objects.table(ID).is_none());
        for wrong in [-1, 71] {
            assert!(matches!(version(&warehouse, wrong).await, Err(Error::Invalid(_))));
        }
        let mut told: Vec<_> =
            Transaction::begin(&warehouse).await.unwrap().view().history(ID).try_collect().await.unwrap();
        assert_eq!(told.len(), 71);
        let oldest = told.pop().unwrap();
        assert_eq!((told[0].version, oldest.version, oldest.operation.as_str()), (70, 0, "CREATE TABLE"));
        assert_eq!((told[0].rows_added, told[0].rows_removed, told[0].files_removed), (Some(3), Some(3), 1));
        assert!(told.iter().all(|row| row.readable && row.transaction == Some(row.version as u64 + 1)));
        // The time that is told finds the commit.
        let then = warehouse.catalog_at(told[40].at).await.unwrap().unwrap();
        assert_eq!(then.objects.table_version(ID), told[40].version);
    }
}

#[tokio::test]
async fn what_is_removed_is_gone_and_what_is_read_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (warehouse, _) = filled(folder.path(), 3).await;
    let read = version(&warehouse, 1).await.unwrap();
    clean(&warehouse).await;
    assert!(folder.path().join("public/t/1.parquet").exists());
    assert!(!folder.path().join("public/t/0.parquet").exists());
    assert!(matches!(version(&warehouse, 0).await, Err(Error::Gone(_))));
    assert_eq!(names(&*version(&warehouse, 1).await.unwrap()), ["1.parquet"]);
    let told: Vec<_> = Transaction::begin(&warehouse).await.unwrap().view().history(ID).try_collect().await.unwrap();
    assert_eq!(told.iter().map(|row| row.readable).collect::<Vec<_>>(), [true, false, true, false]);
    drop(read);
    clean(&warehouse).await;
    assert!(matches!(version(&warehouse, 1).await, Err(Error::Gone(_))));
    assert_eq!(names(&*version(&warehouse, 3).await.unwrap()), ["3.parquet"]);
}

#[tokio::test]
async fn a_restored_version_has_its_files_again_and_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let (warehouse, _) = filled(folder.path(), 3).await;
    let mut work = Transaction::begin(&warehouse).await.unwrap();
    let done = work.restore(ID, 1).await.unwrap();
    assert_eq!((done.version, done.files_restored, done.files_removed, done.rows), (4, 1, 1, Some(3)));
    let inside = work.view().table(ID).await.unwrap();
    assert_eq!(inside.files[0].path, "1.parquet");
    // What a transaction gives up is not its own to remove.
    work.rollback().await;
    assert!(folder.path().join("public/t/1.parquet").exists());

    // Somebody else's rows in between are a conflict.
    let mut late = Transaction::begin(&warehouse).await.unwrap();
    late.restore(ID, 1).await.unwrap();
    let mut work = Transaction::begin(&warehouse).await.unwrap();
    work.append(ID, file(folder.path(), "more"), Vec::new(), None);
    work.commit().await.unwrap();
    assert!(matches!(late.commit().await, Err(Error::Conflict(_))));
    assert!(folder.path().join("public/t/1.parquet").exists());

    let mut work = Transaction::begin(&warehouse).await.unwrap();
    let before = work.view().table(ID).await.unwrap().files.as_ref().clone();
    // Restored, changed and restored again within one transaction.
    work.restore(ID, 1).await.unwrap();
    let restored = work.view().table(ID).await.unwrap().files.as_ref().clone();
    work.change_rows(ID, restored, file(folder.path(), "changed"), "UPDATE", None);
    work.restore(ID, 4).await.unwrap();
    let inside = work.view().table(ID).await.unwrap();
    let paths = |files: &[Arc<crate::table::DataFile>]| {
        let mut paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
        paths.sort();
        paths
    };
    assert_eq!(paths(&inside.files), paths(&before));
    let done = work.restore(ID, 1).await.unwrap();
    assert_eq!((done.version, done.files_removed), (5, 2));
    work.commit().await.unwrap();
    clean(&warehouse).await;
    assert!(folder.path().join("public/t/1.parquet").exists());
    assert!(!folder.path().join("public/t/3.parquet").exists());
    warehouse.stop_writing().await.unwrap();
    let warehouse = open(folder.path()).await;
    assert_eq!(names(&*version(&warehouse, 5).await.unwrap()), ["1.parquet"]);
    let told: Vec<_> = Transaction::begin(&warehouse).await.unwrap().view().history(ID).try_collect().await.unwrap();
    assert_eq!((told[0].operation.as_str(), told[0].rows_added, told[0].rows_removed), ("RESTORE", Some(3), Some(6)));
    assert_eq!(told.iter().map(|row| row.readable).collect::<Vec<_>>(), [true, false, false, false, true, false]);
}

#[tokio::test]
async fn columns_are_known_by_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let (warehouse, _) = filled(folder.path(), 0).await;
    let alter = async |change: &dyn Fn(&mut TableDef)| {
        let mut work = Transaction::begin(&warehouse).await.unwrap();
        let mut def = work.objects().table(ID).unwrap().as_ref().clone();
        change(&mut def);
        work.change(Change::PutTable(def)).unwrap();
        work.commit().await.unwrap();
    };
    let first = version(&warehouse, 0).await.unwrap();
    let sources = || columns_then(&first.state().def, warehouse.newest().objects.table(ID).unwrap());
    let column_named = |name: &str| Then::Column(name.to_owned());
    alter(&|def| def.columns[0].name = "renamed".into()).await;
    assert_eq!(sources().unwrap(), [column_named("a"), column_named("b")]);
    // Of the old name, and another column.
    alter(&|def| def.columns.push(column("a", "integer"))).await;
    assert_eq!(sources().unwrap(), [column_named("a"), column_named("b"), Then::Nowhere]);
    alter(&|def| drop(def.columns.remove(2))).await;
    alter(&|def| def.columns.push(column("a", "integer"))).await;
    let numbers: Vec<u32> = warehouse.newest().objects.table(ID).unwrap().columns.iter().map(|c| c.number).collect();
    assert_eq!(numbers, [1, 2, 4]);
    let mut work = Transaction::begin(&warehouse).await.unwrap();
    assert!(matches!(work.restore(ID, 0).await, Err(Error::Unsupported(_))));
    alter(&|def| def.columns[0].pg_type = "bigint".into()).await;
    assert!(matches!(sources(), Err(Error::Unsupported(_))));
}

#[tokio::test]
async fn what_was_erased_is_gone_before_its_objects_are() {
    let folder = tempfile::tempdir().unwrap();
    let (warehouse, _) = filled(folder.path(), 3).await;
    let read = version(&warehouse, 1).await.unwrap();
    let mut work = Transaction::begin(&warehouse).await.unwrap();
    let id = std::iter::repeat_with(|| work.allocate_id()).find(|id| *id != ID).unwrap();
    let erasure = ErasureDef {
        id,
        erasure_id: "1".into(),
        requested_at: Utc::now(),
        due: Utc::now() + chrono::Duration::days(7),
        folders: vec!["public/t".into()],
        objects: vec!["public/t/1.parquet".into()],
    };
    work.change(Change::PutErasure(erasure)).unwrap();
    work.commit().await.unwrap();
    assert!(folder.path().join("public/t/1.parquet").exists());
    assert!(matches!(version(&warehouse, 1).await, Err(Error::Gone(_))));
    drop(read);
    assert!(matches!(version(&warehouse, 1).await, Err(Error::Gone(_))));
    assert_eq!(names(&*version(&warehouse, 2).await.unwrap()), ["2.parquet"]);
}
