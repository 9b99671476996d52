//! INSERT with ON CONFLICT or RETURNING: the proposed rows are joined with the table by its key.

use std::sync::Arc;

use catalog::objects::{Privileges, Relation, TableDef};
use catalog::table::Twice;
use datafusion::arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    self, AssignmentTarget, BinaryOperator, ConflictTarget, Expr, Ident, Insert, Join, JoinConstraint, JoinOperator,
    OnConflict, OnConflictAction, OnInsert, TableObject, TableWithJoins, Value,
};

use super::ast::Assignment;
use super::change::{Effect, apply, table_again, updated};
use super::{fold, insert, query, single};
use crate::engine::changes::{Action, Changes, Does, Request, proposed, target as target_in_from};
use crate::engine::{Planner, parameters};
use crate::error::{Error, Result, SqlState};
use crate::session::{Execution, Prepared, Running, Session};

/// The name of the proposed rows in DO UPDATE.
const EXCLUDED: &str = "excluded";

/// Whether the statement is one of these.
pub(super) fn applies(insert: &Insert) -> bool {
    insert.on.is_some() || insert.returning.is_some()
}

/// Parameters, and the columns of RETURNING.
pub(super) async fn describe(
    session: &mut Session,
    insert: &Insert,
    declared: &[Option<FieldRef>],
) -> Result<(Vec<FieldRef>, Option<SchemaRef>)> {
    let def = insert::target(session, insert)?;
    let declared = insert::declared_by_columns(&def, insert, declared)?;
    let planner = session.planner()?;
    let (changes, _) = plan(session, &planner, &def, insert, &declared).await?;
    Ok((parameters(&changes.logical, &declared)?, changes.returned))
}

/// Runs it.
pub(super) async fn run(
    session: &mut Session,
    insert: &Insert,
    prepared: &Prepared,
    params: Vec<ScalarValue>,
    running: Running,
) -> Result<Execution> {
    let def = insert::target(session, insert)?;
    let turn = match session.autocommits() && single::upserts_one(insert, &def) {
        true => Some(session.await_turn(def.id).await?),
        false => None,
    };
    if turn.is_none() && !def.primary_key.is_empty() {
        session.lock_rows(def.id).await?;
    }
    let def = table_again(session, &def)?;
    if let Some(OnConflictAction::DoUpdate(update)) = on_conflict(insert)?.map(|on| &on.action) {
        let columns: Vec<String> = assignments(&update.assignments)?.iter().map(|a| fold(&a.column)).collect();
        let relation = Relation::Table(Arc::clone(&def));
        let columns = columns.iter().map(String::as_str);
        session.rights()?.check_relation(&relation, Privileges::UPDATE, columns)?;
    }
    let planner = session.planner()?;
    let (changes, effect) = plan(session, &planner, &def, insert, &query::known(prepared)).await?;
    changes.check()?;
    apply(session, &planner, &def, changes, params, effect, turn, running).await
}

/// The plan of what changes, and how it is applied.
pub(super) async fn plan(
    session: &mut Session,
    planner: &Planner,
    def: &Arc<TableDef>,
    insert: &Insert,
    declared: &[Option<FieldRef>],
) -> Result<(Changes, Effect)> {
    let rows = insert::plan(session, planner, def, insert, declared, Vec::new()).await?;
    let alias = alias(insert)?;
    let mut effect = Effect { command: "INSERT", same_place: Twice::Refused, same_key: None, checks_keys: false };
    let (on, update) = match on_conflict(insert)? {
        // No row of the table is looked for: whose key is taken is found when the rows are written.
        None => {
            effect.checks_keys = true;
            (Expr::Value(Value::Boolean(false).into()), None)
        }
        Some(conflict) => {
            let key = arbiter(def, conflict)?;
            let update = match &conflict.action {
                OnConflictAction::DoNothing => {
                    effect.same_key = Some(Twice::Ignored);
                    None
                }
                OnConflictAction::DoUpdate(update) => {
                    effect.same_key = Some(Twice::Refused);
                    let assignments = assignments(&update.assignments)?;
                    effect.checks_keys = assignments.iter().any(|a| def.primary_key.contains(&fold(&a.column)));
                    let does = Does::Update(updated(def, &assignments)?);
                    Some(Action { matched: true, condition: update.selection.clone(), does })
                }
            };
            (same_key(&alias, key), update)
        }
    };
    let new = Does::Insert(def.columns.iter().enumerate().map(|(n, c)| (n, column_of(EXCLUDED, &c.name))).collect());
    let mut actions = vec![Action { matched: false, condition: None, does: new }];
    actions.extend(update);
    let join = Join {
        relation: target_in_from(&alias),
        global: false,
        join_operator: JoinOperator::LeftOuter(JoinConstraint::On(on)),
    };
    let from = vec![TableWithJoins { relation: proposed(EXCLUDED), joins: vec![join] }];
    let returning = insert.returning.as_deref();
    let request = Request { with: None, def, alias, from, selection: None, proposed: Some(rows), actions, returning };
    Ok((planner.changes(request, declared).await?, effect))
}

