//! The relations of `pg_catalog` that tell of sessions: `pg_settings`, `pg_prepared_statements`, `pg_cursors`,
//! `pg_stat_activity`. Each is read when a statement names it.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::types::PG_TYPE;
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result};
use parking_lot::RwLock;

use super::Asker;
use super::cursors::{self, Cursors};
use super::prepared::Statements;
use super::settings::{Listed, Values};
use crate::engine::activity::{Activity, State, may_look_into};
use crate::engine::{DATABASE, SessionTables};
use crate::values::pg_type::PgType;

/// The object identifier of the one database, as `pg_database` has it.
pub(crate) const DATABASE_OID: u32 = catalog::objects::access::DATABASE;

/// What the relations of one session are read from.
pub(super) struct Views {
    pub(super) asker: Asker,
    pub(super) settings: Arc<RwLock<Values>>,
    pub(super) statements: Statements,
    pub(super) cursors: Cursors,
    pub(super) activity: Arc<Activity>,
}

impl SessionTables for Views {
    fn table(&self, name: &str, zone: &Arc<str>) -> Result<Option<Arc<dyn TableProvider>>> {
        let columns = match name {
            "pg_settings" => self.settings(),
            "pg_prepared_statements" => self.statements(zone),
            "pg_cursors" => self.cursors(zone),
            "pg_stat_activity" => self.activity(zone),
            _ => return Ok(None),
        };
        let fields: Vec<Field> = columns.iter().map(|column| column.field.clone()).collect();
        let schema = Arc::new(Schema::new(fields));
        let arrays = columns.into_iter().map(|column| column.values).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(DataFusionError::from)?;
        Ok(Some(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?)))
    }
}

impl Views {
    /// Not those that clients make up: they have no documentation, and PostgreSQL leaves them out, too.
    fn settings(&self) -> Vec<Column> {
        let list = self.settings.read().list();
        let all = |name: &str, f: fn(&Listed) -> Option<String>| texts(name, list.iter().map(f).collect());
        let mut words = ListBuilder::new(StringBuilder::new());
        for setting in &list {
            setting.words.into_iter().flatten().for_each(|word| words.values().append_value(word));
            words.append(setting.words.is_some());
        }
        let text = |text: &str| Some(text.to_owned());
        vec![
            all("name", |s| Some(s.definition.name.to_owned())),
            all("setting", |s| Some(s.setting.clone())),
            all("unit", |s| s.unit.map(str::to_owned)),
            all("category", |s| Some(s.definition.category.to_owned())),
            all("short_desc", |s| Some(s.definition.description.to_owned())),
            all("extra_desc", |s| s.definition.limits()),
            texts(
                "context",
                list.iter().map(|s| text(if s.definition.changeable { "user" } else { "internal" })).collect(),
            ),
            all("vartype", |s| Some(s.vartype.to_owned())),
            all("source", |s| Some(s.source.to_owned())),
            all("min_val", |s| s.bounds.map(|(min, _)| min.to_string())),
            all("max_val", |s| s.bounds.map(|(_, max)| max.to_string())),
            column("enumvals", Arc::new(words.finish())),
            all("boot_val", |s| Some(s.boot.clone())),
            all("reset_val", |s| Some(s.reset.clone())),
            all("sourcefile", |_| None),
            column("sourceline", Arc::new(Int32Array::new_null(list.len()))),
            column("pending_restart", Arc::new(BooleanArray::from(vec![false; list.len()]))),
        ]
    }

    fn statements(&self, zone: &Arc<str>) -> Vec<Column> {
        let list = self.statements.list();
        let mut types = ListBuilder::new(StringBuilder::new());
        for (_, statement) in &list {
            for parameter in &statement.parameters {
                types.values().append_value(PgType::of(&parameter.target).to_string());
            }
            types.append(true);
        }
        let custom = list.iter().map(|(_, s)| i64::try_from(s.executions()).unwrap_or(i64::MAX));
        vec![
            texts("name", list.iter().map(|(name, _)| Some(name.clone())).collect()),
            texts("statement", list.iter().map(|(_, s)| Some(s.text.to_string())).collect()),
            times("prepare_time", list.iter().map(|(_, s)| Some(s.prepared_at)).collect(), zone),
            column("parameter_types", Arc::new(types.finish())),
            column("from_sql", Arc::new(list.iter().map(|(_, s)| Some(s.from_sql)).collect::<BooleanArray>())),
            column("generic_plans", Arc::new(Int64Array::from(vec![0; list.len()]))),
            column("custom_plans", Arc::new(custom.collect::<Int64Array>())),
        ]
    }

