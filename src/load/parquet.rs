//! Parquet files as plans: DataFusion reads them, rows and types are theirs.

use catalog::types::PgType;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{ParquetReadOptions, SessionContext};

use super::infer::Guess;
use super::schema::{FileSchema, Reading};
use super::source::{Input, Place};
use crate::engine::Planner;
use crate::error::{Error, Result, SqlState};

/// The columns of a file, and its scan.
pub(super) async fn examine(planner: &Planner, input: &Input) -> Result<FileSchema> {
    let context = SessionContext::new_with_state(planner.state().clone());
    let url = match &input.place {
        Place::Local(path) => url(path)?,
    };
    // The file was found by whatever name it has.
    let extension = input.whole.rfind('.').map_or("", |at| &input.whole[at..]);
    let options = ParquetReadOptions { file_extension: extension, ..Default::default() };
    let frame = context.read_parquet(url, options).await;
    let frame = frame.map_err(|e| Error::from(e).inside(format!("\"{}\"", input.whole)))?;
    let plan: LogicalPlan = frame.into_unoptimized_plan();
    let mut columns = Vec::new();
    for field in plan.schema().fields() {
        let pg = PgType::from_arrow(field).map_err(|e| Error::from(e).inside(format!("\"{}\"", input.whole)))?;
        columns.push((field.name().clone(), Guess::Typed(pg)));
    }
    Ok(FileSchema { columns, own: 0, reading: Reading::Parquet(plan) })
}

/// A path as a URL, in which no character stands for others.
fn url(path: &std::path::Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| {
        let message = format!("\"{}\" is not the name of a file: it is not UTF-8", path.display());
        Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
    })?;
    let mut url = "file://".to_owned();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(url)
}
