//! From a query's syntax tree to a plan: names resolved, views expanded, parameters typed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use catalog::objects::{ObjectId, Privileges, Relation, ViewDef};
use datafusion::arrow::array::RecordBatch;
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

use super::DATABASE;
use super::names::Names;
use super::relations::Relations;
use super::types::CastTypes;
use super::{constants, few_keys, past, reg, rewrite, semantics, spelling};
use crate::error::{Error, Result, SqlState, nearest, no_type};
use crate::information_schema::{self, INFORMATION_SCHEMA};
use crate::pg_catalog::{PG_CATALOG, PgCatalog};
use crate::privileges::{Guarded, Rights, Use, uses};
use crate::statement::{Kind, QualifiedName, parse};

/// Views that read views that read views: deeper than this is taken for a mistake.
const MAX_VIEW_DEPTH: usize = 32;

/// The relations that tell of the session that asks, and of others.
pub(crate) trait SessionTables: Send + Sync {
    /// The relation of that name in `pg_catalog`, with times in `zone`; `None` if there is none.
    fn table(&self, name: &str, zone: &Arc<str>) -> datafusion::error::Result<Option<Arc<dyn TableProvider>>>;
}

/// A planner for work of the engine's own has no session to tell of.
pub(super) struct NoSession;

impl SessionTables for NoSession {
    fn table(&self, _: &str, _: &Arc<str>) -> datafusion::error::Result<Option<Arc<dyn TableProvider>>> {
        Ok(None)
    }
}

/// Plans the queries of one statement against one view of the catalog.
pub(crate) struct Planner {
    state: SessionState,
    relations: Arc<Relations>,
    catalog: Arc<PgCatalog>,
    session: Arc<dyn SessionTables>,
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

    /// The columns of a relation that it looks at itself, not through views.
    pub(crate) fn columns_of(&self, id: ObjectId) -> BTreeSet<String> {
        let own = self.uses.first().into_iter().flat_map(|(_, uses)| uses);
        own.filter(|used| used.relation.id() == id).flat_map(|used| used.columns.iter().cloned()).collect()
    }
}

impl Planner {
    pub(super) fn new(
        state: SessionState,
        relations: Arc<Relations>,
        catalog: Arc<PgCatalog>,
        session: Arc<dyn SessionTables>,
        search_path: Vec<String>,
        rights: Rights,
    ) -> Self {
        Self { state, relations, catalog, session, search_path, rights }
    }

    /// DataFusion's state, for building plans by hand.
    pub(crate) fn state(&self) -> &SessionState {
        &self.state
    }

    /// PostgreSQL's catalog.
    pub(super) fn catalog(&self) -> &Arc<PgCatalog> {
        &self.catalog
    }

