//! The warehouse: one store, its log, the newest catalog, and the commit of changes to all of it.
//!
//! A commit is one object put into the warehouse log; everything after that (the Delta logs of the tables it
//! touched) follows from it and is repeated by whoever opens the warehouse after a crash. Commits of one process
//! run one after the other; the lease keeps other processes from committing at all, and the log's put-if-absent
//! keeps a process whose lease ran out from doing harm.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::TaskContext;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_plan::ExecutionPlan;
use deltalake_core::kernel::Add;
use parking_lot::{Mutex, RwLock};

use crate::error::{Error, Result};
use crate::lease::{HolderInfo, Lease};
use crate::log::{Entry, Log, TableCommit};
use crate::objects::{Change as CatalogChange, ColumnDef, ObjectId, Objects, TableDef};
use crate::past::Past;
use crate::store::{Location, Requests, Store, StoreOptions, probe_conditional_put};
use crate::table::rows::RowTable;
use crate::table::{
    self, Append, Change, Changed, Description, Found, LakeTable, Layout, Progress, Rewrite, RunningWrites, TableState,
    Together, Written,
};

/// The name under which plans know the warehouse's store; every engine registers its own store there.
pub const STORE_URL: &str = "audience://warehouse";
/// The catalog is written whole every so many entries, so that opening reads few of them.
const CHECKPOINT_EVERY: u64 = 64;
/// How many versions of a table are kept at hand for transactions that still read an older one.
const VERSIONS_AT_HAND: usize = 16;
/// How many files the versions of a table that are kept at hand may list together, before older ones go sooner.
const FILES_AT_HAND: usize = 1 << 20;

/// What a warehouse is opened with.
pub struct Options {
    /// A folder, or a `memory:`, `s3:`, `gs:`, `az:` URL.
    pub location: String,
    /// Credentials and endpoints of the store.
    pub store: StoreOptions,
    /// The stable hash `f(key…, buckets) → int` by which keyed tables are cut. Part of the format: it must never
    /// change for an existing warehouse.
    pub bucket: Arc<ScalarUDF>,
    /// Who takes the lease, as another process is told when it wants it.
    pub holder: HolderInfo,
    /// Whether a warehouse may be made where there is none.
    pub create: bool,
}

/// The catalog as of one log position.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The log entry that made it; 0 is the empty warehouse.
    pub position: u64,
    /// Schemas, tables, views and table versions.
    pub objects: Objects,
}

/// An open warehouse.
pub struct Warehouse {
    pub(crate) store: Store,
    store_options: StoreOptions,
    pub(crate) log: Log,
    bucket: Arc<ScalarUDF>,
    holder: HolderInfo,
    newest: RwLock<Arc<Snapshot>>,
    /// Every snapshot that somebody may still read.
    live: Mutex<Vec<Weak<Snapshot>>>,
    /// Writes of this process whose files are not committed yet.
    pub(crate) running: RunningWrites,
    /// Tables that somebody changes rows of, and how many do.
    held: Arc<Mutex<HashMap<ObjectId, usize>>>,
    /// Folders of dropped tables that were found empty.
    pub(crate) emptied: Mutex<HashSet<String>>,
    /// Who looks back.
    pub(crate) past: Past,
    /// Held while a table is maintained: one at a time.
    pub(crate) maintenance: tokio::sync::Mutex<()>,
    /// Object ids are handed out before the commit that makes them known.
    next_id: AtomicU32,
    /// Whether this process holds the lease: then nobody else moves the log and nothing need be asked of it.
    writing: AtomicBool,
    /// The last put of an entry failed without saying whether it landed: the log must be read before anybody begins,
    /// or who tries it again would not see that it is there.
    uncertain: AtomicBool,
    commit: tokio::sync::Mutex<Committer>,
    tables: Mutex<HashMap<ObjectId, BTreeMap<i64, Arc<TableState>>>>,
    /// Application transactions committed by this process, so that a retry needs no log replay.
    ingested: Mutex<HashMap<(ObjectId, String), i64>>,
}

