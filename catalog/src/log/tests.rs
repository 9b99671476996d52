//! Tests of the warehouse log.

use super::*;
use crate::objects::{Change, FIRST_USER_ID, SchemaDef, TableDef};
use crate::store::StoreOptions;

async fn in_memory() -> Log {
    Log::open(Store::open("memory://", &StoreOptions::default(), true).await.unwrap())
}

async fn in_folder(folder: &tempfile::TempDir) -> Log {
    let location = folder.path().to_str().unwrap();
    Log::open(Store::open(location, &StoreOptions::default(), true).await.unwrap())
}

async fn put(log: &Log, path: &str, content: &'static str) {
    log.store.root.put(&Path::from(path), content.into()).await.unwrap();
}

async fn text(log: &Log, path: &str) -> String {
    let bytes = log.store.read(&Path::from(path)).await.unwrap().unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn at() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// Entry 1: creates table t at version 0.
fn create() -> Entry {
    let table = TableDef {
        id: FIRST_USER_ID,
        schema: "public".into(),
        name: "t".into(),
        path: "tables/t".into(),
        columns: vec![],
        primary_key: vec![],
        partition_by: None,
        options: Default::default(),
        comment: None,
        numbered: 0,
        created_at: at(),
    };
    Entry::new(1, at(), 1, "test", vec![Change::PutTable(table)], vec![commit(0)])
}

fn commit(version: i64) -> TableCommit {
    let actions = format!("{{\"commitInfo\":{{}}}}\n{{\"n\":{version}}}");
    TableCommit { table: FIRST_USER_ID, path: "tables/t".into(), version, actions }
}

/// Entry 2 and on: one more version of t.
fn write(id: u64) -> Entry {
    Entry::new(id, at(), 1, "test", vec![], vec![commit(id as i64 - 1)])
}

async fn run(log: &Log, entry: &Entry) {
    log.append(entry).await.unwrap();
    log.roll_forward(entry).await.unwrap();
}

#[tokio::test]
async fn appends_once_and_rolls_forward_once() {
    let log = in_memory().await;
    let entry = create();
    log.append(&entry).await.unwrap();
    log.append(&entry).await.unwrap();
    // Alike, but another transaction.
    assert!(matches!(log.append(&create()).await, Err(Error::Conflict(_))));
    log.roll_forward(&entry).await.unwrap();
    log.roll_forward(&entry).await.unwrap();
    assert_eq!(text(&log, "tables/t/_delta_log/00000000000000000000.json").await, entry.tables[0].actions);
    // Also a retry that comes late.
    log.append(&entry).await.unwrap();
    assert_eq!(log.next_after(0).await.unwrap(), Some(entry));
    assert_eq!(log.next_after(1).await.unwrap(), None);
}

#[tokio::test]
async fn a_foreign_commit_is_a_conflict_before_and_a_divergence_after() {
    let log = in_memory().await;
    run(&log, &create()).await;
    let entry = write(2);
    let path = "tables/t/_delta_log/00000000000000000001.json";
    put(&log, path, "foreign").await;
    assert!(matches!(log.append(&entry).await, Err(Error::Conflict(_))));
    assert_eq!(log.next_after(1).await.unwrap(), None);

    log.put_entry(&entry).await.unwrap();
    match log.recover(&entry).await {
        Err(Error::Diverged { table, version }) => assert_eq!((table.as_str(), version), ("tables/t", 1)),
        other => panic!("{other:?}"),
    }
    assert_eq!(text(&log, path).await, "foreign");
}

#[tokio::test]
async fn loads_and_recovers_after_a_crash_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let log = in_folder(&folder).await;
    log.create_or_check_format(true).await.unwrap();
    run(&log, &create()).await;
    // The writer dies here.
    log.append(&write(2)).await.unwrap();

    let (objects, last) = log.load().await.unwrap();
    assert_eq!(objects.table_version(FIRST_USER_ID), 1);
    let last = last.unwrap();
    assert_eq!(last.id, 2);
    log.recover(&last).await.unwrap();
    assert_eq!(text(&log, "tables/t/_delta_log/00000000000000000001.json").await, last.tables[0].actions);
}

