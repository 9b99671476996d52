//! The composition root: storage, functions and runtime put together; the only place that builds a
//! DataFusion `SessionState`.

mod compute;
mod interrupt;
mod maintenance;
mod names;
mod operators;
mod planner;
mod relations;
mod rewrite;
mod semantics;
mod system;
pub(crate) mod types;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use catalog::lease::HolderInfo;
use catalog::objects::{ObjectId, RoleDef, TableDef};
use catalog::store::{Location, StoreOptions};
use catalog::table::{Progress, Written};
use catalog::{View, Warehouse};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{FunctionRegistry, SessionStateBuilder, SessionStateDefaults, TaskContext};
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use futures::stream::BoxStream;
use parking_lot::Mutex;

use self::compute::Compute;
pub(crate) use self::interrupt::interruptible;
pub use self::maintenance::MaintenanceOptions;
pub(crate) use self::maintenance::Trigger;
pub(crate) use self::planner::{Planner, named, parameters, same_columns};
pub(crate) use self::relations::{DATABASE, Relations};
pub(crate) use self::rewrite::cast;
pub(crate) use self::semantics::{assigned_text, assignment};
use self::system::SystemTables;
use crate::error::{Error, Result};
use crate::session::Session;

/// How the engine is set up. Nothing here is read from files or the environment: the caller decides.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// A folder, or a `memory:`, `s3:`, `gs:` or `az:` URL.
    pub location: String,
    /// Settings of the object store (credentials, endpoint), as `object_store` names them.
    pub store: Vec<(String, String)>,
    /// Whether a warehouse is made where there is none.
    pub create: bool,
    /// What this process is doing, told to others who want to write: `serve 127.0.0.1:5432`.
    pub purpose: String,
    /// Bytes that sorts, joins and aggregates of all sessions together may hold before they spill or fail.
    pub memory_limit: usize,
    /// Where they spill to; `None` is the system's folder for temporary files.
    pub spill_folder: Option<PathBuf>,
    /// How many bytes may be spilled at one time.
    pub spill_limit: u64,
}

impl EngineOptions {
    /// Defaults for a warehouse at `location`: 1 GiB of memory, 100 GiB of spill.
    pub fn new(location: impl Into<String>) -> Self {
        Self {
            location: location.into(),
            store: Vec::new(),
            create: true,
            purpose: "embedded".to_owned(),
            memory_limit: 1 << 30,
            spill_folder: None,
            spill_limit: 100 << 30,
        }
    }
}

