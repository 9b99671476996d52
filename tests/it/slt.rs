//! Runs every `tests/slt/**/*.slt` twice, each time on a new warehouse: through [`Session`] and over the wire.
//!
//! Values are PostgreSQL's text, `NULL` for null and `(empty)` for the empty text; expected lines are compared as
//! they stand, indentation included. An error reads `SQLSTATE: message at character N`, so a test can ask for any
//! part of it by a pattern, or for the SQLSTATE alone. Files whose names start with `_` are there to be included.
//!
//! `AUDIENCEDB_COMPLETE=1` writes the rows and SQLSTATEs that came back into the files (in-process runs only); a
//! statement that should succeed and does not is left to fail.

use std::fmt::{self, Write as _};
use std::future::{Ready, ready};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use audiencedb::{Error, Execution, Session, SqlState, Statement, TransactionStatus};
use futures::StreamExt;
use libtest_mimic::Trial;
use sqllogictest::{
    AsyncDB, DBOutput, DefaultColumnType, ExpectedError, Injected, MakeConnection, Normalizer, QueryExpect, Record,
    RecordOutput, Runner, StatementExpect, default_validator, parse_file,
};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::trial::{Fault, Outcome, trial};
use crate::warehouse::{self, Warehouse};

/// Every file in both modes.
pub fn trials() -> Vec<Trial> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let mut trials = Vec::new();
    for path in files {
        let name = path.strip_prefix(&root).unwrap_or(&path).with_extension("").display().to_string();
        let file = path.clone();
        trials.push(trial(format!("slt::embedded::{name}"), move || embedded(file)));
        trials.push(trial(format!("slt::wire::{name}"), move || wire(path)));
    }
    trials
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "slt") && !is_include(&path) {
            files.push(path);
        }
    }
}

fn is_include(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('_'))
}

async fn embedded(path: PathBuf) -> Outcome {
    if std::env::var_os("AUDIENCEDB_COMPLETE").is_some_and(|v| v == "1") {
        let warehouse = Warehouse::open().await?;
        complete(runner(|| session(&warehouse)), &path).await?;
        warehouse.close().await?;
    }
    // What was just written down has to hold on a new warehouse as well.
    let warehouse = Warehouse::open().await?;
    let outcome = runner(|| session(&warehouse)).run_file_async(&path).await.map_err(described);
    warehouse.close().await?;
    Ok(outcome?)
}

/// Ready at once; a future because connections are made by one.
fn session(warehouse: &Warehouse) -> Ready<Result<Connection, SqlError>> {
    ready(warehouse.engine.session("postgres", "audience").map(Connection::Embedded).map_err(SqlError::from))
}

async fn wire(path: PathBuf) -> Outcome {
    let served = Warehouse::open().await?.serve().await?;
    let port = served.port;
    let mut runner = runner(|| client(port));
    let outcome = runner.run_file_async(&path).await.map_err(described);
    drop(runner);
    served.stop().await?;
    Ok(outcome?)
}

async fn client(port: u16) -> Result<Connection, SqlError> {
    Ok(Connection::Wire(warehouse::try_connect(&warehouse::address(port)).await?))
}

fn described(error: sqllogictest::TestError) -> String {
    error.to_string()
}

fn runner<M: MakeConnection<Conn = Connection>>(connect: M) -> Runner<Connection, M> {
    let mut runner = Runner::new(connect);
    runner.with_validator(matches);
    runner.with_column_validator(|actual, expected| actual.len() == expected.len());
    runner
}

/// Line by line and as they stand; `<slt:ignore>` stands for anything.
fn matches(normalizer: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    if expected.iter().any(|line| line.contains("<slt:ignore>")) {
        return default_validator(normalizer, actual, expected);
    }
    actual.len() == expected.len()
        && actual.iter().zip(expected).all(|(row, line)| row.join(" ").trim_end() == line.trim_end())
}

/// One caller, in either mode.
enum Connection {
    Embedded(Session),
    Wire(Client),
}

#[async_trait]
impl AsyncDB for Connection {
    type Error = SqlError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, SqlError> {
        let answer = match self {
            Self::Embedded(session) => through_session(session, sql).await?,
            Self::Wire(client) => through_wire(client, sql).await?,
        };
        Ok(match answer.columns {
            None => DBOutput::StatementComplete(answer.affected),
            Some(columns) => DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows: answer.rows },
        })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "audiencedb"
    }

    async fn sleep(duration: std::time::Duration) {
        tokio::time::sleep(duration).await;
    }

    fn error_sql_state(error: &SqlError) -> Option<String> {
        Some(error.state.clone())
    }
}

/// The answer to the last statement of a text.
#[derive(Default)]
struct Answer {
    /// `None`: it returns no rows at all.
    columns: Option<usize>,
    rows: Vec<Vec<String>>,
    affected: u64,
}

async fn through_session(session: &mut Session, sql: &str) -> Result<Answer, SqlError> {
    let outcome = statements(session, sql).await;
    if outcome.is_err() && matches!(session.transaction(), TransactionStatus::Active) {
        session.fail_transaction();
    }
    outcome
}

