//! From the syntax of UPDATE, DELETE, MERGE and ON CONFLICT to one plan: row by row what goes and what comes.
//!
//! The table that is changed is read with the place of every row, joined with whatever else the statement names, and
//! one of the statement's actions is chosen for each row. What the plan yields is described at [`catalog::table::Change`].

use std::collections::HashMap;
use std::sync::Arc;

use catalog::objects::{ObjectId, Relation, TableDef};
use catalog::table::TableState;
use catalog::table::rows::{FILE, ROW};
use catalog::types::PgType;
use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::common::{Column, DFSchema, TableReference};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, TableSource, lit};
use datafusion::prelude::Expr;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement as ParserStatement;
use datafusion::sql::planner::{PlannerContext, SqlToRel};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    self, GroupByExpr, Ident, ObjectName, Query, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind,
    SetExpr, TableAlias, TableFactor, TableWithJoins, Value, WildcardAdditionalOptions, With,
};

use super::planner::{Planner, parser_options, shown, unguarded};
use super::semantics::assignment;
use super::{past, reg, rewrite, semantics};
use crate::error::{Error, Result, SqlState};
use crate::privileges::{Guarded, Rights, Use, uses};
use crate::statement::fold;

/// The names under which a statement's own relations stand in FROM. Nobody types them.
const TARGET: &str = "\u{1e}target";
const PROPOSED: &str = "\u{1e}proposed";
/// What a row of the join is for, by its action's number.
const ACTION: &str = "\u{1e}action";
const COMES: &str = "\u{1e}comes";

/// What a statement does to a table.
pub(crate) struct Request<'a> {
    /// WITH.
    pub(crate) with: Option<With>,
    /// The table.
    pub(crate) def: &'a Arc<TableDef>,
    /// How expressions name it.
    pub(crate) alias: Ident,
    /// What is read: [`target`] and whatever is joined with it.
    pub(crate) from: Vec<TableWithJoins>,
    /// Which rows of that.
    pub(crate) selection: Option<ast::Expr>,
    /// The rows behind [`proposed`].
    pub(crate) proposed: Option<LogicalPlan>,
    /// What becomes of a row: the first action that holds; a row for which none does is left alone.
    pub(crate) actions: Vec<Action>,
    /// What is handed back.
    pub(crate) returning: Option<&'a [SelectItem]>,
}

/// What becomes of a row.
pub(crate) struct Action {
    /// For rows that are in the table; `false`: for those that aren't.
    pub(crate) matched: bool,
    /// And for which this is true.
    pub(crate) condition: Option<ast::Expr>,
    pub(crate) does: Does,
}

/// See [`Action`]. Values come with the place of their column in the table.
pub(crate) enum Does {
    /// Columns without a value keep theirs.
    Update(Vec<(usize, ast::Expr)>),
    /// Every column has a value.
    Insert(Vec<(usize, ast::Expr)>),
    Delete,
    Nothing,
}

impl Does {
    fn values(&self) -> &[(usize, ast::Expr)] {
        match self {
            Self::Update(values) | Self::Insert(values) => values,
            Self::Delete | Self::Nothing => &[],
        }
    }
}

/// A planned change.
pub(crate) struct Changes {
    /// What [`catalog::table::Change`] wants, with open parameters.
    pub(crate) logical: LogicalPlan,
    /// What is handed back, as the client sees it.
    pub(crate) returned: Option<SchemaRef>,
    /// The version of the table that it is about.
    pub(crate) state: Arc<TableState>,
    target: ObjectId,
    uses: Vec<(Rights, Vec<Use>)>,
}

impl Changes {
    /// That everything it looks at may be read. Who only deletes or sets looks at nothing of the table itself.
    ///
    /// # Errors
    /// 42501.
    pub(crate) fn check(&self) -> Result<()> {
        let is_target = |used: &Use| used.relation.id() == self.target;
        // The table that is changed is the statement's first, wherever it stands in the join.
        for first in [true, false] {
            for (rights, uses) in &self.uses {
                let looked_at = uses.iter().filter(|used| is_target(used) == first);
                for used in looked_at.filter(|used| !first || !used.columns.is_empty()) {
                    rights.check_uses(std::slice::from_ref(used))?;
                }
            }
        }
        Ok(())
    }
}

