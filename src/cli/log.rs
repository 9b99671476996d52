//! The log: lines for people or JSON objects for machines, on standard error.

use std::fmt;
use std::io::IsTerminal;

use audiencedb::{Error, Result, SqlState};
use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, fmt as subscriber};

/// The form of the log's lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    /// Time, level, message, `name=value`.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The levels that `level` names; more than a word is a filter of the `tracing` crates.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// What a filter must be, for the level it names: our own lines at that level, those of libraries only when they warn.
fn filter(level: &str) -> Result<EnvFilter> {
    let refused = |why: &str| {
        Error::new(SqlState::CONFIG_FILE_ERROR, format!("log.level \"{level}\" is not a level or filter{why}"))
            .with_hint(format!("levels: {}; filters look like warn,audiencedb=debug", LEVELS.join(", ")))
    };
    // A word that is no level would be taken for the name of something whose lines alone are wanted.
    let is_level = |word: &str| word == "off" || LEVELS.contains(&word);
    if level.split(',').any(|part| !part.contains('=') && !is_level(part.trim())) {
        return Err(refused(""));
    }
    let directives = if LEVELS.contains(&level) && level != "error" {
        format!("warn,audiencedb={level},audiencedb_catalog={level}")
    } else {
        level.to_owned()
    };
    EnvFilter::try_new(directives).map_err(|e| refused(&format!(": {e}")))
}

/// Starts logging; the first call counts. `RUST_LOG`, where it is set, wins over `level`.
pub(super) fn install(level: &str, format: LogFormat) -> Result<()> {
    let filter = match EnvFilter::try_from_default_env() {
        Ok(filter) if std::env::var_os("RUST_LOG").is_some() => filter,
        _ => filter(level)?,
    };
    let lines = subscriber().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let installed = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.with_ansi(false).event_format(Json).try_init(),
    };
    installed.map_err(|e| Error::new(SqlState::CONFIG_FILE_ERROR, format!("could not start logging: {e}")))
}

/// One object a line: time, level, message, and the event's own fields.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Map::new();
        line.insert("time".to_owned(), Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true).into());
        line.insert("level".to_owned(), event.metadata().level().as_str().to_lowercase().into());
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        // What was given as a quoted string is the string.
        let text = serde_json::from_str::<String>(&text).unwrap_or(text);
        self.put(field, text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}