#[derive(Default)]
struct Committer {
    lease: Option<Lease>,
    /// An entry that is committed but perhaps not yet in all its Delta logs (a crash or the store came in between).
    behind: Option<Entry>,
    /// When the last entry was committed: the log's times never go back, whatever the clock does.
    latest: Option<DateTime<Utc>>,
}

/// As long as this lives maintenance leaves a table's files where they are: see [`Warehouse::hold_files`].
#[derive(Debug)]
pub struct FilesHeld {
    id: ObjectId,
    held: Arc<Mutex<HashMap<ObjectId, usize>>>,
}

impl Drop for FilesHeld {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        if let Some(holders) = held.get_mut(&self.id) {
            *holders -= 1;
            if *holders == 0 {
                held.remove(&self.id);
            }
        }
    }
}

/// Rows to add to a table, written to files that are not yet committed.
#[derive(Debug, Clone, Default)]
pub(crate) struct StagedAppend {
    pub(crate) append: Append,
    /// The table version against which a key's uniqueness was checked; the commit fails if the table has moved.
    pub(crate) checked_at: Option<i64>,
}

/// Everything one transaction commits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Staged {
    pub(crate) changes: Vec<CatalogChange>,
    pub(crate) appends: BTreeMap<ObjectId, StagedAppend>,
    pub(crate) rewrites: BTreeMap<ObjectId, Rewrite>,
}

impl Staged {
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.appends.is_empty() && self.rewrites.is_empty()
    }

    /// The files it would add, by table.
    pub(crate) fn files(&self) -> Vec<(ObjectId, Vec<Add>)> {
        let appended = self.appends.iter().map(|(id, staged)| (*id, staged.append.adds.clone()));
        let rewritten = self.rewrites.iter().map(|(id, rewrite)| (*id, rewrite.adds.clone()));
        appended.chain(rewritten).collect()
    }
}

impl Warehouse {
    /// Opens a warehouse, finishing what a crashed writer left half told to the Delta logs.
    ///
    /// Reading needs no lease; it is taken with the first write or by [`Warehouse::begin_writing`].
    pub async fn open(options: Options) -> Result<Arc<Self>> {
        let store = Store::open(&options.location, &options.store, options.create).await?;
        Self::open_over(store, options).await
    }

    /// [`Warehouse::open`] over a store that is open already.
    async fn open_over(store: Store, options: Options) -> Result<Arc<Self>> {
        let log = Log::open(store.clone());
        log.create_or_check_format(options.create).await?;
        let (objects, last) = log.load().await?;
        let position = last.as_ref().map_or(objects.position, |entry| entry.id);
        let next_id = objects.next_id;
        let latest = last.as_ref().map(|entry| entry.at);
        let committer = Committer { behind: last, latest, ..Committer::default() };
        let newest = Arc::new(Snapshot { position, objects });
        Ok(Arc::new(Self {
            store,
            store_options: options.store,
            log,
            bucket: options.bucket,
            holder: options.holder,
            live: Mutex::new(vec![Arc::downgrade(&newest)]),
            newest: RwLock::new(newest),
            running: RunningWrites::default(),
            held: Arc::default(),
            emptied: Mutex::default(),
            past: Past::default(),
            maintenance: tokio::sync::Mutex::default(),
            next_id: AtomicU32::new(next_id),
            writing: AtomicBool::new(false),
            uncertain: AtomicBool::new(false),
            commit: tokio::sync::Mutex::new(committer),
            tables: Mutex::default(),
            ingested: Mutex::default(),
        }))
    }

    /// A place outside of the warehouse, reached with the settings that the warehouse's own store has.
    pub fn files_at(&self, text: &str) -> Result<Location> {
        Location::open(text, &self.store_options)
    }

    /// What has been asked of the store since the warehouse was opened.
    pub fn store_requests(&self) -> Requests {
        self.store.requests()
    }