/// The table that is changed, in FROM.
pub(crate) fn target(alias: &Ident) -> TableFactor {
    factor(TARGET, Some(alias.clone()))
}

/// The rows of [`Request::proposed`], in FROM.
pub(crate) fn proposed(alias: &str) -> TableFactor {
    factor(PROPOSED, Some(Ident::with_quote('"', alias)))
}

fn factor(name: &str, alias: Option<Ident>) -> TableFactor {
    TableFactor::Table {
        name: ObjectName::from(vec![Ident::with_quote('"', name)]),
        alias: alias.map(|name| TableAlias { explicit: true, name, columns: Vec::new(), at: None }),
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

impl Planner {
    /// Plans a change. `declared[i]` is the declared type of `$i+1`.
    pub(crate) async fn changes(&self, request: Request<'_>, declared: &[Option<FieldRef>]) -> Result<Changes> {
        // One query that reads all that the statement reads, for what is done to any query before it is planned.
        let conditions = request.actions.iter().filter_map(|action| action.condition.clone());
        let values = request.actions.iter().flat_map(|action| action.does.values()).map(|(_, value)| value.clone());
        let own: Vec<ast::Expr> = conditions.chain(values).collect();
        let items = own.iter().cloned().map(SelectItem::UnnamedExpr);
        let items: Vec<SelectItem> = items.chain(request.returning.unwrap_or_default().iter().cloned()).collect();
        let query = select(request.with.clone(), items, request.from.clone(), request.selection.clone());
        let declared = self.typed_by_columns(&request, declared)?;
        let parameters = self.typed_by_text(&query, &declared)?;
        let mut whole = rewrite::prepared(&query)?;
        let calls = past::calls(&mut whole)?;
        let mut query = whole.clone();
        let items = take_items(&mut query)?;
        let (own_items, returned_items) = items.split_at(own.len());

        let state = self.relations().view().table(request.def.id).await?;
        let rows = self.relations().rows(Arc::clone(&state))?;
        let relation = Relation::Table(Arc::clone(request.def));
        let target: Arc<dyn TableSource> = Arc::new(Guarded { relation, source: provider_as_source(rows) });
        let statement = ast::Statement::Query(Box::new(whole));
        let (references, _) = resolve_table_references(&ParserStatement::Statement(Box::new(statement)), true)?;
        let mut names = self.names()?;
        let (mut below, mut missing) = (Vec::new(), Vec::new());
        for reference in references {
            let source = match (reference.table(), &request.proposed) {
                (call, _) if calls.contains_key(call) => Some(self.readable_past(&calls[call]).await?),
                (TARGET, _) => Some(Arc::clone(&target)),
                (PROPOSED, Some(plan)) => Some(provider_as_source(Arc::new(ViewTable::new(plan.clone(), None)))),
                _ => self.readable(&reference, &mut below).await?,
            };
            match source {
                Some(source) => drop(names.tables.insert(reference, source)),
                None => missing.push(reference),
            }
        }
        let planner = SqlToRel::new_with_options(&names, parser_options());
        let mut context = PlannerContext::new().with_prepare_param_data_types(parameters);
        let suggest = |e: datafusion::error::DataFusionError| self.suggesting_here(Error::from(e), &missing);

        // Expressions are planned apart from the query, and may name what WITH names.
        let mut named = Vec::new();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let all = vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())];
            let from = vec![TableWithJoins { relation: factor(&fold(&cte.alias.name), None), joins: Vec::new() }];
            let all = ast::Statement::Query(Box::new(select(query.with.clone(), all, from, None)));
            let plan = planner.sql_statement_to_plan_with_context(all, &mut context.clone()).map_err(suggest)?;
            named.push((fold(&cte.alias.name), plan));
        }
        let read = ast::Statement::Query(Box::new(query));
        let read = planner.sql_statement_to_plan_with_context(read, &mut context).map_err(suggest)?;
        let read = match read {
            LogicalPlan::Projection(all) => Arc::unwrap_or_clone(all.input),
            other => other,
        };
        for (name, plan) in named {
            context.insert_cte(name, plan);
        }
        let alias = fold(&request.alias);
        let shape = Shape { request: &request, alias: TableReference::bare(alias.as_str()), zone: self.time_zone() };
        let plan_items = |items: &[SelectItem], schema: &DFSchema, context: &mut PlannerContext| {
            let mut planned = Vec::with_capacity(items.len());
            for item in items {
                match item {
                    SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => {
                        let name = item_name(item);
                        let expression = planner.sql_to_expr(expression.clone(), schema, context).map_err(suggest)?;
                        planned.push((expression, name));
                    }
                    SelectItem::Wildcard(_) => planned.extend(every_column(schema, None)),
                    SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                        let name = name.0.last().and_then(|part| part.as_ident()).map(fold).unwrap_or_default();
                        let columns = every_column(schema, Some(&name));
                        if columns.is_empty() {
                            let message = format!("missing FROM-clause entry for table \"{name}\"");
                            return Err(Error::new(SqlState::UNDEFINED_TABLE, message));
                        }
                        planned.extend(columns);
                    }
                    _ => return Err(Error::unsupported("this item of RETURNING")),
                }
            }
            Ok(planned)
        };
        let own: Vec<Expr> =
            plan_items(own_items, read.schema(), &mut context)?.into_iter().map(|(value, _)| value).collect();

        // Of what is handed back the old columns have the same names as the new ones.
        let nameable = match request.proposed {
            // Proposed rows are not for RETURNING.
            Some(_) => shape.target_columns(read.schema())?,
            None => read.schema().as_ref().clone(),
        };
        let looked_at = plan_items(returned_items, &nameable, &mut context)?;
        let looked_at = own.iter().cloned().chain(looked_at.into_iter().map(|(expression, _)| expression));
        let mut looked_at: Vec<Expr> = looked_at.enumerate().map(|(n, e)| e.alias(format!("\u{1e}{n}"))).collect();
        if looked_at.is_empty() {
            looked_at.push(lit(1));
        }
        let looked_at = LogicalPlanBuilder::from(read.clone()).project(looked_at)?.build()?;
        let mut used = vec![(self.rights().clone(), uses(&looked_at)?)];
        used.extend(below);

        let changed = shape.changed(read, own)?;
        let returned = match request.returning {
            Some(_) => Some(plan_items(returned_items, changed.schema(), &mut context)?),
            None => None,
        };
        let names: Option<Vec<String>> =
            returned.as_ref().map(|items| items.iter().map(|(_, name)| name.clone()).collect());
        let plan = shape.finished(changed, returned.unwrap_or_default())?;
        let plan = semantics::only_row::guarded(unguarded(plan)?)?;
        let plan = reg::resolved(plan, self.catalog(), true)?;
        let logical = self.state().analyzer().execute_and_check(plan, self.state().config_options(), |_, _| {})?;
        let returned = names.map(|names| {
            let fields = logical.schema().fields().iter().skip(BEFORE + request.def.columns.len());
            let fields = fields.zip(names).map(|(field, name)| shown(&field.as_ref().clone().with_name(name)));
            Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
        });
        Ok(Changes { logical, returned, state, target: request.def.id, uses: used })
    }

    /// The declared parameters, and for those that are all of a column's new value its type.
    fn typed_by_columns(&self, request: &Request<'_>, declared: &[Option<FieldRef>]) -> Result<Vec<Option<FieldRef>>> {
        let mut declared = declared.to_vec();
        for (column, value) in request.actions.iter().flat_map(|action| action.does.values()) {
            let ast::Expr::Value(value) = value else { continue };
            let Value::Placeholder(name) = &value.value else { continue };
            let Ok(number @ 1..=65_535) = name.trim_start_matches('$').parse::<usize>() else { continue };
            if declared.len() < number {
                declared.resize(number, None);
            }
            if declared[number - 1].is_none() {
                let pg: PgType = request.def.columns[*column].pg_type.parse()?;
                declared[number - 1] = Some(Arc::new(pg.field("", true)));
            }
        }
        Ok(declared)
    }
}

