//! UPDATE, DELETE, MERGE and TRUNCATE: the rows are found, their files written anew, staged for commit.

use std::sync::Arc;

use catalog::objects::{Privileges, Relation, TableDef};
use catalog::table::{Change as RowChange, Changed, Twice, Written};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{Expr, Ident, Join, JoinConstraint, JoinOperator, TableFactor, TableWithJoins};

use super::ast::{Assignment, Change, ChangeKind, MergeAction, MergeWhen};
use super::{QualifiedName, insert, query, single, table};
use crate::engine::change_group::Turn;
use crate::engine::changes::{Action, Changes, Does, Request, target as target_in_from};
use crate::engine::{Planner, interruptible, parameters};
use crate::error::{Error, Result, SqlState, nearest};
use crate::session::{Execution, Prepared, Rows, Running, Session};

/// How a statement's changes are applied.
pub(super) struct Effect {
    /// Its name in its command tag and in the table's log.
    pub(super) command: &'static str,
    pub(super) same_place: Twice,
    pub(super) same_key: Option<Twice>,
    /// Whether rows may come whose keys have to be looked for in the table.
    pub(super) checks_keys: bool,
}

/// Parameters, and the columns of RETURNING.
pub(super) async fn describe(
    session: &mut Session,
    change: &Change,
    declared: &[Option<FieldRef>],
) -> Result<(Vec<FieldRef>, Option<SchemaRef>)> {
    let def = target(session, change)?;
    let planner = session.planner()?;
    let changes = plan(&planner, &def, change, declared).await?;
    Ok((parameters(&changes.logical, declared)?, changes.returned))
}

/// Runs it.
pub(super) async fn run(
    session: &mut Session,
    change: &Change,
    prepared: &Prepared,
    params: Vec<ScalarValue>,
    running: Running,
) -> Result<Execution> {
    let def = target(session, change)?;
    let turn = match session.autocommits() && single::changes_one(change, &def) {
        true => Some(session.await_turn(def.id).await?),
        false => {
            session.lock_rows(def.id).await?;
            None
        }
    };
    let def = table_again(session, &def)?;
    check_privileges(session, change, &def)?;
    let planner = session.planner()?;
    let changes = plan(&planner, &def, change, &query::known(prepared)).await?;
    changes.check()?;
    let effect = effect(change, &def)?;
    apply(session, &planner, &def, changes, params, effect, turn, running).await
}

fn effect(change: &Change, def: &TableDef) -> Result<Effect> {
    let sets_key = |assignments: &[Assignment]| {
        assignments.iter().any(|assignment| def.primary_key.contains(&super::fold(&assignment.column)))
    };
    Ok(match &change.kind {
        ChangeKind::Update(assignments) => Effect {
            command: "UPDATE",
            // Which of several matching rows counts is not defined, as in PostgreSQL.
            same_place: Twice::Ignored,
            same_key: None,
            checks_keys: sets_key(assignments),
        },
        ChangeKind::Delete => {
            Effect { command: "DELETE", same_place: Twice::Ignored, same_key: None, checks_keys: false }
        }
        ChangeKind::Merge { clauses, .. } => Effect {
            command: "MERGE",
            same_place: Twice::Refused,
            same_key: None,
            checks_keys: clauses.iter().any(|when| match &when.action {
                MergeAction::Insert { .. } => true,
                MergeAction::Update(assignments) => sets_key(assignments),
                MergeAction::Delete | MergeAction::Nothing => false,
            }),
        },
    })
}

/// The table that is changed.
pub(super) fn target(session: &mut Session, change: &Change) -> Result<Arc<TableDef>> {
    let name = QualifiedName::try_from(&change.target)?;
    let found = match table::find(session, &name) {
        Err(e) if e.sqlstate == SqlState::UNDEFINED_TABLE && session.planner()?.is_built_in(&name) => {
            return Err(Error::unsupported(format!("{} of \"{name}\"", noun(change).to_uppercase())));
        }
        found => found?,
    };
    match found {
        Relation::Table(def) => {
            table::writable(&def)?;
            Ok(def)
        }
        Relation::View(view) => {
            let verb = match change.kind {
                ChangeKind::Update(_) => "update",
                ChangeKind::Delete => "delete from",
                ChangeKind::Merge { .. } => "merge into",
            };
            Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, format!("cannot {verb} view \"{}\"", view.name))
                .with_hint("change the tables that it reads"))
        }
    }
}

