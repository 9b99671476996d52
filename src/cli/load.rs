//! `audiencedb load`: files into a table, with progress.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audiencedb::{LoadEvent, LoadOptions, Result};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::line;

/// Arguments of `load`.
#[derive(Debug, clap::Args)]
pub(crate) struct Load {
    /// A file (.parquet, .csv, .json, .ndjson, .jsonl) or a folder of files of one format.
    path: PathBuf,
    /// The table to load into; made from the files' columns if it does not exist.
    #[arg(long, value_name = "TABLE")]
    table: String,
    /// Load files that are in the table already once more.
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    warehouse: super::Warehouse,
}

impl Load {
    pub(crate) async fn run(self) -> Result<()> {
        let engine = self.warehouse.open(format!("load {}", self.table), true).await?;
        let mut session = engine.session("postgres", "audience")?;
        let options = LoadOptions { path: self.path, table: self.table.clone(), again: self.again };

        let bar = ProgressBar::new_spinner().with_style(
            ProgressStyle::with_template("{spinner} {prefix} {human_pos} rows, {per_sec}, {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        bar.enable_steady_tick(Duration::from_millis(200));
        let started = Instant::now();
        let shown = bar.clone();
        let observer = Arc::new(move |event: LoadEvent| match event {
            LoadEvent::Table { name, created, columns } => {
                let width = columns.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
                let verb = if created { "creating" } else { "loading into" };
                line(&shown, format!("{verb} table {name}"));
                for (column, pg_type) in columns {
                    line(&shown, format!("  {column:<width$}  {pg_type}"));
                }
            }
            LoadEvent::File { path, number, of } => {
                let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                shown.set_prefix(if of > 1 { format!("{name} ({number} of {of})") } else { name });
            }
            LoadEvent::Rows(rows) => {
                shown.inc(rows);
            }
            LoadEvent::Committed { rows } => line(&shown, format!("{}: {} rows", shown.prefix(), HumanCount(rows))),
            LoadEvent::Skipped => {
                line(&shown, format!("{}: loaded before, skipped (--again loads it once more)", shown.prefix()));
            }
        });
        let outcome = session.load(&options, observer).await;
        bar.finish_and_clear();
        let closed = engine.close().await;
        let loaded = outcome?;
        closed?;
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{} rows loaded into {} in {seconds:.1} s ({} rows/s), {} files skipped",
            HumanCount(loaded.rows),
            self.table,
            HumanCount((loaded.rows as f64 / seconds.max(0.001)) as u64),
            loaded.skipped
        );
        Ok(())
    }
}
