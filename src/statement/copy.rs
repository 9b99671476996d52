//! COPY: rows from and to the client, files and URLs.
//!
//! Whatever the source, rows become batches of the columns that COPY fills, get the defaults of the others, and are
//! written as INSERT writes them. Whatever the target, they come from a query.

use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use catalog::objects::{Privileges, Relation, TableDef};
use catalog::store::{Location, Upload};
use catalog::types::PgType;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::parquet::arrow::AsyncArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::{Expr, ParquetReadOptions, SessionContext};
use datafusion::scalar::ScalarValue;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::ast::{Copy, CopyPlace, CopySubject};
use super::{QualifiedName, query, table};
use crate::copy::{CopyFormat, Decoder, Encoder, Options, Target, columns_named};
use crate::engine::{Planner, assignment, parameters};
use crate::error::{Error, Result, SqlState};
use crate::session::{CopyIn, CopyOut, Execution, QUEUE, Rows, Running, Session};
use crate::values::encode::Formatting;

/// Bytes that are put together before they go to a file.
const PIECE: usize = 1 << 20;

/// A file's name, and its bytes.
type File = (Option<String>, BoxStream<'static, Result<Bytes>>);

/// Runs it.
pub(super) async fn run(session: &mut Session, copy: &Copy, running: Running) -> Result<Execution> {
    if let CopyPlace::File(_) = &copy.place {
        let (allowed, role, what) = if copy.from {
            (session.may_read_server_files()?, "pg_read_server_files", "from")
        } else {
            (session.may_write_server_files()?, "pg_write_server_files", "to")
        };
        if !allowed {
            let message = format!("must be superuser or have privileges of the {role} role to COPY {what} a file");
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
                .with_hint("Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone."));
        }
    }
    match &copy.subject {
        CopySubject::Table { name, columns } if copy.from => from(session, copy, name, columns, running).await,
        _ => to(session, copy, running).await,
    }
}

async fn from(
    session: &mut Session,
    copy: &Copy,
    name: &QualifiedName,
    named: &[String],
    running: Running,
) -> Result<Execution> {
    let mut def = target(session, name)?;
    let options = Options::new(&copy.options, true)?;
    if !def.primary_key.is_empty() {
        session.lock_table(def.id).await?;
        def = target(session, name)?;
    }
    let existing: Vec<&str> = def.columns.iter().map(|column| column.name.as_str()).collect();
    let filled = columns_named(named, &existing, &def.name)?;
    let relation = Relation::Table(Arc::clone(&def));
    session.rights()?.check_relation(&relation, Privileges::INSERT, filled.iter().map(|&index| existing[index]))?;
    let planner = session.planner()?;
    let zone = Formatting::from_settings(|name| session.setting(name))?.zone();
    let mut columns = Vec::with_capacity(filled.len());
    for &index in &filled {
        let column = &def.columns[index];
        columns.push((column.name.clone(), column.pg_type.parse::<PgType>()?, column.not_null));
    }
    let unfilled = def
        .columns
        .iter()
        .enumerate()
        .find(|(index, column)| column.not_null && column.default.is_none() && !filled.contains(index));
    let rows =
        Target { table: def.name.clone(), columns, unfilled: unfilled.map(|(_, column)| column.name.clone()), zone };
    // Checks what the decoders of the files will check, before anything is asked of the client or of a store.
    if options.format != CopyFormat::Parquet {
        Decoder::new(&options, &rows, None)?;
    }
    match &copy.place {
        CopyPlace::Client if options.format == CopyFormat::Parquet => Err(only_files()),
        CopyPlace::Client => {
            let (queue, pieces) = mpsc::channel::<Bytes>(QUEUE);
            let pieces = futures::stream::unfold(pieces, |mut pieces| async move {
                pieces.recv().await.map(|piece| (Ok(piece), pieces))
            });
            let binary = options.format == CopyFormat::Binary;
            let count = filled.len();
            let source = streamed(vec![(None, pieces.boxed())], options, rows)?;
            let plan = arrange(session, &planner, &def, source)?;
            let engine = Arc::clone(session.engine());
            let id = def.id;
            let work = async move {
                let physical = planner.physical(&plan).await?;
                table::write_rows(&engine, &planner, &def, physical, None).await
            };
            let work = async move { running.race(work).await };
            Ok(Execution::CopyIn(CopyIn::new(work, queue, id, binary, count)))
        }
        CopyPlace::File(text) => {
            let location = session.engine().warehouse().files_at(text)?;
            let objects = if location.is_pattern() { location.list().await? } else { vec![location.object().await?] };
            let source = if options.format == CopyFormat::Parquet {
                let names = objects.into_iter().map(|object| object.name).collect();
                parquet(&planner, &location, names).await?
            } else {
                let files = objects.iter().map(|object| {
                    let bytes = location.read(object).map_err(Error::from).boxed();
                    (Some(object.name.clone()), bytes)
                });
                streamed(files.collect(), options, rows.clone())?
            };
            check_columns(&source, &rows, text)?;
            let plan = arrange(session, &planner, &def, source)?;
            let written = table::write(session, &planner, &def, plan, None).await?;
            let count = written.written.rows;
            session.work()?.append(def.id, written.written, Vec::new(), written.checked_at);
            Ok(Execution::done(format!("COPY {count}")))
        }
    }
}