/// The statement as EXPLAIN calls it.
pub(super) fn noun(change: &Change) -> &'static str {
    match change.kind {
        ChangeKind::Update(_) => "Update",
        ChangeKind::Delete => "Delete",
        ChangeKind::Merge { .. } => "Merge",
    }
}

/// A table as it is defined now that it is locked.
pub(super) fn table_again(session: &mut Session, def: &TableDef) -> Result<Arc<TableDef>> {
    session
        .work()?
        .objects()
        .table(def.id)
        .cloned()
        .ok_or_else(|| Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{}\" does not exist", def.name)))
}

/// That the role may change what the statement changes.
pub(super) fn check_privileges(session: &mut Session, change: &Change, def: &Arc<TableDef>) -> Result<()> {
    let rights = session.rights()?;
    let relation = Relation::Table(Arc::clone(def));
    let updates = |assignments: &[Assignment]| {
        let columns: Vec<String> = assignments.iter().map(|a| super::fold(&a.column)).collect();
        rights.check_relation(&relation, Privileges::UPDATE, columns.iter().map(String::as_str))
    };
    let deletes = || rights.check_relation(&relation, Privileges::DELETE, []);
    match &change.kind {
        ChangeKind::Update(assignments) => updates(assignments),
        ChangeKind::Delete => deletes(),
        ChangeKind::Merge { clauses, .. } => clauses.iter().try_for_each(|when| match &when.action {
            MergeAction::Update(assignments) => updates(assignments),
            MergeAction::Delete => deletes(),
            MergeAction::Insert { columns, .. } => {
                let named: Vec<String> = match columns.is_empty() {
                    true => def.columns.iter().map(|column| column.name.clone()).collect(),
                    false => columns.iter().map(super::fold).collect(),
                };
                rights.check_relation(&relation, Privileges::INSERT, named.iter().map(String::as_str))
            }
            MergeAction::Nothing => Ok(()),
        }),
    }
}

/// The plan of what changes.
pub(super) async fn plan(
    planner: &Planner,
    def: &Arc<TableDef>,
    change: &Change,
    declared: &[Option<FieldRef>],
) -> Result<Changes> {
    let alias = alias(change)?;
    let read = |relation: TableFactor| TableWithJoins { relation, joins: Vec::new() };
    let matched = |does: Does| Action { matched: true, condition: None, does };
    let (from, actions) = match &change.kind {
        ChangeKind::Update(assignments) => {
            let from = std::iter::once(read(target_in_from(&alias))).chain(change.from.iter().cloned());
            (from.collect(), vec![matched(Does::Update(updated(def, assignments)?))])
        }
        ChangeKind::Delete => {
            let from = std::iter::once(read(target_in_from(&alias))).chain(change.from.iter().cloned());
            (from.collect(), vec![matched(Does::Delete)])
        }
        ChangeKind::Merge { on, clauses } => {
            let on = JoinConstraint::On(on.clone());
            let inserts = clauses.iter().any(|when| !when.matched);
            let join_operator = if inserts { JoinOperator::LeftOuter(on) } else { JoinOperator::Inner(on) };
            let join = Join { relation: target_in_from(&alias), global: false, join_operator };
            let mut from = change.from.clone();
            if let Some(source) = from.first_mut() {
                source.joins.push(join);
            }
            let actions = clauses.iter().map(|when| merge_action(def, when)).collect::<Result<_>>()?;
            (from, actions)
        }
    };
    let request = Request {
        with: change.with.clone(),
        def,
        alias,
        from,
        selection: change.selection.clone(),
        proposed: None,
        actions,
        returning: change.returning.as_deref(),
    };
    planner.changes(request, declared).await
}

