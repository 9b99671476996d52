//! `audiencedb load`: files into a table, with progress.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audiencedb::{LoadEvent, LoadFormat, LoadOptions, OnError, Result};
use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use parking_lot::Mutex;

/// Without a terminal a line tells of the progress this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The exit status of a load that left rows out.
const REJECTED: u8 = 3;

use super::{line, say};

/// Arguments of `load`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Each file is one transaction: after an error or a kill -9 it is in the table whole or not at all, and the same command
run again goes on with the files that are missing. A file is known by its name, its column=value folders and its
content; other options do not make it another file. A file of the same name with other content is loaded beside the
rows of the earlier one, and the load says so.

A table that does not exist is made from the columns of all files by name, their types from the values of the first
million rows: boolean (true, false, t, f), bigint, double precision (numbers with a point; ask for numeric with
--column), date, timestamp with or without time zone (ISO 8601), else text. Numbers with leading zeros or a plus sign
are text, so postcodes and telephone numbers stay as they are. JSON arrays become arrays, JSON objects rows of their
members.

Into a table that exists, columns go by name (of the same case, or the only one that differs in case) and are converted
to its types. A column that the table lacks is an error; one that the file lacks gets its default, or NULL if it may.

CSV is read as COPY does: an unquoted empty value is NULL, a quoted one is an empty text (NULL for other types), quotes
are doubled within quotes. A timestamp without zone is UTC.

Exit status: 0 all rows are loaded, 1 an error, 2 wrong arguments, 3 loaded with rows left out.

Examples:
  audiencedb load customers.csv --table customers --key customer_id --column postcode=text
  audiencedb load 'events/day=*/*.ndjson.zst' --table events --partition-by ts --cluster-by profile_id,ts
  audiencedb load export/ --table orders --delimiter ';' --encoding windows-1252 --on-error skip --rejects bad.csv")]
pub(crate) struct Load {
    /// Files, folders with all below them, quoted globs ('data/**/*.csv.gz'), URLs of any of these (s3://, gs://, az://,
    /// file://).
    ///
    /// Files end in .parquet, .csv, .tsv, .json, .ndjson or .jsonl; text files may be compressed (.gz, .zst). Folders
    /// named column=value are columns. Names that begin with . or _ are left out of folders and globs.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// The table to load into, SCHEMA.TABLE or TABLE; made from the files' columns if it does not exist.
    #[arg(long, short, value_name = "TABLE")]
    table: String,

    /// Primary key of the table to be made, which makes it a keyed table.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', help_heading = "Table to be made")]
    key: Vec<String>,
    /// Date or timestamp column of the table to be made, by whose days it is cut: an event table.
    #[arg(long, value_name = "COLUMN", help_heading = "Table to be made")]
    partition_by: Option<String>,
    /// Columns by which rows are sorted within the files of the table to be made.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', help_heading = "Table to be made")]
    cluster_by: Vec<String>,
    /// Type of a column instead of the one found: --column 'amount=numeric(12,2)'. May be given several times.
    #[arg(long = "column", value_name = "NAME=TYPE", value_parser = column, help_heading = "Table to be made")]
    types: Vec<(String, String)>,

    /// Format of all files, whatever their names end in.
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Files")]
    format: Option<Format>,
    /// Delimiter of CSV files, \t for a tab [default: the one of , ; tab | that fits].
    #[arg(long, value_name = "CHAR", value_parser = delimiter, help_heading = "Files")]
    delimiter: Option<u8>,
    /// The first line of CSV files names their columns; this is so unless --no-header says otherwise.
    #[arg(long, overrides_with = "no_header", help_heading = "Files")]
    header: bool,
    /// CSV files begin with a row; columns are called column1, column2, … or as --columns says.
    #[arg(long, overrides_with = "header", help_heading = "Files")]
    no_header: bool,
    /// Names of the columns of CSV files in order, instead of those in the first line.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = "Files")]
    columns: Vec<String>,
    /// What an unquoted value of CSV files must be to be NULL [default: nothing at all].
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, help_heading = "Files")]
    null: String,
    /// Encoding of text files: windows-1252, iso-8859-15, utf-16le, … [default: UTF-8, or what a byte order mark says].
    #[arg(long, value_name = "NAME", help_heading = "Files")]
    encoding: Option<String>,
    /// Folders named column=value are no columns.
    #[arg(long, help_heading = "Files")]
    no_hive: bool,

    /// What becomes of a row of a CSV or JSON file that cannot be read or converted.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "stop", help_heading = "Errors")]
    on_error: OnErrorArgument,
    /// CSV file to which the rows left out are added, with file, line, column, value, message and the row as it stands.
    #[arg(long, value_name = "FILE", help_heading = "Errors")]
    rejects: Option<PathBuf>,
    /// Stop after all once more rows than this were left out.
    #[arg(long, value_name = "N", help_heading = "Errors")]
    max_errors: Option<u64>,
    /// Load files that are in the table already once more.
    #[arg(long, help_heading = "Errors")]
    again: bool,
    #[command(flatten)]
    warehouse: super::Warehouse,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Csv,
    /// One JSON object a line.
    Json,
    Parquet,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum OnErrorArgument {
    /// Load nothing of its file, and end.
    Stop,
    /// Leave the row out.
    Skip,
}

fn column(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, pg_type)) if !name.is_empty() => Ok((name.to_owned(), pg_type.to_owned())),
        _ => Err("write NAME=TYPE".to_owned()),
    }
}

fn delimiter(text: &str) -> std::result::Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] => Ok(*byte),
        _ => Err("write one character".to_owned()),
    }
}

