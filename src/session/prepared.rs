//! Prepared statements by name, those of SQL and those of the client's protocol in one place: each can be executed
//! the other way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::FieldRef;
use parking_lot::Mutex;

use super::Prepared;
use crate::error::{Error, Result, SqlState};
use crate::values::pg_type::PgType;

/// How many a session may keep: a driver that forgets to close its statements must not fill memory.
const MOST: usize = 10_000;

/// The prepared statements of one session; the empty name is the protocol's unnamed one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statements(Arc<Mutex<BTreeMap<String, Arc<Named>>>>);

/// A statement kept under a name.
#[derive(Debug)]
pub(crate) struct Named {
    /// `None`: the text was empty.
    pub(crate) plan: Option<Prepared>,
    /// As a client has to send them: those of the plan, and those it declared beyond them.
    pub(crate) parameters: Vec<Parameter>,
    /// What was sent to prepare it.
    pub(crate) text: Arc<str>,
    pub(crate) prepared_at: DateTime<Utc>,
    /// PREPARE made it, not the protocol.
    pub(crate) from_sql: bool,
    executions: AtomicU64,
}

/// A parameter of a prepared statement.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// The type that clients send.
    pub(crate) oid: u32,
    /// What the plan takes.
    pub(crate) target: FieldRef,
}

impl Named {
    pub(crate) fn new(plan: Option<Prepared>, parameters: Vec<Parameter>, text: Arc<str>, from_sql: bool) -> Self {
        Self { plan, parameters, text, prepared_at: Utc::now(), from_sql, executions: AtomicU64::new(0) }
    }

    /// One that PREPARE made: clients that execute it by the protocol send what the plan takes.
    pub(crate) fn from_sql(plan: Prepared, text: Arc<str>) -> Self {
        let parameter = |field: &datafusion::arrow::datatypes::Field| Parameter {
            oid: PgType::of(field).oid,
            target: Arc::new(field.clone()),
        };
        let parameters = plan.params.iter().map(parameter).collect();
        Self::new(Some(plan), parameters, text, true)
    }

    /// Counts an execution.
    pub(crate) fn count(&self) {
        self.executions.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was executed. Each time it was planned anew, for the values and tables of the day.
    pub(crate) fn executions(&self) -> u64 {
        self.executions.load(Ordering::Relaxed)
    }
}

impl Statements {
    /// The statement of that name.
    ///
    /// # Errors
    /// 26000 if there is none.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Named>> {
        self.0.lock().get(name).map(Arc::clone).ok_or_else(|| missing(name))
    }

    /// Asserts that a name is free.
    ///
    /// # Errors
    /// 42P05 if it is not, 54000 if there are too many statements.
    pub(crate) fn check_free(&self, name: &str) -> Result<()> {
        let statements = self.0.lock();
        if statements.contains_key(name) && !name.is_empty() {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(Error::new(SqlState::DUPLICATE_PREPARED_STATEMENT, message));
        }
        if statements.len() >= MOST && !name.is_empty() {
            let message = format!("a session may keep {MOST} prepared statements");
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message).with_hint("deallocate some of them"));
        }
        Ok(())
    }

    /// Keeps a statement. Only the unnamed one is replaced.
    pub(crate) fn put(&self, name: String, statement: Named) -> Result<()> {
        self.check_free(&name)?;
        self.0.lock().insert(name, Arc::new(statement));
        Ok(())
    }

    /// Forgets a statement; `false` if there is none.
    pub(crate) fn remove(&self, name: &str) -> bool {
        self.0.lock().remove(name).is_some()
    }

    /// Forgets a statement that has to be there: 26000.
    pub(crate) fn deallocate(&self, name: &str) -> Result<()> {
        if self.remove(name) { Ok(()) } else { Err(missing(name)) }
    }

    /// Forgets all that have a name.
    pub(crate) fn clear(&self) {
        self.0.lock().retain(|name, _| name.is_empty());
    }

    /// Those that have a name, in its order.
    pub(crate) fn list(&self) -> Vec<(String, Arc<Named>)> {
        let statements = self.0.lock();
        let named = statements.iter().filter(|(name, _)| !name.is_empty());
        named.map(|(name, statement)| (name.clone(), Arc::clone(statement))).collect()
    }
}

fn missing(name: &str) -> Error {
    let what = if name.is_empty() {
        "unnamed prepared statement".to_owned()
    } else {
        format!("prepared statement \"{name}\"")
    };
    Error::new(SqlState::INVALID_SQL_STATEMENT_NAME, format!("{what} does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Named {
        Named::new(None, Vec::new(), "".into(), false)
    }

    #[test]
    fn names_are_taken_once_and_the_unnamed_one_is_replaced() {
        let statements = Statements::default();
        statements.put("a".to_owned(), empty()).unwrap();
        assert_eq!(statements.put("a".to_owned(), empty()).unwrap_err().sqlstate.0, "42P05");
        statements.put(String::new(), empty()).unwrap();
        statements.put(String::new(), empty()).unwrap();
        assert_eq!(statements.list().len(), 1);
        statements.clear();
        assert!(statements.get("").is_ok());
        assert_eq!(statements.deallocate("a").unwrap_err().sqlstate.0, "26000");
    }
}
