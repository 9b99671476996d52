//! What is put right in a query's syntax tree before DataFusion plans it.
//!
//! * Macros become the queries that they stand for.
//! * Columns without a name get PostgreSQL's: `count` for `count(*)`, `?column?` where nothing suggests one. DataFusion
//!   wants names in a select list to be unique, PostgreSQL does not: repeated ones are told apart inside
//!   ([`display_name`] tells the name that the client sees).
//! * `interval '1 day 02:00'` is read by PostgreSQL's rules, as a cast of its text.
//! * `t AT TIME ZONE z` is PostgreSQL's `timezone(z, t)`.
//! * What PostgreSQL can also write otherwise is put plainly ([`spelling`]).
//! * `$1::integer` says what type `$1` has, and so does `LIMIT $1`.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    Ident, ObjectName, Query, SelectItem, SetExpr, Value, Visit, VisitMut, Visitor, VisitorMut, visit_expressions,
    visit_expressions_mut,
};

use super::spelling;
use crate::error::{Error, Result};
use crate::macros;
use crate::statement::fold;

/// Between the name of a repeated column and its number. A control character: no user types it.
const REPEATED: char = '\u{1f}';

/// The name of a column as the client sees it.
pub(super) fn display_name(name: &str) -> &str {
    name.split(REPEATED).next().unwrap_or(name)
}

/// A query ready to be planned.
///
/// # Errors
/// What [`macros::expand`] meets; 0A000 for comparisons with ANY or ALL rows of a subquery that are not IN or NOT IN in other words: DataFusion would
/// plan them and give wrong answers.
pub(super) fn prepared(query: &Query) -> Result<Query> {
    let mut query = query.clone();
    macros::expand(&mut query)?;
    if let ControlFlow::Break(what) = visit_expressions(&query, refused) {
        return Err(Error::unsupported(what).with_hint("compare with a minimum or maximum instead"));
    }
    spelling::plain(&mut query)?;
    let _ = VisitMut::visit(&mut query, &mut NameColumns);
    let _ = visit_expressions_mut(&mut query, |expression| {
        if let Expr::Interval(interval) = expression {
            let plain = interval.leading_field.is_none() && interval.last_field.is_none();
            if plain
                && matches!(interval.value.as_ref(), Expr::Value(v) if matches!(v.value, Value::SingleQuotedString(_)))
            {
                *expression =
                    cast(interval.value.as_ref().clone(), DataType::Interval { fields: None, precision: None });
            }
        }
        if let Expr::AtTimeZone { timestamp, time_zone } = expression {
            *expression = call("timezone", vec![time_zone.as_ref().clone(), timestamp.as_ref().clone()]);
        }
        ControlFlow::<()>::Continue(())
    });
    Ok(query)
}

fn refused(expression: &Expr) -> ControlFlow<&'static str> {
    use ast::BinaryOperator::{Eq, NotEq};
    let is_query = |right: &Expr| matches!(right, Expr::Subquery(_));
    match expression {
        Expr::AnyOp { compare_op, right, .. } if *compare_op != Eq && is_query(right) => {
            ControlFlow::Break("a comparison other than = with ANY row of a subquery")
        }
        Expr::AllOp { compare_op, right, .. } if *compare_op != NotEq && is_query(right) => {
            ControlFlow::Break("a comparison other than <> with ALL rows of a subquery")
        }
        _ => ControlFlow::Continue(()),
    }
}

/// `expression::data_type`.
pub(crate) fn cast(expression: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::DoubleColon, expr: Box::new(expression), data_type, array: false, format: None }
}

/// `name(arguments…)`.
pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let arguments = arguments.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The types that a query's text gives to parameters: that of the first cast, and bigint behind LIMIT and OFFSET.
pub(super) fn parameter_types(query: &Query) -> HashMap<usize, DataType> {
    let mut types = ParameterTypes::default();
    let _ = Visit::visit(query, &mut types);
    types.0
}

#[derive(Default)]
struct ParameterTypes(HashMap<usize, DataType>);

impl ParameterTypes {
    fn note(&mut self, expression: &Expr, data_type: DataType) {
        if let Expr::Value(value) = expression {
            if let Value::Placeholder(name) = &value.value {
                if let Ok(number) = name.trim_start_matches('$').parse() {
                    // A name that is cast to an object identifier comes as text.
                    let is_name = data_type.to_string().to_lowercase().contains("reg");
                    let data_type = if is_name { DataType::Text } else { data_type };
                    self.0.entry(number).or_insert(data_type);
                }
            }
        }
    }
}

impl Visitor for ParameterTypes {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(ast::LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause {
            for expression in limit.iter().chain(offset.as_ref().map(|o| &o.value)) {
                self.note(expression, DataType::BigInt(None));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr, data_type, .. } = expression {
            self.note(expr, data_type.clone());
        }
        ControlFlow::Continue(())
    }
}

struct NameColumns;

impl VisitorMut for NameColumns {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        name_columns(&mut query.body);
        ControlFlow::Continue(())
    }
}