    /// Whose rights count.
    pub(super) fn rights(&self) -> &Rights {
        &self.rights
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
            let mut statement = ast::Statement::Query(Box::new(rewrite::prepared(query)?));
            let calls = past::calls(&mut statement)?;
            let wrapped = ParserStatement::Statement(Box::new(statement.clone()));
            let (references, _) = resolve_table_references(&wrapped, true)?;
            let mut names = self.names()?;
            let mut reads = Vec::new();
            let mut missing = Vec::new();
            let mut below = Vec::new();
            let system_columns = spelling::names_system_columns(query);
            for reference in references {
                if let Some(asked) = calls.get(reference.table()) {
                    let (id, source) = self.past(asked, search_path, depth, rights).await?;
                    names.tables.insert(reference, source);
                    reads.push(id);
                    continue;
                }
                if reference.schema().is_none_or(|schema| schema == PG_CATALOG) {
                    rights.check_catalog(reference.table())?;
                }
                match self.resolve(&reference, search_path, depth, system_columns, &mut below).await? {
                    Some((id, source)) => {
                        names.tables.insert(reference, source);
                        reads.extend(id);
                    }
                    None => missing.push(reference),
                }
            }
            let mut context = PlannerContext::new().with_prepare_param_data_types(parameters.to_vec());
            let planner = SqlToRel::new_with_options(&names, parser_options());
            let plan = planner.sql_statement_to_plan_with_context(statement, &mut context);
            let plan = plan.map_err(|e| self.suggesting(Error::from(e), &missing, search_path))?;
            let mut used = vec![(rights.clone(), uses(&plan)?)];
            used.extend(below);
            let plan = semantics::only_row::guarded(unguarded(plan)?)?;
            let plan = reg::resolved(plan, &self.catalog, depth == 0)?;
            let logical = self.state.analyzer().execute_and_check(plan, self.state.config_options(), |_, _| {})?;
            let fields: Vec<Field> = logical.schema().fields().iter().map(|field| shown(field)).collect();
            Ok(Plan { logical, columns: Arc::new(Schema::new(fields)), reads, uses: used })
        }
        .boxed()
    }

    /// What reads the relation that a reference names in FROM, with the rights of views in `below`; `None` if there is none.
    pub(super) async fn readable(
        &self,
        reference: &TableReference,
        below: &mut Vec<(Rights, Vec<Use>)>,
    ) -> Result<Option<Arc<dyn TableSource>>> {
        if reference.schema().is_none_or(|schema| schema == PG_CATALOG) {
            self.rights.check_catalog(reference.table())?;
        }
        let found = self.resolve(reference, &self.search_path, 0, false, below).await?;
        Ok(found.map(|(_, source)| source))
    }

    /// [`Planner::readable`] for a call that asks for an earlier version.
    pub(super) async fn readable_past(&self, asked: &past::Asked) -> Result<Arc<dyn TableSource>> {
        Ok(self.past(asked, &self.search_path, 0, &self.rights).await?.1)
    }

    /// Whether a relation of PostgreSQL's catalog is named.
    pub(crate) fn is_built_in(&self, name: &QualifiedName) -> bool {
        name.schema.as_deref().is_none_or(|schema| schema == PG_CATALOG)
            && (self.catalog.table(&name.name, false).is_some()
                || matches!(self.session.table(&name.name, &self.time_zone()), Ok(Some(_))))
    }

    /// An error about a relation that does not exist, with the name of one that does.
    pub(super) fn suggesting_here(&self, error: Error, missing: &[TableReference]) -> Error {
        self.suggesting(error, missing, &self.search_path)
    }

    /// [`Planner::suggesting_here`] by another search path.
    fn suggesting(&self, error: Error, missing: &[TableReference], search_path: &[String]) -> Error {
        if error.hint.is_some() {
            return error;
        }
        if error.sqlstate == SqlState::UNDEFINED_FUNCTION {
            return self.suggesting_function(error);
        }
        if error.sqlstate != SqlState::UNDEFINED_TABLE {
            return error;
        }
        let mut named = missing.iter().filter(|name| error.message.contains(name.table()));
        if named.any(|name| self.was_there(name, search_path)) {
            return error
                .with_hint("it was there at the instant of audience.as_of, and has been dropped or renamed since");
        }
        let hint = missing
            .iter()
            .filter(|name| error.message.contains(name.table()))
            .find_map(|name| super::suggest::relation(&self.rights, name.schema(), name.table(), search_path));
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// Whether a relation was there at the instant that is looked back to.
    fn was_there(&self, name: &TableReference, search_path: &[String]) -> bool {
        let Some(then) = self.relations.travel().and_then(|travel| travel.then.as_ref()) else { return false };
        match name.schema() {
            Some(schema) => then.objects.lookup(schema, name.table()).is_some(),
            None => search_path.iter().any(|schema| then.objects.lookup(schema, name.table()).is_some()),
        }
    }

    /// An error about a function that does not exist, with the name of one that does.
    fn suggesting_function(&self, error: Error) -> Error {
        let name = error.message.strip_prefix("function ").and_then(|rest| rest.strip_suffix(" does not exist"));
        let Some(name) = name else { return error };
        let mut names: Vec<&str> = self.state.scalar_functions().keys().map(String::as_str).collect();
        names.extend(self.state.aggregate_functions().keys().map(String::as_str));
        names.extend(self.state.window_functions().keys().map(String::as_str));
        names.extend(self.state.table_functions().keys().map(String::as_str));
        names.sort_unstable();
        match nearest(name, names) {
            Some(close) => {
                let hint = format!("perhaps you meant the function \"{close}\"");
                error.with_hint(hint)
            }
            None => error,
        }
    }

    /// The declared parameters, and those whose type the query's text gives.
    pub(super) fn typed_by_text(
        &self,
        query: &ast::Query,
        declared: &[Option<FieldRef>],
    ) -> Result<Vec<Option<FieldRef>>> {
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

    pub(super) fn names(&self) -> Result<Names<'_>> {
        Ok(Names { state: &self.state, catalog: &self.catalog, tables: HashMap::new(), types: self.types()? })
    }

    fn types(&self) -> Result<Arc<dyn TypePlanner>> {
        Ok(Arc::new(CastTypes { time_zone: self.time_zone() }))
    }

    /// The session's time zone.
    pub(crate) fn time_zone(&self) -> Arc<str> {
        self.state.config_options().execution.time_zone.as_deref().unwrap_or("UTC").into()
    }

    /// The type that a SQL type names, as a cast to it has it.
    ///
    /// # Errors
    /// 42704 if there is none.
    pub(crate) fn type_field(&self, data_type: &ast::DataType) -> Result<FieldRef> {
        self.types()?.plan_type_field(data_type)?.ok_or_else(|| no_type(&data_type.to_string().to_lowercase()))
    }

    /// The relation that a reference names; `None` leaves the planner to say that there is none.
    async fn resolve(
        &self,
        reference: &TableReference,
        search_path: &[String],
        depth: usize,
        system_columns: bool,
        uses: &mut Vec<(Rights, Vec<Use>)>,
    ) -> Result<Option<(Option<ObjectId>, Arc<dyn TableSource>)>> {
        if reference.catalog().is_some_and(|c| c != DATABASE && c != "postgres") {
            return Err(Error::unsupported(format!("cross-database reference \"{reference}\"")));
        }
        let name = reference.table();
        // PostgreSQL's own schema is searched first unless the path says when.
        let implicit = (!search_path.iter().any(|schema| schema == PG_CATALOG)).then_some(PG_CATALOG);
        let schemas: Vec<&str> = match reference.schema() {
            Some(schema) => vec![self.rights.schema_named(schema)],
            None => implicit.into_iter().chain(search_path.iter().map(String::as_str)).collect(),
        };
        let mut found = None;
        for schema in schemas {
            let table = match schema {
                PG_CATALOG => match self.session.table(name, &self.time_zone())? {
                    Some(table) => Some(table),
                    None => self.catalog.table(name, system_columns),
                },
                INFORMATION_SCHEMA => information_schema::view(&self.catalog, name),
                _ => None,
            };
            if let Some(table) = table {
                return Ok(Some((None, provider_as_source(table))));
            }
            // The names in a view were looked up when it was made.
            if reference.schema().is_some() && depth == 0 {
                self.rights.check_schema(schema, Privileges::USAGE)?;
            }
            found = self.relations.lookup(schema, name);
            if found.is_some() {
                break;
            }
        }
        let Some(relation) = found else { return Ok(None) };
        let provider = match &relation {
            Relation::Table(def) => self.relations.table(def.id).await?,
            Relation::View(def) => self.expand(def, depth, uses).await?,
        };
        let (id, source) = (relation.id(), provider_as_source(provider));
        Ok(Some((Some(id), Arc::new(Guarded { relation, source }))))
    }

    /// The table or view of that name, those of the system's own schemas left out.
    pub(super) fn find(
        &self,
        schema: Option<&str>,
        name: &str,
        search_path: &[String],
        depth: usize,
    ) -> Result<Option<Relation>> {
        if let Some(schema) = schema {
            if depth == 0 {
                self.rights.check_schema(schema, Privileges::USAGE)?;
            }
            return Ok(self.relations.lookup(schema, name));
        }
        Ok(search_path.iter().find_map(|schema| self.relations.lookup(schema, name)))
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
        let plan = self.view_query_below(view, depth + 1).await;
        let plan = plan.map_err(|e| e.inside(format!("view \"{}\"", view.name)))?;
        uses.extend(plan.uses);
        let plan = named(plan.logical, view.columns.iter().map(|c| c.name.as_str()))?;
        Ok(Arc::new(ViewTable::new(plan, Some(view.sql.clone()))))
    }

    /// A view's query as it is planned today, with its own names for its columns.
    pub(crate) async fn view_query(&self, view: &ViewDef) -> Result<Plan> {
        self.view_query_below(view, 1).await
    }

    async fn view_query_below(&self, view: &ViewDef, depth: usize) -> Result<Plan> {
        let query = parse_view(&view.sql)?;
        let owner = self.rights.of(self.rights.objects().owner(view.id));
        self.query_below(&query, &[], &view.search_path, depth, &owner).await
    }

    /// The optimized physical plan of a query without open parameters.
    pub(crate) async fn physical(&self, logical: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
        let logical = few_keys::filtered(logical.clone(), &self.state)?;
        Ok(self.state.create_physical_plan(&logical).await?)
    }

    /// The rows of a query without open parameters that are constants in the statement; `None` if it has to be run.
    pub(crate) fn constant_rows(&self, logical: &LogicalPlan) -> Result<Option<RecordBatch>> {
        let analyzer = self.state.analyzer();
        let plan = analyzer.execute_and_check(logical.clone(), self.state.config_options(), |_, _| {})?;
        Ok(constants::rows(&plan, &self.state)?)
    }

    /// A constant expression of a column default, planned to stand in a projection.
    pub(crate) fn expression(&self, expression: ast::Expr) -> Result<datafusion::prelude::Expr> {
        let names = self.names()?;
        let planner = SqlToRel::new_with_options(&names, parser_options());
        let empty = datafusion::common::DFSchema::empty();
        Ok(planner.sql_to_expr(expression, &empty, &mut PlannerContext::new())?)
    }
}

/// The plan with relations in the place of the leaves that stood for them until their use was checked.
pub(super) fn unguarded(plan: LogicalPlan) -> Result<LogicalPlan> {
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
pub(super) fn parser_options() -> ParserOptions {
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
pub(super) fn shown(field: &Field) -> Field {
    field.clone().with_name(rewrite::display_name(field.name()))
}

/// The schema of a plan's rows with nothing said about nulls: what is compared to see whether a result type changed.
pub(crate) fn same_columns(a: &Schema, b: &Schema) -> bool {
    a.fields().len() == b.fields().len()
        && a.fields().iter().zip(b.fields()).all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type())
}
