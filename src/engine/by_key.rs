//! Groups and windows by the column that a table is sorted by read its files range by range of that column.
//!
//! What stands between such an operator and the scan may drop rows and columns, but not move them. The rest is left
//! to DataFusion's own rule, which finds rows of a key together and in order, and adds neither exchange nor sort.

use std::sync::Arc;

use catalog::table::by_key;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::physical_expr::{Distribution, PartitioningSatisfaction, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// The rule of DataFusion's that this one prepares the ground for.
const BEFORE: &str = "EnsureRequirements";

/// `rules` with this one in its place.
pub(super) fn among(
    mut rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>,
) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let place = rules.iter().position(|rule| rule.name() == BEFORE).unwrap_or(rules.len());
    rules.insert(place, Arc::new(ReadByKey));
    rules
}

#[derive(Debug)]
struct ReadByKey;

impl PhysicalOptimizerRule for ReadByKey {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = config.execution.target_partitions;
        if partitions < 2 {
            return Ok(plan);
        }
        let read = plan.transform_up(|operator| {
            let Some((keys, ordered)) = keys(operator.as_ref()) else { return Ok(Transformed::no(operator)) };
            let [input] = operator.children()[..] else { return Ok(Transformed::no(operator)) };
            let Some(input) = below(input, partitions, ordered)? else { return Ok(Transformed::no(operator)) };
            let wanted = Distribution::KeyPartitioned(keys);
            let known = input.equivalence_properties();
            let found = input.output_partitioning().satisfaction(&wanted, known, false);
            if found == PartitioningSatisfaction::Exact {
                replace_children_if_necessary(operator, vec![input]).map(Transformed::yes)
            } else {
                Ok(Transformed::no(operator))
            }
        })?;
        Ok(read.data)
    }

    fn name(&self) -> &str {
        "ReadByKey"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// By what an operator groups rows, and whether their order within a group matters to it.
fn keys(operator: &dyn ExecutionPlan) -> Option<(Vec<Arc<dyn PhysicalExpr>>, bool)> {
    let (keys, ordered) = if let Some(groups) = operator.downcast_ref::<AggregateExec>() {
        // Over several sets of columns every row belongs to several groups.
        (groups.group_expr().is_single().then(|| groups.group_expr().input_exprs())?, false)
    } else if let Some(window) = operator.downcast_ref::<WindowAggExec>() {
        (window.partition_keys(), true)
    } else if let Some(window) = operator.downcast_ref::<BoundedWindowAggExec>() {
        (window.partition_keys(), true)
    } else {
        return None;
    };
    (!keys.is_empty()).then_some((keys, ordered))
}

/// The plan with its scan cut by key, if nothing between moves rows.
fn below(plan: &Arc<dyn ExecutionPlan>, partitions: usize, ordered: bool) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(cut) = by_key(plan.as_ref(), partitions, ordered)? {
        return Ok(Some(cut));
    }
    if !(plan.is::<FilterExec>() || plan.is::<ProjectionExec>() || plan.is::<CooperativeExec>()) {
        return Ok(None);
    }
    let [input] = plan.children()[..] else { return Ok(None) };
    let Some(input) = below(input, partitions, ordered)? else { return Ok(None) };
    replace_children_if_necessary(Arc::clone(plan), vec![input]).map(Some)
}