async fn statements(session: &mut Session, sql: &str) -> Result<Answer, SqlError> {
    let statements = session.parse(sql)?;
    let several = statements.len() > 1;
    if several {
        session.begin_block();
    }
    let mut outcome = Ok(Answer::default());
    for statement in statements {
        outcome = one(session, statement).await;
        if outcome.is_err() {
            break;
        }
    }
    if several {
        let ended = session.end_block(outcome.is_ok()).await;
        if outcome.is_ok() {
            ended?;
        }
    }
    outcome
}

async fn one(session: &mut Session, statement: Statement) -> Result<Answer, SqlError> {
    let prepared = session.prepare(statement, &[]).await?;
    match session.execute(&prepared, Vec::new()).await? {
        Execution::Rows(mut rows) => {
            let mut answer = Answer { columns: Some(rows.schema.fields().len()), ..Answer::default() };
            while let Some(batch) = rows.next().await {
                let values = audiencedb::format_batch(&batch?, session)?;
                answer.rows.extend(values.into_iter().map(|row| row.iter().map(|v| text(v.as_deref())).collect()));
            }
            Ok(answer)
        }
        Execution::CopyIn(copy) => {
            let error = Error::new(SqlState::QUERY_CANCELED, "COPY from stdin failed: a test file has no data for it");
            Err(session.fail_copy(copy, error).await.into())
        }
        Execution::CopyOut(mut copy) => {
            while let Some(piece) = copy.next().await {
                piece?;
            }
            Ok(Answer::default())
        }
        Execution::Done { tag } => {
            let affected = tag.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            Ok(Answer { affected, ..Answer::default() })
        }
    }
}

async fn through_wire(client: &Client, sql: &str) -> Result<Answer, SqlError> {
    let mut answer = Answer::default();
    let mut ended = false;
    for message in client.simple_query(sql).await? {
        if std::mem::take(&mut ended) {
            answer = Answer::default();
        }
        match message {
            SimpleQueryMessage::RowDescription(columns) => answer.columns = Some(columns.len()),
            SimpleQueryMessage::Row(row) => answer.rows.push((0..row.len()).map(|i| text(row.get(i))).collect()),
            SimpleQueryMessage::CommandComplete(affected) => {
                answer.affected = affected;
                ended = true;
            }
            _ => {}
        }
    }
    Ok(answer)
}

fn text(value: Option<&str>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(value) => value.replace('\n', "\\n"),
    }
}

/// An error as the files see it.
#[derive(Debug)]
struct SqlError {
    state: String,
    message: String,
    position: Option<usize>,
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.state, self.message)?;
        self.position.map_or(Ok(()), |at| write!(f, " at character {at}"))
    }
}

impl std::error::Error for SqlError {}

impl From<audiencedb::Error> for SqlError {
    fn from(error: audiencedb::Error) -> Self {
        Self { state: error.sqlstate.0.to_owned(), message: error.message, position: error.position }
    }
}

impl From<tokio_postgres::Error> for SqlError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            // No SQLSTATE: the server broke off instead of answering, which no test may expect.
            return Self { state: String::new(), message: format!("{error:?}"), position: None };
        };
        let position = match db.position() {
            Some(tokio_postgres::error::ErrorPosition::Original(at)) => Some(*at as usize),
            _ => None,
        };
        Self { state: db.code().code().to_owned(), message: db.message().to_owned(), position }
    }
}

/// Runs a file and writes down what came back.
async fn complete<M: MakeConnection<Conn = Connection>>(mut runner: Runner<Connection, M>, path: &Path) -> Outcome {
    let records = parse_file::<DefaultColumnType>(path).map_err(|e| e.to_string())?;
    let mut file = String::new();
    let mut depth = 0;
    for mut record in records {
        match &record {
            Record::Injected(Injected::BeginInclude(_)) => depth += 1,
            Record::Injected(Injected::EndInclude(_)) => depth -= 1,
            _ => {
                let output = runner.apply_record(record.clone()).await;
                update(&mut record, &output);
                if depth == 0 {
                    writeln!(file, "{record}").map_err(|e| Fault::from(e.to_string()))?;
                }
            }
        }
    }
    let file = format!("{}\n", file.trim_end());
    if file != std::fs::read_to_string(path)? {
        std::fs::write(path, file)?;
    }
    Ok(())
}

fn update(record: &mut Record<DefaultColumnType>, output: &RecordOutput<DefaultColumnType>) {
    match (record, output) {
        (
            Record::Query { expected: QueryExpect::Results { results, .. }, .. },
            RecordOutput::Query { rows, error: None, .. },
        ) if !matches(sqllogictest::default_normalizer, rows, &results[..]) => {
            *results = rows.iter().map(|row| row.join(" ").trim_end().to_owned()).collect();
        }
        (
            Record::Query { expected: QueryExpect::Error(expected), .. },
            RecordOutput::Query { error: Some(error), .. },
        )
        | (
            Record::Statement { expected: StatementExpect::Error(expected), .. },
            RecordOutput::Statement { error: Some(error), .. },
        ) => {
            let state = state_of(error);
            if !expected.is_match(&error.to_string(), state.as_deref()) {
                *expected = state.map_or(ExpectedError::Empty, ExpectedError::SqlState);
            }
        }
        _ => {}
    }
}

fn state_of(error: &Arc<dyn std::error::Error + Send + Sync>) -> Option<String> {
    error.downcast_ref::<SqlError>().map(|e| e.state.clone())
}
