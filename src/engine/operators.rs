//! Operators with PostgreSQL's types, decided while a query is planned so that everything above sees them.
//!
//! * A date plus or minus an interval is a timestamp.
//! * Text is not compared or computed with numbers and times: 42883, where DataFusion would convert one of them.
//!   A quoted literal is no text yet, it takes the other side's type.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::semantics::unknown::resolved;
use crate::error::{Error, SqlState, type_name};

/// The planner of binary operators.
#[derive(Debug)]
pub(super) struct PostgresOperators;

impl ExprPlanner for PostgresOperators {
    fn plan_binary_op(&self, expression: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expression;
        let (left, right) = (resolved(left, schema)?, resolved(right, schema)?);
        let types = (left.get_type(schema), right.get_type(schema));
        let (Ok(left_type), Ok(right_type)) = types else {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        };
        if is_strict(&op) && (unrelated(&left, &left_type, &right_type) || unrelated(&right, &right_type, &left_type)) {
            let (_, left) = left.to_field(schema)?;
            let (_, right) = right.to_field(schema)?;
            let message = format!("operator does not exist: {} {op} {}", type_name(&left), type_name(&right));
            return Err(Error::new(SqlState::UNDEFINED_FUNCTION, message)
                .with_hint(
                    "No operator matches the given name and argument types. You might need to add explicit type casts.",
                )
                .into());
        }
        let moment = |date: Expr| cast(date, DataType::Timestamp(TimeUnit::Microsecond, None));
        let (left, right) = match (&op, &left_type, &right_type) {
            (BinaryOperator::Plus | BinaryOperator::Minus, DataType::Date32, DataType::Interval(_)) => {
                (moment(left), right)
            }
            (BinaryOperator::Plus, DataType::Interval(_), DataType::Date32) => (left, moment(right)),
            // '{1,2}' beside an array is one.
            (_, DataType::List(_), DataType::Utf8) if is_comparison(&op) && matches!(right, Expr::Literal(..)) => {
                let array = cast(right, left_type.clone());
                (left, array)
            }
            (_, DataType::Utf8, DataType::List(_)) if is_comparison(&op) && matches!(left, Expr::Literal(..)) => {
                (cast(left, right_type.clone()), right)
            }
            _ => (left, right),
        };
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

fn is_strict(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Divide, Eq, Gt, GtEq, Lt, LtEq, Minus, Modulo, Multiply, NotEq, Plus};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | Plus | Minus | Multiply | Divide | Modulo)
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// Whether one side is text for certain and the other a number or a time.
fn unrelated(text: &Expr, text_type: &DataType, other: &DataType) -> bool {
    let literal = matches!(text, Expr::Literal(..) | Expr::Placeholder(_));
    let computed =
        other.is_numeric() || other.is_temporal() || matches!(other, DataType::Interval(_) | DataType::Boolean);
    text_type.is_string() && !literal && computed
}
