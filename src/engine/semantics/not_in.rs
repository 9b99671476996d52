//! `constant NOT IN (subquery)`: unknown, not true, if a row of the subquery is null. DataFusion sees to that where the
//! left side is a column, and loses it where it is a constant.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, Spans};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, Subquery, lit};

/// Adds to a negated IN of a constant that the subquery has no nulls.
pub(super) fn rewrite(expression: Expr) -> Result<Transformed<Expr>> {
    let Expr::InSubquery(InSubquery { expr, subquery, negated: true }) = &expression else {
        return Ok(Transformed::no(expression));
    };
    let columns = subquery.subquery.schema().columns();
    let (false, true, [column]) = (expr.any_column_refs(), subquery.outer_ref_columns.is_empty(), columns.as_slice())
    else {
        return Ok(Transformed::no(expression));
    };
    let nulls = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone())
        .filter(Expr::Column(column.clone()).is_null())?
        .aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])?
        .build()?;
    let nulls = Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(nulls),
        outer_ref_columns: Vec::new(),
        spans: Spans::new(),
    });
    // The rule runs again when the plan is optimized: the constant hides behind the first condition by then.
    let known = nulls.eq(lit(0_i64));
    Ok(Transformed::yes(expression.clone().and(known)))
}