#[tokio::test]
async fn a_checkpoint_and_its_tail_give_what_the_whole_log_gives() {
    let log = in_memory().await;
    let (mut objects, none) = log.load().await.unwrap();
    assert!(none.is_none());
    for id in 1..=40 {
        let entry = if id == 1 { create() } else { write(id) };
        run(&log, &entry).await;
        objects = objects.apply_entry(&entry).unwrap();
        if id == 30 {
            log.checkpoint(&objects, id).await.unwrap();
            log.checkpoint(&objects, id).await.unwrap();
            let (loaded, last) = log.load().await.unwrap();
            assert_eq!(loaded.table_version(FIRST_USER_ID), 29);
            assert_eq!(last.unwrap().id, 30);
        }
    }
    // Older entries are not needed any more.
    log.store.root.delete(&entry_path(3)).await.unwrap();
    let (loaded, last) = log.load().await.unwrap();
    assert_eq!(last.unwrap().id, 40);
    assert_eq!(serde_json::to_string(&loaded).unwrap(), serde_json::to_string(&objects).unwrap());
    // Newer ones are.
    log.store.root.delete(&entry_path(35)).await.unwrap();
    match log.load().await {
        Err(Error::Corrupt { object, .. }) => assert!(object.ends_with("0035.json"), "{object}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn damage_is_named_and_never_skipped() {
    let log = in_memory().await;
    run(&log, &create()).await;
    let path = "_audiencedb/log/00000000000000000002.json";
    put(&log, path, "{\"format\":1,\"id\":2,").await;
    for result in [log.load().await.map(drop), log.next_after(1).await.map(drop)] {
        match result {
            Err(Error::Corrupt { object, .. }) => assert_eq!(object, path),
            other => panic!("{other:?}"),
        }
    }
    put(&log, path, "{\"format\":2,\"id\":2,\"new\":true}").await;
    assert!(matches!(log.load().await, Err(Error::Unsupported(_))));

    // Readable, but not possible after entry 1.
    let again = Change::PutSchema(SchemaDef { id: 20000, name: "public".into(), comment: None });
    let entry = Entry::new(2, at(), 1, "test", vec![again], vec![]);
    log.store.root.put(&entry_path(2), encode(&entry_path(2), &entry).unwrap().into()).await.unwrap();
    assert!(matches!(log.load().await, Err(Error::Corrupt { .. })));
}

#[tokio::test]
async fn only_an_empty_folder_becomes_a_warehouse() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lost+found")).unwrap();
    std::fs::write(folder.path().join(".hidden"), "").unwrap();
    let log = in_folder(&folder).await;
    put(&log, "_audiencedb/lock", "").await;
    assert!(matches!(log.create_or_check_format(false).await, Err(Error::NotFound { kind: "warehouse", .. })));
    log.create_or_check_format(true).await.unwrap();
    log.create_or_check_format(true).await.unwrap();
    assert_eq!(text(&log, "_audiencedb/format.json").await, "{\"format\":1}");

    put(&log, "_audiencedb/format.json", "{\"format\":2}").await;
    match log.create_or_check_format(true).await {
        Err(Error::Unsupported(message)) => {
            assert!(message.contains("format 2") && message.contains("format 1"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_strange_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("photos")).unwrap();
    let remote = in_memory().await;
    put(&remote, "photos/1.jpg", "").await;
    for log in [in_folder(&folder).await, remote] {
        match log.create_or_check_format(true).await {
            Err(Error::Invalid(message)) => assert!(message.contains("photos"), "{message}"),
            other => panic!("{other:?}"),
        }
    }
    let headless = in_memory().await;
    put(&headless, "_audiencedb/log/00000000000000000001.json", "{}").await;
    assert!(matches!(headless.create_or_check_format(true).await, Err(Error::Corrupt { .. })));
}