/// An open warehouse with everything needed to answer SQL on it. Cheap to share, made once for a process.
pub struct Engine {
    warehouse: Arc<Warehouse>,
    /// Settings by which files outside of the warehouse are reached, too.
    store: StoreOptions,
    runtime: Arc<RuntimeEnv>,
    compute: Compute,
    system: Arc<SystemTables>,
    /// Functions, rules and file formats that every session starts from.
    template: SessionState,
    started: DateTime<Utc>,
    next_session: AtomicI32,
    /// One lock for each keyed table that somebody has put rows into.
    table_locks: Mutex<HashMap<ObjectId, Arc<tokio::sync::Mutex<()>>>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("location", &self.warehouse.location().as_str()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the warehouse at `options.location`, recovering it from a crash if need be.
    pub async fn open(options: EngineOptions) -> Result<Arc<Self>> {
        let bucket = Arc::new(ScalarUDF::from(udfs::identity::AudienceBucket));
        let store = StoreOptions { settings: options.store };
        let warehouse = Warehouse::open(catalog::Options {
            location: options.location,
            store: store.clone(),
            bucket,
            holder: HolderInfo::this_process(options.purpose),
            create: options.create,
        })
        .await?;

        let consumers = NonZeroUsize::new(5).unwrap_or(NonZeroUsize::MIN);
        let pool = TrackConsumersPool::new(FairSpillPool::new(options.memory_limit), consumers);
        let spill = match options.spill_folder {
            Some(folder) => DiskManagerMode::Directories(vec![folder]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(
                DiskManagerBuilder::default().with_mode(spill).with_max_temp_directory_size(options.spill_limit),
            )
            .with_metadata_cache_limit(256 << 20)
            .build_arc()?;
        warehouse.register(&runtime)?;

        // Asked in order: ours decide types before DataFusion's build expressions.
        let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(operators::PostgresOperators)];
        planners.extend(SessionStateDefaults::default_expr_planners());
        let mut template = SessionStateBuilder::new_with_default_features()
            .with_runtime_env(Arc::clone(&runtime))
            .with_config(SessionConfig::new())
            .with_analyzer_rule(Arc::new(semantics::PostgresSemantics))
            .with_expr_planners(planners)
            .build();
        udfs::register_all(&mut template)?;
        FunctionRegistry::register_udf(&mut template, Arc::new(semantics::zone::function()))?;
        Ok(Arc::new(Self {
            warehouse,
            store,
            runtime,
            compute: Compute::new()?,
            system: Arc::new(SystemTables::new()?),
            template,
            started: Utc::now(),
            next_session: AtomicI32::new(1),
            table_locks: Mutex::default(),
        }))
    }

    /// A new session of `user` in `database`, with settings at their defaults.
    ///
    /// # Errors
    /// 3D000 for a database other than `audience` (or `postgres`, which reaches it too).
    pub fn session(self: &Arc<Self>, user: &str, database: &str) -> Result<Session> {
        if database != DATABASE && database != "postgres" {
            let message = format!("database \"{database}\" does not exist");
            return Err(Error::new(crate::error::SqlState::INVALID_CATALOG_NAME, message)
                .with_hint("there is one database, \"audience\""));
        }
        let pid = self.next_session.fetch_add(1, Ordering::Relaxed);
        Session::new(Arc::clone(self), user, pid)
    }

    /// The role of that name as it is now; `None` if there is none.
    pub async fn role(&self, name: &str) -> Result<Option<Arc<RoleDef>>> {
        Ok(self.warehouse.snapshot().await?.objects.role(name).cloned())
    }

    /// The warehouse.
    pub(crate) fn warehouse(&self) -> &Arc<Warehouse> {
        &self.warehouse
    }

    /// Starts a plan on the threads for queries.
    pub(crate) fn stream(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        task: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch, DataFusionError>>> {
        self.compute.stream(move || execute_stream(plan, task))
    }

    /// Writes the rows of a plan as files of a table, on the threads for queries.
    pub(crate) async fn write(
        &self,
        table: &TableDef,
        plan: Arc<dyn ExecutionPlan>,
        task: Arc<TaskContext>,
        progress: Option<Progress>,
    ) -> Result<Written> {
        let (warehouse, table) = (Arc::clone(&self.warehouse), table.clone());
        let work = async move { warehouse.write(&table, plan, task, progress).await };
        Ok(self.compute.run(work).await??)
    }

    /// A file, folder or pattern of files outside of the warehouse, by its path or URL.
    pub(crate) fn location(&self, text: &str) -> Result<Location> {
        Ok(Location::open(text, &self.store)?)
    }

    /// Lets plans read files of that place.
    pub(crate) fn register_location(&self, location: &Location) {
        location.register(&self.runtime);
    }

    /// The lock that orders the sessions of this process that put rows into one keyed table.
    pub(crate) fn table_lock(&self, id: ObjectId) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.table_locks.lock().entry(id).or_default())
    }

    /// When the engine was opened.
    pub(crate) fn started(&self) -> DateTime<Utc> {
        self.started
    }

    /// Takes the write lease now instead of with the first write, so that a server finds out at its start.
    ///
    /// # Errors
    /// 55006 names the process that has it.
    pub async fn begin_writing(&self) -> Result<()> {
        Ok(self.warehouse.begin_writing().await?)
    }

    /// Gives the write lease back; call it before the process ends.
    pub async fn close(&self) -> Result<()> {
        Ok(self.warehouse.stop_writing().await?)
    }

    /// A planner for one statement of a session that sees `view`.
    pub(crate) fn planner(
        self: &Arc<Self>,
        view: View,
        config: SessionConfig,
        functions: &[Arc<ScalarUDF>],
        search_path: Vec<String>,
        time_zone: Arc<str>,
    ) -> Planner {
        let relations = Arc::new(Relations::new(view, Arc::clone(&time_zone)));
        let mut state = SessionStateBuilder::new_from_existing(self.template.clone())
            .with_config(config)
            .with_runtime_env(Arc::clone(&self.runtime))
            .with_catalog_list(Arc::clone(&relations) as _)
            .with_type_planner(Arc::new(types::CastTypes { time_zone }))
            .build();
        for function in functions {
            // Names are checked to be free when functions are registered with the engine; a session's own replace
            // DataFusion's of the same name (version(), current_setting()).
            let _ = FunctionRegistry::register_udf(&mut state, Arc::clone(function));
        }
        state.mark_start_execution();
        Planner::new(state, relations, Arc::clone(&self.system), search_path)
    }
}
