//! A correlated sub-query as a value, without an aggregate: `(SELECT p.name FROM products p WHERE p.id = t.product)`.
//!
//! DataFusion computes such a sub-query for all outer rows at once, by grouping, and therefore wants an aggregate in it.
//! This one gets an aggregate that keeps up to two values, and where it is used the one value is taken from it: 21000
//! if there are two. That is asked of outer rows only, since a group that no outer row looks at may hold any number.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, BinaryExpr, ColumnarValue, Expr, JoinType, LogicalPlan,
    LogicalPlanBuilder, Operator, Projection, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Subquery, Volatility, when,
};
use datafusion::scalar::ScalarValue;

use crate::error::{Error, SqlState};

/// The plan with every such sub-query guarded.
pub(in crate::engine) fn guarded(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|plan| {
        let names = matches!(plan, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_));
        plan.map_expressions(|expression| {
            let name = names.then(|| expression.schema_name().to_string());
            let rewritten = expression.transform_up(rewrite)?;
            Ok(match name {
                Some(name) if rewritten.transformed && rewritten.data.schema_name().to_string() != name => {
                    rewritten.update_data(|e| e.alias(name))
                }
                _ => rewritten,
            })
        })
    })?;
    if plan.transformed { plan.data.recompute_schema() } else { Ok(plan.data) }
}

fn rewrite(expression: Expr) -> Result<Transformed<Expr>> {
    let Expr::ScalarSubquery(subquery) = &expression else { return Ok(Transformed::no(expression)) };
    let columns = subquery.subquery.schema().columns();
    let ([column], false) = (columns.as_slice(), subquery.outer_ref_columns.is_empty()) else {
        return Ok(Transformed::no(expression));
    };
    if yields_nothing(&subquery.subquery) {
        let data_type = subquery.subquery.schema().field(0).data_type();
        return Ok(Transformed::yes(Expr::Literal(ScalarValue::try_new_null(data_type)?, None)));
    }
    if !may_yield_several(&subquery.subquery) {
        return Ok(Transformed::no(expression));
    }
    let (plan, conditions) = loosened(subquery.subquery.as_ref().clone())?;
    let aggregate = AggregateUDF::from(UpToTwo { signature: Signature::any(1, Volatility::Immutable) });
    let values = aggregate.call(vec![Expr::Column(column.clone())]);
    let plan = LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), vec![values])?.build()?;
    let outer_ref_columns = plan.all_out_ref_exprs();
    let values =
        Expr::ScalarSubquery(Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: subquery.spans.clone() });
    let only = ScalarUDF::from(OnlyValue { signature: Signature::any(1, Volatility::Immutable) });
    let only = only.call(vec![values]);
    Ok(Transformed::yes(match conjunction(conditions) {
        // No row, and so no value, where what the sub-query asks of the outer row is not so.
        Some(condition) => when(condition, only).end()?,
        None => only,
    }))
}

/// The sub-query with conditions that DataFusion can group by: an equality of its own column with an outer one.
///
/// Conditions on the outer row alone are taken out and returned. In the others an outer column is replaced by the column
/// of the sub-query that must be equal to it, where there is one.
fn loosened(plan: LogicalPlan) -> Result<(LogicalPlan, Vec<Expr>)> {
    let mut taken = Vec::new();
    let plan = match plan {
        LogicalPlan::Projection(projection) => {
            let (input, conditions) = loosened(projection.input.as_ref().clone())?;
            taken = conditions;
            LogicalPlan::Projection(Projection::try_new(projection.expr, Arc::new(input))?)
        }
        LogicalPlan::Filter(filter) => {
            let all = split_conjunction_owned(filter.predicate);
            let equal: Vec<(Expr, Expr)> = all.iter().filter_map(equality).collect();
            let mut kept = Vec::new();
            for condition in all {
                if !condition.contains_outer() || equality(&condition).is_some() {
                    kept.push(condition);
                } else if !condition.any_column_refs() {
                    taken.push(of_outer_row(condition)?);
                } else {
                    let replaced = condition.transform_up(|e| {
                        let own = equal.iter().find(|(_, outer)| *outer == e).map(|(own, _)| own.clone());
                        Ok(own.map_or_else(|| Transformed::no(e), Transformed::yes))
                    })?;
                    kept.push(replaced.data);
                }
            }
            let input = LogicalPlanBuilder::from(filter.input);
            match conjunction(kept) {
                Some(predicate) => input.filter(predicate)?.build()?,
                None => input.build()?,
            }
        }
        other => other,
    };
    Ok((plan, taken))
}

