//! The demo: a warehouse to try things on, the year 2025 of a French retail brand that does not exist.
//!
//! Everything in it is made up from a seed, so two demos of one seed and size have the same rows, whatever the day or
//! the machine. Its "today" is the first of January 2026. People live in streets of households ([`street`]) and own
//! devices ([`devices`]); each goes through the year by himself ([`journey`]), prompted by letters, advertisements and
//! his own wishes, in the rhythm of the [`calendar`]. What he does there ([`visits`]) and what he allows
//! ([`letters`]) are the rows of the tables ([`rows`]). Those are made while they are written ([`source`]), each table
//! from the streets anew, so that none of them has to be held.
//!
//! All of it is one transaction: a demo that was interrupted, in whatever way, is not there, and is made anew the next
//! time. Files that it had written by then belong to no table.

mod batch;
mod calendar;
mod campaigns;
mod chance;
mod devices;
mod event;
mod journey;
mod letters;
mod names;
mod places;
mod products;
mod queries;
mod rows;
mod source;
mod street;
mod visits;
mod world;

use std::sync::Arc;

use catalog::objects::{Objects, Relation, TableDef};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use futures::TryStreamExt;

pub use self::queries::{DEMO_QUERIES, DemoQuery};
use self::rows::{TABLES, Table};
use self::world::World;
use crate::error::{Error, Result, SqlState};
use crate::session::{Execution, Session};
use crate::statement::table;

/// Tables, comments and segments.
const DEFINITIONS: &str = include_str!("warehouse.sql");
/// The profiles of a demo that is not told how many.
const PROFILES: u64 = 100_000;
/// The seed of a demo that is not given one.
const SEED: u64 = 1;

/// Which demo to make; what is not said is 100,000 profiles and seed 1, or what the demo that is there was made with.
#[derive(Debug, Clone, Copy, Default)]
pub struct DemoOptions {
    /// How many profiles. There are about twenty times as many events.
    pub profiles: Option<u64>,
    /// What the rows are made from.
    pub seed: Option<u64>,
}

/// A demo warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demo {
    /// How many profiles it was made with.
    pub profiles: u64,
    /// Its seed.
    pub seed: u64,
    /// Whether it was made now and not found.
    pub created: bool,
}