/// Columns of the finished plan before those of the table.
const BEFORE: usize = 3;

/// Builds the plan's upper part.
struct Shape<'a> {
    request: &'a Request<'a>,
    alias: TableReference,
    zone: Arc<str>,
}

impl Shape<'_> {
    fn old(&self, name: &str) -> Expr {
        Expr::Column(Column::new(Some(self.alias.clone()), name))
    }

    /// The columns of the table that is changed, among others.
    fn target_columns(&self, schema: &DFSchema) -> Result<DFSchema> {
        let own = schema.iter().filter(|(relation, _)| *relation == Some(&self.alias));
        let own = own.map(|(relation, field)| (relation.cloned(), Arc::clone(field))).collect();
        Ok(DFSchema::new_with_metadata(own, HashMap::new())?)
    }

    /// What is read, brought to the rows that are changed: their place, whether a row comes, its columns under the
    /// table's name, and what else was read.
    fn changed(&self, read: LogicalPlan, own: Vec<Expr>) -> Result<LogicalPlan> {
        let actions = &self.request.actions;
        let conditions = actions.iter().filter(|action| action.condition.is_some()).count();
        let (conditions, values) = own.split_at(conditions);
        let alone = matches!(actions.as_slice(), [Action { matched: true, condition: None, .. }]);
        let others: Vec<Expr> = read
            .schema()
            .columns()
            .into_iter()
            .filter(|column| column.relation.as_ref() != Some(&self.alias))
            .map(Expr::Column)
            .collect();
        let mut plan = LogicalPlanBuilder::from(read);
        if !alone {
            let mut conditions = conditions.iter();
            let mut whens = Vec::with_capacity(actions.len());
            for (number, action) in actions.iter().enumerate() {
                let there = self.old(FILE);
                let there = if action.matched { there.is_not_null() } else { there.is_null() };
                let when = match action.condition {
                    Some(_) => there.clone().and(conditions.next().cloned().unwrap_or_else(|| lit(true))),
                    None => there.clone(),
                };
                let chosen = (!matches!(action.does, Does::Nothing)).then_some(number as i32);
                whens.push((there, when, lit(ScalarValue::Int32(chosen))));
            }
            let matched = actions.iter().filter(|action| action.matched).count();
            // A sub-query can be part of a filter, not of a choice: where there is nothing to choose rows are filtered.
            let cases = if matched <= 1 && actions.len() - matched <= 1 {
                let any = whens.iter().map(|(_, when, _)| when.clone()).reduce(Expr::or);
                plan = plan.filter(any.unwrap_or_else(|| lit(false)))?;
                whens.into_iter().map(|(there, _, chosen)| (there, chosen)).collect()
            } else {
                whens.into_iter().map(|(_, when, chosen)| (when, chosen)).collect()
            };
            let mut columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
            columns.push(case(None, cases, None).alias(ACTION));
            plan = plan.project(columns)?.filter(Expr::Column(Column::new_unqualified(ACTION)).is_not_null())?;
        }
        let action = || Expr::Column(Column::new_unqualified(ACTION));
        let comes = |does: &Does| lit(matches!(does, Does::Update(_) | Does::Insert(_)));
        let coming = match alone {
            true => comes(&actions[0].does),
            false => {
                let each = actions.iter().enumerate().map(|(n, a)| (lit(n as i32), comes(&a.does)));
                case(Some(action()), each.collect(), Some(lit(false)))
            }
        };
        let mut columns = vec![self.old(FILE), self.old(ROW), coming.alias(COMES)];
        let only_goes = self.request.returning.is_none() && actions.iter().all(|a| matches!(a.does, Does::Delete));
        for (place, column) in self.request.def.columns.iter().enumerate() {
            let pg: PgType = column.pg_type.parse()?;
            let mut given = Vec::new();
            let mut number = 0;
            for (at, action) in actions.iter().enumerate() {
                for (target, _) in action.does.values() {
                    if *target == place {
                        given.push((at, assignment(values[number].clone(), &pg, &self.zone)));
                    }
                    number += 1;
                }
            }
            let value = if only_goes {
                lit(ScalarValue::try_from(pg.field("", true).data_type())?)
            } else if alone {
                given.pop().map_or_else(|| self.old(&column.name), |(_, value)| value)
            } else if given.is_empty() {
                self.old(&column.name)
            } else {
                let given = given.into_iter().map(|(at, value)| (lit(at as i32), value)).collect();
                case(Some(action()), given, Some(self.old(&column.name)))
            };
            columns.push(value.alias_qualified(Some(self.alias.clone()), &column.name));
        }
        if self.request.returning.is_some() && self.request.proposed.is_none() {
            columns.extend(others);
        }
        Ok(plan.project(columns)?.build()?)
    }

    /// The plan that is run: columns by their place, under names that nothing else has.
    fn finished(&self, changed: LogicalPlan, returned: Vec<(Expr, String)>) -> Result<LogicalPlan> {
        let mut columns = vec![self.old(FILE).alias(FILE), self.old(ROW).alias(ROW)];
        columns.push(Expr::Column(Column::new_unqualified(COMES)));
        let table = self.request.def.columns.iter().map(|column| self.old(&column.name));
        let all = table.chain(returned.into_iter().map(|(expression, _)| expression));
        columns.extend(all.enumerate().map(|(place, expression)| expression.alias(format!("\u{1e}{place}"))));
        Ok(LogicalPlanBuilder::from(changed).project(columns)?.build()?)
    }
}

