//! A session's settings: SET, SHOW, RESET, and what the server and the engine act on.
//!
//! A setting has a type, bounds, a default and a meaning that somebody acts on (`definitions`); `values` keeps
//! the values of a session and what transactions do to them. Three texts have rules of their own: `date_style`,
//! `time_zone`, and lists of names (`identifiers`).
//!
//! A key design decision: there is no setting that is accepted and ignored. Where PostgreSQL's tools set something
//! of which we only do one value, that value is accepted and every other is refused with the reason (0A000).

mod as_of;
mod checks;
mod custom;
mod date_style;
mod definition;
mod definitions;
mod identifiers;
mod time_zone;
mod units;
mod values;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use datafusion::config::ConfigNonZeroUsize;
use parking_lot::RwLock;

use crate::error::Result;

use self::definition::Value;
use self::definitions::{DEFINITIONS, Key, MESSAGE_LEVELS};
pub(crate) use self::identifiers::quote_identifier;
pub(crate) use self::values::{Listed, Saved, Values};

/// How long a value lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Until it is set again. Set in a transaction that rolls back, it was never set.
    Session,
    /// Until the transaction ends; outside of one it ends at once, of which the caller warns (25P01).
    Local,
}

/// The settings of one session. Its functions (`current_setting`) read the same values through
/// [`Settings::shared`].
#[derive(Debug)]
pub(crate) struct Settings {
    values: Arc<RwLock<Values>>,
}

impl Settings {
    /// Every setting at its default, for a session of `user`.
    pub(crate) fn new(user: &str, superuser: bool) -> Self {
        let mut values = Values::new();
        values.set_internal(Key::SessionAuthorization, Value::Text(user.to_owned()));
        values.set_internal(Key::IsSuperuser, Value::Bool(superuser));
        // The client hears these when it connects, not as changes.
        values.take_changed_reported();
        Self { values: Arc::new(RwLock::new(values)) }
    }

    /// The user that the session speaks for.
    pub(crate) fn user(&self) -> String {
        self.values.read().text(Key::SessionAuthorization).to_owned()
    }

    /// The role that the session has taken.
    pub(crate) fn role(&self) -> Option<String> {
        self.values.read().role().map(str::to_owned)
    }

    /// What `SET ROLE` sets, once it is known to be allowed; no other way leads there.
    pub(crate) fn take_role(&mut self, role: Option<&str>, superuser: bool, scope: Scope) {
        let mut values = self.values.write();
        values.put(Key::Role, Value::Text(role.unwrap_or("none").to_owned()), scope);
        values.put(Key::IsSuperuser, Value::Bool(superuser), scope);
    }

    /// What `SET SESSION AUTHORIZATION` sets, once it is known to be allowed.
    pub(crate) fn speak_for(&mut self, user: &str, superuser: bool, scope: Scope) {
        self.values.write().put(Key::SessionAuthorization, Value::Text(user.to_owned()), scope);
        self.take_role(None, superuser, scope);
    }

    /// A second handle on the same values.
    pub(crate) fn shared(&self) -> Arc<RwLock<Values>> {
        Arc::clone(&self.values)
    }

