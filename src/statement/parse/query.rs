//! Queries and INSERT: sqlparser's rules, with what the planner would overlook refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Insert, LimitClause, ObjectName, ObjectNamePart, Query, Select, SetExpr,
    TableAliasWithoutColumns, TableFactor, TableObject, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Span, Token};

use super::change;
use super::cursor::Cursor;
use super::dialect::{IS_DISTINCT, IS_NOT_DISTINCT, is_reserved};
use super::rewrite::is_one_of;
use crate::error::{Error, Result, SqlState};
use crate::statement::ast::{Kind, QualifiedName};

/// Whether a query comes next.
pub(super) fn at_query(cursor: &Cursor<'_>) -> bool {
    begins_query(&cursor.peek().token)
}

/// Whether a query can begin with the token.
pub(super) fn begins_query(token: &Token) -> bool {
    *token == Token::LParen || is_one_of(token, &["SELECT", "VALUES", "WITH"])
}

/// A query as a statement.
pub(super) fn query(cursor: &mut Cursor<'_>) -> Result<Kind> {
    select(cursor).map(Kind::Query)
}

/// A query, wherever it stands.
pub(super) fn select(cursor: &mut Cursor<'_>) -> Result<Box<Query>> {
    if !at_query(cursor) {
        return Err(cursor.unexpected());
    }
    let mut query = cursor.sql(Parser::parse_query)?;
    settle(cursor, &mut query)?;
    Ok(query)
}

/// An expression.
pub(super) fn expr(cursor: &mut Cursor<'_>) -> Result<Expr> {
    let mut expr = cursor.sql(Parser::parse_expr)?;
    settle(cursor, &mut expr)?;
    Ok(expr)
}

/// INSERT.
pub(super) fn insert(cursor: &mut Cursor<'_>) -> Result<Kind> {
    let insert_token = cursor.peek().clone();
    cursor.expect(&["INSERT", "INTO"])?;
    let here = cursor.here();
    let table = cursor.dotted()?;
    // Checked here for its error; the planner gets the parts with their spans.
    QualifiedName::from_parts(&table).map_err(|error| cursor.locate(error, here))?;
    let table_alias = if cursor.eat(&["AS"]) {
        Some(TableAliasWithoutColumns { explicit: true, alias: cursor.ident()? })
    } else {
        None
    };
    let columns = if cursor.at_token(&Token::LParen) && !begins_query(&cursor.peek_nth(1).token) {
        cursor.ident_list()?.into_iter().map(|column| ObjectName::from(vec![column])).collect()
    } else {
        Vec::new()
    };
    if cursor.at(&["OVERRIDING"]) {
        return Err(cursor.unsupported("INSERT … OVERRIDING"));
    }
    let source = if cursor.eat(&["DEFAULT", "VALUES"]) { None } else { Some(select(cursor)?) };
    let (on, returning) = (change::on_conflict(cursor)?, change::returning(cursor)?);
    Ok(Kind::Insert(Box::new(Insert {
        insert_token: insert_token.into(),
        optimizer_hints: Vec::new(),
        or: None,
        ignore: false,
        into: true,
        table: TableObject::TableName(ObjectName::from(table)),
        table_alias,
        columns,
        overwrite: false,
        source,
        assignments: Vec::new(),
        partitioned: None,
        after_columns: Vec::new(),
        has_table_keyword: false,
        on,
        returning,
        output: None,
        replace_into: false,
        priority: None,
        insert_alias: None,
        settings: None,
        format_clause: None,
        multi_table_insert_type: None,
        multi_table_into_clauses: Vec::new(),
        multi_table_when_clauses: Vec::new(),
        multi_table_else_clause: None,
    })))
}

/// Brings what was parsed into the form the planner understands, and refuses what it would drop without a word.
pub(super) fn settle(cursor: &Cursor<'_>, tree: &mut impl VisitMut) -> Result<()> {
    match VisitMut::visit(tree, &mut Settle) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(Fault::Error(error)) => Err(error),
        ControlFlow::Break(Fault::Reserved(span)) => Err(cursor.unexpected_at(span)),
    }
}

/// What is wrong with a tree.
enum Fault {
    /// Said already.
    Error(Error),
    /// A reserved word stands there as a name.
    Reserved(Span),
}

struct Settle;

