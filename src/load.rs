//! Loading files into a table: `audiencedb load`, and the library behind it.
//!
//! Each file is one transaction under an id made of its name and its content, so a load that was interrupted and is
//! run again goes on where it stopped and no row is in the table twice. The table is made with the first file if it
//! does not exist, from the columns of all files.

use std::fs::File;
use std::hash::Hasher;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::objects::{Change, Privileges, Relation, TableDef};
use catalog::table::Progress;
use catalog::types::PgType;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::prelude::{CsvReadOptions, Expr, JsonReadOptions, ParquetReadOptions, SessionContext};
use datafusion::scalar::ScalarValue;
use twox_hash::XxHash3_64;

use crate::engine::{Planner, assignment};
use crate::error::{Error, Result, SqlState};
use crate::session::Session;
use crate::statement::{QualifiedName, table};

/// CSV and JSON say nothing of types: so many rows are read to find them out.
const INFERENCE_ROWS: usize = 1_000_000;

/// What to load, and where to.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// A file, or a folder whose files of one format are loaded in the order of their names.
    pub path: PathBuf,
    /// The table, optionally with its schema; made if it does not exist.
    pub table: String,
    /// Load files again that are in the table already.
    pub again: bool,
}

/// What a load tells while it runs.
#[derive(Debug)]
pub enum LoadEvent {
    /// The table, before the first row.
    Table {
        /// `schema.name`
        name: String,
        /// Whether this load makes it.
        created: bool,
        /// Names and types of its columns.
        columns: Vec<(String, String)>,
    },
    /// A file begins.
    File {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// Rows were written (not yet committed).
    Rows(u64),
    /// The file is in the table, durably.
    Committed {
        /// Its rows.
        rows: u64,
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
    /// Files added.
    pub files: usize,
    /// Files that were there already.
    pub skipped: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    Csv,
    Json,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "parquet" | "pq" => Some(Self::Parquet),
            "csv" => Some(Self::Csv),
            "json" | "ndjson" | "jsonl" => Some(Self::Json),
            _ => None,
        }
    }
}

impl Session {
    /// Loads files into a table, telling `observer` how it goes.
    ///
    /// # Errors
    /// 58P01 if there is no such file, 22023 for a file of unknown format, 42703 for a file with columns that an
    /// existing table lacks, and what reading, casting and writing meet. Files before the failing one stay loaded.
    pub async fn load(&mut self, options: &LoadOptions, observer: LoadObserver) -> Result<Loaded> {
        let (format, files) = find(&options.path)?;
        let name = QualifiedName::parse(&options.table)?;
        let mut table = self.target(&name, format, &files, &observer).await?;
        let mut loaded = Loaded::default();
        for (index, path) in files.iter().enumerate() {
            observer(LoadEvent::File { path: path.clone(), number: index + 1, of: files.len() });
            let application = identity(path).await?;
            match self.load_file(&mut table, format, path, application, options.again, &observer).await? {
                Some(rows) => {
                    loaded.rows += rows;
                    loaded.files += 1;
                    observer(LoadEvent::Committed { rows });
                }
                None => {
                    loaded.skipped += 1;
                    observer(LoadEvent::Skipped);
                }
            }
        }
        Ok(loaded)
    }