/// How the statement's expressions name the table.
fn alias(change: &Change) -> Result<Ident> {
    let named = change.target.0.last().and_then(|part| part.as_ident());
    change.alias.clone().or_else(|| named.cloned()).ok_or_else(|| Error::internal("a table without a name"))
}

fn merge_action(def: &TableDef, when: &MergeWhen) -> Result<Action> {
    let does = match &when.action {
        MergeAction::Update(assignments) => Does::Update(updated(def, assignments)?),
        MergeAction::Delete => Does::Delete,
        MergeAction::Nothing => Does::Nothing,
        MergeAction::Insert { columns, values } => Does::Insert(inserted(def, columns, values.as_deref())?),
    };
    Ok(Action { matched: when.matched, condition: when.condition.clone(), does })
}

/// The new values of an update, each with the place of its column.
pub(super) fn updated(def: &TableDef, assignments: &[Assignment]) -> Result<Vec<(usize, Expr)>> {
    let mut values: Vec<(usize, Expr)> = Vec::with_capacity(assignments.len());
    for Assignment { column, value } in assignments {
        let place = column_place(def, column)?;
        if values.iter().any(|(other, _)| *other == place) {
            let message = format!("multiple assignments to same column \"{}\"", def.columns[place].name);
            return Err(Error::new(SqlState::SYNTAX_ERROR, message));
        }
        values.push((place, insert::given(value.clone(), &def.columns[place])?));
    }
    Ok(values)
}

/// The values of all columns of a row that MERGE inserts.
fn inserted(def: &TableDef, columns: &[Ident], values: Option<&[Expr]>) -> Result<Vec<(usize, Expr)>> {
    let places: Vec<usize> = match columns.is_empty() {
        true => (0..def.columns.len()).collect(),
        false => columns.iter().map(|column| column_place(def, column)).collect::<Result<_>>()?,
    };
    let values = values.unwrap_or_default();
    if values.len() > places.len() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "INSERT has more expressions than target columns"));
    }
    if values.len() < places.len() && !columns.is_empty() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "INSERT has more target columns than expressions"));
    }
    let mut all = Vec::with_capacity(def.columns.len());
    for (place, column) in def.columns.iter().enumerate() {
        let given = places.iter().position(|target| *target == place).and_then(|at| values.get(at));
        let value = match given {
            Some(value) => insert::given(value.clone(), column)?,
            None => insert::default_of(column)?,
        };
        all.push((place, value));
    }
    Ok(all)
}

fn column_place(def: &TableDef, column: &Ident) -> Result<usize> {
    let name = super::fold(column);
    def.columns.iter().position(|c| c.name == name).ok_or_else(|| {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", def.name);
        let error = Error::new(SqlState::UNDEFINED_COLUMN, message);
        match nearest(&name, def.columns.iter().map(|c| c.name.as_str())) {
            Some(close) => error.with_hint(format!("perhaps you meant \"{close}\"")),
            None => error,
        }
    })
}