fn name_columns(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            let wildcard = select
                .projection
                .iter()
                .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
            let mut seen: HashMap<String, usize> = HashMap::new();
            for item in &mut select.projection {
                let (name, named, expression) = match item {
                    SelectItem::UnnamedExpr(expression) => match own_name(expression) {
                        Some(name) => (name, true, expression),
                        None => (figure(expression).unwrap_or_else(|| "?column?".to_owned()), false, expression),
                    },
                    SelectItem::ExprWithAlias { expr, alias } => (fold(alias), true, expr),
                    _ => continue,
                };
                let times = seen.entry(name.clone()).or_default();
                *times += 1;
                // Behind a wildcard any column may come a second time.
                let repeated = *times > 1 || (wildcard && own_name(expression).is_some());
                if named && !repeated {
                    continue;
                }
                let inner = if repeated { format!("{name}{REPEATED}{times}") } else { name };
                *item = SelectItem::ExprWithAlias { expr: expression.clone(), alias: Ident::with_quote('"', inner) };
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            name_columns(left);
            name_columns(right);
        }
        _ => {}
    }
}

/// The name of a plain column.
fn own_name(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Identifier(name) => Some(fold(name)),
        Expr::CompoundIdentifier(parts) => parts.last().map(fold),
        _ => None,
    }
}

/// The name that PostgreSQL figures out for an expression, `None` where it has nothing to go by.
fn figure(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Identifier(name) => Some(fold(name)),
        Expr::CompoundIdentifier(parts) => parts.last().map(fold),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => figure(inner),
        Expr::Function(function) => function.name.0.last()?.as_ident().map(fold),
        Expr::Cast { expr, data_type, .. } => figure(expr).or_else(|| type_name(data_type)),
        Expr::TypedString(typed) => type_name(&typed.data_type),
        Expr::Interval(_) => Some("interval".to_owned()),
        Expr::AtTimeZone { .. } => Some("timezone".to_owned()),
        Expr::Case { else_result, .. } => {
            let named = else_result.as_deref().and_then(figure);
            Some(named.unwrap_or_else(|| "case".to_owned()))
        }
        Expr::Exists { .. } => Some("exists".to_owned()),
        Expr::Array(_) => Some("array".to_owned()),
        Expr::Extract { .. } => Some("extract".to_owned()),
        Expr::Substring { .. } => Some("substring".to_owned()),
        Expr::Position { .. } => Some("position".to_owned()),
        Expr::Overlay { .. } => Some("overlay".to_owned()),
        Expr::Trim { trim_where, .. } => Some(
            match trim_where {
                None | Some(ast::TrimWhereField::Both) => "btrim",
                Some(ast::TrimWhereField::Leading) => "ltrim",
                Some(ast::TrimWhereField::Trailing) => "rtrim",
            }
            .to_owned(),
        ),
        Expr::Ceil { .. } => Some("ceil".to_owned()),
        Expr::Floor { .. } => Some("floor".to_owned()),
        Expr::Tuple(_) => Some("row".to_owned()),
        Expr::Subquery(query) => match query.body.as_ref() {
            SetExpr::Select(select) => match select.projection.first()? {
                SelectItem::UnnamedExpr(expression) => figure(expression),
                SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The internal name of a type, by which PostgreSQL names a cast's column.
fn type_name(data_type: &DataType) -> Option<String> {
    let name = match data_type {
        DataType::Boolean | DataType::Bool => "bool",
        DataType::SmallInt(_) | DataType::Int2(_) => "int2",
        DataType::Integer(_) | DataType::Int(_) | DataType::Int4(_) => "int4",
        DataType::BigInt(_) | DataType::Int8(_) => "int8",
        DataType::Real | DataType::Float4 => "float4",
        DataType::DoublePrecision | DataType::Float8 | DataType::Double(_) | DataType::Float(_) => "float8",
        DataType::Numeric(_) | DataType::Decimal(_) | DataType::Dec(_) => "numeric",
        DataType::Text => "text",
        DataType::Varchar(_) | DataType::CharacterVarying(_) | DataType::CharVarying(_) => "varchar",
        DataType::Char(_) | DataType::Character(_) => "bpchar",
        DataType::Bytea => "bytea",
        DataType::Date => "date",
        DataType::Time(..) => "time",
        DataType::Timestamp(_, ast::TimezoneInfo::WithTimeZone | ast::TimezoneInfo::Tz) => "timestamptz",
        DataType::Timestamp(..) => "timestamp",
        DataType::Interval { .. } => "interval",
        DataType::Uuid => "uuid",
        DataType::JSON => "json",
        DataType::JSONB => "jsonb",
        DataType::Array(ast::ArrayElemTypeDef::SquareBracket(element, _)) => return type_name(element),
        DataType::Custom(name, _) => return name.0.last()?.as_ident().map(fold),
        _ => return None,
    };
    Some(name.to_owned())
}
