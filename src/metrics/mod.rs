//! What the engine and its server count, for an operator's graphs and alarms: names and units as OpenMetrics has them.
//!
//! Counters are counted where things happen, with an atomic addition each; whatever has a value at any moment (memory,
//! queues, the process) is read when somebody asks.

mod process;

use std::sync::atomic::Ordering;
use std::time::Duration;

use catalog::store::Requests;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::error::{Error, Result, SqlState};

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Connections accepted, cancel requests and refused logins included.
    pub(crate) accepted: Counter,
    /// Clients that are logged in.
    pub(crate) open: Gauge,
    /// Bytes received from clients and sent to them, without TLS.
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
    /// Rows sent to clients.
    pub(crate) rows: Counter,
    /// Transactions that changed the warehouse.
    pub(crate) commits: Counter,
    /// Transactions that lost to another.
    pub(crate) conflicts: Counter,
    refused: Family<Refusal, Counter>,
    failed_logins: Counter,
    statements: Family<Command, Counter>,
    errors: Family<Class, Counter>,
    seconds: Histogram,
    sampled: Sampled,
}

/// What is read when somebody asks.
#[derive(Debug, Default)]
struct Sampled {
    memory_reserved: Gauge,
    memory_limit: Gauge,
    spilled: Gauge,
    spill_limit: Gauge,
    running: Gauge,
    waiting: Gauge,
    places: Gauge,
    log_position: Gauge,
    lease: Gauge,
    store_requests: Family<Operation, Counter>,
    store_failures: Counter,
    store_read: Counter,
    store_written: Counter,
}