    /// Makes the store known to plans that run in `runtime`.
    pub fn register(&self, runtime: &RuntimeEnv) -> Result<()> {
        let url = url::Url::parse(STORE_URL).map_err(|e| Error::Internal(e.to_string()))?;
        runtime.register_object_store(&url, Arc::clone(&self.store.root));
        Ok(())
    }

    /// Where the warehouse is, without credentials.
    pub fn location(&self) -> &url::Url {
        &self.store.url
    }

    /// The newest catalog. A process without the lease first reads what the writer has added to the log.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        if !self.is_up_to_date() {
            let mut committer = self.commit.lock().await;
            if !self.is_up_to_date() {
                self.follow(&mut committer).await?;
                self.uncertain.store(false, Ordering::Release);
            }
        }
        Ok(Arc::clone(&self.newest.read()))
    }

    /// Whether the log can hold nothing that this process does not know of.
    fn is_up_to_date(&self) -> bool {
        self.writing.load(Ordering::Acquire) && !self.uncertain.load(Ordering::Acquire)
    }

    /// The last entry of the log that this process has seen; asks nobody.
    pub fn known_position(&self) -> u64 {
        self.newest.read().position
    }

    /// Whether this process holds the lease; asks nobody.
    pub fn is_writing(&self) -> bool {
        self.writing.load(Ordering::Acquire)
    }

    /// Takes the lease, so that this process may commit. Probes the store for conditional puts first.
    ///
    /// # Errors
    /// [`Error::LeaseHeld`] names the process that has it; a store without conditional puts is refused.
    pub async fn begin_writing(&self) -> Result<()> {
        // Who has it is told of its loss by the commit; a statement that begins must not wait for those that commit.
        if self.writing.load(Ordering::Acquire) {
            return Ok(());
        }
        self.ready(&mut *self.commit.lock().await).await
    }

    /// Gives the lease back. Commits after this take it again.
    pub async fn stop_writing(&self) -> Result<()> {
        let mut committer = self.commit.lock().await;
        self.writing.store(false, Ordering::Release);
        match committer.lease.take() {
            Some(lease) => lease.release().await,
            None => Ok(()),
        }
    }

    async fn ready(&self, committer: &mut Committer) -> Result<()> {
        match &committer.lease {
            Some(lease) => {
                if let Err(e) = lease.check() {
                    self.writing.store(false, Ordering::Release);
                    committer.lease = None;
                    return Err(e);
                }
            }
            None => {
                let lease = Lease::acquire(&self.store, self.holder.clone()).await?;
                probe_conditional_put(&self.store).await?;
                self.follow(committer).await?;
                committer.lease = Some(lease);
                self.writing.store(true, Ordering::Release);
            }
        }
        if self.uncertain.load(Ordering::Acquire) {
            self.follow(committer).await?;
            self.uncertain.store(false, Ordering::Release);
        }
        self.catch_up(committer).await
    }

    /// Makes sure that this process may commit, and that every commit before is known and in its tables' logs.
    pub(crate) async fn settle(&self) -> Result<()> {
        self.ready(&mut *self.commit.lock().await).await
    }

    /// Tells the tables' logs of a commit that they do not have yet.
    pub(crate) async fn mend(&self) -> Result<()> {
        self.catch_up(&mut *self.commit.lock().await).await
    }

    /// Finishes what a crash or a failing store left half told to the Delta logs.
    async fn catch_up(&self, committer: &mut Committer) -> Result<()> {
        if let Some(entry) = committer.behind.take() {
            if let Err(e) = self.log.recover(&entry).await {
                committer.behind = Some(entry);
                return Err(e);
            }
        }
        Ok(())
    }

    /// Applies the entries that others added to the log since we last looked.
    async fn follow(&self, committer: &mut Committer) -> Result<()> {
        loop {
            let current = Arc::clone(&self.newest.read());
            let Some(entry) = self.log.next_after(current.position).await? else {
                // Entries are removed oldest first: if ours is there, none behind it is missing.
                if current.position == 0 || self.log.holds(current.position).await? {
                    return Ok(());
                }
                let (objects, last) = self.log.load().await?;
                self.next_id.fetch_max(objects.next_id, Ordering::AcqRel);
                let position = last.as_ref().map_or(objects.position, |entry| entry.id);
                self.publish(Snapshot { position, objects });
                // What was skipped may have moved any of them; the tables' logs tell.
                self.ingested.lock().clear();
                committer.latest = last.as_ref().map(|entry| entry.at);
                committer.behind = last;
                return Ok(());
            };
            let objects = current.objects.apply_entry(&entry)?;
            self.next_id.fetch_max(objects.next_id, Ordering::AcqRel);
            self.note_ingested(&entry)?;
            self.publish(Snapshot { position: entry.id, objects });
            committer.latest = Some(entry.at);
            committer.behind = Some(entry);
        }
    }

    /// Remembers the application transactions of an entry that this process did not see committed: what it knew of
    /// them before is out of date.
    fn note_ingested(&self, entry: &Entry) -> Result<()> {
        for commit in &entry.tables {
            let marks = table::transactions(&commit.actions)
                .map_err(|e| Error::corrupt(format!("transaction {}", entry.id), e.to_string()))?;
            let mut ingested = self.ingested.lock();
            ingested.extend(marks.into_iter().map(|(application, version)| ((commit.table, application), version)));
        }
        Ok(())
    }

    /// That no application transaction is staged that has come meanwhile: its first try, given up for lost, or
    /// another process's.
    fn check_ingested(&self, staged: &Staged) -> Result<()> {
        let ingested = self.ingested.lock();
        for (id, append) in &staged.appends {
            for (application, version) in &append.append.transactions {
                if ingested.get(&(*id, application.clone())).is_some_and(|known| known >= version) {
                    return Err(concurrent(&format!("what \"{application}\" has loaded")));
                }
            }
        }
        Ok(())
    }

    /// Makes a snapshot the newest.
    fn publish(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        let mut live = self.live.lock();
        // Looked through only when it has doubled, so that a commit costs the same however many there are.
        if live.len() == live.capacity() {
            live.retain(|snapshot| snapshot.strong_count() > 0);
            let room = live.len().max(16);
            live.reserve(room);
        }
        live.push(Arc::downgrade(&snapshot));
        drop(live);
        *self.newest.write() = Arc::clone(&snapshot);
        snapshot
    }

    /// The snapshots that somebody in this process still reads, the newest among them.
    pub(crate) fn live(&self) -> Vec<Arc<Snapshot>> {
        self.live.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// An object id that no object has had.
    pub(crate) fn allocate_id(&self) -> ObjectId {
        self.next_id.fetch_add(1, Ordering::AcqRel)
    }

    /// The newest catalog that this process knows of, without asking the store.
    pub fn newest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.newest.read())
    }

    /// A table's files as of `snapshot`.
    pub async fn table(&self, snapshot: &Snapshot, id: ObjectId) -> Result<Arc<TableState>> {
        let def = snapshot.objects.table(id).ok_or_else(|| Error::Internal(format!("no table with id {id}")))?;
        let version = snapshot.objects.table_version(id);
        if let Some(state) = self.at_hand(def, version)? {
            return Ok(state);
        }
        let empty = TableState::empty(Arc::clone(def), version)?;
        let loaded = match table::load(&self.store.root, def, &empty.schema, Some(version)).await {
            Ok(loaded) => loaded,
            // A commit is known before the table's log tells of it, and its writer may have died between the two.
            Err(_) => {
                self.catch_up(&mut *self.commit.lock().await).await?;
                table::load(&self.store.root, def, &empty.schema, Some(version)).await?
            }
        };
        let state = Arc::new(empty.with_loaded(loaded));
        self.remember(id, Arc::clone(&state));
        Ok(state)
    }

    /// A version of a table that is in memory, as `def` defines it: what says nothing of rows changes without one.
    fn at_hand(&self, def: &Arc<TableDef>, version: i64) -> Result<Option<Arc<TableState>>> {
        let state = self.tables.lock().get(&def.id).and_then(|versions| versions.get(&version)).cloned();
        let Some(state) = state else { return Ok(None) };
        if Arc::ptr_eq(&state.def, def) || state.def == *def {
            return Ok(Some(state));
        }
        let state = Arc::new(state.redefined(def)?);
        self.remember(def.id, Arc::clone(&state));
        Ok(Some(state))
    }

    /// Whether a table's files as of `snapshot` are in memory.
    pub(crate) fn is_at_hand(&self, snapshot: &Snapshot, id: ObjectId) -> bool {
        let version = snapshot.objects.table_version(id);
        self.tables.lock().get(&id).is_some_and(|versions| versions.contains_key(&version))
    }

    fn remember(&self, id: ObjectId, state: Arc<TableState>) {
        let mut tables = self.tables.lock();
        let versions = tables.entry(id).or_default();
        versions.insert(state.version, state);
        // Versions share what they have of each file, but each has a list of its own.
        let listed =
            |versions: &BTreeMap<i64, Arc<TableState>>| versions.values().map(|v| v.files.len()).sum::<usize>();
        while versions.len() > VERSIONS_AT_HAND || (versions.len() > 1 && listed(versions) > FILES_AT_HAND) {
            versions.pop_first();
        }
    }

    /// A provider that scans `state`; `schema` as for [`LakeTable::new`].
    pub fn provider(&self, state: Arc<TableState>, schema: SchemaRef) -> Result<LakeTable> {
        let table = LakeTable::new(state, schema, ObjectStoreUrl::parse(STORE_URL)?);
        Ok(table.with_bucket(Arc::clone(&self.bucket)))
    }

    /// Writes the rows of a plan as files of `table`, to be committed by a transaction.
    pub async fn write(
        &self,
        table: &TableDef,
        plan: Arc<dyn ExecutionPlan>,
        task: Arc<TaskContext>,
        progress: Option<Progress>,
    ) -> Result<Written> {
        let layout = Layout::of(table)?;
        let store = Arc::clone(&self.store.root);
        table::write(table, &layout, store, &self.running, &self.bucket, plan, task, progress).await
    }

    /// Keeps maintenance from rewriting a table's files. Who changes rows holds them before it takes its snapshot, so
    /// that what it has found in them can be committed however long it takes.
    pub async fn hold_files(&self, id: ObjectId) -> FilesHeld {
        // A rewrite whose commit has begun is in the next snapshot.
        let _committer = self.commit.lock().await;
        *self.held.lock().entry(id).or_default() += 1;
        FilesHeld { id, held: Arc::clone(&self.held) }
    }

    /// Whether somebody changes rows of a table.
    pub(crate) fn files_are_held(&self, id: ObjectId) -> bool {
        self.held.lock().contains_key(&id)
    }

    /// Writes a change of a table's rows, to be committed by a transaction.
    pub async fn change(&self, state: &Arc<TableState>, change: Change, task: Arc<TaskContext>) -> Result<Changed> {
        let (url, store) = (ObjectStoreUrl::parse(STORE_URL)?, Arc::clone(&self.store.root));
        table::change(state, change, url, store, &self.running, &self.bucket, task).await
    }

    /// Writes changes of different rows as one, to be committed by a transaction.
    pub async fn change_together(&self, together: Together, task: Arc<TaskContext>) -> Result<Changed> {
        let (url, store) = (ObjectStoreUrl::parse(STORE_URL)?, Arc::clone(&self.store.root));
        table::write_together(together, url, store, &self.running, &self.bucket, task).await
    }

    /// Finds what a change does to a table, in memory.
    pub async fn find_change(&self, state: &Arc<TableState>, change: Change, task: Arc<TaskContext>) -> Result<Found> {
        table::find(state, change, task).await
    }

    /// A provider that scans `state` and tells where each row is; `schema` as for [`LakeTable::new`].
    pub fn row_provider(&self, state: Arc<TableState>, schema: SchemaRef) -> Result<RowTable> {
        Ok(RowTable::new(self.provider(state, schema)?))
    }

    /// Removes files that were written and will not be committed.
    pub async fn discard(&self, table: &TableDef, written: &Written) {
        let folder = object_store::path::Path::from(table.path.as_str());
        table::discard(self.store.root.as_ref(), &folder, written).await;
    }

    /// The newest version that `application` committed to a table: how a repeated batch is recognised.
    pub async fn ingested(&self, snapshot: &Snapshot, id: ObjectId, application: &str) -> Result<Option<i64>> {
        if let Some(version) = self.ingested.lock().get(&(id, application.to_owned())) {
            return Ok(Some(*version));
        }
        let Some(def) = snapshot.objects.table(id) else { return Ok(None) };
        // Loading the table first rolls a half-told commit forward into its log.
        self.table(snapshot, id).await?;
        table::transaction(&self.store.root, def, application).await
    }

    /// Commits what a transaction staged on top of `base`, all or nothing, and returns the catalog it made.
    ///
    /// Once begun it runs to its end even if the caller goes away.
    ///
    /// # Errors
    /// [`Error::Conflict`]: something the transaction relied on has changed since `base`; nothing is committed.
    pub(crate) async fn commit(self: &Arc<Self>, base: Arc<Snapshot>, staged: Staged) -> Result<Arc<Snapshot>> {
        let this = Arc::clone(self);
        let task = tokio::spawn(async move { this.commit_whole(&base, staged).await });
        task.await.map_err(|e| Error::Internal(format!("a commit stopped: {e}")))?
    }

    async fn commit_whole(&self, base: &Snapshot, staged: Staged) -> Result<Arc<Snapshot>> {
        let mut committer = self.commit.lock().await;
        self.ready(&mut committer).await?;
        let current = Arc::clone(&self.newest.read());
        check_unmoved(base, &current, &staged)?;
        self.check_ingested(&staged)?;
        let moved = staged.rewrites.iter().filter(|(_, rewrite)| !rewrite.changes_rows());
        if let Some((id, _)) = moved.into_iter().find(|(id, _)| self.files_are_held(**id)) {
            return Err(concurrent(&format!("the table with id {id}")));
        }
        check_erased(&current.objects, &staged)?;
        let applied = current.objects.apply(&staged.changes)?;

        let at = committer.latest.map_or_else(Utc::now, |latest| latest.max(Utc::now()));
        let id = current.position + 1;
        let mut tables = Vec::new();
        let mut states = Vec::new();
        // A table may be put several times in one transaction (created, then commented on); it is created once.
        let put: BTreeSet<ObjectId> = staged
            .changes
            .iter()
            .filter(|change| matches!(change, CatalogChange::PutTable(_)))
            .map(CatalogChange::id)
            .collect();
        let created = put.iter().filter(|id| current.objects.table(**id).is_none());
        let mut altered = BTreeSet::new();
        for id in &put {
            let Some((old, new)) = current.objects.table(*id).zip(applied.table(*id)) else { continue };
            if Description::of(old)? != Description::of(new)? {
                altered.insert(*id);
            }
        }
        let mut appends = staged.appends.clone();
        for def in created.filter_map(|id| applied.table(*id)) {
            let append = appends.remove(&def.id).unwrap_or_default().append;
            let layout = Layout::of(def)?;
            let log_id: Arc<str> = uuid::Uuid::new_v4().to_string().into();
            let first = table::creation(def, &log_id, at)?;
            let cut = layout.partition_column().map(|(name, _)| name);
            let actions = table::commit(first, &append, &Rewrite::default(), cut, "CREATE TABLE", id, at)?;
            tables.push(TableCommit { table: def.id, path: def.path.clone(), version: 0, actions });
            let empty = TableState { log_id: Some(log_id), ..TableState::empty(Arc::clone(def), 0)? };
            states.push((def.id, empty.with_added(&append, 0)?, append));
        }
        let mut rewrites = staged.rewrites.clone();
        let touched: BTreeSet<ObjectId> = appends.keys().chain(rewrites.keys()).chain(&altered).copied().collect();
        for table in touched {
            // Dropped later in the same transaction: its files are nobody's.
            let Some(def) = applied.table(table) else { continue };
            let StagedAppend { append, checked_at } = appends.remove(&table).unwrap_or_default();
            let rewrite = rewrites.remove(&table).unwrap_or_default();
            let state = self.table_locked(&current, table, &mut committer).await?;
            // Keys were found to be new among the rows of that version; where the files lie doesn't matter.
            if checked_at.is_some_and(|version| state.data_version > version) {
                return Err(concurrent(&format!("table \"{}\"", def.name)));
            }
            let is_altered = altered.contains(&table);
            if !is_altered && append.is_empty() && rewrite.is_empty() {
                continue;
            }
            let version = state.version + 1;
            let operation = match rewrite.operation {
                Some(operation) => operation,
                None if is_altered && append.is_empty() && rewrite.is_empty() => table::ALTER,
                None if append.adds.is_empty() => table::OPTIMIZE,
                None => table::WRITE,
            };
            let mut first = Vec::new();
            if is_altered {
                let log_id = state.log_id.as_deref();
                let log_id = log_id.ok_or_else(|| Error::Internal(format!("\"{}\" has no id in its log", def.name)))?;
                first.push(table::metadata(def, log_id, at)?);
            }
            // Files that go were cut as the table was until now.
            let cut = state.layout.partition_column().map(|(name, _)| name);
            let actions = table::commit(first, &append, &rewrite, cut, operation, id, at)?;
            tables.push(TableCommit { table, path: def.path.clone(), version, actions });
            let state = state.redefined(def)?.with_rewritten(&rewrite, version)?.with_added(&append, version)?;
            states.push((table, state, append));
        }

        let epoch = committer.lease.as_ref().map_or(0, Lease::epoch);
        let entry = Entry::new(id, at, epoch, self.holder.to_string(), staged.changes, tables);
        let objects = current.objects.apply_entry(&entry)?;
        if let Err(e) = self.log.append(&entry).await {
            self.uncertain.store(true, Ordering::Release);
            return Err(e);
        }
        committer.latest = Some(at);
        // From here on it is committed: failures below are mended later and are not the caller's.
        for (table, state, append) in states {
            let mut ingested = self.ingested.lock();
            for (application, version) in append.transactions {
                ingested.insert((table, application), version);
            }
            drop(ingested);
            self.remember(table, Arc::new(state));
        }
        let snapshot = self.publish(Snapshot { position: id, objects });
        if let Err(e) = self.log.roll_forward(&entry).await {
            tracing::warn!(transaction = id, error = %e, "a commit is not yet in its tables' logs, it will be before the next one");
            committer.behind = Some(entry);
        }
        if id.is_multiple_of(CHECKPOINT_EVERY) {
            if let Err(e) = self.log.checkpoint(&snapshot.objects, id).await {
                tracing::warn!(transaction = id, error = %e, "the catalog checkpoint could not be written");
            }
        }
        Ok(snapshot)
    }

    /// [`Warehouse::table`] for a caller that holds the commit lock (and has rolled everything forward).
    async fn table_locked(&self, snapshot: &Snapshot, id: ObjectId, _: &mut Committer) -> Result<Arc<TableState>> {
        let version = snapshot.objects.table_version(id);
        let def = snapshot.objects.table(id).ok_or_else(|| Error::Internal(format!("no table with id {id}")))?;
        if let Some(state) = self.at_hand(def, version)? {
            return Ok(state);
        }
        let empty = TableState::empty(Arc::clone(def), version)?;
        let loaded = table::load(&self.store.root, def, &empty.schema, Some(version)).await?;
        let state = Arc::new(empty.with_loaded(loaded));
        self.remember(id, Arc::clone(&state));
        Ok(state)
    }
}

