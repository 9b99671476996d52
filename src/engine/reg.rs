//! Casts to and from the types that are numbers written as names (`regclass`, `regtype` …). What they mean depends on
//! the catalog and the search path, so they are put right for each statement, before types are checked.
//!
//! In a result such a value is the name itself, as a text: its number would be of no use to who reads it.

use std::sync::Arc;

use catalog::types::PG_TYPE;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};

use crate::pg_catalog::{PgCatalog, Reg, print_reg, read_reg, reg_number};

/// The plan with these casts resolved; at the top of a statement its columns of these types as names.
pub(super) fn resolved(plan: LogicalPlan, catalog: &Arc<PgCatalog>, top: bool) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|plan| {
        let mut schema = merge_schema(&plan.inputs());
        if let LogicalPlan::TableScan(scan) = &plan {
            schema.merge(&DFSchema::try_from(scan.source.schema())?);
        }
        let names = matches!(plan, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_));
        plan.map_expressions(|expression| {
            let name = names.then(|| expression.schema_name().to_string());
            let rewritten = expression.transform_up(|e| cast(e, &schema, catalog))?;
            Ok(match name {
                Some(name) if rewritten.transformed && rewritten.data.schema_name().to_string() != name => {
                    rewritten.update_data(|e| e.alias(name))
                }
                _ => rewritten,
            })
        })
    })?;
    let plan = if plan.transformed { plan.data.recompute_schema()? } else { plan.data };
    if top { printed(plan, catalog) } else { Ok(plan) }
}

fn cast(expression: Expr, schema: &DFSchema, catalog: &Arc<PgCatalog>) -> Result<Transformed<Expr>> {
    let Expr::Cast(Cast { expr, field }) = &expression else { return Ok(Transformed::no(expression)) };
    let Ok((_, from)) = expr.to_field(schema) else { return Ok(Transformed::no(expression)) };
    if let Some(reg) = reg_of(field) {
        if from.data_type().is_string() || from.data_type().is_null() {
            return Ok(Transformed::yes(read_reg(catalog, reg, expr.as_ref().clone())));
        }
    }
    if let (Some(reg), true) = (reg_of(&from), field.data_type().is_string()) {
        return Ok(Transformed::yes(print_reg(catalog, reg, expr.as_ref().clone())));
    }
    // Between numbers the value stays and the type changes, which a cast to the same Arrow type would not tell.
    if from.data_type().is_integer() && field.data_type().is_integer() {
        let target = match field.metadata().get(PG_TYPE).map(String::as_str) {
            Some("oid") => Some("oid"),
            Some(name) => Reg::named(name).map(Reg::name),
            None if !from.metadata().contains_key(PG_TYPE) => None,
            None => match field.data_type() {
                DataType::Int16 => Some("int2"),
                DataType::Int32 => Some("int4"),
                _ => Some("int8"),
            },
        };
        if let Some(target) = target {
            return Ok(Transformed::yes(reg_number(catalog, target, expr.as_ref().clone())));
        }
    }
    Ok(Transformed::no(expression))
}

fn reg_of(field: &Field) -> Option<Reg> {
    if !field.data_type().is_integer() {
        return None;
    }
    Reg::named(field.metadata().get(PG_TYPE)?)
}

fn printed(plan: LogicalPlan, catalog: &Arc<PgCatalog>) -> Result<LogicalPlan> {
    let schema = Arc::clone(plan.schema());
    if !schema.fields().iter().any(|field| reg_of(field).is_some()) {
        return Ok(plan);
    }
    let columns = schema.iter().map(|(qualifier, field)| {
        let column = Expr::Column(datafusion::common::Column::from((qualifier, field)));
        match reg_of(field) {
            Some(reg) => print_reg(catalog, reg, column).alias(field.name()),
            None => column,
        }
    });
    LogicalPlanBuilder::from(plan).project(columns.collect::<Vec<_>>())?.build()
}