/// The values of one moment, as the engine gives them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) memory_reserved: usize,
    pub(crate) memory_limit: usize,
    pub(crate) spilled: u64,
    pub(crate) spill_limit: u64,
    pub(crate) running: usize,
    pub(crate) waiting: usize,
    pub(crate) places: usize,
    pub(crate) log_position: u64,
    pub(crate) writing: bool,
    pub(crate) store: Requests,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    sqlstate: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Command {
    command: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Class {
    sqlstate_class: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State(SqlState);

impl EncodeLabelValue for State {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.0.encode(encoder)
    }
}

/// From a millisecond to ten minutes: look-ups and scans of everything.
const BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0];

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        process::register(&mut registry);
        let metrics = Self {
            accepted: Counter::default(),
            open: Gauge::default(),
            received: Counter::default(),
            sent: Counter::default(),
            rows: Counter::default(),
            commits: Counter::default(),
            conflicts: Counter::default(),
            refused: Family::default(),
            failed_logins: Counter::default(),
            statements: Family::default(),
            errors: Family::default(),
            seconds: Histogram::new(BUCKETS),
            sampled: Sampled::default(),
            registry: Registry::default(),
        };
        let r = registry.sub_registry_with_prefix("audiencedb");
        r.register("build", "Version of the program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        r.register("connections_accepted", "Connections accepted, whatever came of them", metrics.accepted.clone());
        r.register("connections_open", "Clients that are logged in", metrics.open.clone());
        r.register("connections_refused", "Connections refused at login, by SQLSTATE", metrics.refused.clone());
        r.register("logins_failed", "Logins with a wrong password or user", metrics.failed_logins.clone());
        let (bytes, seconds) = (|| Unit::Bytes, Unit::Seconds);
        r.register_with_unit("received", "Data received from clients", bytes(), metrics.received.clone());
        r.register_with_unit("sent", "Data sent to clients", bytes(), metrics.sent.clone());
        r.register("rows_sent", "Rows sent to clients", metrics.rows.clone());
        r.register("statements", "Statements that succeeded, by command", metrics.statements.clone());
        r.register("statement_errors", "Statements that failed, by class of SQLSTATE", metrics.errors.clone());
        let help = "Time from the arrival of a statement to the last of its answer";
        r.register_with_unit("statement_duration", help, seconds, metrics.seconds.clone());
        r.register("commits", "Transactions that changed the warehouse", metrics.commits.clone());
        r.register("commit_conflicts", "Transactions that lost to a concurrent one (40001)", metrics.conflicts.clone());
        let s = &metrics.sampled;
        let help = "Memory that sorts, joins and aggregates hold";
        r.register_with_unit("memory_reserved", help, bytes(), s.memory_reserved.clone());
        r.register_with_unit("memory_limit", "Memory they may hold", bytes(), s.memory_limit.clone());
        r.register_with_unit("spilled", "Temporary files there are", bytes(), s.spilled.clone());
        r.register_with_unit("spill_limit", "Temporary files there may be", bytes(), s.spill_limit.clone());
        r.register("heavy_statements_running", "Heavy statements that run", s.running.clone());
        r.register("heavy_statements_waiting", "Heavy statements that wait for others", s.waiting.clone());
        r.register("heavy_statements_limit", "Heavy statements that may run at one time", s.places.clone());
        r.register(
            "log_position",
            "Last entry of the warehouse's log that this process has seen",
            s.log_position.clone(),
        );
        r.register("write_lease_held", "1: this process writes; 0: it only reads", s.lease.clone());
        let help = "Requests to the warehouse's store, by operation";
        r.register("store_requests", help, s.store_requests.clone());
        let help = "Requests to the store that failed; that an object is missing is no failure";
        r.register("store_request_failures", help, s.store_failures.clone());
        r.register_with_unit("store_read", "Data asked of the store", bytes(), s.store_read.clone());
        r.register_with_unit("store_written", "Data given to the store", bytes(), s.store_written.clone());
        Self { registry, ..metrics }
    }

    /// A login was refused.
    pub(crate) fn login_refused(&self, sqlstate: SqlState) {
        self.refused.get_or_create(&Refusal { sqlstate: State(sqlstate) }).inc();
    }

    /// A login was refused because of its password, or a user that may not log in.
    pub(crate) fn login_failed(&self) {
        self.failed_logins.inc();
    }

    /// A statement succeeded; `tag` is what its command tag says.
    pub(crate) fn succeeded(&self, tag: &str, took: Duration) {
        // Without the counts at its end, there are as many as there are commands.
        let command = tag.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
        match self.statements.get(&Command { command: command.to_owned() }) {
            Some(counter) => counter.inc(),
            None => self.statements.get_or_create(&Command { command: command.to_owned() }).inc(),
        };
        self.seconds.observe(took.as_secs_f64());
    }

    /// A statement failed.
    pub(crate) fn failed(&self, sqlstate: SqlState, took: Duration) {
        let sqlstate_class = sqlstate.0.get(..2).unwrap_or(sqlstate.0).to_owned();
        self.errors.get_or_create(&Class { sqlstate_class }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// All of it in the text form of OpenMetrics, with the values of this moment.
    pub(crate) fn text(&self, sample: Sample) -> Result<String> {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let s = &self.sampled;
        for (gauge, value) in [
            (&s.memory_reserved, sample.memory_reserved as u64),
            (&s.memory_limit, sample.memory_limit as u64),
            (&s.spilled, sample.spilled),
            (&s.spill_limit, sample.spill_limit),
            (&s.running, sample.running as u64),
            (&s.waiting, sample.waiting as u64),
            (&s.places, sample.places as u64),
            (&s.log_position, sample.log_position),
            (&s.lease, u64::from(sample.writing)),
        ] {
            gauge.set(signed(value));
        }
        // Counted by the store itself, and only repeated here.
        let repeat = |counter: &Counter, value: u64| counter.inner().store(value, Ordering::Relaxed);
        let store = sample.store;
        for (operation, count) in [
            ("get", store.gets),
            ("put", store.puts),
            ("list", store.lists),
            ("delete", store.deletes),
            ("copy", store.copies),
        ] {
            repeat(&s.store_requests.get_or_create(&Operation { operation }), count);
        }
        repeat(&s.store_failures, store.failures);
        repeat(&s.store_read, store.bytes_read);
        repeat(&s.store_written, store.bytes_written);
        let mut out = String::with_capacity(8 << 10);
        text::encode(&mut out, &self.registry).map_err(|e| Error::internal(format!("metrics: {e}")))?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_openmetrics() {
        let metrics = Metrics::new();
        metrics.succeeded("INSERT 0 12", Duration::from_millis(2));
        metrics.succeeded("CREATE TABLE", Duration::from_millis(2));
        metrics.failed(SqlState::UNDEFINED_TABLE, Duration::from_secs(2));
        metrics.login_refused(SqlState::TOO_MANY_CONNECTIONS);
        let sample = Sample {
            memory_reserved: 1,
            memory_limit: 2,
            spilled: 3,
            spill_limit: 4,
            running: 5,
            waiting: 6,
            places: 7,
            log_position: 8,
            writing: true,
            store: Requests { gets: 9, bytes_read: 10, ..Requests::default() },
        };
        let text = metrics.text(sample).unwrap();
        for line in [
            "# TYPE audiencedb_statements counter",
            "audiencedb_statements_total{command=\"INSERT\"} 1",
            "audiencedb_statements_total{command=\"CREATE TABLE\"} 1",
            "audiencedb_statement_errors_total{sqlstate_class=\"42\"} 1",
            "audiencedb_connections_refused_total{sqlstate=\"53300\"} 1",
            "audiencedb_statement_duration_seconds_count 3",
            "audiencedb_memory_limit_bytes 2",
            "# UNIT audiencedb_memory_limit_bytes bytes",
            "audiencedb_write_lease_held 1",
            "audiencedb_heavy_statements_waiting 6",
            "audiencedb_store_requests_total{operation=\"get\"} 9",
            "audiencedb_store_requests_total{operation=\"put\"} 0",
            "audiencedb_store_read_bytes_total 10",
            "# TYPE process_cpu_seconds counter",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        assert!(text.lines().any(|l| l.starts_with("process_resident_memory_bytes ") && !l.ends_with(" 0")));
    }
}
