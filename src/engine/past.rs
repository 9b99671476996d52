//! `table_at('t', version)` and `audience.table_history('t')` in FROM.
//!
//! A call becomes a relation that is called like the call, so that it is planned, checked and explained like a table.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use catalog::objects::{Privileges, Relation, SYSTEM_SCHEMA, TableDef};
use catalog::past::{PastTable, TableCommitted};
use chrono::DateTime;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::TableSource;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, TableAlias, TableFactor, TimezoneInfo, VisitMut,
    VisitorMut,
};
use futures::StreamExt;

use super::planner::Planner;
use crate::error::{Error, Result, SqlState};
use crate::macros::{integer, text};
use crate::privileges::{Guarded, Rights};
use crate::statement::{QualifiedName, fold};
use crate::values::decode;
use crate::values::encode::Zone;

const TABLE_AT: &str = "table_at";
const TABLE_HISTORY: &str = "table_history";

/// Rows of a history that are handed on at a time.
const HISTORY_ROWS: usize = 64;

/// What a call asks for.
pub(super) enum Asked {
    /// One version of a table.
    At(QualifiedName, Version),
    /// Its versions.
    History(QualifiedName),
}

/// Which version.
pub(super) enum Version {
    Number(i64),
    /// That of an instant, as text.
    Instant(String),
}

/// Puts names in the place of calls, and tells what they ask for.
pub(super) fn calls(statement: &mut impl VisitMut) -> Result<HashMap<String, Asked>> {
    let mut calls = Calls { found: HashMap::new() };
    match VisitMut::visit(statement, &mut calls) {
        ControlFlow::Continue(()) => Ok(calls.found),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Calls {
    found: HashMap<String, Asked>,
}

impl VisitorMut for Calls {
    type Break = Box<Error>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        let TableFactor::Table { name, alias, args, .. } = factor else { return ControlFlow::Continue(()) };
        let Some(arguments) = args.as_ref().map(|args| args.args.as_slice()) else { return ControlFlow::Continue(()) };
        let parts: Option<Vec<String>> = name.0.iter().map(|part| part.as_ident().map(fold)).collect();
        let Some(parts) = parts else { return ControlFlow::Continue(()) };
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (function, asked) = match parts.as_slice() {
            [TABLE_AT] => (TABLE_AT, at(arguments)),
            [SYSTEM_SCHEMA, TABLE_HISTORY] => (TABLE_HISTORY, history(arguments)),
            _ => return ControlFlow::Continue(()),
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(error) => return ControlFlow::Break(Box::new(error)),
        };
        let given: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let call = format!("{function}({})", given.join(", "));
        *name = ObjectName::from(vec![Ident::with_quote('"', call.as_str())]);
        *args = None;
        alias.get_or_insert_with(|| TableAlias {
            explicit: true,
            name: Ident::with_quote('"', function),
            columns: Vec::new(),
            at: None,
        });
        self.found.insert(call, asked);
        ControlFlow::Continue(())
    }
}

fn at(arguments: &[FunctionArg]) -> Result<Asked> {
    let wrong = || {
        let message = "table_at takes the name of a table and a version of it";
        Error::new(SqlState::UNDEFINED_FUNCTION, message)
            .with_hint("call it as in table_at('events', 7) or table_at('events', timestamptz '2026-03-01')")
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(table)), FunctionArg::Unnamed(FunctionArgExpr::Expr(version))] =
        arguments
    else {
        return Err(wrong());
    };
    let table = QualifiedName::parse(text(table).ok_or_else(wrong)?)?;
    let version = match (integer(version), instant(version)) {
        (Some(version), _) => Version::Number(version),
        (None, Some(instant)) => Version::Instant(instant.to_owned()),
        (None, None) => return Err(wrong()),
    };
    Ok(Asked::At(table, version))
}

/// The text of a constant `timestamptz '…'` or `'…'::timestamptz`.
fn instant(value: &Expr) -> Option<&str> {
    let is_instant = |data_type: &ast::DataType| {
        matches!(
            data_type,
            ast::DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) | ast::DataType::TimestampNtz(_)
        )
    };
    match value {
        Expr::TypedString(typed) if is_instant(&typed.data_type) => match &typed.value.value {
            ast::Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        Expr::Cast { expr, data_type, .. } if is_instant(data_type) => text(expr),
        _ => None,
    }
}

fn history(arguments: &[FunctionArg]) -> Result<Asked> {
    match arguments {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(table))] if text(table).is_some() => {
            Ok(Asked::History(QualifiedName::parse(text(table).unwrap_or_default())?))
        }
        _ => Err(Error::new(SqlState::UNDEFINED_FUNCTION, "audience.table_history takes the name of a table")
            .with_hint("call it as in audience.table_history('events')")),
    }
}

