//! A table's rows as a plan: made while they are written, so that no more of them is in memory than is on its way.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::{MemTable, TableProvider, provider_as_source};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;

use super::batch::{Batch, schema};
use super::rows::{Rows, Table};
use super::street::Street;
use super::world::World;

/// Rows that are handed on together.
const BATCH_ROWS: usize = 8_192;

/// Called with the rows of every batch as it is made.
pub(super) type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// The rows of `table`, made by `parts` threads.
pub(super) fn plan(world: &Arc<World>, table: &'static Table, parts: u64, made: &Progress) -> Result<LogicalPlan> {
    let provider: Arc<dyn TableProvider> = match table.rows {
        Rows::Once(rows) => {
            let mut batch = Batch::new(table.columns)?;
            rows(world, &mut batch)?;
            Arc::new(MemTable::try_new(schema(table.columns), vec![vec![batch.finish()?]])?)
        }
        Rows::ByStreet(_) => {
            let schema = schema(table.columns);
            let part = |number: u64| {
                let streets = world.streets();
                Arc::new(Part {
                    world: Arc::clone(world),
                    table,
                    schema: Arc::clone(&schema),
                    streets: number * streets / parts..(number + 1) * streets / parts,
                    made: Arc::clone(made),
                }) as Arc<dyn PartitionStream>
            };
            Arc::new(StreamingTable::try_new(Arc::clone(&schema), (0..parts).map(part).collect())?)
        }
    };
    LogicalPlanBuilder::scan(table.name, provider_as_source(provider), None)?.build()
}

/// The streets that one thread makes.
struct Part {
    world: Arc<World>,
    table: &'static Table,
    schema: SchemaRef,
    streets: std::ops::Range<u64>,
    made: Progress,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("table", &self.table.name).field("streets", &self.streets).finish_non_exhaustive()
    }
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (world, table, made) = (Arc::clone(&self.world), self.table, Arc::clone(&self.made));
        let batches = futures::stream::unfold(self.streets.clone(), move |mut streets| {
            let batch = next(&world, table, &mut streets).transpose();
            if let Some(Ok(batch)) = &batch {
                made(batch.num_rows() as u64);
            }
            async move { batch.map(|batch| (batch, streets)) }
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

/// The rows of the next streets; `None` after the last one.
fn next(world: &World, table: &Table, streets: &mut std::ops::Range<u64>) -> Result<Option<RecordBatch>> {
    let Rows::ByStreet(rows) = table.rows else { return Ok(None) };
    let mut batch = Batch::new(table.columns)?;
    while batch.rows() < BATCH_ROWS {
        let Some(number) = streets.next() else { break };
        rows(world, &Street::new(world, number), &mut batch)?;
    }
    if batch.rows() == 0 {
        return Ok(None);
    }
    Ok(Some(batch.finish().map_err(DataFusionError::from)?))
}