fn on_conflict(insert: &Insert) -> Result<Option<&OnConflict>> {
    match &insert.on {
        None => Ok(None),
        Some(OnInsert::OnConflict(conflict)) => Ok(Some(conflict)),
        Some(_) => Err(Error::unsupported("ON DUPLICATE KEY")),
    }
}

/// How the statement's expressions name the table.
fn alias(insert: &Insert) -> Result<Ident> {
    if let Some(alias) = &insert.table_alias {
        return Ok(alias.alias.clone());
    }
    let TableObject::TableName(name) = &insert.table else { return Err(Error::internal("a table without a name")) };
    let named = name.0.last().and_then(|part| part.as_ident());
    named.cloned().ok_or_else(|| Error::internal("a table without a name"))
}

/// The key whose conflicts are meant: the table's, which is the only one it can have.
///
/// # Errors
/// 42P10 if the statement means another.
fn arbiter<'a>(def: &'a TableDef, conflict: &OnConflict) -> Result<&'a [String]> {
    match &conflict.conflict_target {
        None => {}
        Some(ConflictTarget::Columns(columns)) => {
            let mut named: Vec<String> = columns.iter().map(fold).collect();
            if let Some(missing) = named.iter().find(|name| !def.columns.iter().any(|c| c.name == **name)) {
                let message = format!("column \"{missing}\" does not exist");
                return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
            }
            named.sort();
            named.dedup();
            let mut key = def.primary_key.clone();
            key.sort();
            if named != key || key.is_empty() {
                let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
                let error = Error::new(SqlState::INVALID_COLUMN_REFERENCE, message);
                return Err(match def.primary_key.is_empty() {
                    true => error.with_hint(format!("table \"{}\" has no primary key", def.name)),
                    false => error.with_hint(format!("the key is ({})", def.primary_key.join(", "))),
                });
            }
        }
        Some(ConflictTarget::OnConstraint(name)) => {
            let name = name.0.last().and_then(|part| part.as_ident()).map(fold).unwrap_or_default();
            if def.primary_key.is_empty() || name != format!("{}_pkey", def.name) {
                let message = format!("constraint \"{name}\" for table \"{}\" does not exist", def.name);
                return Err(Error::new(SqlState::UNDEFINED_OBJECT, message));
            }
        }
    }
    Ok(&def.primary_key)
}

/// `table.key = excluded.key AND …`; without a key, never.
fn same_key(alias: &Ident, key: &[String]) -> Expr {
    let equal = |name: &String| Expr::BinaryOp {
        left: Box::new(Expr::CompoundIdentifier(vec![alias.clone(), Ident::with_quote('"', name)])),
        op: BinaryOperator::Eq,
        right: Box::new(column_of(EXCLUDED, name)),
    };
    key.iter()
        .map(equal)
        .reduce(|left, right| Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) })
        .unwrap_or(Expr::Value(Value::Boolean(false).into()))
}

fn column_of(relation: &str, name: &str) -> Expr {
    Expr::CompoundIdentifier(vec![Ident::with_quote('"', relation), Ident::with_quote('"', name)])
}

fn assignments(assignments: &[ast::Assignment]) -> Result<Vec<Assignment>> {
    let plain = |assignment: &ast::Assignment| match &assignment.target {
        AssignmentTarget::ColumnName(name) => {
            let column = name.0.last().and_then(|part| part.as_ident()).cloned();
            column.map(|column| Assignment { column, value: assignment.value.clone() })
        }
        AssignmentTarget::Tuple(_) => None,
    };
    assignments.iter().map(|a| plain(a).ok_or_else(|| Error::internal("an assignment to no column"))).collect()
}
