//! EXISTS as a value (in a select list), which DataFusion has only as a filter: it becomes a count that is not zero.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, Spans};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::Exists;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery, lit};

/// Rewrites one expression of a projection.
pub(super) fn rewrite(expression: Expr) -> Result<Transformed<Expr>> {
    let Expr::Exists(Exists { subquery, negated }) = expression else { return Ok(Transformed::no(expression)) };
    let input: LogicalPlan = subquery.subquery.as_ref().clone();
    let counted = LogicalPlanBuilder::from(input).aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])?.build()?;
    let count = Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(counted),
        outer_ref_columns: subquery.outer_ref_columns.clone(),
        spans: Spans::new(),
    });
    let none = lit(0_i64);
    Ok(Transformed::yes(if negated { count.eq(none) } else { count.gt(none) }))
}
