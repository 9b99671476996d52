//! PostgreSQL's other spellings, put plainly before a query is planned.
//!
//! * `a OPERATOR(pg_catalog.~) b` is `a ~ b`; COLLATE names the one order there is, that of bytes.
//! * `ARRAY(SELECT …)` is an aggregate of the query's rows, or a function of an array if these are its elements.
//! * `LIKE p ESCAPE e` is LIKE with a pattern whose escape character is the backslash.
//! * `FROM pg_catalog.f(…)` is `FROM f(…)`, `FROM generate_series(…) s` has a column `s`, and `generate_subscripts(a, 1)`
//!   are the numbers of an array's elements.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, LambdaFunction, ObjectName,
    OneOrManyWithParens, Query, SelectItem, SetExpr, TableFactor, Value, VisitMut, VisitorMut, visit_expressions,
};

use super::rewrite::call;
use crate::error::{Error, Result, SqlState};
use crate::statement::fold;

/// Puts a query plainly.
///
/// # Errors
/// 42883 for an operator that there is not, 0A000 for an order of text other than that of bytes.
pub(super) fn plain(query: &mut Query) -> Result<()> {
    match VisitMut::visit(query, &mut Plain) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Plain;

impl VisitorMut for Plain {
    type Break = Error;

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        spelled_out(expression)
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        if let TableFactor::UNNEST { alias: Some(alias), .. } = factor {
            name_column(alias);
        }
        if let TableFactor::Table { name, args: Some(_), alias, .. } = factor {
            let function = name.0.last().and_then(|part| part.as_ident()).map(fold).unwrap_or_default();
            if let (Some(alias), true) = (alias, ["generate_series", "unnest", "range"].contains(&function.as_str())) {
                name_column(alias);
            }
            let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
            if let [schema, function] = parts.as_slice() {
                if fold(schema) == "pg_catalog" {
                    *name = ObjectName::from(vec![(*function).clone()]);
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether a query asks for a column that every catalog has and that `*` leaves out.
pub(super) fn names_system_columns(query: &Query) -> bool {
    let is_one = |name: &Ident| fold(name) == "tableoid";
    visit_expressions(query, |expression| match expression {
        Expr::Identifier(name) if is_one(name) => ControlFlow::Break(()),
        Expr::CompoundIdentifier(parts) if parts.last().is_some_and(is_one) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// Puts in plain words what PostgreSQL can also write otherwise.
fn spelled_out(expression: &mut Expr) -> ControlFlow<Error> {
    match expression {
        Expr::BinaryOp { op: op @ ast::BinaryOperator::PGCustomBinaryOperator(_), .. } => {
            let ast::BinaryOperator::PGCustomBinaryOperator(parts) = &op else { return ControlFlow::Continue(()) };
            match parts.last().map(String::as_str).and_then(operator) {
                Some(plain) => *op = plain,
                None => {
                    let message = format!("operator does not exist: {}", parts.join("."));
                    return ControlFlow::Break(Error::new(SqlState::UNDEFINED_FUNCTION, message));
                }
            }
        }
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            let is_usual =
                |value: &ast::ValueWithSpan| matches!(&value.value, Value::SingleQuotedString(s) if s == "\\");
            if let Some(escape) = escape_char.take_if(|value| !is_usual(value)) {
                **pattern = call("like_escape", vec![pattern.as_ref().clone(), Expr::Value(escape)]);
            }
        }
        // Of a value in parentheses: without them the dots are between schema, table and column.
        Expr::CompoundFieldAccess { root, access_chain } if matches!(root.as_ref(), Expr::Nested(_)) => {
            for access in access_chain {
                // DataFusion wants the name of a field as a text.
                if let ast::AccessExpr::Dot(name) = access {
                    if let Expr::Identifier(ident) = name {
                        *name = Expr::Value(Value::SingleQuotedString(fold(ident)).into());
                    }
                }
            }
        }
        Expr::Collate { expr, collation } => {
            let name = collation.0.last().and_then(|part| part.as_ident()).map(|name| name.value.clone());
            let name = name.unwrap_or_default();
            if !["default", "C", "POSIX", "ucs_basic"].contains(&name.as_str()) {
                let message = format!("collation \"{name}\" is not supported");
                let error = Error::new(SqlState::FEATURE_NOT_SUPPORTED, message);
                return ControlFlow::Break(error.with_hint("text is ordered by its bytes, which is COLLATE \"C\""));
            }
            *expression = Expr::Nested(expr.clone());
        }
        Expr::Function(function) if is_array_of_query(function) => {
            if let FunctionArguments::Subquery(query) = &function.args {
                match array_of_rows(query) {
                    Ok(array) => *expression = array,
                    Err(error) => return ControlFlow::Break(error),
                }
            }
        }
        Expr::Function(function) => {
            if let Some(numbers) = subscripts(function) {
                *expression = numbers;
            }
        }
        _ => {}
    }
    ControlFlow::Continue(())
}

/// The name of a function's rows is also that of their one column.
fn name_column(alias: &mut ast::TableAlias) {
    if alias.columns.is_empty() {
        alias.columns = vec![ast::TableAliasColumnDef { name: alias.name.clone(), data_type: None }];
    }
}

/// `generate_subscripts(a, d)` as the elements of a series, and `_pg_expandarray(a)` as pairs of element and subscript.
fn subscripts(function: &Function) -> Option<Expr> {
    let name = fold(function.name.0.last().and_then(|part| part.as_ident())?);
    let FunctionArguments::List(list) = &function.args else { return None };
    let argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression.clone()),
        _ => None,
    };
    let one = || Expr::Value(Value::Number("1".to_owned(), false).into());
    let series = |array: Expr, dimension: Expr| {
        let last = call("array_upper", vec![array, dimension]);
        call("unnest", vec![call("generate_series", vec![one(), last])])
    };
    match (name.as_str(), list.args.as_slice()) {
        ("generate_subscripts", [array, dimension]) => Some(series(argument(array)?, argument(dimension)?)),
        ("_pg_expandarray", [array]) => {
            let array = argument(array)?;
            let text = |text: &str| Expr::Value(Value::SingleQuotedString(text.to_owned()).into());
            let elements = call("unnest", vec![array.clone()]);
            Some(call("named_struct", vec![text("x"), elements, text("n"), series(array, one())]))
        }
        _ => None,
    }
}

fn operator(name: &str) -> Option<ast::BinaryOperator> {
    use ast::BinaryOperator as Op;
    Some(match name {
        "~" => Op::PGRegexMatch,
        "~*" => Op::PGRegexIMatch,
        "!~" => Op::PGRegexNotMatch,
        "!~*" => Op::PGRegexNotIMatch,
        "~~" => Op::PGLikeMatch,
        "~~*" => Op::PGILikeMatch,
        "!~~" => Op::PGNotLikeMatch,
        "!~~*" => Op::PGNotILikeMatch,
        "=" => Op::Eq,
        "<>" | "!=" => Op::NotEq,
        "<" => Op::Lt,
        "<=" => Op::LtEq,
        ">" => Op::Gt,
        ">=" => Op::GtEq,
        "+" => Op::Plus,
        "-" => Op::Minus,
        "*" => Op::Multiply,
        "/" => Op::Divide,
        "%" => Op::Modulo,
        "||" => Op::StringConcat,
        _ => return None,
    })
}

fn is_array_of_query(function: &Function) -> bool {
    let name = function.name.0.first().and_then(|part| part.as_ident());
    let is_array =
        function.name.0.len() == 1 && name.is_some_and(|name| name.quote_style.is_none() && fold(name) == "array");
    is_array && matches!(function.args, FunctionArguments::Subquery(_))
}

/// `ARRAY(SELECT x FROM … ORDER BY y)` as `(SELECT array_agg(x ORDER BY y) FROM …)`, an empty array for no rows.
fn array_of_rows(query: &Query) -> Result<Expr> {
    if let Some(array) = array_of_elements(query) {
        return Ok(array);
    }
    let mut query = query.clone();
    let refuse = |what: &str| Err(Error::unsupported(format!("{what} in ARRAY(SELECT …)")));
    let order = query.order_by.take();
    if query.limit_clause.is_some() {
        return refuse("LIMIT");
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return refuse("UNION or VALUES") };
    let grouped = !matches!(&select.group_by, ast::GroupByExpr::Expressions(by, _) if by.is_empty());
    if grouped || select.having.is_some() {
        return refuse("GROUP BY");
    }
    let distinct = match select.distinct.take() {
        None => None,
        Some(ast::Distinct::Distinct) => Some(ast::DuplicateTreatment::Distinct),
        Some(_) => return refuse("DISTINCT ON"),
    };
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] = select.projection.as_slice()
    else {
        let message = "subquery must return only one column";
        return Err(Error::new(SqlState::SYNTAX_ERROR, message));
    };
    let value = value.clone();
    let clauses = match order {
        None => Vec::new(),
        Some(order) => match order.kind {
            ast::OrderByKind::All(_) => return refuse("ORDER BY ALL"),
            ast::OrderByKind::Expressions(mut by) => {
                for item in &mut by {
                    // ORDER BY 1 is the one column there is.
                    if matches!(&item.expr, Expr::Value(v) if matches!(&v.value, Value::Number(n, _) if n == "1")) {
                        item.expr = value.clone();
                    }
                }
                vec![ast::FunctionArgumentClause::OrderBy(by)]
            }
        },
    };
    let Expr::Function(mut aggregate) = call("array_agg", vec![value]) else { return refuse("this") };
    if let FunctionArguments::List(list) = &mut aggregate.args {
        list.duplicate_treatment = distinct;
        list.clauses = clauses;
    }
    let array = Ident::with_quote('"', "array");
    select.projection = vec![SelectItem::ExprWithAlias { expr: Expr::Function(aggregate), alias: array }];
    let empty = Expr::Array(ast::Array { elem: Vec::new(), named: true });
    Ok(call("coalesce", vec![Expr::Subquery(Box::new(query)), empty]))
}

/// `ARRAY(SELECT f(x) FROM unnest(a) x WHERE p(x))` computed from the array itself, which may then be of an outer query.
fn array_of_elements(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let ([item], [from], None, None, None) =
        (select.projection.as_slice(), select.from.as_slice(), &query.order_by, &query.limit_clause, &select.distinct)
    else {
        return None;
    };
    let grouped = !matches!(&select.group_by, ast::GroupByExpr::Expressions(by, _) if by.is_empty());
    if !from.joins.is_empty() || grouped || select.having.is_some() {
        return None;
    }
    let (array, alias) = match &from.relation {
        TableFactor::UNNEST { alias: Some(alias), array_exprs, .. } if array_exprs.len() == 1 => {
            (array_exprs[0].clone(), alias)
        }
        TableFactor::Table { name, alias: Some(alias), args: Some(args), .. } => {
            let function = name.0.last().and_then(|part| part.as_ident())?;
            match (fold(function).as_str(), args.args.as_slice()) {
                ("unnest", [FunctionArg::Unnamed(FunctionArgExpr::Expr(array))]) => (array.clone(), alias),
                _ => return None,
            }
        }
        _ => return None,
    };
    let element = alias.columns.first().map_or(&alias.name, |column| &column.name);
    let (SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }) = item else { return None };
    let lambda = |body: &Expr| {
        Expr::Lambda(LambdaFunction {
            params: OneOrManyWithParens::One(ast::LambdaFunctionParameter { name: element.clone(), data_type: None }),
            body: Box::new(body.clone()),
            syntax: ast::LambdaSyntax::Arrow,
        })
    };
    let kept = match &select.selection {
        Some(condition) => call("array_filter", vec![array, lambda(condition)]),
        None => array,
    };
    let values = call("array_transform", vec![kept, lambda(value)]);
    Some(call("coalesce", vec![values, Expr::Array(ast::Array { elem: Vec::new(), named: true })]))
}
