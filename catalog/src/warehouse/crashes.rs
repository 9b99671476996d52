//! Random transactions over a store that fails, against what each was told: seeded, so that a case comes again.

use std::ops::Range;
use std::time::Duration;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;

use super::*;
use crate::objects::FIRST_USER_ID;
use crate::store::faulty::{Dice, Faulty};
use crate::transaction::Transaction;

const TABLES: u32 = 3;

async fn open(store: Arc<dyn ObjectStore>) -> Result<Arc<Warehouse>> {
    let number = Arc::new(|arguments: &[_]| Ok(ColumnarValue::clone(&arguments[0])));
    let options = Options {
        location: "memory://".into(),
        store: StoreOptions::default(),
        bucket: Arc::new(create_udf("bucket", vec![DataType::Int32], DataType::Int32, Volatility::Immutable, number)),
        holder: HolderInfo::this_process("test"),
        create: true,
    };
    Warehouse::open_over(Store::of(store), options).await
}

fn table(at: u32) -> TableDef {
    let column = ColumnDef {
        number: 0,
        name: "a".into(),
        pg_type: "integer".into(),
        not_null: false,
        default: None,
        comment: None,
    };
    TableDef {
        id: FIRST_USER_ID + at,
        schema: "public".into(),
        name: format!("t{at}"),
        path: format!("public/t{at}"),
        columns: vec![column],
        primary_key: vec![],
        partition_by: None,
        options: BTreeMap::new(),
        comment: None,
        numbered: 0,
        created_at: Utc::now(),
    }
}

fn file(name: &str) -> Written {
    let stats = r#"{"numRecords":1,"minValues":{"a":1},"maxValues":{"a":1},"nullCount":{"a":0}}"#;
    let add =
        Add { path: name.to_owned(), size: 10, data_change: true, stats: Some(stats.to_owned()), ..Add::default() };
    Written { adds: vec![add], rows: 1, hold: None }
}

/// What a transaction would do, and what its caller was told.
#[derive(Debug, Clone)]
struct Attempt {
    tables: Vec<u32>,
    file: String,
    removes: Vec<(u32, String)>,
    comments: bool,
    batch: Option<i64>,
    acknowledged: bool,
}

/// One transaction; `Ok(false)` if its batch was found to be there already.
async fn attempt(warehouse: &Arc<Warehouse>, plan: &mut Attempt, changes_rows: bool) -> Result<bool> {
    let mut work = Transaction::begin(warehouse).await?;
    if let Some(batch) = plan.batch {
        let known = warehouse.ingested(work.base(), FIRST_USER_ID, "load").await?;
        if known.unwrap_or(0) >= batch {
            return Ok(false);
        }
    }
    for at in plan.tables.clone() {
        let id = FIRST_USER_ID + at;
        let marks = plan.batch.filter(|_| at == 0).map(|batch| ("load".to_owned(), batch));
        if changes_rows {
            let state = work.view().table(id).await?;
            let gone: Vec<_> = state.files.iter().take(1).cloned().collect();
            plan.removes.extend(gone.iter().map(|file| (at, file.path.clone())));
            work.change_rows(id, gone, file(&plan.file), "UPDATE", Some(state.version));
        } else {
            work.append(id, file(&plan.file), marks.into_iter().collect(), None);
        }
        if plan.comments {
            let mut def = work.objects().table(id).unwrap().as_ref().clone();
            def.comment = Some(plan.file.clone());
            work.change(CatalogChange::PutTable(def))?;
        }
    }
    work.commit().await?;
    Ok(true)
}

async fn case(seed: u64) {
    let mut dice = Dice::new(seed);
    let disk = Arc::new(InMemory::new());
    let first = open(Arc::clone(&disk) as _).await.unwrap();
    let mut work = Transaction::begin(&first).await.unwrap();
    (0..TABLES).for_each(|at| work.change(CatalogChange::PutTable(table(at))).unwrap());
    work.commit().await.unwrap();
    drop(first);

    let mut attempts: Vec<Attempt> = Vec::new();
    let (mut batch, mut settled) = (1, BTreeSet::new());
    for process in 0..4 {
        let store = Arc::new(Faulty::new(Arc::clone(&disk), seed * 8 + process, 10 + dice.below(90)));
        let opened = tokio::select! {
            opened = open(Arc::clone(&store) as _) => opened,
            () = store.hung.notified() => {
                store.dead.store(true, Ordering::Relaxed);
                continue;
            }
        };
        let Ok(warehouse) = opened else { continue };
        for _ in 0..12 {
            let kind = dice.below(5);
            let tables = if kind < 2 { vec![0] } else { (0..TABLES).filter(|_| dice.below(3) > 0).collect() };
            let mut plan = Attempt {
                tables,
                file: format!("{:04}.parquet", attempts.len()),
                removes: Vec::new(),
                comments: kind == 2,
                batch: (kind < 2).then_some(batch),
                acknowledged: false,
            };
            let outcome = tokio::select! {
                outcome = attempt(&warehouse, &mut plan, kind == 3) => Some(outcome),
                () = store.hung.notified() => None,
            };
            plan.acknowledged = matches!(outcome, Some(Ok(true)));
            if let (Some(done), Some(Ok(_))) = (plan.batch, &outcome) {
                settled.insert(done);
                batch += 1;
            }
            attempts.push(plan);
            // Nobody hears of the process again, which may have anything under way.
            if outcome.is_none() {
                break;
            }
            if dice.below(8) == 0 {
                let id = FIRST_USER_ID + dice.below(u64::from(TABLES)) as u32;
                let maintained = async {
                    let snapshot = warehouse.snapshot().await?;
                    let state = warehouse.table(&snapshot, id).await?;
                    warehouse.sum_up(&state).await
                };
                // It works on a thread of its own, which would outlive the test.
                store.may_hang.store(false, Ordering::Relaxed);
                // Left for the next time if it fails.
                let _ = maintained.await;
                store.may_hang.store(true, Ordering::Relaxed);
            }
        }
        store.dead.store(true, Ordering::Relaxed);
        for _ in 0..4 {
            store.arrive().await;
        }
    }
    check(seed, disk, &attempts, &settled).await;
}

