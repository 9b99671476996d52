//! Settings: the commented file that is compiled in, the operator's file over it, the environment over that, flags
//! over all. What comes out are the options of each part, which are composed here and nowhere else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audiencedb::server::{LogStatement, Plaintext, ServerOptions, StatementLogOptions, Tls, TlsOptions, TlsVersion};
use audiencedb::{AdmissionOptions, EngineOptions, Error, MaintenanceOptions, Result, SqlState};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::log::LogFormat;
use super::units::{Limit, Share, Size, Time};

/// The documentation of all settings, and their defaults.
pub(super) const REFERENCE: &str = include_str!("../config.toml");

/// What environment variables begin with.
const PREFIX: &str = "AUDIENCEDB_";
/// Credentials of object stores, in the environment and in `[store]`.
const STORE_PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// All settings.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    pub(super) data: String,
    pub(super) listen: SocketAddr,
    pub(super) max_connections: usize,
    superuser_reserved_connections: usize,
    authentication_timeout: Time,
    idle_session_timeout: Limit,
    tcp_keepalives_idle: Limit,
    shutdown_grace: Time,
    pub(super) memory: Memory,
    pub(super) spill: Spill,
    admission: Admission,
    tls: TlsSection,
    pub(super) log: Log,
    pub(super) http: Http,
    pub(super) maintenance: Maintenance,
    store: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Memory {
    pub(super) limit: Share,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement_limit: Option<Size>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Spill {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) folder: Option<PathBuf>,
    limit: Size,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Admission {
    heavy_statements: usize,
    queue: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct TlsSection {
    #[serde(skip_serializing_if = "Option::is_none")]
    cert: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ca: Option<PathBuf>,
    min_version: TlsVersion,
    plaintext: Plaintext,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    pub(super) format: LogFormat,
    pub(super) level: String,
    log_statement: LogStatement,
    log_min_duration_statement: Limit,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Http {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) listen: Option<SocketAddr>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Maintenance {
    pub(super) background: bool,
    every: Time,
    small_files: usize,
    commits: u32,
    clean_every: Time,
    share: f64,
    retain: Time,
    retain_log: Time,
}

impl Default for Config {
    /// What the parts' own options have as defaults.
    fn default() -> Self {
        let server = ServerOptions::default();
        let data = "audiencedb-data";
        Self {
            data: data.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 5432)),
            max_connections: server.max_connections,
            superuser_reserved_connections: server.superuser_reserved_connections,
            authentication_timeout: Time(server.startup_timeout),
            idle_session_timeout: Limit(server.idle_timeout),
            tcp_keepalives_idle: Limit(server.keepalive),
            shutdown_grace: Time(server.shutdown_grace),
            memory: Memory::default(),
            spill: Spill::default(),
            admission: Admission::default(),
            tls: TlsSection::default(),
            log: Log::default(),
            http: Http::default(),
            maintenance: Maintenance::default(),
            store: BTreeMap::new(),
        }
    }
}

impl Default for Memory {
    /// Of a machine that is the server's own: an embedded engine takes less.
    fn default() -> Self {
        Self { limit: Share::Percent(60), statement_limit: None }
    }
}

impl Default for Spill {
    fn default() -> Self {
        Self { folder: None, limit: Size(EngineOptions::new("").spill_limit) }
    }
}

impl Default for Maintenance {
    fn default() -> Self {
        let usual = MaintenanceOptions::default();
        Self {
            background: usual.background,
            every: Time(usual.every),
            small_files: usual.small_files,
            commits: usual.commits,
            clean_every: Time(usual.clean_every),
            share: usual.share,
            retain: Time(usual.retain),
            retain_log: Time(usual.retain_log),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        let statements = StatementLogOptions::default();
        Self {
            format: LogFormat::default(),
            level: "info".to_owned(),
            log_statement: statements.log_statement,
            log_min_duration_statement: Limit(statements.log_min_duration_statement),
        }
    }
}

impl Config {
    /// Reads `file`, if there is one, and the environment over it.
    ///
    /// # Errors
    /// F0000 names the file and line, or the variable, and for an unknown key the nearest known one.
    pub(super) fn load(file: Option<&Path>) -> Result<Self> {
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::compose(file, environment)
    }

    fn compose(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Self> {
        let mut table = Table::new();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|e| wrong(format!("could not read the configuration file \"{}\": {e}", path.display())))?;
            // Checked alone first, while a mistake in it still has its line.
            Self::parse(path, &text)?;
            table = text.parse().map_err(|e| in_file(path, &text, &e))?;
        }
        let known = known();
        for (name, value) in environment {
            if STORE_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
                section(&mut table, "store")?.insert(name, Value::String(value));
            } else if let Some(key) = name.strip_prefix(PREFIX) {
                set(&mut table, &known, &name, key, value)?;
            }
        }
        let config: Self = table
            .try_into()
            .map_err(|e: toml::de::Error| wrong(format!("a setting in the environment is wrong: {}", e.message())))?;
        config.check()?;
        Ok(config)
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| in_file(path, text, &e))
    }

    /// What no single key can tell.
    pub(super) fn check(&self) -> Result<()> {
        if self.tls.cert.is_some() != self.tls.key.is_some() {
            return Err(wrong("tls.cert and tls.key are only of use together"));
        }
        if self.tls.client_ca.is_some() && (self.tls.cert.is_none() || self.tls.plaintext != Plaintext::Never) {
            return Err(wrong("tls.client_ca has no force while clients may connect without TLS")
                .with_hint("set tls.cert, tls.key and tls.plaintext = \"never\""));
        }
        if self.tls.cert.is_none() && self.tls.plaintext == Plaintext::Never {
            return Err(
                wrong("tls.plaintext is \"never\" but there is no certificate").with_hint("set tls.cert and tls.key")
            );
        }
        if self.max_connections == 0 || self.superuser_reserved_connections >= self.max_connections {
            return Err(wrong("superuser_reserved_connections has to be less than max_connections"));
        }
        let share = self.maintenance.share;
        if !(share > 0.0 && share <= 1.0) || self.maintenance.every.0 < Duration::from_secs(1) {
            return Err(wrong(
                "maintenance.share has to be above 0 and at most 1, maintenance.every at least a second",
            ));
        }
        if let Some(name) = self.store.keys().find(|name| !STORE_PREFIXES.iter().any(|p| name.starts_with(p))) {
            return Err(wrong(format!("store.{name} does not begin with {}", STORE_PREFIXES.join(", "))));
        }
        Ok(())
    }

    /// What is in force as a file, without secrets.
    pub(super) fn shown(&self) -> Result<String> {
        let mut shown = self.clone();
        for value in shown.store.values_mut() {
            "(not shown)".clone_into(value);
        }
        toml::to_string(&shown).map_err(|e| Error::internal(format!("settings: {e}")))
    }

    /// The options of an engine that does `purpose`.
    pub(super) fn engine(&self, purpose: String, create: bool) -> EngineOptions {
        let mut options = EngineOptions::new(&self.data);
        options.create = create;
        options.purpose = purpose;
        options.memory_limit = match self.memory.limit {
            Share::Percent(percent) => machine_memory() / 100 * usize::from(percent),
            Share::Bytes(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        };
        options.statement_memory_limit =
            self.memory.statement_limit.map(|Size(bytes)| usize::try_from(bytes).unwrap_or(usize::MAX));
        options.spill_folder = self.spill.folder.clone();
        options.spill_limit = self.spill.limit.0;
        let usual = AdmissionOptions::default();
        let heavy_statements = match self.admission.heavy_statements {
            0 => usual.heavy_statements,
            some => some,
        };
        options.admission = AdmissionOptions { heavy_statements, queue: self.admission.queue };
        options.maintenance = self.maintenance();
        options.store = self.store.clone().into_iter().collect();
        options
    }

    /// When tables are maintained.
    fn maintenance(&self) -> MaintenanceOptions {
        MaintenanceOptions {
            background: self.maintenance.background,
            every: self.maintenance.every.0,
            small_files: self.maintenance.small_files,
            commits: self.maintenance.commits,
            clean_every: self.maintenance.clean_every.0,
            share: self.maintenance.share,
            retain: self.maintenance.retain.0,
            retain_log: self.maintenance.retain_log.0,
        }
    }

    /// The options of the server; reads certificate and key.
    pub(super) fn server(&self) -> Result<ServerOptions> {
        let tls = match (&self.tls.cert, &self.tls.key) {
            (Some(cert), Some(key)) => Some(Tls::load(TlsOptions {
                cert: cert.clone(),
                key: key.clone(),
                client_ca: self.tls.client_ca.clone(),
                min_version: self.tls.min_version,
            })?),
            _ => None,
        };
        Ok(ServerOptions {
            max_connections: self.max_connections,
            superuser_reserved_connections: self.superuser_reserved_connections,
            tls,
            plaintext: self.tls.plaintext,
            log: StatementLogOptions {
                log_statement: self.log.log_statement,
                log_min_duration_statement: self.log.log_min_duration_statement.0,
            },
            startup_timeout: self.authentication_timeout.0.max(Duration::from_millis(1)),
            idle_timeout: self.idle_session_timeout.0,
            keepalive: self.tcp_keepalives_idle.0,
            shutdown_grace: self.shutdown_grace.0,
        })
    }
}

