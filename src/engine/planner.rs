//! From a query's syntax tree to a plan: names resolved, views expanded, parameters typed.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::objects::{ObjectId, Privileges, Relation, ViewDef};
use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, TableSource};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::parser::Statement as ParserStatement;
use datafusion::sql::planner::{NullOrdering, ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::names::Names;
use super::relations::{DATABASE, INFORMATION_SCHEMA, Relations};
use super::rewrite;
use super::system::{PG_CATALOG, SystemTables};
use super::types::CastTypes;
use crate::error::{Error, Result, SqlState};
use crate::privileges::{Guarded, Rights, Use, uses};
use crate::statement::{Kind, parse};

/// Views that read views that read views: deeper than this is taken for a mistake.
const MAX_VIEW_DEPTH: usize = 32;

/// Plans the queries of one statement against one view of the catalog.
pub(crate) struct Planner {
    state: SessionState,
    relations: Arc<Relations>,
    system: Arc<SystemTables>,
    search_path: Vec<String>,
    rights: Rights,
}

/// A query as planned.
pub(crate) struct Plan {
    /// Type-checked and coerced, not yet optimized; may hold parameters.
    pub(crate) logical: LogicalPlan,
    /// The columns it returns, as announced to the client.
    pub(crate) columns: SchemaRef,
    /// The tables and views it names (not those that its views name).
    pub(crate) reads: Vec<ObjectId>,
    /// What it looks at, and what its views look at with the rights of their owners; outermost first.
    uses: Vec<(Rights, Vec<Use>)>,
}

impl Plan {
    /// That all it looks at may be read. Every plan that is to be run has to pass here.
    ///
    /// # Errors
    /// 42501.
    pub(crate) fn check(&self) -> Result<()> {
        self.uses.iter().try_for_each(|(rights, uses)| rights.check_uses(uses))
    }
}

impl Planner {
    pub(super) fn new(
        state: SessionState,
        relations: Arc<Relations>,
        system: Arc<SystemTables>,
        search_path: Vec<String>,
        rights: Rights,
    ) -> Self {
        Self { state, relations, system, search_path, rights }
    }

    /// DataFusion's state, for building plans by hand.
    pub(crate) fn state(&self) -> &SessionState {
        &self.state
    }

    /// The relations that are planned against.
    pub(crate) fn relations(&self) -> &Arc<Relations> {
        &self.relations
    }

    /// Plans a query to be run. `parameters[i]` is the declared type of `$i+1`; undeclared ones are inferred.
    ///
    /// # Errors
    /// 42501 if it looks at something that the role may not read; what is wrong with the query.
    pub(crate) async fn query(&self, query: &ast::Query, parameters: &[Option<FieldRef>]) -> Result<Plan> {
        let plan = self.described(query, parameters).await?;
        plan.check()?;
        Ok(plan)
    }

    /// Plans a query that is not run now: described, or kept as a view. Whether its relations may be read is checked
    /// when it is run.
    pub(crate) async fn described(&self, query: &ast::Query, parameters: &[Option<FieldRef>]) -> Result<Plan> {
        self.query_below(query, parameters, &self.search_path, 0, &self.rights).await
    }

    fn query_below<'a>(
        &'a self,
        query: &'a ast::Query,
        parameters: &'a [Option<FieldRef>],
        search_path: &'a [String],
        depth: usize,
        rights: &'a Rights,
    ) -> BoxFuture<'a, Result<Plan>> {
        async move {
            let parameters = &self.typed_by_text(query, parameters)?;
            let statement = ast::Statement::Query(Box::new(rewrite::prepared(query)?));
            let wrapped = ParserStatement::Statement(Box::new(statement.clone()));
            let (references, _) = resolve_table_references(&wrapped, true)?;
            let mut names = Names { state: &self.state, tables: HashMap::new(), types: self.types()? };
            let mut reads = Vec::new();
            let mut below = Vec::new();
            for reference in references {
                if let Some((id, source)) = self.resolve(&reference, search_path, depth, &mut below).await? {
                    names.tables.insert(reference, source);
                    reads.extend(id);
                }
            }
            let mut context = PlannerContext::new().with_prepare_param_data_types(parameters.to_vec());
            let planner = SqlToRel::new_with_options(&names, parser_options());
            let plan = planner.sql_statement_to_plan_with_context(statement, &mut context)?;
            let mut used = vec![(rights.clone(), uses(&plan)?)];
            used.extend(below);
            let plan = unguarded(plan)?;
            let logical = self.state.analyzer().execute_and_check(plan, self.state.config_options(), |_, _| {})?;
            let fields: Vec<Field> = logical.schema().fields().iter().map(|field| shown(field)).collect();
            Ok(Plan { logical, columns: Arc::new(Schema::new(fields)), reads, uses: used })
        }
        .boxed()
    }

    /// The declared parameters, and those whose type the query's text gives.
    fn typed_by_text(&self, query: &ast::Query, declared: &[Option<FieldRef>]) -> Result<Vec<Option<FieldRef>>> {
        let mut parameters = declared.to_vec();
        let types = self.types()?;
        for (number, data_type) in rewrite::parameter_types(query) {
            if number == 0 || number > u16::MAX.into() {
                continue;
            }
            if parameters.len() < number {
                parameters.resize(number, None);
            }
            let parameter = &mut parameters[number - 1];
            if parameter.is_none() {
                *parameter = types.plan_type_field(&data_type)?;
            }
        }
        Ok(parameters)
    }

    fn types(&self) -> Result<Arc<dyn TypePlanner>> {
        let zone = self.state.config_options().execution.time_zone.clone();
        Ok(Arc::new(CastTypes { time_zone: zone.unwrap_or_else(|| "UTC".to_owned()).into() }))
    }

    /// The relation that a reference names; `None` leaves the planner to say that there is none.
    async fn resolve(
        &self,
        reference: &TableReference,
        search_path: &[String],
        depth: usize,
        uses: &mut Vec<(Rights, Vec<Use>)>,
    ) -> Result<Option<(Option<ObjectId>, Arc<dyn TableSource>)>> {
        if reference.catalog().is_some_and(|c| c != DATABASE && c != "postgres") {
            return Err(Error::unsupported(format!("cross-database reference \"{reference}\"")));
        }
        if reference.schema() == Some(INFORMATION_SCHEMA) {
            let table = self.relations.information_schema().table(reference.table()).await?;
            return Ok(table.map(|table| (None, provider_as_source(table))));
        }
        if reference.schema().is_none_or(|schema| schema == PG_CATALOG) {
            if let Some(table) = self.system.table(reference.table()) {
                return Ok(Some((None, provider_as_source(table))));
            }
        }
        let found = match reference.schema() {
            Some(schema) => {
                // The names in a view were looked up when it was made.
                if depth == 0 {
                    self.rights.check_schema(schema, Privileges::USAGE)?;
                }
                self.relations.lookup(schema, reference.table())
            }
            None => search_path.iter().find_map(|schema| self.relations.lookup(schema, reference.table())),
        };
        let Some(relation) = found else { return Ok(None) };
        let provider = match &relation {
            Relation::Table(def) => self.relations.table(def.id).await?,
            Relation::View(def) => self.expand(def, depth, uses).await?,
        };
        let (id, source) = (relation.id(), provider_as_source(provider));
        Ok(Some((Some(id), Arc::new(Guarded { relation, source }))))
    }

    /// A view as the plan of its query against today's tables, read with the rights of the view's owner.
    async fn expand(
        &self,
        view: &ViewDef,
        depth: usize,
        uses: &mut Vec<(Rights, Vec<Use>)>,
    ) -> Result<Arc<dyn TableProvider>> {
        if depth >= MAX_VIEW_DEPTH {
            let message = format!("view \"{}\" is nested more than {MAX_VIEW_DEPTH} views deep", view.name);
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, message));
        }
        let query = parse_view(&view.sql)?;
        let owner = self.rights.of(self.rights.objects().owner(view.id));
        let plan = self.query_below(&query, &[], &view.search_path, depth + 1, &owner).await;
        let plan = plan.map_err(|e| e.inside(format!("view \"{}\"", view.name)))?;
        uses.extend(plan.uses);
        let plan = named(plan.logical, view.columns.iter().map(|c| c.name.as_str()))?;
        Ok(Arc::new(ViewTable::new(plan, Some(view.sql.clone()))))
    }

    /// The optimized physical plan of a query without open parameters.
    pub(crate) async fn physical(&self, logical: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self.state.create_physical_plan(logical).await?)
    }

    /// A constant expression of a column default, planned to stand in a projection.
    pub(crate) fn expression(&self, expression: ast::Expr) -> Result<datafusion::prelude::Expr> {
        let names = Names { state: &self.state, tables: HashMap::new(), types: self.types()? };
        let planner = SqlToRel::new_with_options(&names, parser_options());
        let empty = datafusion::common::DFSchema::empty();
        Ok(planner.sql_to_expr(expression, &empty, &mut PlannerContext::new())?)
    }
}

