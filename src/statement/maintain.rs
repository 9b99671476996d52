//! `CALL audience.maintain(…)`: one table, or all of them and the warehouse's own log.

use std::sync::Arc;
use std::time::Duration;

use catalog::maintain::Maintained;
use catalog::objects::{Relation, TableDef};
use datafusion::scalar::ScalarValue;

use super::{QualifiedName, table};
use crate::engine::Trigger;
use crate::error::{Error, Result, SqlState};
use crate::session::Session;

/// What it answers with.
pub(super) const COLUMNS: [&str; 9] = [
    "tables",
    "files_before",
    "files_after",
    "bytes_read",
    "bytes_written",
    "commits",
    "checkpoints",
    "files_removed",
    "bytes_removed",
];

const DAY: u64 = 86_400;
/// An interval counts a month as this many days where it has to be a length of time.
const MONTH: u64 = 30;

/// Runs it with `table_name`, `dry_run`, `retain`, `retain_log`.
pub(super) async fn run(session: &mut Session, values: &[ScalarValue]) -> Result<[i64; 9]> {
    let [table_name, dry_run, retain, retain_log] = values else {
        return Err(Error::internal("audience.maintain was called with other arguments than it has"));
    };
    let defaults = session.engine().maintenance();
    let mut options = defaults.thorough();
    options.dry_run = matches!(dry_run, ScalarValue::Boolean(Some(true)));
    options.retain = Some(length("retain", retain)?.unwrap_or(defaults.retain));
    options.retain_log = Some(length("retain_log", retain_log)?.unwrap_or(defaults.retain_log));

    let one = table_name.try_as_str().flatten().map(QualifiedName::parse).transpose()?;
    let tables: Vec<Arc<TableDef>> = match &one {
        Some(name) => match table::find(session, name)? {
            Relation::Table(def) => vec![def],
            Relation::View(view) => {
                let message = format!("\"{}\" is not a table", view.name);
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
        },
        None => session.work()?.objects().tables().cloned().collect(),
    };
    for def in &tables {
        allowed(session, def)?;
    }
    if one.is_none() && !session.rights()?.is_superuser() {
        let message = "must be superuser to maintain the whole warehouse";
        return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
            .with_hint("name a table of yours: CALL audience.maintain('t')"));
    }
    // What this session itself reads must not keep files from being removed.
    session.leave_work();

    let engine = Arc::clone(session.engine());
    let mut total = Maintained::default();
    for def in &tables {
        let done = match engine.maintain_table(def, &options, Trigger::Call).await {
            // Somebody dropped it while the others were maintained.
            Err(e) if one.is_none() && e.sqlstate == SqlState::UNDEFINED_TABLE => continue,
            done => done?,
        };
        if !done.is_idle() || options.dry_run {
            session.notice(told(def, &done, options.dry_run));
        }
        total = total.and(done);
    }
    if one.is_none() {
        total = total.and(engine.maintain_warehouse(&options).await?);
    }
    let counts = [
        tables.len() as u64,
        total.files_before,
        total.files_after,
        total.bytes_read,
        total.bytes_written,
        total.commits,
        total.checkpoints,
        total.files_removed,
        total.bytes_removed,
    ];
    Ok(counts.map(|count| i64::try_from(count).unwrap_or(i64::MAX)))
}

/// That the session's role may maintain a table: it has to be its owner's. The one place that decides it.
fn allowed(session: &mut Session, def: &TableDef) -> Result<()> {
    session.rights()?.check_owner(def.id, "table", &def.name)
}

fn told(def: &TableDef, done: &Maintained, dry_run: bool) -> String {
    let (merged, removed) = if dry_run { ("would become", "would go") } else { ("became", "removed") };
    format!(
        "table \"{}.{}\": {} files {merged} {}, {} files {removed}",
        def.schema, def.name, done.files_before, done.files_after, done.files_removed
    )
}

/// An interval as a length of time; `None` for null.
pub(super) fn length(name: &str, value: &ScalarValue) -> Result<Option<Duration>> {
    let ScalarValue::IntervalMonthDayNano(Some(interval)) = value else { return Ok(None) };
    let days = i64::from(interval.months) * MONTH as i64 + i64::from(interval.days);
    let seconds = days.saturating_mul(DAY as i64).saturating_add(interval.nanoseconds / 1_000_000_000);
    match u64::try_from(seconds) {
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
        Err(_) => {
            let message = format!("{name} must not be negative");
            Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}