/// Every key with its section: those that have a default, and those that stand in the reference as a comment.
fn known() -> Vec<(Option<String>, String)> {
    let mut known = Vec::new();
    let mut current = None;
    for line in REFERENCE.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            current = Some(name.to_owned());
            continue;
        }
        let line = line.strip_prefix("# ").unwrap_or(line);
        let key = line.split_once(" = ").map(|(key, _)| key);
        let plain = |key: &&str| !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        known.extend(key.filter(plain).map(|key| (current.clone(), key.to_owned())));
    }
    known
}

/// Puts what the variable `name` says into the table.
fn set(table: &mut Table, known: &[(Option<String>, String)], name: &str, key: &str, value: String) -> Result<()> {
    let variable = |(section, key): &(Option<String>, String)| {
        section.iter().chain([key]).map(|part| part.to_uppercase()).collect::<Vec<_>>().join("_")
    };
    let Some((group, setting)) = known.iter().find(|pair| variable(pair) == key) else {
        let names: Vec<String> = known.iter().map(variable).collect();
        if let Some(near) = nearest(key, names.iter().map(String::as_str)) {
            eprintln!("warning: the environment variable {name} is no setting; perhaps {PREFIX}{near} is meant");
        }
        return Ok(());
    };
    let defaults = Table::try_from(Config::default()).map_err(|e| Error::internal(format!("settings: {e}")))?;
    let default = match group {
        Some(group) => defaults.get(group).and_then(|section| section.get(setting)),
        None => defaults.get(setting),
    };
    let not = |what: &str| wrong(format!("the environment variable {name} is not {what}: \"{value}\""));
    let value = match default {
        Some(Value::Integer(_)) => Value::Integer(value.trim().parse().map_err(|_| not("a number"))?),
        Some(Value::Float(_)) => Value::Float(value.trim().parse().map_err(|_| not("a number"))?),
        Some(Value::Boolean(_)) => Value::Boolean(value.trim().parse().map_err(|_| not("true or false"))?),
        _ => Value::String(value.clone()),
    };
    let of = match group {
        Some(group) => section(table, group)?,
        None => &mut *table,
    };
    of.insert(setting.clone(), value);
    // Told here, where the variable's name is known.
    Table::clone(table)
        .try_into::<Config>()
        .map(drop)
        .map_err(|e: toml::de::Error| wrong(format!("the environment variable {name} is wrong: {}", e.message())))
}

