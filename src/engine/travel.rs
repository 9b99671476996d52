//! `audience.as_of`: tables as they were at an instant.
//!
//! * A table cut by time has the rows that it has now, as far as their time is not after the instant.
//! * Any other table has the rows that it had then, in the columns of today. Columns that came since are null.
//! * Where history does not reach back so far a table is read as it is now, and the user is told.
//!
//! Names, views and privileges are those of today: a segment of today is asked how it would have looked then, and
//! nobody reads what he may not.

use std::collections::HashSet;
use std::sync::Arc;

use catalog::objects::TableDef;
use catalog::past::{Then, columns_then};
use catalog::table::TableState;
use catalog::types::PgType;
use catalog::{Error, Result, Snapshot};
use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{LogicalPlanBuilder, ident, lit};
use datafusion::prelude::Expr;
use datafusion::scalar::ScalarValue;
use parking_lot::Mutex;

use super::relations::Relations;
use super::types::in_zone;
use crate::values::encode::Zone;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Says something to the user.
pub(crate) type Tell = Arc<dyn Fn(String) + Send + Sync>;

/// The instant that a statement looks back to.
pub(crate) struct Travel {
    /// The instant.
    pub(crate) at: DateTime<Utc>,
    /// The catalog as it was; `None` if the warehouse's log does not reach back so far.
    pub(crate) then: Option<Arc<Snapshot>>,
    /// Hears of tables that are read as they are now.
    pub(crate) tell: Option<Tell>,
    told: Mutex<HashSet<u32>>,
}

impl Travel {
    pub(crate) fn new(at: DateTime<Utc>, then: Option<Arc<Snapshot>>, tell: Option<Tell>) -> Self {
        Self { at, then, tell, told: Mutex::default() }
    }

    /// A provider that scans a table as it was.
    pub(super) async fn table(&self, relations: &Relations, id: u32) -> Result<Arc<dyn TableProvider>> {
        let view = relations.view();
        let def = view.objects().table(id).ok_or_else(|| Error::Internal(format!("no table with id {id}")))?;
        if let Some(column) = &def.partition_by {
            let now = relations.scan(view.table(id).await?)?;
            let until = self.bound(&now, column, relations.time_zone())?;
            let plan = LogicalPlanBuilder::scan(def.name.as_str(), provider_as_source(now), None)?;
            let plan = plan.filter(ident(column).lt_eq(lit(until)))?.build()?;
            return Ok(Arc::new(ViewTable::new(plan, None)));
        }
        let then = match &self.then {
            Some(then) if then.objects.table(id).is_some() => then,
            Some(_) => return self.as_it_is(relations, def, "it was made later").await,
            None => return self.as_it_is(relations, def, "the log no longer reaches back so far").await,
        };
        let past = match view.warehouse().table_then(then, id).await {
            Ok(past) => past,
            Err(Error::Gone(_)) => return self.as_it_is(relations, def, "files that it had are removed").await,
            Err(e) => return Err(e),
        };
        let state = Arc::clone(past.state());
        relations.hold(past);
        in_columns_of(relations, state, def)
    }

    /// The table without history, of which the user is told once.
    async fn as_it_is(&self, relations: &Relations, def: &TableDef, why: &str) -> Result<Arc<dyn TableProvider>> {
        if let Some(tell) = self.tell.as_ref().filter(|_| self.told.lock().insert(def.id)) {
            tell(format!("table \"{}\" is read as it is now, not as of audience.as_of: {why}", def.name));
        }
        relations.scan(relations.view().table(def.id).await?)
    }

    /// The instant as the last value of a time column that is seen.
    fn bound(&self, table: &Arc<dyn TableProvider>, column: &str, zone: &str) -> Result<ScalarValue> {
        let micros = self.at.timestamp_micros();
        let seconds = micros.div_euclid(MICROS_PER_SECOND);
        let east = i64::from(Zone::of_arrow(zone).unwrap_or_else(Zone::utc).east(seconds));
        let schema = table.schema();
        let data_type = schema.field_with_name(column)?.data_type();
        Ok(match data_type {
            DataType::Timestamp(_, Some(zone)) => {
                ScalarValue::TimestampMicrosecond(Some(micros), Some(Arc::clone(zone)))
            }
            DataType::Timestamp(_, None) => {
                ScalarValue::TimestampMicrosecond(Some(micros + east * MICROS_PER_SECOND), None)
            }
            DataType::Date32 => {
                let days = i32::try_from((seconds + east).div_euclid(SECONDS_PER_DAY));
                ScalarValue::Date32(Some(days.map_err(|_| Error::Invalid("audience.as_of is out of range".into()))?))
            }
            other => return Err(Error::Internal(format!("a table is cut by a column of type {other}"))),
        })
    }
}

/// Rows of an earlier version in the columns that the table has now.
fn in_columns_of(relations: &Relations, then: Arc<TableState>, now: &Arc<TableDef>) -> Result<Arc<dyn TableProvider>> {
    let sources = columns_then(&then.def, now).map_err(|e| match e {
        Error::Unsupported(why) => {
            Error::Unsupported(format!("{why}; table_at() reads a version with the columns that it had"))
        }
        e => e,
    })?;
    let scan = relations.scan(Arc::clone(&then))?;
    let as_they_were = then.def.columns.len() == now.columns.len()
        && then.def.columns.iter().zip(now.columns.iter().zip(&sources)).all(|(old, (new, source))| {
            old.name == new.name
                && old.pg_type == new.pg_type
                && matches!(source, Then::Column(name) if *name == old.name)
        });
    if as_they_were {
        return Ok(scan);
    }
    let mut columns = Vec::with_capacity(sources.len());
    for (column, source) in now.columns.iter().zip(sources) {
        let field = in_zone(&column.pg_type.parse::<PgType>()?.field(&column.name, true), relations.time_zone());
        let metadata = Some(datafusion::common::metadata::FieldMetadata::from(&field));
        let value = match source {
            Then::Column(name) => ident(name),
            Then::Nowhere => Expr::Literal(ScalarValue::try_from(field.data_type())?, None),
        };
        columns.push(value.alias_with_metadata(&column.name, metadata));
    }
    let plan = LogicalPlanBuilder::scan(now.name.as_str(), provider_as_source(scan), None)?;
    Ok(Arc::new(ViewTable::new(plan.project(columns)?.build()?, None)))
}
