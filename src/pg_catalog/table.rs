//! A catalog as a table that can be scanned.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use catalog::objects::ObjectId;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::{TableType, ViewTable};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, EmptyRelation, Expr, LogicalPlan, Operator, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;

use super::builtin::{self, SystemRelation};
use super::rows::{Datum, Rows};
use super::sizes::Sizes;
use super::{Fill, PgCatalog};

/// The system column that says which catalog a row is from.
const TABLEOID: &str = "tableoid";

/// What a query needs of a catalog.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The catalog's name.
    pub(crate) name: &'static str,
    /// Columns that must have one of these values, numbers only.
    numbers: HashMap<String, HashSet<i64>>,
    /// Rows and bytes of tables, where the query wants to know them.
    pub(crate) sizes: HashMap<ObjectId, Sizes>,
}

impl Wanted {
    /// Whether a row with `number` in `column` can be part of the answer.
    pub(crate) fn wants(&self, column: &str, number: u32) -> bool {
        self.numbers.get(column).is_none_or(|numbers| numbers.contains(&number.into()))
    }

    /// The only numbers that `column` may have, if the query says so.
    pub(crate) fn only(&self, column: &str) -> Option<&HashSet<i64>> {
        self.numbers.get(column)
    }

    fn take(&mut self, filter: &Expr) {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                self.take(left);
                self.take(right);
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (left.as_ref(), right.as_ref()) {
                (Expr::Column(column), value) | (value, Expr::Column(column)) => {
                    if let Some(number) = number(value) {
                        self.narrow(&column.name, HashSet::from([number]));
                    }
                }
                _ => {}
            },
            Expr::InList(InList { expr, list, negated: false }) => {
                let numbers: Option<HashSet<i64>> = list.iter().map(number).collect();
                if let (Expr::Column(column), Some(numbers)) = (expr.as_ref(), numbers) {
                    self.narrow(&column.name, numbers);
                }
            }
            _ => {}
        }
    }

    fn narrow(&mut self, column: &str, numbers: HashSet<i64>) {
        let known = self.numbers.entry(column.to_owned()).or_insert_with(|| numbers.clone());
        known.retain(|number| numbers.contains(number));
    }
}

fn number(value: &Expr) -> Option<i64> {
    match value {
        Expr::Literal(ScalarValue::Int64(value), _) => *value,
        Expr::Literal(ScalarValue::Int32(value), _) => value.map(i64::from),
        Expr::Literal(ScalarValue::Int16(value), _) => value.map(i64::from),
        _ => None,
    }
}

/// A catalog of one statement.
#[derive(Debug)]
pub(crate) struct CatalogTable {
    catalog: Arc<PgCatalog>,
    relation: &'static SystemRelation,
    /// The columns of the catalog.
    own: SchemaRef,
    /// The columns that the statement can name.
    schema: SchemaRef,
    fill: Fill,
}

impl CatalogTable {
    pub(crate) fn new(
        catalog: Arc<PgCatalog>,
        relation: &'static SystemRelation,
        fill: Fill,
        system_columns: bool,
    ) -> Self {
        let own = relation.schema();
        let schema = with_system_columns(Arc::clone(&own), relation, system_columns);
        Self { catalog, relation, own, schema, fill }
    }
}

#[async_trait]
impl TableProvider for CatalogTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut wanted = Wanted { name: self.relation.name, ..Wanted::default() };
        filters.iter().for_each(|filter| wanted.take(filter));
        let sized = ["reltuples", "relpages", "n_live_tup"];
        let sized = |i: &usize| self.schema.fields().get(*i).is_some_and(|f| sized.contains(&f.name().as_str()));
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.unwrap_or(&all);
        if projection.iter().any(sized) {
            let only = wanted.only("oid").or_else(|| wanted.only("relid")).cloned();
            wanted.sizes = Sizes::of_listed(&self.catalog.view, only.as_ref()).await?;
        }
        let own: Vec<usize> = projection.iter().copied().filter(|i| *i < self.own.fields().len()).collect();
        let mut rows = Rows::new(&self.own, Some(&own))?;
        (self.fill)(&self.catalog, &wanted, &mut rows)?;
        let mut batch = rows.finish()?;
        if own.len() < projection.len() {
            batch = with_tableoid(&batch, &self.schema, projection, self.relation.oid)?;
        }
        let schema = batch.schema();
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], schema, None)?)
    }
}

fn with_tableoid(
    batch: &datafusion::arrow::array::RecordBatch,
    schema: &Schema,
    projection: &[usize],
    oid: u32,
) -> Result<datafusion::arrow::array::RecordBatch> {
    let numbers = datafusion::arrow::array::Int64Array::from(vec![i64::from(oid); batch.num_rows()]);
    let numbers: datafusion::arrow::array::ArrayRef = Arc::new(numbers);
    let mut own = batch.columns().iter();
    let last = schema.fields().len() - 1;
    let columns = projection.iter().filter_map(|i| if *i == last { Some(&numbers) } else { own.next() }).cloned();
    let columns = columns.collect();
    Ok(datafusion::arrow::array::RecordBatch::try_new(Arc::new(schema.project(projection)?), columns)?)
}

/// The rows that are the same in every database.
pub(crate) fn fill_builtin(_: &PgCatalog, wanted: &Wanted, rows: &mut Rows) -> Result<()> {
    for row in builtin::rows(wanted.name).unwrap_or_default() {
        let unwanted = matches!(row.first(), Some(Datum::Int(oid)) if u32::try_from(*oid).is_ok_and(|oid| !wanted.wants("oid", oid)));
        if !unwanted {
            rows.push_whole(row)?;
        }
    }
    Ok(())
}

/// A catalog of things that no warehouse has: the optimizer knows that it is empty, and drops what joins it.
pub(crate) fn nothing(relation: &SystemRelation, system_columns: bool) -> Arc<dyn TableProvider> {
    let schema = with_system_columns(relation.schema(), relation, system_columns);
    // Its columns have no duplicates, so that it has a schema without an error.
    let schema = DFSchema::try_from(schema).unwrap_or_else(|_| DFSchema::empty());
    let empty = LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema: Arc::new(schema) });
    Arc::new(ViewTable::new(empty, None))
}

fn with_system_columns(own: SchemaRef, relation: &SystemRelation, system_columns: bool) -> SchemaRef {
    if !system_columns || relation.kind != "r" {
        return own;
    }
    let tableoid = Arc::new(builtin::field(TABLEOID, "oid", false));
    Arc::new(Schema::new(own.fields().iter().cloned().chain([tableoid]).collect::<Vec<_>>()))
}