/// What the making of a demo tells while it runs.
#[derive(Debug)]
pub enum DemoEvent {
    /// A table begins.
    Table {
        /// `schema.name`
        name: String,
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// Rows were made.
    Made(u64),
    /// Rows were written (not yet committed).
    Written(u64),
    /// The table is written (not yet committed).
    Done {
        /// Its rows.
        rows: u64,
        /// Its files.
        files: usize,
    },
}

/// Receives the events of a demo's making; called from several threads.
pub type DemoObserver = Arc<dyn Fn(DemoEvent) + Send + Sync>;

impl Session {
    /// Makes the demo in an empty warehouse, or finds it there, telling `observer` how it goes.
    ///
    /// A future that is dropped has made nothing.
    ///
    /// # Errors
    /// 55000 if the warehouse holds anything else, or a demo made with other options; then nothing is done to it.
    pub async fn demo(&mut self, options: DemoOptions, observer: DemoObserver) -> Result<Demo> {
        if let Some(found) = self.find_demo(options).await? {
            return Ok(found);
        }
        self.engine().begin_writing().await?;
        // Whoever held the lease may have made it meanwhile.
        if let Some(found) = self.find_demo(options).await? {
            return Ok(found);
        }
        let profiles = options.profiles.unwrap_or(PROFILES);
        let seed = options.seed.unwrap_or(SEED);
        if profiles == 0 || i64::try_from(profiles.max(seed)).is_err() {
            let message = "the number of profiles has to be positive, and both it and the seed have to fit into bigint";
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        self.begin();
        match self.make_demo(&Arc::new(World::new(seed, profiles)), &observer).await {
            Ok(()) => self.commit().await?,
            Err(e) => {
                self.rollback().await;
                return Err(e);
            }
        }
        Ok(Demo { profiles, seed, created: true })
    }

    /// The demo that is in the warehouse; `None` if nothing is.
    async fn find_demo(&mut self, options: DemoOptions) -> Result<Option<Demo>> {
        self.renew_work().await?;
        let objects = Arc::clone(self.work()?.objects());
        self.rollback().await;
        if !is_demo(&objects) {
            return match occupant(&objects) {
                None => Ok(None),
                Some(name) => {
                    let location = self.engine().warehouse().location();
                    let message = format!("the warehouse at {location} is not the demo: it has {name}");
                    Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                        .with_hint("give the demo a folder of its own: --data demo-data"))
                }
            };
        }
        let mut found = None;
        self.run("SELECT seed, profiles FROM truth.demo", async |_, execution| {
            if let Execution::Rows(rows) = execution {
                for batch in rows.try_collect::<Vec<_>>().await? {
                    if batch.num_rows() > 0 {
                        let value = |column: usize| batch.column(column).as_primitive::<Int64Type>().value(0) as u64;
                        found = Some(Demo { seed: value(0), profiles: value(1), created: false });
                    }
                }
            }
            Ok(())
        })
        .await?;
        let Some(found) = found else {
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "table \"truth.demo\" is empty"));
        };
        let differs = |wanted: Option<u64>, is: u64| wanted.is_some_and(|wanted| wanted != is);
        if differs(options.profiles, found.profiles) || differs(options.seed, found.seed) {
            let Demo { profiles, seed, .. } = found;
            let location = self.engine().warehouse().location();
            let message = format!("the demo at {location} was made with {profiles} profiles and seed {seed}");
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                .with_hint("leave out --profiles and --seed to serve it, or give --data another folder"));
        }
        Ok(Some(found))
    }

    async fn make_demo(&mut self, world: &Arc<World>, observer: &DemoObserver) -> Result<()> {
        self.run(DEFINITIONS, async |_, _| Ok(())).await?;
        for (index, table) in TABLES.iter().enumerate() {
            let name = format!("{}.{}", table.schema, table.name);
            observer(DemoEvent::Table { name, number: index + 1, of: TABLES.len() });
            self.fill(world, table, observer).await?;
        }
        Ok(())
    }

    /// Writes a table's rows.
    async fn fill(&mut self, world: &Arc<World>, table: &'static Table, observer: &DemoObserver) -> Result<()> {
        let Some(Relation::Table(def)) = self.work()?.objects().lookup(table.schema, table.name) else {
            return Err(Error::internal(format!("the demo has no table {}", table.name)));
        };
        check_columns(table, &def)?;
        let planner = self.planner()?;
        let parts = planner.state().config().target_partitions().max(1) as u64;
        let counter = Arc::clone(observer);
        let made: source::Progress = Arc::new(move |rows| counter(DemoEvent::Made(rows)));
        let plan = source::plan(world, table, parts, &made)?;
        let counter = Arc::clone(observer);
        let progress: source::Progress = Arc::new(move |rows| counter(DemoEvent::Written(rows)));
        let written = table::write(self, &planner, &def, plan, Some(progress)).await?;
        observer(DemoEvent::Done { rows: written.written.rows, files: written.written.adds.len() });
        self.work()?.append(def.id, written.written, Vec::new(), written.checked_at);
        Ok(())
    }
}

/// Whether this is the catalog of a demo, whatever was made in it since.
fn is_demo(objects: &Objects) -> bool {
    let Some(Relation::Table(def)) = objects.lookup("truth", "demo") else { return false };
    TABLES.iter().any(|table| (table.schema, table.name) == ("truth", "demo") && check_columns(table, &def).is_ok())
}

/// Something that a new warehouse does not have.
fn occupant(objects: &Objects) -> Option<String> {
    let mut relations = objects.schemas().flat_map(|schema| objects.relations(&schema.name));
    if let Some(relation) = relations.next() {
        return Some(format!("{} {}.{}", relation.kind(), relation.schema(), relation.name()));
    }
    let own = Objects::default();
    let schema = objects.schemas().find(|schema| own.schema(&schema.name).is_none())?;
    Some(format!("schema {}", schema.name))
}

/// That rows and table agree on the columns, whose types the writer would otherwise cast in silence.
fn check_columns(table: &Table, def: &TableDef) -> Result<()> {
    let made = batch::schema(table.columns);
    let is = def
        .columns
        .iter()
        .map(|column| Ok((column.name.clone(), column.pg_type.parse::<catalog::types::PgType>()?.arrow())));
    let is = is.collect::<Result<Vec<_>>>()?;
    let want: Vec<_> = made.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
    if is == want {
        return Ok(());
    }
    Err(Error::internal(format!("the rows of {} are not those of its columns", table.name)))
}
