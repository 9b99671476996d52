//! The command line: `demo`, `serve`, `load`, `query`.

mod demo;
mod load;
mod query;
mod serve;

use std::io::IsTerminal;
use std::path::PathBuf;

use audiencedb::{Engine, EngineOptions, Error, Result};
use clap::{Parser, ValueEnum};
use indicatif::ProgressBar;
use tracing_subscriber::EnvFilter;

/// A SQL engine for marketing audiences, on tables in object storage.
#[derive(Debug, Parser)]
#[command(name = "audiencedb", version, about)]
pub(crate) enum Command {
    /// Make a warehouse to try things on, and serve it.
    Demo(demo::Demo),
    /// Serve a warehouse to PostgreSQL clients.
    Serve(serve::Serve),
    /// Load a file, or a folder of files, into a table.
    Load(load::Load),
    /// Run SQL in this process and print the result.
    Query(query::Query),
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Demo(demo) => demo.run().await,
            Self::Serve(serve) => serve.run().await,
            Self::Load(load) => load.run().await,
            Self::Query(query) => query.run().await,
        }
    }
}

/// Which warehouse, and what it may use.
#[derive(Debug, clap::Args)]
struct Warehouse {
    /// Folder or URL of the warehouse: a path, memory://, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix.
    /// Credentials and endpoint come from the environment (AWS_*, GOOGLE_*, AZURE_*).
    #[arg(long, value_name = "URL", default_value = "audiencedb-data")]
    data: String,
    /// Memory that all queries together may hold before they spill, in MiB [default: 60% of this machine's].
    #[arg(long, value_name = "MIB")]
    memory: Option<usize>,
    /// Folder for what does not fit into memory [default: the system's folder for temporary files].
    #[arg(long, value_name = "FOLDER")]
    spill: Option<PathBuf>,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Aligned columns.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Json,
}

impl Warehouse {
    async fn open(&self, purpose: String, create: bool) -> Result<std::sync::Arc<Engine>> {
        let mut options = EngineOptions::new(&self.data);
        options.create = create;
        options.purpose = purpose;
        options.memory_limit = self.memory.map_or_else(|| machine_memory() / 10 * 6, |mib| mib << 20);
        options.spill_folder = self.spill.clone();
        options.store = std::env::vars()
            .filter(|(name, _)| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|prefix| name.starts_with(prefix)))
            .collect();
        Engine::open(options).await
    }
}

/// Bytes of memory of this machine, 4 GiB if the system does not say.
fn machine_memory() -> usize {
    let kib = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok()
    });
    kib.map_or(4 << 30, |kib| kib << 10)
}

/// Logs go to standard error; `RUST_LOG` says how much.
pub(crate) fn install_logging() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,audiencedb=info,audiencedb_catalog=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

/// Prints an error as psql prints one.
pub(crate) fn report(error: &Error) {
    eprintln!("error: {error} ({})", error.sqlstate.0);
    if let Some(detail) = &error.detail {
        eprintln!("detail: {detail}");
    }
    if let Some(hint) = &error.hint {
        eprintln!("hint: {hint}");
    }
}

/// A line above the progress bar, or just a line where there is no terminal to draw a bar on.
fn line(bar: &ProgressBar, text: String) {
    if bar.is_hidden() {
        println!("{text}");
    } else {
        bar.println(text);
    }
}
