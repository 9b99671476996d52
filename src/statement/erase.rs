//! `CALL audience.erase(…)` and `audience.verify_erasure(…)`: a person's rows go from every table that carries the key, in
//! one transaction; what held them goes when the grace period is over; then the whole warehouse is searched.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use catalog::objects::{Change as CatalogChange, ErasureDef, TableDef};
use catalog::search::{Found, Keys};
use catalog::table::layout::ERASE_BY;
use catalog::table::{Change as RowChange, Twice};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, UInt32Type};
use datafusion::error::DataFusionError;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, Value};
use futures::TryStreamExt;

use super::ast::{Change, ChangeKind};
use super::{change, maintain};
use crate::engine::{Engine, ErasureRequest, ErasureStage, interruptible};
use crate::error::{Error, Result, SqlState};
use crate::session::{Running, Session};

/// The column that tells of whom a row is, in tables that do not say otherwise.
const COLUMN: &str = "profile_id";
/// Longer than a query takes, so that those that run are not cut off.
const GRACE: Duration = Duration::from_secs(3600);
/// How often an erasure that others have overtaken begins anew.
const TRIES: u64 = 8;

/// The columns of what `erase` answers with.
pub(super) fn columns() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("erasure_id", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("rows_removed", DataType::Int64, false),
        Field::new("files_rewritten", DataType::Int64, false),
        Field::new("objects_left", DataType::Int64, false),
        Field::new("due_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("state", DataType::Utf8, false),
    ]))
}

/// The columns of what `verify_erasure` answers with.
pub(super) fn found_columns() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("object", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, true),
    ]))
}

/// What is asked for.
struct Asked {
    keys: Vec<String>,
    dry_run: bool,
    grace: Duration,
    column: Option<String>,
}

/// What became of one table.
struct Erased {
    def: Arc<TableDef>,
    column: String,
    rows: u64,
    files: u64,
}

/// A committed erasure.
struct Committed {
    erasure_id: Option<String>,
    due: Option<DateTime<Utc>>,
    tables: Vec<Erased>,
    /// Objects that are left to remove.
    objects: Vec<String>,
    /// The erasure that has to be finished.
    pending: Option<u32>,
}

/// Runs `erase` with `key`, `dry_run`, `grace`, `column_name`.
pub(super) async fn run(session: &mut Session, values: &[ScalarValue], running: &Running) -> Result<RecordBatch> {
    let [key, dry_run, grace, column] = values else {
        return Err(Error::internal("audience.erase was called with other arguments than it has"));
    };
    let asked = Asked {
        keys: keys(key)?,
        dry_run: matches!(dry_run, ScalarValue::Boolean(Some(true))),
        grace: maintain::length("grace", grace)?.unwrap_or(GRACE),
        column: column.try_as_str().flatten().map(str::to_owned),
    };
    if !asked.dry_run {
        session.engine().prepare_erasures().await?;
        session.renew_work().await?;
    }
    let mut attempt = 1;
    let (committed, searched) = loop {
        match erase(session, &asked, running).await {
            Err(e) if e.sqlstate == SqlState::SERIALIZATION_FAILURE && attempt < TRIES => {
                session.undo_now().await;
                tokio::time::sleep(Duration::from_millis(1 << attempt)).await;
                session.renew_work().await?;
                attempt += 1;
            }
            outcome => break outcome?,
        }
    };
    let Some(erasure_id) = committed.erasure_id.clone() else {
        return answer(&committed, "dry run");
    };
    let engine = Arc::clone(session.engine());
    let (stage, found) = match committed.pending {
        Some(id) => engine.finish_erasure(id).await?,
        None => engine.verify_erasure(Some(&erasure_id), searched).await?,
    };
    tell(session, stage, &found, &committed);
    answer(&committed, stage.name())
}

/// Runs `verify_erasure` with `key`, `erasure`, `column_name`.
pub(super) async fn verify(session: &mut Session, values: &[ScalarValue]) -> Result<RecordBatch> {
    let [key, erasure, column] = values else {
        return Err(Error::internal("audience.verify_erasure was called with other arguments than it has"));
    };
    if !session.rights()?.is_superuser() {
        let message = "must be superuser to search the whole warehouse";
        return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    }
    let column = column.try_as_str().flatten().map(str::to_owned);
    let columns: HashSet<String> =
        carrying(session, column.as_deref())?.into_iter().map(|(_, column)| column).collect();
    let keys = Arc::new(Keys::new(keys(key)?, columns));
    session.leave_work();
    let engine = Arc::clone(session.engine());
    engine.finish_erasures().await?;
    let (_, found) = engine.verify_erasure(erasure.try_as_str().flatten(), keys).await?;
    if found.is_empty() {
        session.notice("nothing was found in any object");
    }
    let objects: StringArray = found.iter().map(|found| Some(found.object.as_str())).collect();
    let columns: StringArray = found.iter().map(|found| found.column.as_deref()).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(objects), Arc::new(columns)];
    Ok(RecordBatch::try_new(found_columns(), columns).map_err(DataFusionError::from)?)
}

