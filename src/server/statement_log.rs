//! What is written down of each statement, and counted: never its values unless the operator asks for its text.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::metrics::Metrics;

/// Which statements are logged with their text before they run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStatement {
    /// None.
    #[default]
    None,
    /// Those that define objects and privileges.
    Ddl,
    /// Those, and those that change data.
    Mod,
    /// All.
    All,
}

/// What of statements goes into the log. Their text holds data of customers, so that none of it does by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatementLogOptions {
    /// Which are logged before they run.
    pub log_statement: LogStatement,
    /// Those that took at least so long are logged with their text when they are done; `None`: none.
    pub log_min_duration_statement: Option<Duration>,
}

/// The log of one connection's statements.
pub(super) struct StatementLog {
    options: StatementLogOptions,
    metrics: Arc<Metrics>,
    pid: i32,
    user: String,
    /// When the statement arrived, or when the one before it in the same message was done.
    since: Instant,
    /// Its text, if that may be needed.
    text: String,
}

impl StatementLog {
    pub(super) fn new(options: StatementLogOptions, metrics: Arc<Metrics>, pid: i32, user: String) -> Self {
        Self { options, metrics, pid, user, since: Instant::now(), text: String::new() }
    }

    /// A message arrived.
    pub(super) fn arrived(&mut self) {
        self.since = Instant::now();
        self.text.clear();
    }

    /// A statement is about to run.
    pub(super) fn begins(&mut self, text: &str) {
        if self.options.log_min_duration_statement.is_some() {
            text.clone_into(&mut self.text);
        }
        if self.options.log_statement != LogStatement::None && kind(text) <= self.options.log_statement as u8 {
            tracing::info!(pid = self.pid, user = ?self.user, statement = shown(text), "statement");
        }
    }

    /// It succeeded, with this command tag.
    pub(super) fn succeeded(&mut self, tag: &str) {
        let took = self.since.elapsed();
        self.metrics.succeeded(tag, took);
        if self.options.log_min_duration_statement.is_some_and(|least| took >= least) {
            let milliseconds = took.as_secs_f64() * 1000.0;
            let duration = format!("{milliseconds:.3} ms");
            tracing::info!(pid = self.pid, user = ?self.user, duration, tag, statement = shown(&self.text), "duration");
        }
        self.since = Instant::now();
    }

    /// It failed. Neither its text nor the message is written: both may hold the data of customers.
    pub(super) fn failed(&mut self, error: &Error) {
        let took = self.since.elapsed();
        self.metrics.failed(error.sqlstate, took);
        let duration = format!("{:.3} ms", took.as_secs_f64() * 1000.0);
        tracing::info!(pid = self.pid, user = ?self.user, sqlstate = error.sqlstate.0, duration, "statement failed");
        self.since = Instant::now();
    }
}

/// The least of `LogStatement` that logs a statement, by its first word.
fn kind(text: &str) -> u8 {
    let word: String = first_word(text).chars().map(|c| c.to_ascii_lowercase()).collect();
    let least = match word.as_str() {
        "create" | "alter" | "drop" | "comment" | "grant" | "revoke" | "reassign" | "security" | "import" => {
            LogStatement::Ddl
        }
        "insert" | "update" | "delete" | "merge" | "truncate" | "copy" | "refresh" | "call" => LogStatement::Mod,
        _ => LogStatement::All,
    };
    least as u8
}

/// The first word behind white space, comments and parentheses.
fn first_word(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else {
            break;
        }
    }
    rest.split(|c: char| !c.is_alphabetic()).next().unwrap_or("")
}

/// The text as it is logged: not at all if there may be a password or another secret in it.
fn shown(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let secret = ["password", "secret", "scram-sha-256", "credential", "token"].iter().any(|word| lower.contains(word));
    if secret { "(not shown: it may hold a password)" } else { text.trim() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_statements() {
        for (text, least) in [
            ("SELECT 1", LogStatement::All),
            ("-- why\n /* and\nhow */ (select 1)", LogStatement::All),
            ("insert into t values (1)", LogStatement::Mod),
            ("  Create TABLE t ()", LogStatement::Ddl),
            ("", LogStatement::All),
            ("/* unfinished", LogStatement::All),
        ] {
            assert_eq!(kind(text), least as u8, "{text}");
        }
    }

    #[test]
    fn passwords_are_never_shown() {
        for text in ["ALTER ROLE ana PASSWORD 'x'", "create user a paSSword 'x'", "SELECT 'SCRAM-SHA-256$4096:…'"] {
            assert_eq!(shown(text), "(not shown: it may hold a password)");
        }
        assert_eq!(shown(" SELECT 1 "), "SELECT 1");
    }
}
