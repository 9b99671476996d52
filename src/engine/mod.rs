//! The composition root: storage, functions and runtime put together; the only place that builds a
//! DataFusion `SessionState`.

mod accounts;
pub(crate) mod activity;
mod admission;
mod array_length;
pub(crate) mod changes;
mod compute;
mod constants;
mod erasures;
mod filter_pushdown;
mod group;
mod interrupt;
mod maintenance;
mod memory;
mod names;
mod operators;
mod planner;
mod records;
mod reg;
mod relations;
mod rewrite;
mod semantics;
mod spelling;
mod spill;
pub(crate) mod suggest;
mod sum;
pub(crate) mod types;
mod unnest;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};

use catalog::lease::HolderInfo;
use catalog::objects::{ObjectId, RoleDef, TableDef};
use catalog::store::{Location, StoreOptions};
use catalog::table::{Change, Changed, Progress, TableState, Written};
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
use datafusion::optimizer::Analyzer;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use parking_lot::Mutex;

pub(crate) use self::accounts::has_expired;
use self::activity::Activity;
use self::admission::Admission;
pub use self::admission::AdmissionOptions;
use self::compute::Compute;
pub(crate) use self::erasures::{Request as ErasureRequest, Stage as ErasureStage};
pub(crate) use self::interrupt::interruptible;
pub(crate) use self::maintenance::Trigger;
pub use self::maintenance::{BackgroundMaintenance, MaintenanceOptions};
use self::memory::StatementPool;
pub(crate) use self::planner::{Plan, Planner, SessionTables, named, parameters, parse_view, same_columns};
pub(crate) use self::relations::Relations;
pub(crate) use self::rewrite::cast;
pub(crate) use self::semantics::print::TextForms;
pub(crate) use self::semantics::{assigned_text, assignment, required};
use self::spill::SpillFolder;
use crate::error::{Error, Result};
use crate::metrics::{Metrics, Sample};
pub(crate) use crate::pg_catalog::DATABASE;
use crate::pg_catalog::{EngineFunctions, PgCatalog};
use crate::privileges::Rights;
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
    /// Bytes that one statement may hold of them; `None` is all.
    pub statement_memory_limit: Option<usize>,
    /// How many heavy statements run at one time.
    pub admission: AdmissionOptions,
    /// Where they spill to; `None` is the system's folder for temporary files.
    pub spill_folder: Option<PathBuf>,
    /// How many bytes may be spilled at one time.
    pub spill_limit: u64,
    /// When tables are maintained, and how long what they no longer need is kept.
    pub maintenance: MaintenanceOptions,
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
            statement_memory_limit: None,
            admission: AdmissionOptions::default(),
            spill_folder: None,
            spill_limit: 100 << 30,
            maintenance: MaintenanceOptions::default(),
        }
    }
}

/// An open warehouse with everything needed to answer SQL on it. Cheap to share, made once for a process.
pub struct Engine {
    warehouse: Arc<Warehouse>,
    /// Settings by which files outside of the warehouse are reached, too.
    store: StoreOptions,
    runtime: Arc<RuntimeEnv>,
    memory_limit: usize,
    statement_memory_limit: Option<usize>,
    maintenance: MaintenanceOptions,
    admission: Admission,
    metrics: Arc<Metrics>,
    compute: Arc<Compute>,
    /// What can be called, as the catalogs list it; known when the first statement is planned.
    functions: OnceLock<Arc<EngineFunctions>>,
    /// Functions, rules and file formats that every session starts from.
    template: SessionState,
    started: DateTime<Utc>,
    next_session: AtomicI32,
    /// The live sessions.
    activity: Arc<Activity>,
    /// One lock for each keyed table that somebody has put rows into.
    table_locks: Mutex<HashMap<ObjectId, Arc<tokio::sync::Mutex<()>>>>,
    /// What small inserts pass to reach a table without a key; closed while its files are all written anew.
    table_gates: Mutex<HashMap<ObjectId, Arc<tokio::sync::RwLock<()>>>>,
    /// Whom erasures that are not finished are about.
    erased: erasures::Remembered,
    /// Small inserts that are committed together.
    groups: group::Groups,
    /// Removed with the engine.
    _spill: SpillFolder,
}

