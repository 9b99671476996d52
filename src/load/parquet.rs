//! Parquet files as plans: DataFusion reads them, rows and types are theirs.

use catalog::store::{Location, Object};
use catalog::types::PgType;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{ParquetReadOptions, SessionContext};

use super::infer::Guess;
use super::schema::{FileSchema, Reading};
use super::source::Input;
use crate::engine::Planner;
use crate::error::{Error, Result};

/// The columns of a file, and its scan.
pub(super) async fn examine(planner: &Planner, input: &Input) -> Result<FileSchema> {
    let context = SessionContext::new_with_state(planner.state().clone());
    let url = url(&input.location, &input.object);
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

/// Where a file is, as a URL in which no character stands for others.
fn url(location: &Location, object: &Object) -> String {
    let base = location.base();
    let base = if base == "/" { "file:///" } else { base };
    let mut url = base.to_owned();
    for byte in object.key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}