fn section<'a>(table: &'a mut Table, name: &str) -> Result<&'a mut Table> {
    match table.entry(name).or_insert_with(|| Value::Table(Table::new())) {
        Value::Table(section) => Ok(section),
        _ => Err(wrong(format!("{name} has to be a section"))),
    }
}

/// A mistake in a file: where, and for an unknown key which is near.
fn in_file(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let place = format!("{}:{line}", path.display());
    // What is between backticks in such a message are names of keys: the unknown one, then all that could be.
    let names: Vec<&str> = error.message().split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((unknown, candidates)) if error.message().starts_with("unknown field") => {
            let error = wrong(format!("{place}: unknown key \"{unknown}\""));
            match nearest(unknown, candidates.iter().copied()) {
                Some(near) => error.with_hint(format!("perhaps \"{near}\" is meant")),
                None => error.with_hint(format!("keys here: {}", candidates.join(", "))),
            }
        }
        _ => wrong(format!("{place}: {}", error.message().trim_end())),
    }
}

/// The candidate with the fewest edits, unless that is most of it.
fn nearest<'a>(wanted: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = candidates.map(|name| (strsim::damerau_levenshtein(wanted, name), name));
    let (edits, name) = scored.min_by_key(|(edits, _)| *edits)?;
    (edits * 2 <= wanted.len().max(name.len())).then_some(name)
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(SqlState::CONFIG_FILE_ERROR, message)
}

/// Bytes of memory of this machine, 4 GiB if the system does not say.
fn machine_memory() -> usize {
    let kib = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok()
    });
    kib.map_or(4 << 30, |kib| kib << 10)
}

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// A file to read, and to check, before the environment.
    #[arg(long, value_name = "FILE", env = "AUDIENCEDB_CONFIG")]
    config: Option<PathBuf>,
    /// Print what is in force, from file and environment, instead of the commented reference.
    #[arg(long)]
    effective: bool,
}

impl Show {
    pub(crate) fn run(self) -> Result<()> {
        if !self.effective {
            // A file that was named is checked all the same.
            if self.config.is_some() {
                Config::load(self.config.as_deref())?;
            }
            print!("{REFERENCE}");
            return Ok(());
        }
        print!("{}", Config::load(self.config.as_deref())?.shown()?);
        Ok(())
    }
}
