//! UNNEST of rows that are told apart by a key: afterwards the key tells them apart no more.
//!
//! DataFusion lets `GROUP BY g` say that `g` determines everything in its row, and lets UNNEST hand that on, though it
//! makes many rows of one. ORDER BY then loses what comes after `g`, DISTINCT is dropped, and a further `GROUP BY g`
//! groups by all the rest as well: wrong answers. So such rows pass a node that says nothing of keys: where a relation
//! is planned, for what is built on it, and below the UNNEST, for the optimizer, which asks anew. In the physical plan
//! its input stands in its place.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchemaRef, FunctionalDependencies, Result, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::optimizer::analyzer::AnalyzerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use datafusion::sql::sqlparser::ast::TableFactor;

thread_local! {
    /// Whether the relation that is asked for next is one that [`Fence`] has handed on.
    static HANDED_ON: Cell<bool> = const { Cell::new(false) };
}

/// Puts the node over what stands in FROM.
#[derive(Debug)]
pub(super) struct Fence;

impl RelationPlanner for Fence {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if HANDED_ON.replace(false) {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        HANDED_ON.set(true);
        let planned = context.plan(relation);
        HANDED_ON.set(false);
        let plan = planned?;
        let keyed = !plan.schema().functional_dependencies().is_empty();
        let plan = if keyed && plan.exists(|node| Ok(matches!(node, LogicalPlan::Unnest(_))))? {
            LogicalPlan::Extension(Extension { node: Arc::new(Keyless::new(plan)?) })
        } else {
            plan
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
    }
}

/// Puts the node below UNNEST.
#[derive(Debug)]
pub(super) struct KeysEnd;

impl AnalyzerRule for KeysEnd {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let fenced = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Unnest(unnest) if !unnest.input.schema().functional_dependencies().is_empty() => {
                let plan = LogicalPlan::Unnest(unnest.clone());
                let node = Extension { node: Arc::new(Keyless::new(Arc::unwrap_or_clone(unnest.input))?) };
                let expressions = plan.expressions();
                plan.with_new_exprs(expressions, vec![LogicalPlan::Extension(node)]).map(Transformed::yes)
            }
            // What stands above learns of it.
            plan => plan.recompute_schema().map(Transformed::no),
        })?;
        Ok(fenced.data)
    }

    fn name(&self) -> &str {
        "keys_end_at_unnest"
    }
}

/// Rows as they are, without a key.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Keyless {
    input: LogicalPlan,
    schema: DFSchemaRef,
}

impl Keyless {
    fn new(input: LogicalPlan) -> Result<Self> {
        let schema = input.schema().as_ref().clone();
        let schema = schema.with_functional_dependencies(FunctionalDependencies::empty())?;
        Ok(Self { input, schema: Arc::new(schema) })
    }
}

impl PartialOrd for Keyless {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.input.partial_cmp(&other.input)
    }
}

impl UserDefinedLogicalNodeCore for Keyless {
    fn name(&self) -> &str {
        "Keyless"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        HashSet::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyless")
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        match <[LogicalPlan; 1]>::try_from(inputs) {
            Ok([input]) => Self::new(input),
            Err(inputs) => plan_err!("Keyless has one input, not {}", inputs.len()),
        }
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }
}

/// DataFusion's planner, which learns what becomes of the node.
#[derive(Debug)]
pub(super) struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Transparent)]);
        planner.create_physical_plan(plan, session).await
    }
}

struct Transparent;

#[async_trait]
impl ExtensionPlanner for Transparent {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        Ok(if node.as_any().is::<Keyless>() { inputs.first().cloned() } else { None })
    }
}
