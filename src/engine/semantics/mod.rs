//! PostgreSQL's meaning of expressions, where DataFusion's and Arrow's differs: one analyzer rule, run after types are
//! coerced, that puts functions of ours in the place of casts and operators.
//!
//! * [`read`]: text is read by PostgreSQL's input syntax (`2026-01-01 10:00+02`, `1 day 02:00`), in the session's zone.
//! * [`print`]: what is cast to text is printed as PostgreSQL prints it.
//! * [`round`]: a fraction cast to an integer is rounded, not cut off.
//! * [`convert`]: `uuid`, `json` and `jsonb` are checked; `varchar(n)` cuts in a cast and refuses in an assignment.
//! * [`arithmetic`]: integers that overflow and floats divided by zero are errors.
//! * [`exists`]: EXISTS works in a select list.
//! * [`zone`]: `timestamptz` cast to `timestamp` or `date` is the session's wall clock.
//! * [`only_row`]: a correlated sub-query that yields a column and no aggregate is taken for one value, and is an error
//!   where it yields two.
//! * [`unknown`]: quoted literals take the type of what they stand beside (a rule of its own, run before).
//! * [`not_in`]: a constant is not known to be absent from rows of which one is null.

mod arithmetic;
mod convert;
mod exists;
mod not_in;
pub(super) mod only_row;
pub(super) mod print;
mod read;
mod required;
mod round;
pub(super) mod unknown;
pub(super) mod zone;

use std::sync::Arc;

use catalog::types::{PG_TYPE, PgType};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, TryCast};
use datafusion::optimizer::analyzer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use self::convert::Context;
pub(crate) use self::convert::assigned_text;
pub(super) use self::required::NAME as REQUIRED;
pub(crate) use self::required::required;
use crate::error::{Error, SqlState, type_name};

/// The rule.
#[derive(Debug)]
pub(super) struct PostgresSemantics;

impl AnalyzerRule for PostgresSemantics {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let mut schema = merge_schema(&plan.inputs());
            if let LogicalPlan::TableScan(scan) = &plan {
                schema.merge(&DFSchema::try_from(scan.source.schema())?);
            }
            let projects = matches!(plan, LogicalPlan::Projection(_));
            let names = projects || matches!(plan, LogicalPlan::Aggregate(_) | LogicalPlan::Window(_));
            plan.map_expressions(|expression| {
                let name = names.then(|| expression.schema_name().to_string());
                let rewritten = expression.transform_up(|e| {
                    if projects && matches!(e, Expr::Exists(_)) { exists::rewrite(e) } else { rewrite(e, &schema) }
                })?;
                // Columns keep their names, by which the nodes above know them.
                Ok(match name {
                    Some(name) if rewritten.transformed && rewritten.data.schema_name().to_string() != name => {
                        rewritten.update_data(|e| e.alias(name))
                    }
                    _ => rewritten,
                })
            })
        })
        .and_then(|transformed| transformed.data.recompute_schema())
    }

    fn name(&self) -> &str {
        "postgres_semantics"
    }
}

/// Converts `value` for a column of type `pg`, as an INSERT does: what does not fit is an error.
pub(crate) fn assignment(value: Expr, pg: &PgType, zone: &Arc<str>) -> Expr {
    let field = Arc::new(super::types::in_zone(&pg.field("", true), zone));
    match convert::declared(&field) {
        Some(pg) => convert::call(value, pg, Context::Assignment),
        None => Expr::Cast(Cast { expr: Box::new(value), field }),
    }
}

fn rewrite(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (inner, field, rebuild): (&Expr, &FieldRef, fn(Box<Expr>, FieldRef) -> Expr) = match &expression {
        Expr::Cast(Cast { expr, field }) => (expr, field, |expr, field| Expr::Cast(Cast { expr, field })),
        Expr::TryCast(TryCast { expr, field }) => (expr, field, |expr, field| Expr::TryCast(TryCast { expr, field })),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            if !arithmetic::applies(*op, &left.get_type(schema)?, &right.get_type(schema)?) {
                return Ok(Transformed::no(expression));
            }
            return Ok(Transformed::yes(arithmetic::call(left.as_ref().clone(), *op, right.as_ref().clone())));
        }
        Expr::InSubquery(_) => return not_in::rewrite(expression),
        _ => return Ok(Transformed::no(expression)),
    };
    let from = inner.get_type(schema)?;
    let to = field.data_type();
    if let Some(pg) = convert::declared(field) {
        // A value that already has the type needs no check, and the check itself leaves no cast behind.
        let (_, from) = inner.to_field(schema)?;
        if from.metadata().get(PG_TYPE) == field.metadata().get(PG_TYPE) {
            return Ok(Transformed::no(expression));
        }
        return Ok(Transformed::yes(convert::call(inner.clone(), pg, Context::Cast)));
    }
    if let Some(exact) = exact_float(inner, to) {
        return Ok(Transformed::yes(exact));
    }
    let strict = matches!(expression, Expr::Cast(_));
    if strict && from.is_string() && read::applies(to) {
        return Ok(Transformed::yes(read::call(inner.clone(), Arc::clone(field))));
    }
    if strict && to.is_string() && print::applies(&from) {
        return Ok(Transformed::yes(print::call(inner.clone(), to.clone())));
    }
    let number = from.is_integer() || from.is_floating() || from.is_decimal();
    if strict && number && matches!(to, DataType::Date32 | DataType::Timestamp(..) | DataType::Time64(_)) {
        let (_, from) = inner.to_field(schema)?;
        let message = format!("cannot cast type {} to {}", type_name(&from), type_name(field));
        return Err(Error::new(SqlState::CANNOT_COERCE, message).into());
    }
    if let Some(zone) = zone::leaves(&from, to) {
        return Ok(Transformed::yes(rebuild(Box::new(zone::local(inner.clone(), &zone)), Arc::clone(field))));
    }
    if to.is_integer() && round::applies(&from) && !round::is_rounded(inner) {
        return Ok(Transformed::yes(rebuild(Box::new(round::call(inner.clone())), Arc::clone(field))));
    }
    Ok(Transformed::no(expression))
}

/// `1e30` as a floating-point number. It is planned as a decimal of negative scale, which Arrow would divide by a power
/// of ten that no float is equal to.
fn exact_float(literal: &Expr, to: &DataType) -> Option<Expr> {
    let Expr::Literal(ScalarValue::Decimal128(Some(digits), _, scale @ ..0), _) = literal else { return None };
    let text = format!("{digits}e{}", -i32::from(*scale));
    let value = match to {
        DataType::Float64 => ScalarValue::Float64(text.parse().ok()),
        DataType::Float32 => ScalarValue::Float32(text.parse().ok()),
        _ => return None,
    };
    (!value.is_null()).then_some(Expr::Literal(value, None))
}