    fn cursors(&self, zone: &Arc<str>) -> Vec<Column> {
        let list = self.cursors.list();
        let flags = |name: &str, flag: fn(&cursors::Listed) -> bool| {
            column(name, Arc::new(list.iter().map(|cursor| Some(flag(cursor))).collect::<BooleanArray>()))
        };
        vec![
            texts("name", list.iter().map(|cursor| Some(cursor.name.clone())).collect()),
            texts("statement", list.iter().map(|cursor| Some(cursor.statement.to_string())).collect()),
            flags("is_holdable", |cursor| cursor.hold),
            flags("is_binary", |cursor| cursor.binary),
            flags("is_scrollable", |cursor| cursor.scroll),
            times("creation_time", list.iter().map(|cursor| Some(cursor.opened)).collect(), zone),
        ]
    }

    fn activity(&self, zone: &Arc<str>) -> Vec<Column> {
        let backends = self.activity.all();
        let rows = backends.len();
        let rights = self.asker.rights();
        // What a session is doing is for those who have its role's rights and for pg_read_all_stats; that it is there,
        // for all.
        let seen: Vec<_> =
            backends.iter().map(|backend| may_look_into(&rights, &backend.user).then(|| backend.doing())).collect();
        let doing = |f: fn(&crate::engine::activity::Doing) -> Option<DateTime<Utc>>| {
            seen.iter().map(|seen| seen.as_ref().and_then(|(_, doing)| f(doing))).collect::<Vec<_>>()
        };
        let texts_of = |name: &str, f: fn(State, &crate::engine::activity::Doing) -> Option<String>| {
            texts(name, seen.iter().map(|seen| seen.as_ref().and_then(|(state, doing)| f(*state, doing))).collect())
        };
        let port = |doing: &crate::engine::activity::Doing| doing.peer.map(|peer| i32::from(peer.port()));
        let ports = seen.iter().map(|seen| seen.as_ref().and_then(|(_, doing)| port(doing)));
        let query = seen.iter().map(|seen| match seen {
            Some((_, doing)) => Some(doing.query.clone()),
            None => Some("<insufficient privilege>".to_owned()),
        });
        vec![
            oids("datid", vec![Some(DATABASE_OID); rows]),
            texts("datname", vec![Some(DATABASE.to_owned()); rows]),
            column("pid", Arc::new(backends.iter().map(|b| Some(b.pid)).collect::<Int32Array>())),
            column("leader_pid", Arc::new(Int32Array::new_null(rows))),
            oids("usesysid", backends.iter().map(|b| rights.objects().role(&b.user).map(|role| role.id)).collect()),
            texts("usename", backends.iter().map(|b| Some(b.user.clone())).collect()),
            texts("application_name", backends.iter().map(|b| Some(b.application_name())).collect()),
            texts_of("client_addr", |_, doing| doing.peer.map(|peer| peer.ip().to_canonical().to_string())),
            texts("client_hostname", vec![None; rows]),
            column("client_port", Arc::new(ports.collect::<Int32Array>())),
            times("backend_start", backends.iter().map(|b| Some(b.started)).collect(), zone),
            times("xact_start", doing(|d| d.transaction_start), zone),
            times("query_start", doing(|d| d.statement_start), zone),
            times("state_change", doing(|d| Some(d.since)), zone),
            texts_of("wait_event_type", |state, doing| match state {
                State::Active => doing.waits_for.map(|(kind, _)| kind.to_owned()),
                _ => Some("Client".to_owned()),
            }),
            texts_of("wait_event", |state, doing| match state {
                State::Active => doing.waits_for.map(|(_, event)| event.to_owned()),
                _ => Some("ClientRead".to_owned()),
            }),
            texts_of("state", |state, _| Some(state.name().to_owned())),
            oids("backend_xid", vec![None; rows]),
            oids("backend_xmin", vec![None; rows]),
            column("query_id", Arc::new(Int64Array::new_null(rows))),
            texts("query", query.collect()),
            texts("backend_type", vec![Some("client backend".to_owned()); rows]),
        ]
    }
}

struct Column {
    field: Field,
    values: ArrayRef,
}

fn column(name: &str, values: ArrayRef) -> Column {
    Column { field: Field::new(name, values.data_type().clone(), true), values }
}

fn texts(name: &str, values: Vec<Option<String>>) -> Column {
    column(name, Arc::new(values.into_iter().collect::<StringArray>()))
}

fn times(name: &str, values: Vec<Option<DateTime<Utc>>>, zone: &Arc<str>) -> Column {
    let micros = values.into_iter().map(|time| time.map(|time| time.timestamp_micros()));
    column(name, Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone(Arc::clone(zone))))
}

/// Object identifiers, which clients are told are such.
fn oids(name: &str, values: Vec<Option<u32>>) -> Column {
    let values: ArrayRef = Arc::new(values.into_iter().map(|v| v.map(i64::from)).collect::<Int64Array>());
    let mut column = column(name, values);
    column.field.set_metadata(HashMap::from([(PG_TYPE.to_owned(), "oid".to_owned())]));
    column
}