fn concurrent(what: &str) -> Error {
    Error::Conflict(format!("could not serialize access: {what} was changed by a concurrent transaction"))
}

/// That no file comes back that an erasure is about to remove: a version from before it can't be made the newest.
fn check_erased(objects: &Objects, staged: &Staged) -> Result<()> {
    let gone: HashSet<&str> = objects.erasures().flat_map(|erasure| &erasure.objects).map(String::as_str).collect();
    if gone.is_empty() {
        return Ok(());
    }
    for (id, adds) in staged.files() {
        let Some(def) = objects.table(id) else { continue };
        if adds.iter().any(|add| gone.contains(format!("{}/{}", def.path, add.path).as_str())) {
            return Err(Error::Invalid(format!(
                "rows of that version of table \"{}\" were erased: choose a version after the erasure",
                def.name
            )));
        }
    }
    Ok(())
}

/// What views know of a column: its name and type.
fn columns_seen(columns: &[ColumnDef]) -> Vec<(&str, &str)> {
    columns.iter().map(|column| (column.name.as_str(), column.pg_type.as_str())).collect()
}

/// What views know of a relation: its schema, its name and its columns.
type Appearance<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>);

/// How a relation looks to views; `None` for what is no relation of the catalog.
fn appearance(objects: &Objects, id: ObjectId) -> Option<Appearance<'_>> {
    let table = || objects.table(id).map(|def| (def.schema.as_str(), def.name.as_str(), columns_seen(&def.columns)));
    let view = || objects.view(id).map(|def| (def.schema.as_str(), def.name.as_str(), columns_seen(&def.columns)));
    table().or_else(view)
}

