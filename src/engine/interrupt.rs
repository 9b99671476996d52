//! Joins that come up for air.
//!
//! A join can compare or yield millions of pairs between two looks at the world: its statement would not hear that it
//! was cancelled, and those of others would wait for its thread. So the pairs that a join yields count as work after
//! which other tasks have their turn, and the condition that it asks of every pair is where a statement that has ended
//! is noticed, and where a thread that has been busy for long lets another take over what waits for it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio_util::sync::CancellationToken;

/// How long a thread may be busy before it lets another take over what waits for it, and how long that takes.
const BUSY: Duration = Duration::from_millis(50);
const HAND_OVER: Duration = Duration::from_micros(200);

/// The plan with joins that make room for others, and stop when `ended` is cancelled.
pub(crate) fn interruptible(plan: Arc<dyn ExecutionPlan>, ended: &CancellationToken) -> Result<Arc<dyn ExecutionPlan>> {
    let asked = |filter: &JoinFilter| {
        let condition = Condition::new(Arc::clone(filter.expression()), ended.clone());
        JoinFilter::new(Arc::new(condition), filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    };
    plan.transform_up(|node| {
        let join: Arc<dyn ExecutionPlan> = if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
            match join.filter() {
                None => node,
                Some(filter) => Arc::new(NestedLoopJoinExec::try_new(
                    Arc::clone(join.left()),
                    Arc::clone(join.right()),
                    Some(asked(filter)),
                    join.join_type(),
                    join.projection().as_ref().map(|columns| columns.to_vec()),
                )?),
            }
        } else if let Some(join) = node.downcast_ref::<HashJoinExec>() {
            match join.filter() {
                None => node,
                Some(filter) => join.builder().with_filter(Some(asked(filter))).build_exec()?,
            }
        } else if node.is::<SortMergeJoinExec>() || node.is::<CrossJoinExec>() {
            node
        } else {
            return Ok(Transformed::no(node));
        };
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(join)) as Arc<dyn ExecutionPlan>))
    })
    .map(|transformed| transformed.data)
}

#[derive(Debug)]
struct Condition {
    inner: Arc<dyn PhysicalExpr>,
    ended: CancellationToken,
    /// When others last had their turn: milliseconds since the plan was made.
    made: Instant,
    breathed: AtomicU64,
}

impl Condition {
    fn new(inner: Arc<dyn PhysicalExpr>, ended: CancellationToken) -> Self {
        Self { inner, ended, made: Instant::now(), breathed: AtomicU64::new(0) }
    }

    /// Lets another thread take over what waits for this one, if it has been busy for long.
    fn breathe(&self) {
        let now = u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.breathed.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) >= BUSY.as_millis() as u64;
        if !due || self.breathed.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        if Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread) {
            tokio::task::block_in_place(|| std::thread::sleep(HAND_OVER));
        }
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Condition {}

impl Hash for Condition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for Condition {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.inner.nullable(schema)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.ended.is_cancelled() {
            return exec_err!("the statement has ended");
        }
        self.breathe();
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let inner = children.pop().unwrap_or_else(|| Arc::clone(&self.inner));
        Ok(Arc::new(Self::new(inner, self.ended.clone())))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
