//! `audiencedb query`: SQL in this process, the result on standard output.

use std::io::{BufWriter, Read, Write};

use audiencedb::{CopyIn, CopyOut, Error, Execution, Result, Rows, SqlState, format_batch};
use bytes::BytesMut;
use futures::StreamExt;
use tokio::io::AsyncReadExt;

use super::Output;

/// How many rows decide the width of the columns; later, wider values push their line out.
const ROWS_FOR_WIDTH: usize = 1_000;

/// Bytes of standard input that are read at a time.
const PIECE: usize = 256 << 10;

/// Arguments of `query`.
#[derive(Debug, clap::Args)]
pub(crate) struct Query {
    /// The SQL, one statement or several; `-` reads it from standard input.
    sql: String,
    /// How to print results.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
    #[command(flatten)]
    warehouse: super::Warehouse,
}

impl Query {
    pub(crate) async fn run(self) -> Result<()> {
        let from_stdin = self.sql == "-";
        let sql = if from_stdin {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(output_failed)?;
            text
        } else {
            self.sql
        };
        let engine = self.warehouse.open("query".to_owned(), true).await?;
        let mut session = engine.session("postgres", "audience")?;
        let outcome = session
            .run(&sql, async |session, execution| {
                for notice in session.take_notices() {
                    eprintln!("{}: {}", notice.severity, notice.message);
                }
                match execution {
                    Execution::Rows(rows) => print(session, rows, self.format).await,
                    Execution::CopyIn(_) if from_stdin => Err(Error::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        "COPY … FROM STDIN has no input: the SQL itself came from standard input",
                    )
                    .with_hint("give the SQL as an argument")),
                    Execution::CopyIn(copy) => read_in(session, copy).await,
                    Execution::CopyOut(copy) => write_out(copy).await,
                    Execution::Done { tag } => {
                        eprintln!("{tag}");
                        Ok(())
                    }
                }
            })
            .await;
        let closed = engine.close().await;
        outcome.and(closed)
    }
}

/// Feeds `COPY … FROM STDIN` with standard input.
async fn read_in(session: &mut audiencedb::Session, mut copy: CopyIn) -> Result<()> {
    let mut input = tokio::io::stdin();
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        let outcome = match input.read_buf(&mut piece).await {
            Ok(0) => break,
            Ok(_) => copy.write(piece.freeze()).await,
            Err(e) => Err(output_failed(e)),
        };
        if let Err(error) = outcome {
            return Err(session.fail_copy(copy, error).await);
        }
    }
    if let Execution::Done { tag } = session.finish_copy(copy).await? {
        eprintln!("{tag}");
    }
    Ok(())
}

/// Prints the data of `COPY … TO STDOUT` as it is.
async fn write_out(mut copy: CopyOut) -> Result<()> {
    let mut out = std::io::stdout().lock();
    while let Some(piece) = copy.next().await {
        out.write_all(&piece?).map_err(output_failed)?;
    }
    out.flush().map_err(output_failed)?;
    eprintln!("{}", copy.tag());
    Ok(())
}

async fn print(session: &audiencedb::Session, mut rows: Rows, format: Output) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let names: Vec<String> = rows.schema.fields().iter().map(|f| f.name().clone()).collect();
    let mut count = 0;
    let mut widths: Option<Vec<usize>> = None;
    if format == Output::Csv {
        write_csv(&mut out, names.iter().map(|n| Some(n.as_str())))?;
    }
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        count += batch.num_rows();
        if format == Output::Json {
            let mut writer = arrow_json::WriterBuilder::new()
                .with_explicit_nulls(true)
                .build::<_, arrow_json::writer::LineDelimited>(&mut out);
            writer.write(&batch).map_err(|e| Error::from(datafusion::error::DataFusionError::from(e)))?;
            continue;
        }
        let text = format_batch(&batch, session)?;
        match format {
            Output::Csv => {
                for row in &text {
                    write_csv(&mut out, row.iter().map(Option::as_deref))?;
                }
            }
            _ => {
                if widths.is_none() {
                    let measured = measure(&names, &text);
                    write_line(&mut out, names.iter().map(String::as_str), &measured)?;
                    let rules: Vec<String> = measured.iter().map(|w| "-".repeat(*w)).collect();
                    writeln!(out, "-{}-", rules.join("-+-")).map_err(output_failed)?;
                    widths = Some(measured);
                }
                for row in &text {
                    write_line(
                        &mut out,
                        row.iter().map(|v| v.as_deref().unwrap_or("")),
                        widths.as_deref().unwrap_or(&[]),
                    )?;
                }
            }
        }
    }
    if format == Output::Table {
        if widths.is_none() {
            let measured = measure(&names, &[]);
            write_line(&mut out, names.iter().map(String::as_str), &measured)?;
        }
        writeln!(out, "({count} row{})", if count == 1 { "" } else { "s" }).map_err(output_failed)?;
    }
    out.flush().map_err(output_failed)
}

fn measure(names: &[String], rows: &[Vec<Option<String>>]) -> Vec<usize> {
    let mut widths: Vec<usize> = names.iter().map(|n| n.chars().count()).collect();
    for row in rows.iter().take(ROWS_FOR_WIDTH) {
        for (width, value) in widths.iter_mut().zip(row) {
            *width = (*width).max(value.as_deref().map_or(0, |v| v.chars().count()));
        }
    }
    widths
}

fn write_line<'a>(out: &mut impl Write, values: impl Iterator<Item = &'a str>, widths: &[usize]) -> Result<()> {
    let cells: Vec<String> = values.zip(widths).map(|(value, width)| format!("{value:<width$}")).collect();
    writeln!(out, " {}", cells.join(" | ").trim_end()).map_err(output_failed)
}

/// One CSV line as PostgreSQL writes it: null is nothing, the empty string is `""`.
fn write_csv<'a>(out: &mut impl Write, values: impl Iterator<Item = Option<&'a str>>) -> Result<()> {
    let cells: Vec<String> = values
        .map(|value| match value {
            None => String::new(),
            Some(v) if v.is_empty() || v.contains(['"', ',', '\n', '\r']) => format!("\"{}\"", v.replace('"', "\"\"")),
            Some(v) => v.to_owned(),
        })
        .collect();
    writeln!(out, "{}", cells.join(",")).map_err(output_failed)
}

fn output_failed(e: std::io::Error) -> Error {
    Error::new(SqlState::IO_ERROR, format!("could not read input or write output: {e}"))
}