fn only_files() -> Error {
    Error::unsupported("COPY format \"parquet\" from or to the client")
        .with_hint("use text, csv or binary, or name a file or URL")
}

/// The table that rows are copied into.
fn target(session: &mut Session, name: &QualifiedName) -> Result<Arc<TableDef>> {
    match table::find(session, name)? {
        Relation::Table(def) => {
            table::writable(&def)?;
            Ok(def)
        }
        Relation::View(view) => {
            Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot copy to view \"{}\"", view.name)))
        }
    }
}

/// The rows of files as a plan.
fn streamed(files: Vec<File>, options: Options, target: Target) -> Result<LogicalPlan> {
    let schema = target.schema();
    let batches = decoded(files, options, target).map_err(DataFusionError::from).boxed();
    let source = Source { schema: Arc::clone(&schema), batches: Mutex::new(Some(batches)) };
    let provider = StreamingTable::try_new(schema, vec![Arc::new(source)])?;
    Ok(LogicalPlanBuilder::scan("copy", provider_as_source(Arc::new(provider)), None)?.build()?)
}

/// Where the decoding of files stands.
struct Decoding {
    files: std::vec::IntoIter<File>,
    open: Option<(Decoder, BoxStream<'static, Result<Bytes>>)>,
    /// The open file has been read to its end.
    read: bool,
    options: Options,
    target: Target,
}

fn decoded(files: Vec<File>, options: Options, target: Target) -> impl Stream<Item = Result<RecordBatch>> + Send {
    let start = Decoding { files: files.into_iter(), open: None, read: false, options, target };
    futures::stream::try_unfold(start, |mut state| async move {
        loop {
            let Some((decoder, bytes)) = &mut state.open else {
                let Some((name, bytes)) = state.files.next() else { return Ok(None) };
                state.open = Some((Decoder::new(&state.options, &state.target, name)?, bytes));
                state.read = false;
                continue;
            };
            if let Some(batch) = decoder.next()? {
                return Ok(Some((batch, state)));
            }
            if state.read {
                state.open = None;
                continue;
            }
            match bytes.next().await {
                Some(chunk) => decoder.push(&chunk?, false),
                None => {
                    decoder.push(&[], true);
                    state.read = true;
                }
            }
        }
    })
}

/// Batches that can be read once.
struct Source {
    schema: SchemaRef,
    batches: Mutex<Option<BoxStream<'static, Result<RecordBatch, DataFusionError>>>>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("copy")
    }
}