fn case(of: Option<Expr>, when: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Expr {
    let when = when.into_iter().map(|(when, then)| (Box::new(when), Box::new(then))).collect();
    Expr::Case(Case::new(of.map(Box::new), when, otherwise.map(Box::new)))
}

/// The name that a result column has.
fn item_name(item: &SelectItem) -> String {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => fold(alias),
        SelectItem::UnnamedExpr(ast::Expr::Identifier(name)) => fold(name),
        SelectItem::UnnamedExpr(ast::Expr::CompoundIdentifier(parts)) => parts.last().map(fold).unwrap_or_default(),
        _ => "?column?".to_owned(),
    }
}

/// The columns of a schema that users know of, of one relation or of all.
fn every_column(schema: &DFSchema, relation: Option<&str>) -> Vec<(Expr, String)> {
    let ours = |name: &str| name.starts_with('\u{1e}');
    let of = |column: &Column| {
        relation.is_none_or(|name| column.relation.as_ref().is_some_and(|relation| relation.table() == name))
    };
    let columns = schema.columns().into_iter().filter(|column| !ours(&column.name) && of(column));
    columns.map(|column| (Expr::Column(column.clone()), column.name)).collect()
}

/// The items of a query's select list, in the place of which it selects everything.
fn take_items(query: &mut Query) -> Result<Vec<SelectItem>> {
    match query.body.as_mut() {
        SetExpr::Select(select) => {
            let all = SelectItem::Wildcard(WildcardAdditionalOptions::default());
            Ok(std::mem::replace(&mut select.projection, vec![all]))
        }
        _ => Err(Error::internal("a query is no SELECT any more")),
    }
}

/// `WITH with SELECT items FROM from WHERE selection`.
fn select(
    with: Option<With>,
    items: Vec<SelectItem>,
    from: Vec<TableWithJoins>,
    selection: Option<ast::Expr>,
) -> Query {
    let select = Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: items,
        exclude: None,
        into: None,
        from,
        lateral_views: Vec::new(),
        prewhere: None,
        selection,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    };
    Query {
        with,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}
