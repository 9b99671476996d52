//! Joins of a table with a few rows that stand in the statement: of the table only rows with their keys are read.
//!
//! An upsert, a MERGE or an UPDATE … FROM (VALUES …) brings its keys along. As a list they let the table's scan leave
//! out buckets, files and row groups before anything is opened; a join by itself knows them only once it runs.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::compute::cast;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, ExprSchema, NullEquality, Result};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Filter, Join, JoinType, LogicalPlan, Operator, lit};
use datafusion::scalar::ScalarValue;

use super::{constants, semantics};

/// With more rows than this the join finds out by itself.
const MOST_ROWS: usize = 1000;

/// `plan` with such joins' tables filtered.
pub(super) fn filtered(plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) => on_join(join, None, state).map(|t| t.update_data(LogicalPlan::Join)),
        LogicalPlan::Filter(filter) => match filter.input.as_ref() {
            LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
                let join = on_join(join.clone(), Some(&filter.predicate), state)?;
                let of_join = |join| LogicalPlan::Filter(filter_of(&filter, LogicalPlan::Join(join)));
                Ok(join.update_data(of_join))
            }
            _ => Ok(Transformed::no(LogicalPlan::Filter(filter))),
        },
        _ => Ok(Transformed::no(node)),
    })
    .data()
}

fn filter_of(filter: &Filter, input: LogicalPlan) -> Filter {
    let mut filter = filter.clone();
    filter.input = Arc::new(input);
    filter
}

fn on_join(mut join: Join, above: Option<&Expr>, state: &SessionState) -> Result<Transformed<Join>> {
    if join.null_equality == NullEquality::NullEqualsNull {
        return Ok(Transformed::no(join));
    }
    // Rows of a side may be left out where those that have no partner are not part of the result.
    let (left, right) = match join.join_type {
        JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => (true, true),
        JoinType::Left | JoinType::LeftAnti | JoinType::LeftMark => (false, true),
        JoinType::Right | JoinType::RightAnti | JoinType::RightMark => (true, false),
        JoinType::Full => (false, false),
    };
    let equal = equalities(&join, above);
    let mut changed = false;
    if right && is_table(&join.right) {
        let pairs = equal.iter().map(|(left, right)| (left, right));
        if let Some(filter) = keys(&join.left, &join.right, pairs, state) {
            join.right = Arc::new(LogicalPlan::Filter(Filter::try_new(filter, join.right)?));
            changed = true;
        }
    }
    if left && !changed && is_table(&join.left) {
        let pairs = equal.iter().map(|(left, right)| (right, left));
        if let Some(filter) = keys(&join.right, &join.left, pairs, state) {
            join.left = Arc::new(LogicalPlan::Filter(Filter::try_new(filter, join.left)?));
            changed = true;
        }
    }
    Ok(if changed { Transformed::yes(join) } else { Transformed::no(join) })
}

/// Whether it is no more than a table, where a filter can be of use.
fn is_table(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::SubqueryAlias(alias) => is_table(&alias.input),
        LogicalPlan::Projection(projection) => {
            projection.expr.iter().all(|e| matches!(e, Expr::Column(_) | Expr::Alias(_))) && is_table(&projection.input)
        }
        _ => false,
    }
}

/// The columns that the join wants to be equal: of the left side, and of the right.
fn equalities(join: &Join, above: Option<&Expr>) -> Vec<(Column, Column)> {
    let of_side = |side: &LogicalPlan, column: &Column| side.schema().has_column(column);
    let sides = |a: &Column, b: &Column| {
        if of_side(&join.left, a) && of_side(&join.right, b) {
            Some((a.clone(), b.clone()))
        } else if of_side(&join.left, b) && of_side(&join.right, a) {
            Some((b.clone(), a.clone()))
        } else {
            None
        }
    };
    let conditions = join.filter.iter().chain(above).flat_map(split_conjunction);
    let compared = conditions.filter_map(|condition| match condition {
        Expr::BinaryExpr(e) if e.op == Operator::Eq => Some((e.left.as_ref(), e.right.as_ref())),
        _ => None,
    });
    let all = join.on.iter().map(|(a, b)| (a, b)).chain(compared);
    all.filter_map(|(a, b)| sides(column(a)?, column(b)?)).collect()
}

/// A column, whatever kind of text it is read as.
fn column(expression: &Expr) -> Option<&Column> {
    match expression {
        Expr::Cast(cast) if cast.field.data_type().is_string() => cast.expr.try_as_col(),
        other => other.try_as_col(),
    }
}

/// That columns have one of the values that a few constant rows have in others; `None` if `rows` are no such rows.
fn keys<'a>(
    rows: &LogicalPlan,
    table: &LogicalPlan,
    equal: impl Iterator<Item = (&'a Column, &'a Column)>,
    state: &SessionState,
) -> Option<Expr> {
    let mut equal = equal.peekable();
    equal.peek()?;
    if count(rows)? > MOST_ROWS {
        return None;
    }
    // What goes wrong with them is told when they are asked for.
    let batch = constants::rows(&as_given(rows).ok()?, state).ok().flatten()?;
    let mut conditions = Vec::new();
    for (named, asked) in equal {
        let place = rows.schema().index_of_column(named).ok()?;
        // Equal values of two types may be written differently.
        let (from, to) = (batch.column(place).data_type(), table.schema().data_type(asked).ok()?);
        if from != to && !(from.is_string() && to.is_string()) {
            continue;
        }
        let given = cast(batch.column(place), to).ok()?;
        let mut values = HashSet::new();
        for row in 0..batch.num_rows() {
            let value = ScalarValue::try_from_array(&given, row).ok()?;
            if !value.is_null() {
                values.insert(value);
            }
        }
        let mut list: Vec<ScalarValue> = values.into_iter().collect();
        list.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        let asked = Expr::Column(asked.clone());
        conditions.push(match list.as_slice() {
            [] => lit(false),
            [one] => asked.eq(lit(one.clone())),
            _ => asked.in_list(list.into_iter().map(lit).collect(), false),
        });
    }
    conditions.into_iter().reduce(Expr::and)
}

/// The rows without the question whether values are missing: those that are have no partner.
fn as_given(rows: &LogicalPlan) -> Result<LogicalPlan> {
    let value = |e: Expr| {
        Ok(match e {
            Expr::ScalarFunction(mut call) if call.func.name() == semantics::REQUIRED && call.args.len() == 1 => {
                Transformed::yes(call.args.remove(0))
            }
            e => Transformed::no(e),
        })
    };
    rows.clone().transform_up(|node| node.map_expressions(|e| e.transform_up(value))).data()
}

/// How many rows there are, if they stand in the statement.
fn count(plan: &LogicalPlan) -> Option<usize> {
    match plan {
        LogicalPlan::Values(values) => Some(values.values.len()),
        LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => Some(1),
        LogicalPlan::SubqueryAlias(alias) => count(&alias.input),
        LogicalPlan::Projection(projection) => count(&projection.input),
        _ => None,
    }
}
