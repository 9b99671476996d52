//! Name resolution for DataFusion's SQL planner: relations found beforehand, functions from the session's state.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::catalog::{Session, TableFunctionArgs, TableProvider};
use datafusion::common::{DFSchema, Result, TableReference, plan_datafusion_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{AggregateUDF, Expr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;

use crate::error::Error;
use crate::pg_catalog::PgCatalog;

/// Everything the SQL planner asks for while it plans one statement.
pub(super) struct Names<'a> {
    pub(super) state: &'a SessionState,
    /// Where functions about the catalogs are.
    pub(super) catalog: &'a Arc<PgCatalog>,
    /// The relations the statement names, under the names it uses.
    pub(super) tables: HashMap<TableReference, Arc<dyn TableSource>>,
    pub(super) types: Arc<dyn TypePlanner>,
}

impl ContextProvider for Names<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        self.tables.get(&name).cloned().ok_or_else(|| plan_datafusion_err!("table '{name}' not found"))
    }

    fn get_table_function_source(&self, name: &str, args: Vec<Expr>) -> Result<Arc<dyn TableSource>> {
        // `pg_catalog.generate_series` arrives with its schema.
        let bare = name.rsplit('.').next().unwrap_or(name);
        let function = self.state.table_functions().get(bare).cloned();
        let function = function.ok_or_else(|| plan_datafusion_err!("table function '{name}' not found"))?;
        let context = SimplifyContext::builder()
            .with_config_options(Arc::clone(self.state.config_options()))
            .with_query_execution_start_time(self.state.execution_props().query_execution_start_time)
            .build();
        let simplifier = ExprSimplifier::new(context);
        let schema = DFSchema::empty();
        let args = args.into_iter().map(|arg| simplifier.coerce(arg, &schema).and_then(|e| simplifier.simplify(e)));
        let args = args.map(|arg| arg.map(widened)).collect::<Result<Vec<_>>>()?;
        if args.iter().any(Expr::contains_outer) {
            return Ok(provider_as_source(Arc::new(Correlated { name: bare.to_owned() })));
        }
        Ok(provider_as_source(function.create_table_provider_with_args(TableFunctionArgs::new(&args, self.state))?))
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        self.state.relation_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::clone(&self.types))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
        let registered = self.state.scalar_functions().get(name).cloned();
        registered.or_else(|| self.catalog.function(name.strip_prefix("information_schema.").unwrap_or(name)))
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}

/// A set-returning function in FROM whose arguments come from an outer query. It can be planned, so that a query in
/// which nothing asks for its rows works; it can't be run.
#[derive(Debug)]
struct Correlated {
    name: String,
}

#[async_trait]
impl TableProvider for Correlated {
    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new(&self.name, DataType::Int64, true)]))
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Err(Error::unsupported(format!("{} in FROM over columns of an outer query", self.name)).into())
    }
}

/// DataFusion's series run over bigint and nanoseconds only.
fn widened(argument: Expr) -> Expr {
    match argument {
        Expr::Literal(ScalarValue::Int16(value), metadata) => {
            Expr::Literal(ScalarValue::Int64(value.map(i64::from)), metadata)
        }
        Expr::Literal(ScalarValue::Int32(value), metadata) => {
            Expr::Literal(ScalarValue::Int64(value.map(i64::from)), metadata)
        }
        Expr::Literal(ScalarValue::TimestampMicrosecond(Some(micros), zone), metadata) => {
            match micros.checked_mul(1000) {
                Some(nanos) => Expr::Literal(ScalarValue::TimestampNanosecond(Some(nanos), zone), metadata),
                None => Expr::Literal(ScalarValue::TimestampMicrosecond(Some(micros), zone), metadata),
            }
        }
        other => other,
    }
}