/// Whose statement a task is part of, for whoever must know while it runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    /// What `pg_backend_pid()` says.
    pub(crate) pid: i32,
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
        let spill = SpillFolder::create(&options.spill_folder.unwrap_or_else(std::env::temp_dir))?;
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(
                DiskManagerBuilder::default()
                    .with_mode(DiskManagerMode::Directories(vec![spill.path().to_owned()]))
                    .with_max_temp_directory_size(options.spill_limit),
            )
            .with_metadata_cache_limit(256 << 20)
            .build_arc()?;
        warehouse.register(&runtime)?;

        // Asked in order: ours decide types before DataFusion's build expressions.
        let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(operators::PostgresOperators)];
        planners.extend(SessionStateDefaults::default_expr_planners());
        let mut rules = Analyzer::new().rules;
        rules.insert(0, Arc::new(semantics::unknown::UntypedLiterals));
        rules.push(Arc::new(semantics::PostgresSemantics));
        rules.push(Arc::new(unnest::KeysEnd));
        let mut template = SessionStateBuilder::new_with_default_features()
            .with_runtime_env(Arc::clone(&runtime))
            .with_config(SessionConfig::new())
            .with_analyzer_rules(rules)
            .with_query_planner(Arc::new(unnest::Planner))
            .with_relation_planners(vec![Arc::new(unnest::Fence)])
            .with_physical_optimizer_rules(filter_pushdown::guarded(&PhysicalOptimizer::new().rules))
            .with_expr_planners(planners)
            .build();
        let activity: Arc<Activity> = Arc::default();
        udfs::register_all(&mut template)?;
        FunctionRegistry::register_udf(&mut template, Arc::new(semantics::zone::function()))?;
        FunctionRegistry::register_udf(&mut template, Arc::new(array_length::function()))?;
        FunctionRegistry::register_udaf(&mut template, Arc::new(sum::function()))?;
        Ok(Arc::new(Self {
            warehouse,
            store,
            runtime,
            memory_limit: options.memory_limit,
            statement_memory_limit: options.statement_memory_limit,
            maintenance: options.maintenance,
            admission: Admission::new(options.admission, Arc::clone(&activity)),
            metrics: Arc::new(Metrics::new()),
            compute: Arc::new(Compute::new()?),
            functions: OnceLock::new(),
            template,
            started: Utc::now(),
            next_session: AtomicI32::new(1),
            activity,
            table_locks: Mutex::default(),
            table_gates: Mutex::default(),
            erased: erasures::Remembered::default(),
            groups: group::Groups::default(),
            _spill: spill,
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

    /// Starts a plan on the threads for queries, once it is admitted.
    pub(crate) fn stream(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        task: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch, DataFusionError>>> {
        let (admission, compute) = (self.admission.clone(), Arc::clone(&self.compute));
        let opened = async move {
            let admitted = admission.enter(plan.as_ref(), pid(&task)).await.map_err(DataFusionError::from)?;
            let rows = compute.stream(move || execute_stream(plan, task)).map_err(DataFusionError::from)?;
            Ok::<_, DataFusionError>(futures::stream::unfold((rows, admitted), |(mut rows, admitted)| async move {
                if let Some(admitted) = &admitted {
                    admitted.working();
                }
                let batch = rows.next().await?;
                if let Some(admitted) = &admitted {
                    admitted.reading();
                }
                Some((batch, (rows, admitted)))
            }))
        };
        Ok(futures::stream::once(opened).try_flatten().boxed())
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
        let _admitted = self.admission.enter(plan.as_ref(), pid(&task)).await?;
        let work = async move { warehouse.write(&table, plan, task, progress).await };
        Ok(self.compute.run(work).await??)
    }

    /// Writes a change of a table's rows, on the threads for queries.
    pub(crate) async fn change(
        &self,
        state: Arc<TableState>,
        change: Change,
        task: Arc<TaskContext>,
    ) -> Result<Changed> {
        let warehouse = Arc::clone(&self.warehouse);
        let _admitted = self.admission.enter(change.plan.as_ref(), pid(&task)).await?;
        let work = async move { warehouse.change(&state, change, task).await };
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

    /// The gate to a table without a key: see [`Session::close_table`].
    pub(crate) fn table_gate(&self, id: ObjectId) -> Arc<tokio::sync::RwLock<()>> {
        Arc::clone(self.table_gates.lock().entry(id).or_default())
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// All metrics in the text form of OpenMetrics.
    pub(crate) fn metrics_text(&self) -> Result<String> {
        self.metrics.text(Sample {
            memory_reserved: self.runtime.memory_pool.reserved(),
            memory_limit: self.memory_limit,
            spilled: self.runtime.disk_manager.used_disk_space(),
            spill_limit: self.runtime.disk_manager.max_temp_directory_size(),
            running: self.admission.running(),
            waiting: self.admission.waiting(),
            places: self.admission.places(),
            log_position: self.warehouse.known_position(),
            writing: self.warehouse.is_writing(),
            store: self.warehouse.store_requests(),
        })
    }

    /// When the engine was opened.
    pub(crate) fn started(&self) -> DateTime<Utc> {
        self.started
    }

    /// Who is connected and what they are doing.
    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.activity
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
        session: Arc<dyn SessionTables>,
        search_path: Vec<String>,
        time_zone: Arc<str>,
        rights: Rights,
    ) -> Planner {
        let relations = Arc::new(Relations::new(view.clone(), Arc::clone(&time_zone)));
        let mut state = SessionStateBuilder::new_from_existing(self.template.clone())
            .with_config(config)
            .with_runtime_env(self.statement_runtime())
            .with_type_planner(Arc::new(types::CastTypes { time_zone }))
            .build();
        for function in functions {
            // Names are checked to be free when functions are registered with the engine; a session's own replace
            // DataFusion's of the same name (version(), current_setting()).
            let _ = FunctionRegistry::register_udf(&mut state, Arc::clone(function));
        }
        state.mark_start_execution();
        let functions = Arc::clone(self.functions.get_or_init(|| Arc::new(EngineFunctions::of(&state))));
        let (search, asks) = (search_path.clone(), rights.clone());
        let catalog = Arc::new(PgCatalog { view, search_path: search, functions, rights: asks });
        Planner::new(state, relations, catalog, session, search_path, rights)
    }

    /// The runtime as one statement sees it.
    fn statement_runtime(&self) -> Arc<RuntimeEnv> {
        let Some(limit) = self.statement_memory_limit else { return Arc::clone(&self.runtime) };
        let whole = Arc::clone(&self.runtime.memory_pool);
        let shared = RuntimeEnv::clone(&self.runtime);
        Arc::new(RuntimeEnv { memory_pool: Arc::new(StatementPool::new(whole, limit)), ..shared })
    }
}

fn pid(task: &TaskContext) -> Option<i32> {
    task.session_config().get_extension::<Caller>().map(|caller| caller.pid)
}