async fn check(seed: u64, disk: Arc<InMemory>, attempts: &[Attempt], settled: &BTreeSet<i64>) {
    let warehouse = open(Arc::clone(&disk) as _).await.unwrap();
    warehouse.begin_writing().await.unwrap();
    let snapshot = warehouse.snapshot().await.unwrap();
    // Where each file was added, by the tables' own logs, which hold what the warehouse's log holds and nothing else.
    let mut told: BTreeMap<(u32, String), u32> = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for at in 0..TABLES {
        let folder = object_store::path::Path::from(format!("public/t{at}/_delta_log"));
        let log: Vec<_> = disk.list(Some(&folder)).try_collect().await.unwrap();
        let commits: Vec<_> = log.iter().filter(|object| object.location.extension() == Some("json")).collect();
        let version = snapshot.objects.table_version(FIRST_USER_ID + at);
        assert_eq!(commits.len() as i64, version + 1, "seed {seed}: versions of t{at}");
        for commit in commits {
            let text = disk.get(&commit.location).await.unwrap().bytes().await.unwrap();
            for line in std::str::from_utf8(&text).unwrap().lines() {
                let action: Value = serde_json::from_str(line).unwrap();
                if let Some(path) = action["add"]["path"].as_str() {
                    *told.entry((at, path.to_owned())).or_default() += 1;
                }
                if let Some(path) = action["remove"]["path"].as_str() {
                    gone.insert((at, path.to_owned()));
                }
            }
        }
        let seen = warehouse.table(&snapshot, FIRST_USER_ID + at).await.unwrap();
        let seen: BTreeSet<_> = seen.files.iter().map(|file| (at, file.path.clone())).collect();
        let left: BTreeSet<_> = told.keys().filter(|key| key.0 == at && !gone.contains(*key)).cloned().collect();
        assert_eq!(seen, left, "seed {seed}: files of t{at}");
    }
    let mut batches: BTreeMap<i64, u32> = BTreeMap::new();
    for plan in attempts {
        let there = |at: &u32| told.get(&(*at, plan.file.clone())).copied().unwrap_or(0);
        let counts: BTreeSet<u32> = plan.tables.iter().map(there).collect();
        assert!(counts.len() <= 1 && counts.iter().all(|n| *n <= 1), "seed {seed}: {plan:?} is there {counts:?} times");
        let landed = counts.contains(&1);
        assert!(landed || !plan.acknowledged || plan.tables.is_empty(), "seed {seed}: {plan:?} is lost");
        if landed {
            assert!(plan.removes.iter().all(|file| gone.contains(file)), "seed {seed}: {plan:?} is there in part");
            plan.batch.into_iter().for_each(|batch| *batches.entry(batch).or_default() += 1);
        }
    }
    assert!(batches.values().all(|n| *n == 1), "seed {seed}: batches are there {batches:?} times");
    assert!(settled.iter().all(|batch| batches.contains_key(batch)), "seed {seed}: of {settled:?} only {batches:?}");
    for at in 0..TABLES {
        let last = attempts.iter().rfind(|plan| plan.comments && told.contains_key(&(at, plan.file.clone())));
        let comment = snapshot.objects.table(FIRST_USER_ID + at).unwrap().comment.clone();
        assert_eq!(comment, last.map(|plan| plan.file.clone()), "seed {seed}: the definition of t{at}");
    }
}

#[test]
fn what_a_failing_store_was_given_is_there_once_or_not_at_all() {
    cases(0..60);
}

#[test]
#[ignore = "minutes long, part of the long tier"]
fn at_length_what_a_failing_store_was_given_is_there_once_or_not_at_all() {
    cases(60..2000);
}

fn cases(seeds: Range<u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for seed in seeds {
            let case = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), case(seed)).await });
            assert!(case.is_ok(), "seed {seed} hangs");
        }
    }));
    // Reads that are never answered keep threads of their own, for which a test that fails must not wait either.
    runtime.shutdown_background();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}
