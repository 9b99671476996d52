//! `audiencedb query`: SQL in this process, the result on standard output.

use std::io::{BufWriter, Read, Write};

use audiencedb::{Error, Execution, Result, Rows, SqlState, format_batch};
use futures::StreamExt;

use super::Output;

/// How many rows decide the width of the columns; later, wider values push their line out.
const ROWS_FOR_WIDTH: usize = 1_000;

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
        let sql = if self.sql == "-" {
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