impl VisitorMut for Settle {
    type Break = Fault;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Fault> {
        match &*query.body {
            SetExpr::Insert(_) => {
                let error = not_yet("WITH … INSERT").with_hint("put WITH behind INSERT INTO …");
                return ControlFlow::Break(Fault::Error(error));
            }
            SetExpr::Update(_) => refuse(true, "WITH … UPDATE")?,
            SetExpr::Delete(_) => refuse(true, "WITH … DELETE")?,
            SetExpr::Merge(_) => refuse(true, "WITH … MERGE")?,
            _ => {}
        }
        if let Some(lock) = query.locks.first() {
            refuse(true, &format!("SELECT … FOR {}", lock.lock_type))?;
        }
        refuse(query.for_clause.is_some(), "SELECT … FOR XML, JSON or BROWSE")?;
        fetch_as_limit(query)
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Fault> {
        let grouped_twice = match &select.group_by {
            GroupByExpr::All(more) | GroupByExpr::Expressions(_, more) => !more.is_empty(),
        };
        refuse(select.into.is_some(), "SELECT … INTO")?;
        refuse(select.top.is_some(), "SELECT TOP")?;
        refuse(select.value_table_mode.is_some(), "SELECT AS VALUE or STRUCT")?;
        refuse(!select.lateral_views.is_empty(), "LATERAL VIEW")?;
        refuse(!select.connect_by.is_empty(), "CONNECT BY")?;
        refuse(grouped_twice, "GROUPING SETS behind other GROUP BY expressions")?;
        refuse(!select.cluster_by.is_empty(), "CLUSTER BY")?;
        refuse(!select.distribute_by.is_empty(), "DISTRIBUTE BY")?;
        refuse(!select.sort_by.is_empty(), "SORT BY")
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<Fault> {
        match name.0.first().and_then(ObjectNamePart::as_ident) {
            Some(first) if is_reserved_name(first) => ControlFlow::Break(Fault::Reserved(first.span)),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Fault> {
        match factor {
            TableFactor::Table { with_ordinality, sample, with_hints, version, .. } => {
                refuse(*with_ordinality, "WITH ORDINALITY")?;
                refuse(sample.is_some(), "TABLESAMPLE")?;
                refuse(!with_hints.is_empty(), "a table hint")?;
                refuse(version.is_some(), "a table's version")
            }
            TableFactor::Function { with_ordinality, .. } => refuse(*with_ordinality, "WITH ORDINALITY"),
            TableFactor::Derived { sample, .. } => refuse(sample.is_some(), "TABLESAMPLE"),
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Fault> {
        let test: fn(Box<Expr>, Box<Expr>) -> Expr = match expr {
            Expr::BinaryOp { op: BinaryOperator::Custom(name), .. } if name.as_str() == IS_DISTINCT => {
                Expr::IsDistinctFrom
            }
            Expr::BinaryOp { op: BinaryOperator::Custom(name), .. } if name.as_str() == IS_NOT_DISTINCT => {
                Expr::IsNotDistinctFrom
            }
            _ => return ControlFlow::Continue(()),
        };
        let null = Expr::Value(Value::Null.with_span(Span::empty()));
        *expr = match std::mem::replace(expr, null) {
            Expr::BinaryOp { left, right, .. } => test(left, right),
            other => other,
        };
        ControlFlow::Continue(())
    }
}

/// FETCH FIRST n ROWS ONLY is LIMIT n.
fn fetch_as_limit(query: &mut Query) -> ControlFlow<Fault> {
    let Some(fetch) = query.fetch.take() else { return ControlFlow::Continue(()) };
    refuse(fetch.with_ties, "FETCH … WITH TIES")?;
    refuse(fetch.percent, "FETCH … PERCENT")?;
    let one = || Expr::Value(Value::Number("1".to_owned(), false).with_span(Span::empty()));
    let rows = fetch.quantity.unwrap_or_else(one);
    match &mut query.limit_clause {
        None => {
            query.limit_clause =
                Some(LimitClause::LimitOffset { limit: Some(rows), offset: None, limit_by: Vec::new() });
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(rows),
        Some(_) => {
            let error = Error::new(SqlState::SYNTAX_ERROR, "multiple LIMIT clauses not allowed");
            return ControlFlow::Break(Fault::Error(error));
        }
    }
    ControlFlow::Continue(())
}

fn refuse(found: bool, what: &str) -> ControlFlow<Fault> {
    if found { ControlFlow::Break(Fault::Error(not_yet(what))) } else { ControlFlow::Continue(()) }
}

/// Whether a name should have been quoted: sqlparser takes `FROM WHERE x` for a table and its alias.
fn is_reserved_name(name: &Ident) -> bool {
    name.quote_style.is_none()
        && matches!(Token::make_keyword(&name.value), Token::Word(word) if is_reserved(word.keyword))
}

fn not_yet(what: &str) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported yet"))
}