    /// The table to load into: as it is, or as the files' columns say it should be made.
    async fn target(
        &mut self,
        name: &QualifiedName,
        format: Format,
        files: &[PathBuf],
        observer: &LoadObserver,
    ) -> Result<Target> {
        self.renew_work().await?;
        if !self.may_read_server_files()? {
            let message = "must have privileges of the pg_read_server_files role to load a file";
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        let schema = match &name.schema {
            Some(schema) => {
                self.rights()?.check_schema(schema, Privileges::USAGE)?;
                schema.clone()
            }
            None => self.creation_schema()?,
        };
        let found = self.work()?.objects().lookup(&schema, &name.name);
        let (def, created) = match found {
            Some(Relation::Table(def)) => {
                let columns = def.columns.iter().map(|column| column.name.as_str());
                let relation = Relation::Table(Arc::clone(&def));
                self.rights()?.check_relation(&relation, Privileges::INSERT, columns)?;
                ((*def).clone(), false)
            }
            Some(Relation::View(_)) => {
                let message = format!("\"{}\" is a view, rows can only be loaded into a table", name.name);
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            None => {
                self.rights()?.check_schema(&schema, Privileges::CREATE)?;
                let planner = self.planner()?;
                let plan = read(&planner, format, files).await?;
                let columns = plan.schema().as_arrow().clone();
                (table::definition(self.work()?, schema, name.name.clone(), &columns)?, true)
            }
        };
        observer(LoadEvent::Table {
            name: format!("{}.{}", def.schema, def.name),
            created,
            columns: def.columns.iter().map(|c| (c.name.clone(), c.pg_type.clone())).collect(),
        });
        Ok(Target { def, to_create: created })
    }

    /// One file as one transaction; `None` if it was loaded before.
    async fn load_file(
        &mut self,
        target: &mut Target,
        format: Format,
        path: &Path,
        application: String,
        again: bool,
        observer: &LoadObserver,
    ) -> Result<Option<u64>> {
        self.engine().begin_writing().await?;
        self.renew_work().await?;
        let warehouse = Arc::clone(self.engine().warehouse());
        let mut transactions = Vec::new();
        if !target.to_create {
            let snapshot = warehouse.snapshot().await?;
            let before = warehouse.ingested(&snapshot, target.def.id, &application).await?;
            if before.is_some() && !again {
                return Ok(None);
            }
            transactions.push((application, before.unwrap_or(0) + 1));
        } else {
            self.work()?.change(Change::PutTable(target.def.clone()))?;
            transactions.push((application, 1));
        }
        let planner = self.planner()?;
        let source = read(&planner, format, &[path.to_owned()]).await?;
        let plan = arrange(source, &target.def, self)?;
        let counter = Arc::clone(observer);
        let progress: Progress = Arc::new(move |rows| counter(LoadEvent::Rows(rows)));
        let written = table::write(self, &planner, &target.def, plan, Some(progress)).await?;
        let rows = written.written.rows;
        self.work()?.append(target.def.id, written.written, transactions, written.checked_at);
        self.commit().await.map_err(|e| e.inside(path.display()))?;
        target.to_create = false;
        Ok(Some(rows))
    }
}

struct Target {
    def: TableDef,
    to_create: bool,
}

/// The files below `path`, by name, and their common format.
fn find(path: &Path) -> Result<(Format, Vec<PathBuf>)> {
    let missing =
        |e: std::io::Error| Error::new(SqlState::UNDEFINED_FILE, format!("could not open \"{}\": {e}", path.display()));
    let unknown = |path: &Path| {
        Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("\"{}\" is of no known format", path.display()))
            .with_hint("files end in .parquet, .csv, .json, .ndjson or .jsonl")
    };
    let path = std::path::absolute(path).map_err(missing)?;
    if path.metadata().map_err(missing)?.is_file() {
        return Ok((Format::of(&path).ok_or_else(|| unknown(&path))?, vec![path]));
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(missing)? {
        let file = entry.map_err(missing)?.path();
        let hidden = file.file_name().is_none_or(|name| name.to_string_lossy().starts_with(['.', '_']));
        if file.is_file() && !hidden {
            files.push(file);
        }
    }
    files.sort();
    let Some(first) = files.first() else {
        return Err(Error::new(SqlState::UNDEFINED_FILE, format!("\"{}\" has no files to load", path.display())));
    };
    let format = Format::of(first).ok_or_else(|| unknown(first))?;
    match files.iter().find(|file| Format::of(file) != Some(format)) {
        Some(other) => Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("\"{}\" and \"{}\" are of different formats", first.display(), other.display()),
        )
        .with_hint("load folders of one format, or the files one by one")),
        None => Ok((format, files)),
    }
}

/// A scan of files as they are.
async fn read(planner: &Planner, format: Format, files: &[PathBuf]) -> Result<LogicalPlan> {
    let context = SessionContext::new_with_state(planner.state().clone());
    let paths: Vec<String> = files.iter().map(|f| f.to_string_lossy().into_owned()).collect();
    let extension =
        files.first().and_then(|f| f.extension()).map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    let frame = match format {
        Format::Parquet => {
            context.read_parquet(paths, ParquetReadOptions { file_extension: &extension, ..Default::default() }).await?
        }
        Format::Csv => {
            let options = CsvReadOptions::new().file_extension(&extension).schema_infer_max_records(INFERENCE_ROWS);
            context.read_csv(paths, options.newlines_in_values(true)).await?
        }
        Format::Json => {
            let mut options = JsonReadOptions::default().file_extension(&extension);
            options.schema_infer_max_records = INFERENCE_ROWS;
            context.read_json(paths, options).await?
        }
    };
    Ok(frame.into_unoptimized_plan())
}

/// The table's columns in order, taken by name from what was read; what the files lack is null.
fn arrange(source: LogicalPlan, def: &TableDef, session: &mut Session) -> Result<LogicalPlan> {
    let zone: Arc<str> = session.settings().time_zone().into();
    let read: Schema = source.schema().as_arrow().clone();
    let extra: Vec<&Field> = read
        .fields()
        .iter()
        .map(AsRef::as_ref)
        .filter(|field| !def.columns.iter().any(|c| c.name == *field.name()))
        .collect();
    if let Some(field) = extra.first() {
        let message = format!("column \"{}\" of the file does not exist in table \"{}\"", field.name(), def.name);
        return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
    }
    let columns = source.schema().columns();
    let mut expressions = Vec::with_capacity(def.columns.len());
    for column in &def.columns {
        let pg: PgType = column.pg_type.parse()?;
        let value = match read.index_of(&column.name) {
            Ok(index) => Expr::Column(columns[index].clone()),
            Err(_) => lit(ScalarValue::Null),
        };
        expressions.push(assignment(value, &pg, &zone).alias(&column.name));
    }
    Ok(LogicalPlanBuilder::from(source).project(expressions)?.build()?)
}

/// The application id of a file: its name and its content, so that neither a moved folder nor a touched file counts
/// as another one.
async fn identity(path: &Path) -> Result<String> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let path = path.to_owned();
    let hash = tokio::task::spawn_blocking(move || -> std::io::Result<(u64, u64)> {
        let mut file = File::open(path)?;
        let mut hash = XxHash3_64::default();
        let mut buffer = vec![0; 1 << 20];
        let mut length = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok((hash.finish(), length));
            }
            length += read as u64;
            hash.write(&buffer[..read]);
        }
    });
    let (hash, length) = hash
        .await
        .map_err(|e| Error::internal(format!("reading a file stopped: {e}")))?
        .map_err(|e| Error::new(SqlState::IO_ERROR, format!("could not read \"{name}\": {e}")))?;
    Ok(format!("load:{name}:{length}:{hash:016x}"))
}