/// The plan with relations in the place of the leaves that stood for them until their use was checked.
fn unguarded(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_down_with_subqueries(|node| match &node {
        LogicalPlan::TableScan(scan) => match scan.source.downcast_ref::<Guarded>() {
            Some(guarded) => {
                let (name, source) = (scan.table_name.clone(), Arc::clone(&guarded.source));
                let read = LogicalPlanBuilder::scan(name, source, scan.projection.clone())?.build()?;
                // What it is made of was checked with its owner's rights, and has no guard any more.
                Ok(Transformed::new(read, true, TreeNodeRecursion::Jump))
            }
            None => Ok(Transformed::no(node)),
        },
        _ => Ok(Transformed::no(node)),
    })?;
    Ok(plan.data)
}

/// PostgreSQL's reading of SQL: exact decimals, nulls sort as the largest value, spans kept for error positions.
fn parser_options() -> ParserOptions {
    ParserOptions::new()
        .with_parse_float_as_decimal(true)
        .with_collect_spans(true)
        .with_default_null_ordering(NullOrdering::NullsMax)
}

/// The syntax tree of a view's stored query.
pub(crate) fn parse_view(sql: &str) -> Result<ast::Query> {
    match parse(sql)?.pop().map(|statement| statement.kind) {
        Some(Kind::Query(query)) => Ok(*query),
        _ => Err(Error::internal("a stored view is not a query")),
    }
}

