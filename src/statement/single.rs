//! Statements that look at one row of a keyed table, by its key, and at nothing else: those of many sessions can be
//! committed together (see [`crate::engine::change_group`]).

use std::ops::ControlFlow;

use catalog::objects::TableDef;
use catalog::types::PgType;
use datafusion::sql::sqlparser::ast::{
    AssignmentTarget, BinaryOperator, Expr, FunctionArguments, Insert, OnConflictAction, OnInsert, Query, SetExpr,
    Visit, Visitor, visit_expressions,
};

use super::ast::{Change, ChangeKind};
use super::fold;

/// Whether it is an UPDATE or DELETE of the row with one key, which leaves the key as it is.
pub(super) fn changes_one(change: &Change, def: &TableDef) -> bool {
    let alone = change.with.is_none() && change.from.is_empty();
    let Some(selection) = change.selection.as_ref().filter(|_| alone && has_comparable_key(def)) else { return false };
    let plain = match &change.kind {
        ChangeKind::Update(assignments) => {
            assignments.iter().all(|a| !def.primary_key.contains(&fold(&a.column)) && reads_nothing(&a.value))
        }
        ChangeKind::Delete => true,
        ChangeKind::Merge { .. } => false,
    };
    plain && reads_nothing(selection) && reads_nothing(&change.returning) && gives_key(selection, def)
}

/// Whether it is an INSERT … ON CONFLICT of one row as it stands in the statement.
pub(super) fn upserts_one(insert: &Insert, def: &TableDef) -> bool {
    let Some(OnInsert::OnConflict(conflict)) = &insert.on else { return false };
    let one = match insert.source.as_ref().map(|query| (query.with.is_none(), query.body.as_ref())) {
        Some((true, SetExpr::Values(values))) => {
            values.rows.len() == 1 && values.rows[0].content.iter().all(reads_nothing)
        }
        _ => false,
    };
    let keeps_key = match &conflict.action {
        OnConflictAction::DoNothing => true,
        OnConflictAction::DoUpdate(update) => {
            let sets_other = |target: &AssignmentTarget| match target {
                AssignmentTarget::ColumnName(name) => {
                    let column = name.0.last().and_then(|part| part.as_ident()).map(fold);
                    column.is_some_and(|column| !def.primary_key.contains(&column))
                }
                AssignmentTarget::Tuple(_) => false,
            };
            update.assignments.iter().all(|a| sets_other(&a.target) && reads_nothing(&a.value))
                && reads_nothing(&update.selection)
        }
    };
    // Without a target a table without key is meant as well.
    one && keeps_key && has_comparable_key(def) && reads_nothing(&insert.returning)
}

/// Whether there is a key, whose values are equal exactly if their bits are.
fn has_comparable_key(def: &TableDef) -> bool {
    let comparable = |name: &String| {
        let column = def.columns.iter().find(|column| column.name == *name);
        let pg = column.and_then(|column| column.pg_type.parse().ok());
        pg.is_some_and(|pg| !matches!(pg, PgType::Real | PgType::Double))
    };
    !def.primary_key.is_empty() && def.primary_key.iter().all(comparable)
}

/// Whether there is no query in it.
fn reads_nothing(part: &impl Visit) -> bool {
    struct Queries;
    impl Visitor for Queries {
        type Break = ();
        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    part.visit(&mut Queries).is_continue()
}

/// Whether rows are asked for by `key = value` for every column of the key.
fn gives_key(selection: &Expr, def: &TableDef) -> bool {
    let mut given: Vec<String> = Vec::new();
    let mut rest = vec![selection];
    while let Some(expression) = rest.pop() {
        match expression {
            Expr::Nested(inner) => rest.push(inner),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => rest.extend([left.as_ref(), right.as_ref()]),
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                given.extend(column(left).filter(|_| is_constant(right)));
                given.extend(column(right).filter(|_| is_constant(left)));
            }
            _ => {}
        }
    }
    def.primary_key.iter().all(|name| given.contains(name))
}

fn column(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Identifier(name) => Some(fold(name)),
        Expr::CompoundIdentifier(names) => names.last().map(fold),
        Expr::Nested(inner) => column(inner),
        _ => None,
    }
}

fn is_constant(expression: &Expr) -> bool {
    let other = visit_expressions(expression, |e| match e {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        // What takes no argument can be another value for each row: random().
        Expr::Function(call) => match &call.args {
            FunctionArguments::List(list) if !list.args.is_empty() => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        },
        _ => ControlFlow::Continue(()),
    });
    other.is_continue()
}