impl PartitionStream for Source {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let twice = || futures::stream::iter([Err(Error::internal("COPY was read twice").into())]).boxed();
        let batches = self.batches.lock().take().unwrap_or_else(twice);
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

/// The rows of Parquet files as a plan.
async fn parquet(planner: &Planner, location: &Location, names: Vec<String>) -> Result<LogicalPlan> {
    location.register(planner.state().runtime_env());
    let context = SessionContext::new_with_state(planner.state().clone());
    let options = ParquetReadOptions { file_extension: "", ..ParquetReadOptions::default() };
    let frame = context.read_parquet(names, options).await.map_err(|e| Error::from(e).inside(location))?;
    Ok(frame.into_unoptimized_plan())
}

/// That a plan has the columns that COPY fills, by name, and no others.
fn check_columns(source: &LogicalPlan, rows: &Target, file: &str) -> Result<()> {
    let found = source.schema().as_arrow();
    for (name, _, _) in &rows.columns {
        if found.index_of(name).is_err() {
            let message = format!("column \"{name}\" does not exist in file \"{file}\"");
            return Err(Error::new(SqlState::UNDEFINED_COLUMN, message)
                .with_hint("name the columns that the file has: COPY table (column, …) FROM …"));
        }
    }
    match found.fields().iter().find(|field| !rows.columns.iter().any(|(name, _, _)| name == field.name())) {
        Some(extra) => {
            let message = format!("column \"{}\" of file \"{file}\" is none that COPY fills", extra.name());
            Err(Error::new(SqlState::UNDEFINED_COLUMN, message))
        }
        None => Ok(()),
    }
}

/// The table's columns in order: those of the source by name, the others by their defaults.
fn arrange(session: &mut Session, planner: &Planner, def: &TableDef, source: LogicalPlan) -> Result<LogicalPlan> {
    let zone: Arc<str> = session.settings().time_zone().into();
    let found = source.schema().as_arrow().clone();
    let columns = source.schema().columns();
    let mut expressions = Vec::with_capacity(def.columns.len());
    for column in &def.columns {
        let pg: PgType = column.pg_type.parse()?;
        let value = match (found.index_of(&column.name), &column.default) {
            (Ok(index), _) => {
                let value = Expr::Column(columns[index].clone());
                // What a decoder made is a value of the column already.
                if *found.field(index) == pg.field(&column.name, true) {
                    expressions.push(value.alias(&column.name));
                    continue;
                }
                value
            }
            (Err(_), Some(default)) => planner.expression(table::default_expression(default)?)?,
            (Err(_), None) => lit(ScalarValue::Null),
        };
        expressions.push(assignment(value, &pg, &zone).alias(&column.name));
    }
    Ok(LogicalPlanBuilder::from(source).project(expressions)?.build()?)
}

async fn to(session: &mut Session, copy: &Copy, running: Running) -> Result<Execution> {
    let planner = session.planner()?;
    let (plan, columns) = match &copy.subject {
        CopySubject::Table { name, columns } => {
            let def = match table::find(session, name)? {
                Relation::Table(def) => def,
                Relation::View(view) => {
                    let message = format!("cannot copy from view \"{}\"", view.name);
                    return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message)
                        .with_hint("Try the COPY (SELECT ...) TO variant."));
                }
            };
            let existing: Vec<&str> = def.columns.iter().map(|column| column.name.as_str()).collect();
            let chosen = columns_named(columns, &existing, &def.name)?;
            let read = chosen.iter().map(|&index| existing[index]);
            session.rights()?.check_relation(&Relation::Table(Arc::clone(&def)), Privileges::SELECT, read)?;
            let source = provider_as_source(planner.relations().table(def.id).await?);
            let scan = LogicalPlanBuilder::scan(def.name.as_str(), source, None)?;
            let all = scan.schema().columns();
            let chosen: Vec<Expr> = chosen.into_iter().map(|index| Expr::Column(all[index].clone())).collect();
            let plan = scan.project(chosen)?.build()?;
            let columns = Arc::new(plan.schema().as_arrow().clone());
            (plan, columns)
        }
        CopySubject::Query(query) => {
            let plan = planner.query(query, &[]).await?;
            if !parameters(&plan.logical, &[])?.is_empty() {
                return Err(Error::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
            }
            (plan.logical, plan.columns)
        }
    };
    let options = Options::new(&copy.options, false)?;
    // The statement goes on after the last row of a file: until it is durable.
    let running = if copy.place == CopyPlace::Client { running } else { running.part() };
    let rows = query::start(session, &planner, "COPY", plan, columns, running).await?;
    let formatting = Formatting::from_settings(|name| session.setting(name))?;
    if matches!(options.format, CopyFormat::Parquet | CopyFormat::Json) {
        check_names(&rows.schema)?;
    }
    let text = match &copy.place {
        CopyPlace::Client if options.format == CopyFormat::Parquet => return Err(only_files()),
        CopyPlace::Client => {
            let binary = options.format == CopyFormat::Binary;
            let encoder = Encoder::new(options, &rows.schema, formatting)?;
            return Ok(Execution::CopyOut(CopyOut::new(rows, encoder, binary)));
        }
        CopyPlace::File(text) => text,
    };
    let location = session.engine().warehouse().files_at(text)?;
    if location.local_path().is_some() && !text.starts_with("file:") && !Path::new(text).is_absolute() {
        return Err(Error::new(SqlState("42602"), "relative path not allowed for COPY to file"));
    }
    let count = if options.format == CopyFormat::Parquet {
        write_parquet(rows, location.create().await?).await?
    } else {
        let binary = options.format == CopyFormat::Binary;
        let encoder = Encoder::new(options, &rows.schema, formatting)?;
        write_file(CopyOut::new(rows, encoder, binary), location.create().await?).await?
    };
    Ok(Execution::done(count))
}

