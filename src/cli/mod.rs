//! The command line: `demo`, `serve`, `load`, `query`, `config`.

mod config;
mod demo;
mod load;
mod log;
mod query;
mod serve;
mod units;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use audiencedb::{Engine, Error, Result};
use clap::{Parser, ValueEnum};
use indicatif::ProgressBar;

use self::config::Config;
use self::units::Share;

/// A SQL engine for marketing audiences, on tables in object storage.
#[derive(Debug, Parser)]
#[command(name = "audiencedb", version, about)]
pub(crate) enum Command {
    /// Make a warehouse to try things on, and serve it.
    Demo(demo::Demo),
    /// Serve a warehouse to PostgreSQL clients.
    Serve(serve::Serve),
    /// Load files, folders, globs or URLs into a table.
    Load(load::Load),
    /// Run SQL in this process and print the result.
    Query(query::Query),
    /// Print the commented reference of all settings, which is what they are by default.
    Config(config::Show),
}

impl Command {
    /// Runs it; the status is that of a command that did what it was asked for.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Demo(demo) => demo.run().await?,
            Self::Serve(serve) => serve.run().await?,
            Self::Load(load) => return load.run().await,
            Self::Query(query) => query.run().await?,
            Self::Config(show) => show.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Which warehouse, and what it may use.
#[derive(Debug, Clone, clap::Args)]
struct Warehouse {
    /// Settings in a TOML file; `audiencedb config` prints all there are. The environment and flags win over it.
    #[arg(long, value_name = "FILE", env = "AUDIENCEDB_CONFIG")]
    config: Option<PathBuf>,
    /// Folder or URL of the warehouse: a path, memory://, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix
    /// [default: audiencedb-data]. Credentials and endpoint come from the environment (AWS_*, GOOGLE_*, AZURE_*) or
    /// the file.
    #[arg(long, value_name = "URL")]
    data: Option<String>,
    /// Memory that all queries together may hold before they spill, in MiB [default: 60% of this machine's].
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
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
    /// All settings, from file, environment and these flags.
    fn settings(&self) -> Result<Config> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(data) = &self.data {
            config.data.clone_from(data);
        }
        if let Some(mib) = self.memory {
            config.memory.limit = Share::Bytes(mib << 20);
        }
        if let Some(folder) = &self.spill {
            config.spill.folder = Some(folder.clone());
        }
        Ok(config)
    }

    /// Starts logging and opens the warehouse for a command that isn't a server.
    async fn open(&self, purpose: String, create: bool) -> Result<std::sync::Arc<Engine>> {
        let config = self.settings()?;
        log::install(&config.log.level, config.log.format)?;
        Engine::open(config.engine(purpose, create)).await
    }
}

/// Prints an error as psql prints one.
pub(crate) fn report(error: &Error) {
    eprintln!("error: {error} ({})", error.sqlstate.0);
    if let Some(detail) = &error.detail {
        eprintln!("detail: {detail}");
    }
    if let Some(context) = &error.context {
        eprintln!("context: {context}");
    }
    if let Some(hint) = &error.hint {
        eprintln!("hint: {hint}");
    }
}

/// A line above the progress bar, or just a line where there is no terminal to draw a bar on.
fn line(bar: &ProgressBar, text: String) {
    if bar.is_hidden() {
        say(&text);
    } else {
        bar.println(text);
    }
}

/// Prints a line. That nobody reads it any more is no reason to stop loading.
fn say(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}