/// `own = outer`, either way round.
fn equality(condition: &Expr) -> Option<(Expr, Expr)> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return None };
    match (left.as_ref(), right.as_ref()) {
        (own @ Expr::Column(_), outer @ Expr::OuterReferenceColumn(..))
        | (outer @ Expr::OuterReferenceColumn(..), own @ Expr::Column(_)) => Some((own.clone(), outer.clone())),
        _ => None,
    }
}

fn of_outer_row(condition: Expr) -> Result<Expr> {
    let outer = condition.transform_up(|e| match e {
        Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
        other => Ok(Transformed::no(other)),
    });
    outer.map(|outer| outer.data)
}

/// Whether the sub-query reads a catalog that is always empty. DataFusion would find that out itself, but only where it
/// can compute the rest.
fn yields_nothing(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::EmptyRelation(empty) => !empty.produce_one_row,
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Sort(_) => {
            plan.inputs().into_iter().all(yields_nothing)
        }
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            yields_nothing(&join.left) || yields_nothing(&join.right)
        }
        _ => false,
    }
}

/// Whether nothing about the sub-query's form says that it yields one row.
fn may_yield_several(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => may_yield_several(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => may_yield_several(&alias.input),
        LogicalPlan::Filter(filter) => may_yield_several(&filter.input),
        LogicalPlan::Sort(sort) => may_yield_several(&sort.input),
        LogicalPlan::Aggregate(aggregate) => !aggregate.group_expr.is_empty(),
        // What has a LIMIT is DataFusion's affair.
        LogicalPlan::Limit(_) | LogicalPlan::EmptyRelation(_) => false,
        _ => true,
    }
}

fn list_of(element: &DataType) -> DataType {
    DataType::new_list(element.clone(), true)
}

/// The first two values of a group.
#[derive(Debug, PartialEq, Eq, Hash)]
struct UpToTwo {
    signature: Signature,
}

impl AggregateUDFImpl for UpToTwo {
    fn name(&self) -> &str {
        "up_to_two"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(list_of(&arguments[0]))
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        let item = arguments[0].as_ref().clone().with_name("item").with_nullable(true);
        // What the value is called in PostgreSQL travels on the element.
        Ok(Arc::new(Field::new(self.name(), DataType::List(Arc::new(item)), true)))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let DataType::List(item) = args.return_field.data_type() else {
            return exec_err!("up_to_two yields a list");
        };
        Ok(Box::new(FirstTwo { item: Arc::clone(item), values: Vec::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new("values", args.return_field.data_type().clone(), true))])
    }
}

#[derive(Debug)]
struct FirstTwo {
    item: FieldRef,
    values: Vec<ScalarValue>,
}

impl FirstTwo {
    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        for row in 0..values.len() {
            if self.values.len() == 2 {
                break;
            }
            self.values.push(ScalarValue::try_from_array(values, row)?);
        }
        Ok(())
    }
}

impl Accumulator for FirstTwo {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for values in states[0].as_list::<i32>().iter().flatten() {
            self.add(&values)?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let values = match self.values.is_empty() {
            true => datafusion::arrow::array::new_empty_array(self.item.data_type()),
            false => ScalarValue::iter_to_array(self.values.iter().cloned())?,
        };
        let offsets = datafusion::arrow::buffer::OffsetBuffer::from_lengths([values.len()]);
        let list = datafusion::arrow::array::ListArray::try_new(Arc::clone(&self.item), offsets, values, None)?;
        Ok(ScalarValue::List(Arc::new(list)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.iter().map(ScalarValue::size).sum::<usize>()
    }
}

/// The one value of a list; null for none.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OnlyValue {
    signature: Signature,
}

impl ScalarUDFImpl for OnlyValue {
    fn name(&self) -> &str {
        "only_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match &arguments[0] {
            DataType::List(item) => Ok(item.data_type().clone()),
            other => exec_err!("only_value takes a list, not {other}"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        match args.arg_fields[0].data_type() {
            DataType::List(item) => Ok(Arc::new(item.as_ref().clone().with_name(self.name()).with_nullable(true))),
            other => exec_err!("only_value takes a list, not {other}"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        let lists = array.as_list::<i32>();
        let mut places: Vec<Option<u32>> = Vec::with_capacity(lists.len());
        for row in 0..lists.len() {
            let length = if lists.is_valid(row) { lists.value_length(row) } else { 0 };
            places.push(match length {
                0 => None,
                1 => u32::try_from(lists.value_offsets()[row]).ok(),
                _ => {
                    let message = "more than one row returned by a subquery used as an expression";
                    return Err(Error::new(SqlState::CARDINALITY_VIOLATION, message).into());
                }
            });
        }
        Ok(ColumnarValue::Array(take(lists.values(), &UInt32Array::from(places), None)?))
    }
}