/// That no two columns share a name.
fn check_names(schema: &Schema) -> Result<()> {
    let fields = schema.fields();
    for (index, field) in fields.iter().enumerate() {
        if fields.iter().take(index).any(|before| before.name() == field.name()) {
            let message = format!("column \"{}\" specified more than once", field.name());
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, message).with_hint("name the columns with AS"));
        }
    }
    Ok(())
}

async fn write_file(mut copy: CopyOut, mut upload: Upload) -> Result<String> {
    let mut piece = BytesMut::new();
    while let Some(bytes) = copy.next().await {
        piece.extend_from_slice(&bytes?);
        if piece.len() >= PIECE {
            upload.write(piece.split().freeze()).await?;
        }
    }
    upload.write(piece.freeze()).await?;
    upload.finish().await?;
    Ok(copy.tag())
}

async fn write_parquet(mut rows: Rows, upload: Upload) -> Result<String> {
    let announced = Arc::clone(&rows.schema);
    let zstd = ZstdLevel::try_new(1).map_err(DataFusionError::from)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(zstd))
        .set_created_by(concat!("audiencedb ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let mut upload = Some(upload);
    let mut open: Option<AsyncArrowWriter<Upload>> = None;
    let mut count = 0;
    loop {
        let batch = rows.next().await.transpose()?;
        let writer = match (&mut open, upload.take()) {
            (Some(writer), _) => writer,
            (none, Some(upload)) => {
                // The names that were announced, with the types that came.
                let fields = announced.fields().iter().enumerate().map(|(index, field)| {
                    let came = batch.as_ref().map(|batch| batch.column(index).data_type().clone());
                    field.as_ref().clone().with_nullable(true).with_data_type(came.unwrap_or(field.data_type().clone()))
                });
                let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
                let writer = AsyncArrowWriter::try_new(upload, schema, Some(properties.clone()));
                none.insert(writer.map_err(DataFusionError::from)?)
            }
            (None, None) => return Err(Error::internal("a file was opened twice")),
        };
        let Some(batch) = batch else { break };
        count += batch.num_rows() as u64;
        let fields = announced.fields().iter().zip(batch.columns()).map(|(field, column)| {
            field.as_ref().clone().with_nullable(true).with_data_type(column.data_type().clone())
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let batch = RecordBatch::try_new(schema, batch.columns().to_vec()).map_err(DataFusionError::from)?;
        writer.write(&batch).await.map_err(DataFusionError::from)?;
    }
    if let Some(mut writer) = open {
        writer.finish().await.map_err(DataFusionError::from)?;
        writer.into_inner().finish().await?;
    }
    Ok(rows.tag(count))
}