/// Whether everything `staged` relied on in `base` is still so in `current`.
fn check_unmoved(base: &Snapshot, current: &Snapshot, staged: &Staged) -> Result<()> {
    for id in staged.appends.keys().chain(staged.rewrites.keys()) {
        let (then, now) = (base.objects.table(*id), current.objects.table(*id));
        if then.is_some() && now.is_none() {
            return Err(concurrent("a table that rows were added to"));
        }
        if then.zip(now).is_some_and(|(then, now)| !Arc::ptr_eq(then, now) && !then.same_rows(now)) {
            return Err(concurrent("the columns of a table that rows were added to"));
        }
    }
    if base.position == current.position {
        return Ok(());
    }
    for change in &staged.changes {
        let id = change.id();
        let same_access = base.objects.access(id) == current.objects.access(id);
        if base.objects.definition(id) != current.objects.definition(id) || !same_access {
            return Err(concurrent("an object that was altered or dropped"));
        }
        let put_here = |id: ObjectId| staged.changes.iter().any(|c| c.id() == id);
        let (then, now) = (appearance(&base.objects, id), appearance(&current.objects, id));
        if let CatalogChange::PutView(view) = change {
            let moved = |id: ObjectId| appearance(&base.objects, id) != appearance(&current.objects, id);
            if view.depends_on.iter().any(|id| moved(*id) && !put_here(*id)) {
                return Err(concurrent(&format!("a relation that view \"{}\" reads", view.name)));
            }
        }
        let put = match change {
            CatalogChange::PutTable(table) => Some((table.schema.as_str(), table.name.as_str(), &table.columns)),
            CatalogChange::PutView(view) => Some((view.schema.as_str(), view.name.as_str(), &view.columns)),
            _ => None,
        };
        let reshaped = put
            .is_some_and(|(schema, name, columns)| now.is_some() && now != Some((schema, name, columns_seen(columns))));
        if reshaped {
            let mut readers =
                current.objects.views().filter(|view| view.depends_on.contains(&id) && !put_here(view.id));
            if then != now || readers.any(|view| base.objects.view(view.id) != Some(view)) {
                return Err(concurrent("a view of a relation that was altered"));
            }
        }
        if matches!(change, CatalogChange::DropTable(_) | CatalogChange::DropView(_)) {
            let dropped_here = |id: ObjectId| {
                staged
                    .changes
                    .iter()
                    .any(|c| matches!(c, CatalogChange::DropTable(d) | CatalogChange::DropView(d) if *d == id))
            };
            if current.objects.dependents(id).iter().any(|view| !dropped_here(view.id)) {
                return Err(concurrent("a relation that views read"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod crashes;
#[cfg(test)]
mod tests;
