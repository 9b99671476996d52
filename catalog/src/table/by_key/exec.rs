//! The operator that reads stretches of sorted files as partitions by ranges of their key.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::compute::kernels::cmp::lt;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, ScalarValue, SplitPoint, Statistics, internal_datafusion_err};
use datafusion::config::ConfigOptions;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr, RangePartitioning,
};
use datafusion::physical_plan::execution_plan::{Boundedness, CardinalityEffect, EmissionType};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::sorts::streaming_merge::StreamingMergeBuilder;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, TryStreamExt};

/// A stretch of a file: a partition of the scan below.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    pub(super) group: usize,
    /// Whether it may begin with rows before its range, and end with rows behind it.
    pub(super) begins_before: bool,
    pub(super) ends_after: bool,
}

/// Reads, for each range of keys, the stretches of files in which they lie.
#[derive(Debug)]
pub(super) struct ByKeyExec {
    scan: Arc<dyn ExecutionPlan>,
    /// For each range the runs, of which each is in order.
    parts: Arc<Vec<Vec<Vec<Stretch>>>>,
    key: PhysicalSortExpr,
    /// Where the ranges meet.
    points: Vec<ScalarValue>,
    /// The order in which runs are merged; `None` reads them one after another.
    merge: Option<LexOrdering>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ByKeyExec {
    pub(super) fn try_new(
        scan: Arc<dyn ExecutionPlan>,
        parts: Vec<Vec<Vec<Stretch>>>,
        key: PhysicalSortExpr,
        points: Vec<ScalarValue>,
        merge: Option<LexOrdering>,
    ) -> Result<Self> {
        Self::over(scan, Arc::new(parts), key, points, merge)
    }

    fn over(
        scan: Arc<dyn ExecutionPlan>,
        parts: Arc<Vec<Vec<Vec<Stretch>>>>,
        key: PhysicalSortExpr,
        points: Vec<ScalarValue>,
        merge: Option<LexOrdering>,
    ) -> Result<Self> {
        let splits = points.iter().map(|point| SplitPoint::new(vec![point.clone()])).collect();
        let by = LexOrdering::from([key.clone()]);
        let known = match &merge {
            Some(order) => EquivalenceProperties::new_with_orderings(scan.schema(), [order.clone()]),
            None => EquivalenceProperties::new(scan.schema()),
        };
        let properties = PlanProperties::new(
            known,
            Partitioning::Range(RangePartitioning::try_new(by, splits)?),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { scan, parts, key, points, merge, properties: Arc::new(properties), metrics })
    }

    /// One run: its stretches one after another, without what lies outside of the range.
    fn run(&self, part: usize, run: Vec<Stretch>, task: &Arc<TaskContext>) -> SendableRecordBatchStream {
        let from = part.checked_sub(1).and_then(|at| self.points.get(at)).cloned();
        let to = self.points.get(part).cloned();
        let (scan, key, task) = (Arc::clone(&self.scan), Arc::clone(&self.key.expr), Arc::clone(task));
        let stretches = futures::stream::iter(run).map(move |stretch| {
            let trim = Trim {
                key: Arc::clone(&key),
                from: from.clone().filter(|_| stretch.begins_before),
                to: to.clone().filter(|_| stretch.ends_after),
            };
            scan.execute(stretch.group, Arc::clone(&task)).map(|rows| trim.rows(rows))
        });
        Box::pin(RecordBatchStreamAdapter::new(self.scan.schema(), stretches.try_flatten()))
    }
}

/// What is cut off a stretch.
struct Trim {
    key: Arc<dyn PhysicalExpr>,
    from: Option<ScalarValue>,
    to: Option<ScalarValue>,
}

impl Trim {
    fn rows(self, input: SendableRecordBatchStream) -> SendableRecordBatchStream {
        if self.from.is_none() && self.to.is_none() {
            return input;
        }
        let schema = input.schema();
        let rows = futures::stream::try_unfold(Some((input, self)), |reading| async move {
            let Some((mut input, mut trim)) = reading else { return Ok(None) };
            while let Some(batch) = input.try_next().await? {
                let (batch, over) = trim.batch(batch)?;
                if over {
                    // The scan is let go of: what is left of the stretch is not read.
                    return Ok(Some((batch, None)));
                }
                if batch.num_rows() > 0 {
                    return Ok(Some((batch, Some((input, trim)))));
                }
            }
            Ok(None)
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }

    /// The rows of a batch within the range, and whether none come behind.
    fn batch(&mut self, batch: RecordBatch) -> Result<(RecordBatch, bool)> {
        let keys = self.key.evaluate(&batch)?.into_array(batch.num_rows())?;
        let first = match &self.from {
            Some(from) => before(&keys, from)?,
            None => 0,
        };
        if first < keys.len() {
            self.from = None;
        }
        let end = match &self.to {
            Some(to) => before(&keys, to)?.max(first),
            None => keys.len(),
        };
        Ok((batch.slice(first, end - first), end < keys.len() && first < keys.len()))
    }
}

/// How many of sorted keys come before a value; those that are null come behind all.
fn before(keys: &dyn Array, value: &ScalarValue) -> Result<usize> {
    Ok(lt(&keys, &value.to_scalar()?)?.true_count())
}

impl DisplayAs for ByKeyExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.points.len() + 1;
        match format {
            DisplayFormatType::TreeRender => write!(f, "key={}\nranges={ranges}", self.key.expr),
            _ => {
                write!(f, "ByKey: key={}, ranges={ranges}", self.key.expr)?;
                let runs = self.parts.iter().map(Vec::len).max().unwrap_or(0);
                if runs > 1 {
                    write!(f, ", {}={runs}", if self.merge.is_some() { "merged" } else { "in_turn" })?;
                }
                Ok(())
            }
        }
    }
}

impl ExecutionPlan for ByKeyExec {
    fn name(&self) -> &str {
        "ByKeyExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.scan]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        visit(&self.key.expr)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let scan = children.pop().ok_or_else(|| internal_datafusion_err!("ranges of keys without a scan"))?;
        let (parts, key) = (Arc::clone(&self.parts), self.key.clone());
        Ok(Arc::new(Self::over(scan, parts, key, self.points.clone(), self.merge.clone())?))
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let runs = self.parts.get(partition);
        let runs = runs.ok_or_else(|| internal_datafusion_err!("there is no range {partition} of keys"))?;
        let mut streams: Vec<_> = runs.iter().map(|run| self.run(partition, run.clone(), &task)).collect();
        let schema = self.scan.schema();
        if streams.len() == 1 {
            return streams.pop().ok_or_else(|| internal_datafusion_err!("a range of keys without rows"));
        }
        match &self.merge {
            None => {
                let rows = futures::stream::iter(streams).flatten();
                Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
            }
            Some(order) => {
                let consumer = MemoryConsumer::new(format!("ByKey[{partition}]"));
                StreamingMergeBuilder::new()
                    .with_streams(streams)
                    .with_schema(schema)
                    .with_expressions(order)
                    .with_metrics(BaselineMetrics::new(&self.metrics, partition))
                    .with_batch_size(task.session_config().batch_size())
                    .with_reservation(consumer.register(task.memory_pool()))
                    .build()
            }
        }
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![partition.map_or(ChildStats::At(None), |_| ChildStats::Skip)]
    }

    fn statistics_from_inputs(&self, below: &[Arc<Statistics>], asked: &StatisticsArgs) -> Result<Arc<Statistics>> {
        match (asked.partition(), below.first()) {
            (None, Some(all)) => Ok(Arc::clone(all)),
            _ => Ok(Arc::new(Statistics::new_unknown(&self.scan.schema()))),
        }
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        above: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(above, &self.children())
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(result))
    }
}