/// Writes the changes of a table that is locked, checks keys, and stages what was written.
pub(super) async fn apply(
    session: &mut Session,
    planner: &Planner,
    def: &Arc<TableDef>,
    changes: Changes,
    params: Vec<ScalarValue>,
    effect: Effect,
    turn: Option<Turn>,
    running: Running,
) -> Result<Execution> {
    let logical = query::bind(changes.logical, params)?;
    let plan = interruptible(planner.physical(&logical).await?, running.ended())?;
    let row_change = RowChange { plan, same_place: effect.same_place, same_key: effect.same_key };
    let engine = Arc::clone(session.engine());
    // An ALTER may have come in between.
    if let Some(turn) = turn.filter(|_| !effect.checks_keys) {
        let found = engine.find_change(Arc::clone(&changes.state), row_change, planner.state().task_ctx()).await;
        let mut found = found.map_err(|e| twice(e, effect.command))?;
        let rows = found.rows;
        let (returned, held) = (std::mem::take(&mut found.returned), found.held.take());
        session.hand_over(turn, found, effect.command);
        return Ok(done(session, effect.command, rows, changes.returned, returned, held, running));
    }
    let changed = engine.change(Arc::clone(&changes.state), row_change, planner.state().task_ctx()).await;
    let Changed { removes, written, rows, returned, held } = changed.map_err(|e| twice(e, effect.command))?;
    let mut checked_at = None;
    if !def.primary_key.is_empty() && written.rows > 0 && (effect.checks_keys || effect.same_key.is_some()) {
        checked_at = planner.relations().view().committed(def.id).await?.map(|state| state.version);
        if effect.checks_keys {
            let others = Arc::new(changes.state.without(&removes));
            if let Err(e) = table::check_new_keys(planner, def, &written, others).await {
                engine.warehouse().discard(def, &written).await;
                return Err(e);
            }
        }
    }
    if !removes.is_empty() || !written.adds.is_empty() {
        session.work()?.change_rows(def.id, removes, written, effect.command, checked_at);
    }
    Ok(done(session, effect.command, rows, changes.returned, returned, held, running))
}

/// What the client is told.
fn done(
    session: &Session,
    command: &'static str,
    rows: u64,
    columns: Option<SchemaRef>,
    returned: Vec<RecordBatch>,
    held: Option<MemoryReservation>,
    running: Running,
) -> Execution {
    let Some(columns) = columns else {
        let count = if command == "INSERT" { format!("0 {rows}") } else { rows.to_string() };
        return Execution::done(format!("{command} {count}"));
    };
    let shown = Arc::clone(&columns);
    let batches = returned.into_iter().map(move |batch| {
        // As long as they are not read their memory is accounted for.
        let _ = &held;
        Ok(RecordBatch::try_new(Arc::clone(&shown), batch.columns().to_vec())
            .map_err(datafusion::error::DataFusionError::from)?)
    });
    let stream = futures::stream::iter(batches);
    Execution::Rows(Rows::new(command, columns, stream, running, session.failure_flag()))
}

/// The error for a row that is named twice, in the words of the statement.
fn twice(error: Error, command: &str) -> Error {
    if error.sqlstate != SqlState::CARDINALITY_VIOLATION {
        return error;
    }
    match command {
        "MERGE" => Error::new(SqlState::CARDINALITY_VIOLATION, "MERGE command cannot affect row a second time")
            .with_hint("Ensure that not more than one source row matches any one target row."),
        _ => Error::new(
            SqlState::CARDINALITY_VIOLATION,
            "ON CONFLICT DO UPDATE command cannot affect row a second time",
        )
        .with_hint(
            "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
        ),
    }
}

/// Runs TRUNCATE: all files go.
pub(super) async fn truncate(session: &mut Session, names: &[QualifiedName]) -> Result<Execution> {
    let mut tables = Vec::with_capacity(names.len());
    for name in names {
        match table::find(session, name)? {
            Relation::Table(def) => {
                table::writable(&def)?;
                tables.push(def);
            }
            Relation::View(view) => {
                let message = format!("\"{}\" is not a table", view.name);
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
        }
    }
    // In the order of their numbers, so that two statements never wait for each other.
    tables.sort_by_key(|def| def.id);
    tables.dedup_by_key(|def| def.id);
    for def in &tables {
        session.lock_rows(def.id).await?;
    }
    for def in tables {
        let def = table_again(session, &def)?;
        let relation = Relation::Table(Arc::clone(&def));
        session.rights()?.check_relation(&relation, Privileges::TRUNCATE, [])?;
        let state = session.work()?.view().table(def.id).await?;
        let files = state.files.as_ref().clone();
        if !files.is_empty() {
            session.work()?.change_rows(def.id, files, Written::default(), "TRUNCATE", None);
        }
    }
    Ok(Execution::done("TRUNCATE TABLE"))
}