impl Load {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let table = self.table.clone();
        let engine = self.warehouse.open(format!("load {table}"), true).await?;
        let mut session = engine.session("postgres", "audience")?;
        let options = self.options();

        let progress = Arc::new(Progress::new());
        let observer = Arc::clone(&progress);
        let canceller = session.canceller();
        let interrupt = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                canceller.cancel();
            }
        });
        let outcome = session.load(&options, Arc::new(move |event| observer.take(event))).await;
        interrupt.abort();
        progress.bar.finish_and_clear();
        let closed = engine.close().await;
        let loaded = outcome?;
        closed?;

        let seconds = progress.started.elapsed().as_secs_f64().max(0.001);
        let bytes = progress.state.lock().bytes;
        say(&format!(
            "{} rows loaded into {table} in {seconds:.1} s ({} rows/s, {}/s), {} files skipped",
            HumanCount(loaded.rows),
            HumanCount((loaded.rows as f64 / seconds) as u64),
            HumanBytes((bytes as f64 / seconds) as u64),
            loaded.skipped
        ));
        if loaded.rejected == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        match &options.rejects {
            Some(path) => say(&format!("{} rows left out, see {}", HumanCount(loaded.rejected), path.display())),
            None => say(&format!("{} rows left out, --rejects FILE says which", HumanCount(loaded.rejected))),
        }
        Ok(ExitCode::from(REJECTED))
    }

    fn options(self) -> LoadOptions {
        LoadOptions {
            paths: self.paths,
            table: self.table,
            format: self.format.map(|format| match format {
                Format::Csv => LoadFormat::Csv,
                Format::Json => LoadFormat::Json,
                Format::Parquet => LoadFormat::Parquet,
            }),
            delimiter: self.delimiter,
            header: !self.no_header,
            null: self.null,
            encoding: self.encoding,
            columns: self.columns,
            types: self.types,
            primary_key: self.key,
            partition_by: self.partition_by,
            cluster_by: self.cluster_by,
            hive: !self.no_hive,
            on_error: match self.on_error {
                OnErrorArgument::Stop => OnError::Stop,
                OnErrorArgument::Skip => OnError::Skip,
            },
            rejects: self.rejects,
            max_errors: self.max_errors,
            again: self.again,
        }
    }
}

/// Shows how a load goes: a bar on a terminal, a line now and then elsewhere.
struct Progress {
    bar: ProgressBar,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: String,
    rows: u64,
    bytes: u64,
    of: u64,
    told: Option<Instant>,
}

impl Progress {
    fn new() -> Self {
        let style = "{spinner} {prefix} {wide_bar} {percent}% {bytes}/{total_bytes} {bytes_per_sec}, {msg}, ETA {eta}";
        let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(0).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, started: Instant::now(), state: Mutex::default() }
    }

    fn take(&self, event: LoadEvent) {
        match event {
            LoadEvent::Table { name, created, columns, files, bytes } => {
                let width = columns.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
                let verb = if created { "creating" } else { "loading into" };
                let plural = if files == 1 { "" } else { "s" };
                self.line(format!("{verb} table {name} from {files} file{plural}, {}", HumanBytes(bytes)));
                for (column, pg_type) in columns {
                    self.line(format!("  {column:<width$}  {pg_type}"));
                }
                self.bar.set_length(bytes);
                self.state.lock().of = bytes;
            }
            LoadEvent::File { name, number, of } => {
                let file = if of > 1 { format!("{name} ({number} of {of})") } else { name };
                self.bar.set_prefix(file.clone());
                self.state.lock().file = file;
            }
            LoadEvent::Rows(rows) => {
                self.state.lock().rows += rows;
                self.tell();
            }
            LoadEvent::Bytes(bytes) => {
                self.bar.inc(bytes);
                self.state.lock().bytes += bytes;
                self.tell();
            }
            LoadEvent::Committed { rows, rejected, renewed } => {
                let file = self.state.lock().file.clone();
                let left_out =
                    if rejected > 0 { format!(", {} left out", HumanCount(rejected)) } else { String::new() };
                self.line(format!("{file}: {} rows{left_out}", HumanCount(rows)));
                if renewed {
                    self.line(format!(
                        "{file}: another file of this name was loaded before, the rows of both are in the table"
                    ));
                }
            }
            LoadEvent::Skipped => {
                let file = self.state.lock().file.clone();
                self.line(format!("{file}: loaded before, skipped (--again loads it once more)"));
            }
        }
    }

    /// Says how far the load is: on the bar, or now and then in a line.
    fn tell(&self) {
        let mut state = self.state.lock();
        let elapsed = self.started.elapsed();
        let rate = (state.rows as f64 / elapsed.as_secs_f64().max(0.001)) as u64;
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{} rows, {}/s", HumanCount(state.rows), HumanCount(rate)));
            return;
        }
        if state.told.unwrap_or(self.started).elapsed() < LINE_EVERY {
            return;
        }
        state.told = Some(Instant::now());
        let left = match state.bytes {
            0 => String::new(),
            read => {
                let whole = elapsed.mul_f64(state.of.max(read) as f64 / read as f64);
                format!(", about {} left", HumanDuration(whole.saturating_sub(elapsed)))
            }
        };
        say(&format!(
            "{}: {} rows written, {} rows/s, {} of {}{left}",
            state.file,
            HumanCount(state.rows),
            HumanCount(rate),
            HumanBytes(state.bytes),
            HumanBytes(state.of)
        ));
    }

    /// A line above the progress bar, or just a line where there is no terminal to draw a bar on.
    fn line(&self, text: String) {
        line(&self.bar, text);
    }
}
