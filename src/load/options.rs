//! What a load is asked for, and what it tells while it runs.

use std::path::PathBuf;
use std::sync::Arc;

/// What to load, and where to.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Files, folders, globs and URLs, loaded in this order; the files of a folder or glob by name.
    pub paths: Vec<String>,
    /// The table, optionally with its schema; made if it does not exist.
    pub table: String,
    /// The format of all files; `None` goes by their names.
    pub format: Option<LoadFormat>,
    /// The delimiter of CSV files; `None` finds it in the first lines.
    pub delimiter: Option<u8>,
    /// Whether the first line of a CSV file names its columns.
    pub header: bool,
    /// What an unquoted CSV value must be to be NULL.
    pub null: String,
    /// The encoding of text files, by a name of the WHATWG standard.
    pub encoding: Option<String>,
    /// The columns of CSV files in order, instead of those that the first line names.
    pub columns: Vec<String>,
    /// Types of columns of a table to be made: name and SQL type.
    pub types: Vec<(String, String)>,
    /// Primary key of a table to be made.
    pub primary_key: Vec<String>,
    /// The time column by whose days a table to be made is cut.
    pub partition_by: Option<String>,
    /// The columns by which a table to be made is sorted within files.
    pub cluster_by: Vec<String>,
    /// Whether folders named `column=value` are columns.
    pub hive: bool,
    /// What becomes of a row that cannot be read.
    pub on_error: OnError,
    /// A CSV file that receives the rows that were skipped.
    pub rejects: Option<PathBuf>,
    /// The load stops once more rows than this were skipped.
    pub max_errors: Option<u64>,
    /// Load files again that are in the table already.
    pub again: bool,
}

impl LoadOptions {
    /// Loads `path` into `table`, everything else as usual.
    pub fn new(path: impl Into<String>, table: impl Into<String>) -> Self {
        Self {
            paths: vec![path.into()],
            table: table.into(),
            format: None,
            delimiter: None,
            header: true,
            null: String::new(),
            encoding: None,
            columns: Vec::new(),
            types: Vec::new(),
            primary_key: Vec::new(),
            partition_by: None,
            cluster_by: Vec::new(),
            hive: true,
            on_error: OnError::Stop,
            rejects: None,
            max_errors: None,
            again: false,
        }
    }
}

/// A format of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadFormat {
    /// Apache Parquet.
    Parquet,
    /// Values separated by a delimiter.
    Csv,
    /// One JSON object a line.
    Json,
}

/// What becomes of a row that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Nothing of its file is loaded, and the load ends.
    Stop,
    /// The row is left out.
    Skip,
}

/// What a load tells while it runs.
#[derive(Debug)]
pub enum LoadEvent {
    /// The table and what there is to load, before the first row.
    Table {
        /// `schema.name`
        name: String,
        /// Whether this load makes it.
        created: bool,
        /// Names and types of its columns.
        columns: Vec<(String, String)>,
        /// How many files there are.
        files: usize,
        /// Their bytes, as they are stored.
        bytes: u64,
    },
    /// A file begins.
    File {
        /// The file, as short as it is still known by.
        name: String,
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// Bytes of files were read, or need not be read.
    Bytes(u64),
    /// Rows were written (not yet committed).
    Rows(u64),
    /// The file is in the table, durably.
    Committed {
        /// Its rows.
        rows: u64,
        /// Its rows that were skipped.
        rejected: u64,
        /// Whether another file of this name was loaded before: the rows of both are in the table now.
        renewed: bool,
    },
    /// The file was in the table already.
    Skipped,
}

/// Receives a load's events; called from several threads.
pub type LoadObserver = Arc<dyn Fn(LoadEvent) + Send + Sync>;

/// The outcome of a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Rows added.
    pub rows: u64,
    /// Rows that could not be read and were left out.
    pub rejected: u64,
    /// Files added.
    pub files: usize,
    /// Files that were there already.
    pub skipped: usize,
}
