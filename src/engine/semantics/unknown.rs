//! Quoted literals take the type of what they stand beside, as PostgreSQL's `unknown` does: `SELECT 1 UNION SELECT 'a'`
//! is an error (22P02) because 'a' is no number. DataFusion would make text of both. Text that is no literal and a
//! number do not go together at all (42804).
//!
//! For UNION, CASE, COALESCE, GREATEST and LEAST; runs before types are coerced. Parameters without a type take that of
//! the function they are handed to, where it takes just one.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::type_coercion::binary::type_union_coercion;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Case, Expr, ExprSchemable, LogicalPlan, Projection, TypeSignature, Union, cast};
use datafusion::optimizer::analyzer::AnalyzerRule;

use crate::error::{Error, SqlState, type_name};

/// The rule.
#[derive(Debug)]
pub(in crate::engine) struct UntypedLiterals;

impl AnalyzerRule for UntypedLiterals {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            if let LogicalPlan::Union(union) = plan {
                return unify_union(union);
            }
            let mut schema = merge_schema(&plan.inputs());
            if let LogicalPlan::TableScan(scan) = &plan {
                schema.merge(&DFSchema::try_from(scan.source.schema())?);
            }
            let projects = matches!(plan, LogicalPlan::Projection(_));
            plan.map_expressions(|expression| {
                let name = projects.then(|| expression.schema_name().to_string());
                let rewritten = expression.transform_up(|e| unify_expression(e, &schema))?;
                // A projection's columns keep their names, by which the nodes above know them.
                Ok(match name {
                    Some(name) if rewritten.transformed && rewritten.data.schema_name().to_string() != name => {
                        rewritten.update_data(|e| e.alias(name))
                    }
                    _ => rewritten,
                })
            })
        })
        .map(|transformed| transformed.data)
    }

    fn name(&self) -> &str {
        "untyped_literals"
    }
}

/// One of the things that have to be of one type.
struct Part {
    data_type: DataType,
    literal: bool,
}

/// The type that the literals among `parts` take; `None` where they stay text.
fn common(construct: &str, parts: &[Part]) -> Result<Option<DataType>> {
    let mut typed: Option<DataType> = None;
    for part in parts.iter().filter(|part| !part.literal && !part.data_type.is_null()) {
        typed = match typed {
            None => Some(part.data_type.clone()),
            Some(before) if before.is_string() != part.data_type.is_string() && is_plain(&before, &part.data_type) => {
                let name = |t: &DataType| type_name(&Field::new("", t.clone(), true));
                let message =
                    format!("{construct} types {} and {} cannot be matched", name(&before), name(&part.data_type));
                return Err(Error::new(SqlState::DATATYPE_MISMATCH, message).into());
            }
            // What does not go together otherwise is for DataFusion to say.
            Some(before) => type_union_coercion(&before, &part.data_type).or(Some(before)),
        };
    }
    Ok(typed.filter(|t| is_computed(t) && parts.iter().any(|part| part.literal)))
}

/// Whether both are text, a number, a time or a truth value: what PostgreSQL never takes for one another.
fn is_plain(one: &DataType, other: &DataType) -> bool {
    [one, other].into_iter().all(|t| t.is_string() || is_computed(t))
}

fn is_computed(data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type.is_temporal() || *data_type == DataType::Boolean
}

/// Whether an expression is a quoted literal that nobody gave a type.
fn is_literal(expression: &Expr) -> bool {
    match expression {
        Expr::Alias(alias) => is_literal(&alias.expr),
        Expr::Literal(value, None) => value.data_type().is_string() && !value.is_null(),
        _ => false,
    }
}