impl Planner {
    /// What reads that which a call asks for, and the table that it is of.
    pub(super) async fn past(
        &self,
        asked: &Asked,
        search_path: &[String],
        depth: usize,
        rights: &Rights,
    ) -> Result<(u32, Arc<dyn TableSource>)> {
        let (Asked::At(name, _) | Asked::History(name)) = asked;
        let def = match self.find(name.schema.as_deref(), &name.name, search_path, depth)? {
            Some(Relation::Table(def)) => def,
            Some(Relation::View(view)) => {
                let message = format!("\"{}\" is not a table", view.name);
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message).with_hint("views keep no versions"));
            }
            None => {
                let message = format!("relation \"{name}\" does not exist");
                return Err(Error::new(SqlState::UNDEFINED_TABLE, message));
            }
        };
        let view = self.relations().view();
        match asked {
            Asked::History(_) => {
                rights.check_relation(&Relation::Table(Arc::clone(&def)), Privileges::SELECT, [])?;
                let schema = history_schema(&self.time_zone());
                let stream = History { view: view.clone(), table: def.id, schema: Arc::clone(&schema) };
                let provider = StreamingTable::try_new(schema, vec![Arc::new(stream)])?;
                Ok((def.id, provider_as_source(Arc::new(provider))))
            }
            Asked::At(_, version) => {
                let past = match version {
                    Version::Number(version) => view.version(def.id, *version).await?,
                    Version::Instant(text) => self.version_of(text, &def).await?,
                };
                let relation = Relation::Table(Arc::new(as_granted(&past.state().def, &def)));
                let source = provider_as_source(self.relations().version(past)?);
                Ok((def.id, Arc::new(Guarded { relation, source })))
            }
        }
    }

    /// The version that a table had at an instant.
    async fn version_of(&self, text: &str, def: &TableDef) -> Result<Arc<PastTable>> {
        let zone = Zone::of_arrow(&self.time_zone()).unwrap_or_else(Zone::utc);
        let at = match decode::instant(text, zone)? {
            ScalarValue::TimestampMicrosecond(Some(micros), _) => DateTime::from_timestamp_micros(micros),
            _ => None,
        };
        let at = at.ok_or_else(|| Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range"))?;
        let warehouse = self.relations().view().warehouse();
        let then = warehouse.catalog_at(at).await?.ok_or_else(|| {
            Error::from(catalog::Error::Gone(format!("the warehouse's log no longer reaches back to {text}")))
        })?;
        if then.objects.table(def.id).is_none() {
            let message = format!("table \"{}\" did not exist at {text}", def.name);
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
                .with_hint(format!("audience.table_history('{}') tells its versions", def.name)));
        }
        Ok(warehouse.table_then(&then, def.id).await?)
    }
}

/// The definition of an earlier version with its columns called as privileges know them now. Columns that are no longer
/// there have names that nobody can be granted: they are for who may read the whole table.
fn as_granted(then: &TableDef, now: &TableDef) -> TableDef {
    let numbers: BTreeMap<u32, &str> =
        now.columns.iter().filter(|c| c.number > 0).map(|c| (c.number, c.name.as_str())).collect();
    let mut def = then.clone();
    (def.schema, def.name) = (now.schema.clone(), now.name.clone());
    let unnumbered = now.columns.iter().zip(&then.columns).all(|(now, then)| now.name == then.name && now.number == 0);
    for (place, column) in def.columns.iter_mut().enumerate() {
        if !unnumbered {
            column.name =
                numbers.get(&column.number).map_or_else(|| format!("\u{0}{place}"), |name| (*name).to_owned());
        }
    }
    def
}

fn history_schema(zone: &Arc<str>) -> SchemaRef {
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    Arc::new(Schema::new(vec![
        number("version"),
        Field::new("committed_at", DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(zone))), true),
        Field::new("operation", DataType::Utf8, true),
        number("transaction"),
        number("rows_added"),
        number("rows_removed"),
        number("files_added"),
        number("files_removed"),
        number("bytes_added"),
        number("bytes_removed"),
        Field::new("readable", DataType::Boolean, true),
    ]))
}

/// A table's commits, read as they are asked for.
#[derive(Debug)]
struct History {
    view: catalog::View,
    table: u32,
    schema: SchemaRef,
}

impl PartitionStream for History {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let batches = self.view.history(self.table).ready_chunks(HISTORY_ROWS).map(move |commits| {
            let commits = commits.into_iter().collect::<catalog::Result<Vec<_>>>().map_err(DataFusionError::from)?;
            batch(&schema, &commits)
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

fn batch(schema: &SchemaRef, commits: &[TableCommitted]) -> datafusion::error::Result<RecordBatch> {
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let numbers = |f: &dyn Fn(&TableCommitted) -> Option<u64>| -> ArrayRef {
        Arc::new(commits.iter().map(|commit| f(commit).map(number)).collect::<Int64Array>())
    };
    let times = commits.iter().map(|commit| Some(commit.at.timestamp_micros())).collect::<TimestampMicrosecondArray>();
    let zone = match schema.field(1).data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(commits.iter().map(|commit| Some(commit.version)).collect::<Int64Array>()),
        Arc::new(times.with_timezone_opt(zone)),
        Arc::new(commits.iter().map(|commit| Some(commit.operation.as_str())).collect::<StringArray>()),
        numbers(&|commit| commit.transaction),
        numbers(&|commit| commit.rows_added),
        numbers(&|commit| commit.rows_removed),
        numbers(&|commit| Some(commit.files_added)),
        numbers(&|commit| Some(commit.files_removed)),
        numbers(&|commit| Some(commit.bytes_added)),
        numbers(&|commit| Some(commit.bytes_removed)),
        Arc::new(commits.iter().map(|commit| Some(commit.readable)).collect::<BooleanArray>()),
    ];
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