    /// Sets a setting; `None` is DEFAULT. A list such as `search_path` is given as one text, its names quoted where
    /// needed.
    ///
    /// # Errors
    /// 42704 for a name that is no setting, 22023 for a value that is none, 0A000 for a value that PostgreSQL has
    /// and we do not, 55P02 for what only the server sets.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>, scope: Scope) -> Result<()> {
        self.values.write().set(name, value, scope)
    }

    /// The value as SHOW prints it; 42704 for a name that is no setting.
    pub(crate) fn get(&self, name: &str) -> Result<String> {
        self.values.read().get(name)
    }

    /// The name as SHOW heads its column with it; 42704 for a name that is no setting.
    pub(crate) fn display_name(&self, name: &str) -> Result<String> {
        self.values.read().display_name(name)
    }

    /// Sets what RESET comes back to, and the value with it: what the client says when it connects.
    pub(crate) fn set_default(&mut self, name: &str, value: &str) -> Result<()> {
        self.values.write().set_default(name, value)
    }

    /// Name, value and description of every setting, by name: SHOW ALL.
    pub(crate) fn show_all(&self) -> impl Iterator<Item = (&'static str, String, &'static str)> + use<> {
        let values = self.values.read();
        let shown: Vec<_> = DEFINITIONS.iter().map(|d| (d.name, values.show(d), d.description)).collect();
        shown.into_iter()
    }

    /// Everything back to the default, except what belongs to the open transaction.
    pub(crate) fn reset_all(&mut self) {
        self.values.write().reset_all();
    }

    /// A transaction block begins.
    pub(crate) fn begin(&mut self) {
        self.values.write().begin();
    }

    /// The block ends; what it set for the session stays.
    pub(crate) fn commit(&mut self) {
        self.values.write().commit();
    }

    /// The block ends; what it set is undone.
    pub(crate) fn rollback(&mut self) {
        self.values.write().rollback();
    }

    /// The values as they are, for a savepoint.
    pub(crate) fn saved(&self) -> Saved {
        self.values.read().saved()
    }

    /// Back to a savepoint of the open block.
    pub(crate) fn return_to(&mut self, saved: &Saved) {
        self.values.write().return_to(saved);
    }

    /// The settings that clients are told of when they connect, with their values.
    pub(crate) fn reported(&self) -> Vec<(String, String)> {
        let values = self.values.read();
        let reported = DEFINITIONS.iter().filter(|d| d.reported);
        reported.map(|d| (d.name.to_owned(), values.show(d))).collect()
    }

    /// Those of them that changed since this was last asked.
    pub(crate) fn take_changed_reported(&mut self) -> Vec<(String, String)> {
        self.values.write().take_changed_reported()
    }

    /// The longest time a statement may run; `None` is no limit.
    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        self.timeout(Key::StatementTimeout)
    }

    /// The longest wait for a lock; `None` is no limit.
    pub(crate) fn lock_timeout(&self) -> Option<Duration> {
        self.timeout(Key::LockTimeout)
    }

    /// How long a client may leave a transaction waiting; `None` is no limit.
    pub(crate) fn idle_in_transaction_timeout(&self) -> Option<Duration> {
        self.timeout(Key::IdleInTransactionSessionTimeout)
    }

    /// How long a client may send nothing outside of a transaction; `None` is no limit.
    pub(crate) fn idle_timeout(&self) -> Option<Duration> {
        self.timeout(Key::IdleSessionTimeout)
    }

    fn timeout(&self, key: Key) -> Option<Duration> {
        let limit = u64::try_from(self.values.read().number(key)).ok();
        limit.filter(|limit| *limit > 0).map(Duration::from_millis)
    }

    /// The time zone as Arrow names it: `Europe/Berlin`, or `+05:30` counted east of Greenwich.
    pub(crate) fn time_zone(&self) -> String {
        time_zone::arrow_name(self.values.read().text(Key::TimeZone))
    }

    /// The instant that statements look back to; `None` is now.
    pub(crate) fn as_of(&self) -> Option<DateTime<Utc>> {
        as_of::instant(self.values.read().text(Key::AsOf))
    }

    /// The schemas that names are looked up in, first to last; `$user` stands for the schema named like the user.
    pub(crate) fn search_path(&self) -> Vec<String> {
        self.values.read().search_path()
    }

    /// Whether the transaction (outside of a block: the next statement) may only read.
    pub(crate) fn transaction_read_only(&self) -> bool {
        self.values.read().on(Key::TransactionReadOnly)
    }

    /// Whether the client wants to hear a message of this severity (`NOTICE`, `WARNING`…).
    pub(crate) fn wants_message(&self, severity: &str) -> bool {
        let rank = |level: &str| MESSAGE_LEVELS.iter().position(|known| known.eq_ignore_ascii_case(level));
        match (rank(severity), rank(self.values.read().text(Key::ClientMinMessages))) {
            (Some(severity), Some(least)) => severity >= least,
            // INFO was asked for, and is always sent.
            _ => true,
        }
    }

    /// Parallel streams of a statement; `None` is one per processor.
    pub(crate) fn target_partitions(&self) -> Option<usize> {
        let number = usize::try_from(self.values.read().number(Key::TargetPartitions)).ok();
        number.filter(|number| *number > 0)
    }

    /// Rows per batch.
    pub(crate) fn batch_size(&self) -> Option<ConfigNonZeroUsize> {
        let number = usize::try_from(self.values.read().number(Key::BatchSize)).ok()?;
        ConfigNonZeroUsize::try_new(number).ok()
    }

    /// Whether filters are evaluated while Parquet is decoded.
    pub(crate) fn pushdown_filters(&self) -> bool {
        self.values.read().on(Key::PushdownFilters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drivers_send_at_the_start_works() {
        let mut settings = Settings::new("postgres", true);
        for (name, value) in [
            ("extra_float_digits", "3"),
            ("application_name", "PostgreSQL JDBC Driver"),
            ("DateStyle", "ISO"),
            ("client_encoding", "UTF8"),
            ("client_min_messages", "WARNING"),
            ("search_path", "segments,public"),
            ("statement_timeout", "30s"),
            ("TimeZone", "europe/paris"),
        ] {
            settings.set(name, Some(value), Scope::Session).unwrap();
        }
        assert_eq!(settings.statement_timeout(), Some(Duration::from_secs(30)));
        assert_eq!(settings.search_path(), ["segments", "public"]);
        assert_eq!(settings.time_zone(), "Europe/Paris");
        assert!(
            settings.wants_message("WARNING") && settings.wants_message("INFO") && !settings.wants_message("NOTICE")
        );
        assert_eq!(settings.shared().read().get("is_superuser").unwrap(), "on");
    }

    #[test]
    fn typed_getters_have_their_defaults() {
        let settings = Settings::new("ana", false);
        assert_eq!((settings.statement_timeout(), settings.target_partitions()), (None, None));
        assert_eq!(settings.batch_size().map(|rows| rows.get()), Some(8192));
        assert_eq!(settings.display_name("datestyle").unwrap(), "DateStyle");
        assert!(!settings.pushdown_filters() && !settings.transaction_read_only());
        let reported = settings.reported();
        assert!(reported.contains(&("session_authorization".to_owned(), "ana".to_owned())));
        assert!(reported.contains(&("server_version".to_owned(), "15.8".to_owned())));
        assert!(settings.show_all().count() > reported.len());
    }
}