/// A plan whose columns are called `names`, in order.
pub(crate) fn named<'a>(plan: LogicalPlan, names: impl ExactSizeIterator<Item = &'a str>) -> Result<LogicalPlan> {
    let columns = plan.schema().columns();
    if columns.len() != names.len() {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            "the tables of a view have changed, create it anew",
        ));
    }
    let expressions =
        columns.into_iter().zip(names).map(|(column, name)| datafusion::prelude::Expr::Column(column).alias(name));
    Ok(LogicalPlanBuilder::from(plan).project(expressions.collect::<Vec<_>>())?.build()?)
}

/// The parameters of a plan in order, undeclared and uninferable ones as text; `$1` must not be skipped over.
pub(crate) fn parameters(plan: &LogicalPlan, declared: &[Option<FieldRef>]) -> Result<Vec<FieldRef>> {
    let fields = plan.get_parameter_fields()?;
    let mut count = declared.len();
    let mut inferred = HashMap::new();
    for (name, field) in fields {
        let number: usize = name.trim_start_matches('$').parse().map_err(|_| {
            Error::new(SqlState::SYNTAX_ERROR, format!("parameter \"{name}\" has no number, use $1, $2, …"))
        })?;
        count = count.max(number);
        inferred.insert(number, field);
    }
    let text = || Arc::new(catalog::types::PgType::Text.field("", true));
    Ok((1..=count)
        .map(|number| {
            let declared = declared.get(number - 1).cloned().flatten();
            declared.or_else(|| inferred.get(&number).cloned().flatten()).unwrap_or_else(text)
        })
        .collect())
}

/// A column under the name that the client sees.
fn shown(field: &Field) -> Field {
    field.clone().with_name(rewrite::display_name(field.name()))
}

/// The schema of a plan's rows with nothing said about nulls: what is compared to see whether a result type changed.
pub(crate) fn same_columns(a: &Schema, b: &Schema) -> bool {
    a.fields().len() == b.fields().len()
        && a.fields().iter().zip(b.fields()).all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type())
}
