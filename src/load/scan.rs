//! A text file as rows of a plan: read, split and converted by several tasks, in the order of the file.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::convert::Converter;
use super::options::LoadObserver;
use super::records::{Block, Fault, Text};
use super::rejects::Rejects;
use super::schema::TextFormat;
use super::source::Input;
use crate::error::Result;

/// Blocks that may be converted at a time, or wait to be written.
const AHEAD: usize = 4;

/// One file's rows.
pub(super) struct TextScan {
    pub(super) input: Input,
    pub(super) format: TextFormat,
    pub(super) converter: Arc<Converter>,
    pub(super) rejects: Arc<Rejects>,
    pub(super) observer: LoadObserver,
}

impl fmt::Debug for TextScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextScan").field("input", &self.input.whole).finish_non_exhaustive()
    }
}

/// What became of a block: the rows that fit, the others, and the block itself to tell of them.
type Converted = Result<(RecordBatch, Vec<Fault>, Block)>;

impl PartitionStream for TextScan {
    fn schema(&self) -> &SchemaRef {
        &self.converter.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(Arc::clone(&self.converter.schema), AHEAD);
        let batches = builder.tx();
        let (blocks, mut converted) = mpsc::channel::<Result<JoinHandle<Converted>>>(AHEAD);

        let (input, format, observer) = (self.input.clone(), self.format.clone(), Arc::clone(&self.observer));
        let converter = Arc::clone(&self.converter);
        builder.spawn(async move {
            let outcome = async {
                let bytes = input.open(Some(observer)).await?;
                let (mut text, mut splitter) = format.begin(input, bytes).await?;
                while let Some(mut block) = text.next(&mut splitter).await? {
                    let converter = Arc::clone(&converter);
                    let task = tokio::task::spawn(async move {
                        let (batch, faults) = converter.convert(&mut block)?;
                        Ok((batch, faults, block))
                    });
                    if blocks.send(Ok(task)).await.is_err() {
                        break;
                    }
                }
                Ok(())
            };
            if let Err(e) = outcome.await {
                // Nobody is left to tell if this fails.
                drop(blocks.send(Err(e)).await);
            }
            Ok(())
        });

        let (rejects, name) = (Arc::clone(&self.rejects), self.input.name.clone());
        builder.spawn(async move {
            while let Some(task) = converted.recv().await {
                let (batch, faults, block) = match task {
                    Ok(task) => task.await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?,
                    Err(e) => Err(e),
                }?;
                if !faults.is_empty() {
                    rejects.take(&name, &block, faults)?;
                }
                if batch.num_rows() > 0 && batches.send(Ok(batch)).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        builder.build()
    }
}

/// Reads the text of a file whose beginning is told apart from its rows.
impl TextFormat {
    async fn begin(self, input: Input, bytes: super::source::Bytes) -> Result<(Text, super::records::Splitter)> {
        let mut text = Text::new(input, bytes, self.encoding());
        let splitter = self.splitter(&mut text).await?;
        Ok((text, splitter))
    }
}