/// The keys as text: one, or all of an array. What is null is nobody's.
fn keys(value: &ScalarValue) -> Result<Vec<String>> {
    let failed = || {
        Error::new(SqlState::INVALID_PARAMETER_VALUE, "audience.erase needs a key, or an array of keys")
            .with_hint("CALL audience.erase('p1'), CALL audience.erase(ARRAY['p1', 'p2'])")
    };
    let array = value.to_array().map_err(|_| failed())?;
    let values = match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value(0),
        DataType::LargeList(_) => array.as_list::<i64>().value(0),
        _ => array,
    };
    let texts = cast(&values, &DataType::Utf8).map_err(|_| failed())?;
    let found: BTreeSet<String> =
        texts.as_string::<i32>().iter().flatten().filter(|key| !key.is_empty()).map(str::to_owned).collect();
    if found.is_empty() {
        return Err(failed());
    }
    Ok(found.into_iter().collect())
}

/// The tables that carry the key, by their numbers, and the column that does.
fn carrying(session: &mut Session, column: Option<&str>) -> Result<Vec<(Arc<TableDef>, String)>> {
    let objects = Arc::clone(session.work()?.objects());
    let named = |def: &TableDef, name: &str| def.columns.iter().any(|column| column.name == name);
    let tables = objects.tables().filter_map(|def| {
        let name = match column {
            Some(column) => column,
            None => def.options.get(ERASE_BY).map_or(COLUMN, String::as_str),
        };
        named(def, name).then(|| (Arc::clone(def), name.to_owned()))
    });
    let tables: Vec<_> = tables.collect();
    if tables.is_empty() {
        let message = format!("no table has a column \"{}\"", column.unwrap_or(COLUMN));
        return Err(Error::new(SqlState::UNDEFINED_COLUMN, message)
            .with_hint("name the column with column_name => '…', or give tables the option erase_by"));
    }
    Ok(tables)
}

/// Erases in one transaction, and commits it.
async fn erase(session: &mut Session, asked: &Asked, running: &Running) -> Result<(Committed, Arc<Keys>)> {
    let requested_at = Utc::now();
    let tables = carrying(session, asked.column.as_deref())?;
    for (def, _) in &tables {
        session.rights()?.check_owner(def.id, "table", &def.name)?;
    }
    if !asked.dry_run {
        for (def, _) in &tables {
            session.lock_rows(def.id).await?;
        }
    }
    let known: HashSet<u32> = tables.iter().map(|(def, _)| def.id).collect();
    let tables = carrying(session, asked.column.as_deref())?;
    if tables.iter().any(|(def, _)| !known.contains(&def.id)) {
        let message = "could not serialize access: a table that carries the key was made by a concurrent transaction";
        return Err(Error::new(SqlState::SERIALIZATION_FAILURE, message));
    }
    let keys = Arc::new(Keys::new(asked.keys.clone(), tables.iter().map(|(_, column)| column.clone())));
    let (mut erased, mut objects, mut folders) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for (def, column) in tables {
        let (rows, files) = remove_rows(session, &def, &column, asked, running).await?;
        if !files.is_empty() {
            folders.insert(def.path.clone());
        }
        let count = files.len() as u64;
        objects.extend(files);
        erased.push(Erased { def, column, rows, files: count });
    }
    let view = session.work()?.view();
    let ids: Vec<u32> = erased.iter().map(|erased| erased.def.id).collect();
    let remains = session.engine().remains(view, ids, Arc::clone(&keys)).await?;
    let with_remains = erased.iter().filter(|e| remains.objects.iter().any(|object| is_in(object, &e.def.path)));
    folders.extend(with_remains.map(|erased| erased.def.path.clone()));
    folders.extend(remains.logs);
    objects.extend(remains.objects);
    let objects: Vec<String> = objects.into_iter().collect();
    let due = requested_at + asked.grace;
    if asked.dry_run {
        session.leave_work();
        return Ok((Committed { erasure_id: None, due: None, tables: erased, objects, pending: None }, keys));
    }

    let erasure_id = uuid::Uuid::new_v4().to_string();
    let done = objects.is_empty() && folders.is_empty();
    let requested_by = session.rights()?.definition().map(|role| role.name.clone()).unwrap_or_default();
    let request = ErasureRequest {
        erasure_id: &erasure_id,
        requested_at,
        requested_by: &requested_by,
        keys: asked.keys.len(),
        tables: erased.iter().filter(|erased| erased.rows > 0).count(),
        rows: erased.iter().map(|erased| erased.rows).sum(),
        objects: objects.len(),
        due,
        done,
    };
    let engine: Arc<Engine> = Arc::clone(session.engine());
    engine.record_erasure(session.work()?, request).await?;
    let mut pending = None;
    if !done {
        let id = session.work()?.allocate_id();
        let (folders, objects) = (folders.into_iter().collect(), objects.clone());
        let def = ErasureDef { id, erasure_id: erasure_id.clone(), requested_at, due, folders, objects };
        session.work()?.change(CatalogChange::PutErasure(def))?;
        engine.remember_erased(id, Arc::clone(&keys));
        pending = Some(id);
    }
    if let Err(e) = session.commit_now().await {
        pending.into_iter().for_each(|id| engine.forget_erased(id));
        return Err(e);
    }
    Ok((Committed { erasure_id: Some(erasure_id), due: Some(due), tables: erased, objects, pending }, keys))
}

