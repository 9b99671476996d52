//! Rows that stand in a statement as constants, computed without a plan: the way from `INSERT … VALUES` to its rows
//! is taken so often, and is so short, that optimizing and starting a query for it would be most of the work.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::scalar::ScalarValue;

/// The rows of an analyzed plan that takes them from constants; `None` if it needs more than that: tables, subqueries,
/// functions that give another value each time or that wait.
pub(super) fn rows(plan: &LogicalPlan, state: &SessionState) -> Result<Option<RecordBatch>> {
    match plan {
        LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => {
            Ok(Some(batch(&DFSchema::empty(), Vec::new(), 1)?))
        }
        LogicalPlan::Values(values) => {
            let nothing = batch(&DFSchema::empty(), Vec::new(), 1)?;
            let mut columns: Vec<Vec<ScalarValue>> = vec![Vec::new(); values.schema.fields().len()];
            for row in &values.values {
                for (column, expression) in columns.iter_mut().zip(row) {
                    let Some(value) = evaluate(expression, &DFSchema::empty(), &nothing, state)? else {
                        return Ok(None);
                    };
                    column.push(ScalarValue::try_from_array(&value, 0)?);
                }
            }
            let mut arrays = Vec::with_capacity(columns.len());
            for (column, field) in columns.into_iter().zip(values.schema.fields()) {
                if column.iter().any(|value| value.data_type() != *field.data_type()) {
                    return Ok(None);
                }
                arrays.push(ScalarValue::iter_to_array(column)?);
            }
            Ok(Some(batch(&values.schema, arrays, values.values.len())?))
        }
        LogicalPlan::SubqueryAlias(alias) => rows(&alias.input, state),
        LogicalPlan::Projection(projection) => {
            let Some(input) = rows(&projection.input, state)? else { return Ok(None) };
            let mut arrays = Vec::with_capacity(projection.expr.len());
            for (expression, field) in projection.expr.iter().zip(projection.schema.fields()) {
                match evaluate(expression, projection.input.schema(), &input, state)? {
                    Some(array) if array.data_type() == field.data_type() => arrays.push(array),
                    _ => return Ok(None),
                }
            }
            Ok(Some(batch(&projection.schema, arrays, input.num_rows())?))
        }
        _ => Ok(None),
    }
}

fn evaluate(
    expression: &Expr,
    schema: &DFSchema,
    rows: &RecordBatch,
    state: &SessionState,
) -> Result<Option<ArrayRef>> {
    let more = expression.exists(|e| {
        Ok(matches!(
            e,
            Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
                | Expr::Unnest(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::Placeholder(_)
        ))
    })?;
    if more || expression.is_volatile() {
        return Ok(None);
    }
    let context = SimplifyContext::builder()
        .with_schema(Arc::new(schema.clone()))
        .with_config_options(Arc::clone(state.config_options()))
        .with_query_execution_start_time(state.execution_props().query_execution_start_time)
        .build();
    let expression = ExprSimplifier::new(context).simplify(expression.clone())?;
    let value = state.create_physical_expr(expression, schema)?.evaluate(rows)?;
    Ok(Some(value.into_array(rows.num_rows())?))
}

fn batch(schema: &DFSchema, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}