fn unify_union(union: Union) -> Result<Transformed<LogicalPlan>> {
    let columns = union.schema.fields().len();
    if union.inputs.iter().any(|input| input.schema().fields().len() != columns) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let selected = |input: &LogicalPlan, index: usize| match input {
        LogicalPlan::Projection(projection) => is_literal(&projection.expr[index]),
        _ => false,
    };
    let mut types = Vec::with_capacity(columns);
    for index in 0..columns {
        let parts: Vec<Part> = union
            .inputs
            .iter()
            .map(|input| Part {
                data_type: input.schema().field(index).data_type().clone(),
                literal: selected(input, index),
            })
            .collect();
        types.push(common("UNION", &parts)?);
    }
    if types.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let inputs = union.inputs.into_iter().map(|input| match Arc::unwrap_or_clone(input) {
        LogicalPlan::Projection(projection) => {
            let expressions = projection.expr.iter().zip(&types).map(|(expression, wanted)| match wanted {
                Some(wanted) if is_literal(expression) => {
                    let name = expression.schema_name().to_string();
                    cast(expression.clone().unalias(), wanted.clone()).alias(name)
                }
                _ => expression.clone(),
            });
            let expressions = expressions.collect();
            Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(expressions, projection.input)?)))
        }
        other => Ok(Arc::new(other)),
    });
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    Ok(Transformed::yes(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?)))
}

/// An operand, by whose type an operator is chosen before the rule has run.
pub(in crate::engine) fn resolved(operand: Expr, schema: &DFSchema) -> Result<Expr> {
    Ok(unify_expression(operand, schema)?.data)
}

fn unify_expression(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::Case(case) => {
            // ELSE comes first, as in PostgreSQL.
            let thens = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
            let results: Vec<&Expr> = case.else_expr.as_deref().into_iter().chain(thens).collect();
            let Some(wanted) = wanted("CASE", &results, schema)? else { return Ok(Transformed::no(Expr::Case(case))) };
            let typed =
                |result: Box<Expr>| if is_literal(&result) { Box::new(cast(*result, wanted.clone())) } else { result };
            Ok(Transformed::yes(Expr::Case(Case {
                expr: case.expr,
                when_then_expr: case.when_then_expr.into_iter().map(|(when, then)| (when, typed(then))).collect(),
                else_expr: case.else_expr.map(typed),
            })))
        }
        Expr::ScalarFunction(call) if ["coalesce", "greatest", "least"].contains(&call.name()) => {
            let arguments: Vec<&Expr> = call.args.iter().collect();
            let construct = call.name().to_uppercase();
            let Some(wanted) = wanted(&construct, &arguments, schema)? else {
                return Ok(Transformed::no(Expr::ScalarFunction(call)));
            };
            let typed = |argument: Expr| if is_literal(&argument) { cast(argument, wanted.clone()) } else { argument };
            let args = call.args.into_iter().map(typed).collect();
            Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func: call.func, args })))
        }
        Expr::ScalarFunction(call) if call.args.iter().any(is_untyped_parameter) => Ok(type_parameters(call)),
        other => Ok(Transformed::no(other)),
    }
}

fn is_untyped_parameter(expression: &Expr) -> bool {
    matches!(expression, Expr::Placeholder(placeholder) if placeholder.field.is_none())
}

/// A call whose parameters have the types that the function takes, where it takes just these.
fn type_parameters(mut call: ScalarFunction) -> Transformed<Expr> {
    let exact = |signature: &TypeSignature| match signature {
        TypeSignature::Exact(types) if types.len() == call.args.len() => Some(types.clone()),
        _ => None,
    };
    let types = match &call.func.signature().type_signature {
        TypeSignature::OneOf(signatures) => signatures.iter().find_map(exact),
        signature => exact(signature),
    };
    let Some(types) = types else { return Transformed::no(Expr::ScalarFunction(call)) };
    for (argument, data_type) in call.args.iter_mut().zip(types) {
        if let Expr::Placeholder(placeholder) = argument {
            placeholder.field.get_or_insert_with(|| Arc::new(Field::new("", data_type, true)));
        }
    }
    Transformed::yes(Expr::ScalarFunction(call))
}

/// [`common`] of expressions; `None` if the type of one is not known yet.
fn wanted(construct: &str, expressions: &[&Expr], schema: &DFSchema) -> Result<Option<DataType>> {
    let mut parts = Vec::with_capacity(expressions.len());
    for expression in expressions {
        let Ok(data_type) = expression.get_type(schema) else { return Ok(None) };
        parts.push(Part { data_type, literal: is_literal(expression) });
    }
    common(construct, &parts)
}
