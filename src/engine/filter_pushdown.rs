//! Pushing filters down a physical plan, except where names would lead them astray.
//!
//! DataFusion's rule takes a predicate from an operator to its input by the names of its columns, and takes the first
//! of two that have one name. Over a join of `people AS a` with `people AS b`, a predicate on `a.name` and `b.name`
//! (which stays above the join where it has a sub-query) then comes out as one on a single `name`, and lands on one
//! side: a wrong answer. So a plan in which any operator has two columns of one name keeps its filters where the
//! logical plan has put them. What is lost there are run-time filters, which are only ever a matter of speed.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNode;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

/// The name of DataFusion's rules that this one stands in for, before and after the rest of the optimizer.
const PUSHDOWN: [&str; 2] = ["FilterPushdown", "FilterPushdown(Post)"];

/// `rules` with the filter pushdown made safe.
pub(super) fn guarded(
    rules: &[Arc<dyn PhysicalOptimizerRule + Send + Sync>],
) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let guard = |rule: &Arc<dyn PhysicalOptimizerRule + Send + Sync>| -> Arc<dyn PhysicalOptimizerRule + Send + Sync> {
        if PUSHDOWN.contains(&rule.name()) { Arc::new(Guarded(Arc::clone(rule))) } else { Arc::clone(rule) }
    };
    rules.iter().map(guard).collect()
}

#[derive(Debug)]
struct Guarded(Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for Guarded {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if plan.exists(|operator| Ok(names_clash(operator.as_ref())))? {
            return Ok(plan);
        }
        self.0.optimize(plan, config)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

fn names_clash(operator: &dyn ExecutionPlan) -> bool {
    let schema = operator.schema();
    let mut seen = HashSet::with_capacity(schema.fields().len());
    !schema.fields().iter().all(|field| seen.insert(field.name().as_str()))
}