/// Stages a table without the rows, or only counts them; says how many they are and in which objects.
async fn remove_rows(
    session: &mut Session,
    def: &Arc<TableDef>,
    column: &str,
    asked: &Asked,
    running: &Running,
) -> Result<(u64, Vec<String>)> {
    let planner = session.planner()?;
    let delete = delete(def, column, &asked.keys);
    let changes = change::plan(&planner, def, &delete, &[]).await?;
    let path = |path: &str| format!("{}/{path}", def.path);
    let plan = interruptible(planner.physical(&changes.logical).await?, running.ended())?;
    let (engine, task) = (Arc::clone(session.engine()), planner.state().task_ctx());
    if asked.dry_run {
        let mut places = engine.stream(plan, task)?;
        let (mut rows, mut files) = (0, BTreeSet::new());
        while let Some(batch) = places.try_next().await? {
            rows += batch.num_rows() as u64;
            files.extend(batch.column(0).as_primitive::<UInt32Type>().iter().flatten());
        }
        let files = files.iter().filter_map(|number| changes.state.files.get(*number as usize));
        return Ok((rows, files.map(|file| path(&file.path)).collect()));
    }
    let row_change = RowChange { plan, same_place: Twice::Ignored, same_key: None };
    let changed = engine.change(Arc::clone(&changes.state), row_change, task).await?;
    let files = changed.removes.iter().map(|file| path(&file.path)).collect();
    if !changed.removes.is_empty() {
        session.work()?.change_rows(def.id, changed.removes, changed.written, "DELETE", None);
    }
    Ok((changed.rows, files))
}

/// `DELETE FROM def WHERE column IN (keys)`.
fn delete(def: &TableDef, column: &str, keys: &[String]) -> Change {
    let quoted = |name: &str| Ident::with_quote('"', name);
    let literal = |key: &String| Expr::Value(Value::SingleQuotedString(key.clone()).into());
    Change {
        with: None,
        target: ObjectName::from(vec![quoted(&def.schema), quoted(&def.name)]),
        alias: None,
        from: Vec::new(),
        selection: Some(Expr::InList {
            expr: Box::new(Expr::Identifier(quoted(column))),
            list: keys.iter().map(literal).collect(),
            negated: false,
        }),
        kind: ChangeKind::Delete,
        returning: None,
    }
}

fn is_in(object: &str, folder: &str) -> bool {
    object.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Says what is left to do, and what was found that should not be there.
fn tell(session: &mut Session, stage: ErasureStage, found: &[Found], committed: &Committed) {
    match stage {
        ErasureStage::Pending => {
            let due = committed.due.map(|due| due.to_rfc3339()).unwrap_or_default();
            session.notice(format!("{} objects go after {due}", committed.objects.len()));
        }
        ErasureStage::Found => {
            session.warning(
                SqlState::WARNING,
                format!(
                    "what was erased is still found in {} objects: CALL audience.verify_erasure says where",
                    found.len()
                ),
            );
        }
        ErasureStage::Removed | ErasureStage::Verified => {}
    }
}

/// A row for each table.
fn answer(committed: &Committed, state: &str) -> Result<RecordBatch> {
    let tables = &committed.tables;
    let text = |value: &dyn Fn(&Erased) -> Option<String>| Arc::new(tables.iter().map(value).collect::<StringArray>());
    let number = |value: &dyn Fn(&Erased) -> u64| {
        Arc::new(tables.iter().map(|erased| Some(value(erased) as i64)).collect::<Int64Array>())
    };
    let is_left = ["pending", "dry run"].contains(&state);
    let left = |erased: &Erased| match is_left {
        true => committed.objects.iter().filter(|object| is_in(object, &erased.def.path)).count() as u64,
        false => 0,
    };
    let due = committed.due.map(|due| due.timestamp_micros());
    let columns: Vec<ArrayRef> = vec![
        text(&|_| committed.erasure_id.clone()),
        text(&|erased| Some(format!("{}.{}", erased.def.schema, erased.def.name))),
        text(&|erased| Some(erased.column.clone())),
        number(&|erased| erased.rows),
        number(&|erased| erased.files),
        number(&left),
        Arc::new(TimestampMicrosecondArray::from(vec![due; tables.len()]).with_timezone("UTC")),
        text(&|_| Some(state.to_owned())),
    ];
    Ok(RecordBatch::try_new(self::columns(), columns).map_err(DataFusionError::from)?)
}
