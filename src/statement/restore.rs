//! `CALL audience.restore('t', version)`: the rows of an earlier version as the table's newest.

use catalog::objects::Relation;
use datafusion::scalar::ScalarValue;

use super::{QualifiedName, table};
use crate::error::{Error, Result, SqlState};
use crate::session::Session;

/// What it answers with.
pub(super) const COLUMNS: [&str; 4] = ["version", "files_restored", "files_removed", "rows"];

/// Runs it with `table_name`, `version`.
pub(super) async fn run(session: &mut Session, values: &[ScalarValue]) -> Result<Vec<Option<i64>>> {
    let [table_name, version] = values else {
        return Err(Error::internal("audience.restore was called with other arguments than it has"));
    };
    let (Some(name), ScalarValue::Int64(Some(version))) = (table_name.try_as_str().flatten(), version) else {
        let message = "audience.restore needs a table and one of its versions";
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
            .with_hint("audience.table_history('t') tells the versions of a table"));
    };
    let def = match table::find(session, &QualifiedName::parse(name)?)? {
        Relation::Table(def) => def,
        Relation::View(view) => {
            let message = format!("\"{}\" is not a table", view.name);
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
    };
    session.rights()?.check_owner(def.id, "table", &def.name)?;
    table::writable(&def)?;
    // All of its files may go, so nobody may be about to change rows in them.
    session.close_table(def.id).await?;
    let work = session.work()?;
    if work.objects().table(def.id).is_none() {
        return Err(Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{}\" does not exist", def.name)));
    }
    let done = work.restore(def.id, *version).await?;
    session.notice(format!(
        "table \"{}.{}\" has the rows of version {version}: {} files came back, {} went",
        def.schema, def.name, done.files_restored, done.files_removed
    ));
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(vec![
        Some(done.version),
        Some(count(done.files_restored)),
        Some(count(done.files_removed)),
        done.rows.map(count),
    ])
}
