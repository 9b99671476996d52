//! One unit of work over the catalog: what it reads, what it has staged, its commit.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake_core::kernel::Add;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::error::{Error, Result};
use crate::objects::role::POSTGRES;
use crate::objects::{AccessDef, Change, ObjectId, Objects};
use crate::past::{PastTable, TableCommitted};
use crate::table::{self, Append, DataFile, TableState, Written};
use crate::warehouse::{Snapshot, Staged, Warehouse};

/// Reads one snapshot of the warehouse plus its own staged changes. Dropped without commit, it leaves nothing but
/// orphaned files; [`Transaction::rollback`] removes those too.
pub struct Transaction {
    warehouse: Arc<Warehouse>,
    base: Arc<Snapshot>,
    objects: Arc<Objects>,
    staged: Staged,
    /// Versions whose files come back with the commit.
    pasts: Vec<Arc<PastTable>>,
    /// Who owns what it makes.
    owner: ObjectId,
}

/// How far a transaction had come, to return to if a statement in it fails.
#[derive(Clone)]
pub struct Savepoint {
    objects: Arc<Objects>,
    staged: Staged,
}

impl Transaction {
    /// Begins on the newest snapshot.
    pub async fn begin(warehouse: &Arc<Warehouse>) -> Result<Self> {
        let base = warehouse.snapshot().await?;
        let objects = Arc::new(base.objects.clone());
        Ok(Self {
            warehouse: Arc::clone(warehouse),
            base,
            objects,
            staged: Staged::default(),
            pasts: Vec::new(),
            owner: POSTGRES,
        })
    }

    /// The catalog as this transaction sees it.
    pub fn objects(&self) -> &Arc<Objects> {
        &self.objects
    }

    /// The warehouse it works on.
    pub fn warehouse(&self) -> &Arc<Warehouse> {
        &self.warehouse
    }

    /// The log position it reads, which changes exactly when somebody's commit can change an answer.
    pub fn position(&self) -> u64 {
        self.base.position
    }

    /// Whether nothing is staged.
    pub fn is_clean(&self) -> bool {
        self.staged.is_empty()
    }

    /// A frozen view that plans may keep while the transaction goes on.
    pub fn view(&self) -> View {
        View {
            warehouse: Arc::clone(&self.warehouse),
            base: Arc::clone(&self.base),
            objects: Arc::clone(&self.objects),
            staged: Arc::new(self.staged.clone()),
        }
    }

    /// Says whose objects are those that are made from now on.
    pub fn set_owner(&mut self, role: ObjectId) {
        self.owner = role;
    }

    /// Stages a change of the catalog; it is checked against what this transaction sees.
    pub fn change(&mut self, change: Change) -> Result<()> {
        self.change_together(vec![change])
    }

    /// Stages changes of which none could be without the others.
    pub fn change_together(&mut self, mut changes: Vec<Change>) -> Result<()> {
        for change in &mut changes {
            if let Change::PutTable(table) = change {
                table.number_columns(self.objects.table(table.id).map(AsRef::as_ref));
            }
        }
        let made = changes.iter().filter(|change| {
            matches!(change, Change::PutSchema(_) | Change::PutTable(_) | Change::PutView(_))
                && self.objects.definition(change.id()).is_none()
        });
        let owned: Vec<_> = made.map(|change| Change::PutAccess(AccessDef::owned(change.id(), self.owner))).collect();
        if self.owner != POSTGRES {
            changes.extend(owned);
        }
        self.objects = Arc::new(self.objects.apply(&changes)?);
        self.staged.changes.extend(changes);
        Ok(())
    }

    /// Stages written files. `checked_at`: the version against which keys were checked to be new.
    pub fn append(
        &mut self,
        table: ObjectId,
        written: Written,
        transactions: Vec<(String, i64)>,
        checked_at: Option<i64>,
    ) {
        let staged = self.staged.appends.entry(table).or_default();
        staged.append.adds.extend(written.adds);
        staged.append.holds.extend(written.hold);
        staged.append.transactions.extend(transactions);
        staged.checked_at = staged.checked_at.or(checked_at);
    }

    /// Stages files that take the place of others with the same rows.
    pub(crate) fn rewrite(&mut self, table: ObjectId, removes: Vec<Arc<DataFile>>, written: Written) {
        let rewrite = self.staged.rewrites.entry(table).or_default();
        rewrite.removes.extend(removes);
        rewrite.adds.extend(written.adds);
        rewrite.holds.extend(written.hold);
    }

    /// Stages a change of rows: the files it leaves behind, and those it wrote. `operation`: the statement's name, for
    /// the table's log. `checked_at`: as for [`Transaction::append`].
    pub fn change_rows(
        &mut self,
        table: ObjectId,
        removes: Vec<Arc<DataFile>>,
        written: Written,
        operation: &'static str,
        checked_at: Option<i64>,
    ) {
        let mut removes = removes;
        if let Some(staged) = self.staged.appends.get_mut(&table) {
            // A file of this transaction's own is in no log yet.
            let staged_adds = staged.append.adds.iter().chain(&staged.append.restored);
            let own: HashSet<&str> = staged_adds.map(|add| add.path.as_str()).collect();
            let (mine, committed): (Vec<_>, Vec<_>) =
                removes.into_iter().partition(|file| own.contains(file.path.as_str()));
            let gone: HashSet<&str> = mine.iter().map(|file| file.path.as_str()).collect();
            staged.append.adds.retain(|add| !gone.contains(add.path.as_str()));
            staged.append.restored.retain(|add| !gone.contains(add.path.as_str()));
            removes = committed;
        }
        if !removes.is_empty() {
            let rewrite = self.staged.rewrites.entry(table).or_default();
            rewrite.removes.extend(removes);
            rewrite.operation = Some(operation);
        }
        self.append(table, written, Vec::new(), checked_at);
    }

    /// Forgets all rows that were staged for a table, and removes their files.
    pub async fn forget_rows(&mut self, table: ObjectId) {
        let staged = Staged {
            appends: self.staged.appends.remove(&table).map(|append| (table, append)).into_iter().collect(),
            rewrites: self.staged.rewrites.remove(&table).map(|rewrite| (table, rewrite)).into_iter().collect(),
            changes: Vec::new(),
        };
        discard(&self.warehouse, &self.objects, staged.files()).await;
    }

    /// Stages that files of an earlier version take the place of those that are there. The table is at `version`.
    pub(crate) fn stage_restored(
        &mut self,
        table: ObjectId,
        removes: Vec<Arc<DataFile>>,
        adds: Vec<Add>,
        version: i64,
    ) {
        self.change_rows(table, removes, Written::default(), table::RESTORE, Some(version));
        let rewrite = self.staged.rewrites.entry(table).or_default();
        rewrite.operation = Some(table::RESTORE);
        // What this transaction was about to remove just stays.
        let back: HashSet<&str> = adds.iter().map(|add| add.path.as_str()).collect();
        let stay = rewrite.removes.iter().filter(|file| back.contains(file.path.as_str()));
        let stay: HashSet<String> = stay.map(|file| file.path.clone()).collect();
        rewrite.removes.retain(|file| !stay.contains(&file.path));
        let restored = adds.into_iter().filter(|add| !stay.contains(&add.path));
        self.staged.appends.entry(table).or_default().append.restored.extend(restored);
    }

    /// Keeps the files of a version until the commit.
    pub(crate) fn hold_past(&mut self, past: Arc<PastTable>) {
        self.pasts.push(past);
    }

    /// Says that what is staged holds only as long as nobody else changes rows of a table that is at `version`.
    pub fn rely_on_rows(&mut self, table: ObjectId, version: i64) {
        self.staged.appends.entry(table).or_default().checked_at.get_or_insert(version);
    }

    /// The snapshot it works on.
    pub(crate) fn base(&self) -> &Arc<Snapshot> {
        &self.base
    }

    /// An id for an object that this transaction makes.
    pub fn allocate_id(&self) -> ObjectId {
        self.warehouse.allocate_id()
    }

    /// Remembers how far it has come.
    pub fn savepoint(&self) -> Savepoint {
        Savepoint { objects: Arc::clone(&self.objects), staged: self.staged.clone() }
    }

    /// Forgets what was staged since `savepoint`.
    pub fn return_to(&mut self, savepoint: Savepoint) {
        self.objects = savepoint.objects;
        self.staged = savepoint.staged;
    }

    /// Commits everything that was staged, all or nothing.
    pub async fn commit(self) -> Result<()> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let files = self.staged.files();
        let objects = Arc::clone(&self.objects);
        let outcome = self.warehouse.commit(self.base, self.staged).await;
        // What a conflict or the lack of a lease refuses is certain not to be committed. After any other error it may be, so the files stay.
        if matches!(
            outcome,
            Err(Error::Conflict(_) | Error::LeaseHeld { .. } | Error::LeaseLost | Error::AlreadyExists { .. })
        ) {
            discard(&self.warehouse, &objects, files).await;
        }
        outcome.map(|_| ())
    }

    /// Gives up, removing files already written.
    pub async fn rollback(self) {
        discard(&self.warehouse, &self.objects, self.staged.files()).await;
    }
}

async fn discard(warehouse: &Warehouse, objects: &Objects, files: Vec<(ObjectId, Vec<Add>)>) {
    for (id, adds) in files {
        if let Some(def) = objects.table(id) {
            warehouse.discard(def, &Written { adds, ..Written::default() }).await;
        }
    }
}

/// What a transaction saw at one moment: the catalog, and every table with the rows staged so far.
#[derive(Clone)]
pub struct View {
    warehouse: Arc<Warehouse>,
    base: Arc<Snapshot>,
    objects: Arc<Objects>,
    staged: Arc<Staged>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("position", &self.base.position).finish_non_exhaustive()
    }
}

impl View {
    /// The catalog.
    pub fn objects(&self) -> &Arc<Objects> {
        &self.objects
    }

    /// The warehouse.
    pub fn warehouse(&self) -> &Arc<Warehouse> {
        &self.warehouse
    }

    /// The snapshot below what is staged.
    pub(crate) fn base(&self) -> &Arc<Snapshot> {
        &self.base
    }

    /// A table's files, its own staged ones included.
    pub async fn table(&self, id: ObjectId) -> Result<Arc<TableState>> {
        let def = self.objects.table(id).ok_or_else(|| Error::Internal(format!("no table with id {id}")))?;
        let state = match self.base.objects.table(id) {
            Some(base) => {
                let state = self.warehouse.table(&self.base, id).await?;
                if Arc::ptr_eq(base, def) { state } else { Arc::new(state.redefined(def)?) }
            }
            None => Arc::new(TableState::empty(Arc::clone(def), -1)?),
        };
        let state = match self.staged.rewrites.get(&id) {
            Some(rewrite) => Arc::new(state.with_rewritten(rewrite, state.version)?),
            None => state,
        };
        match self.staged.appends.get(&id) {
            Some(staged) => Ok(Arc::new(state.with_added(&staged.append, state.version)?)),
            None => Ok(state),
        }
    }

    /// One committed version of a table, as for [`Warehouse::table_version`].
    pub async fn version(&self, id: ObjectId, version: i64) -> Result<Arc<PastTable>> {
        let def = self.objects.table(id).ok_or_else(|| Error::Internal(format!("no table with id {id}")))?;
        if self.base.objects.table(id).is_none() {
            return Err(Error::Invalid(format!("table \"{}\" has no version yet: commit it first", def.name)));
        }
        self.warehouse.table_version(&self.base, id, version).await
    }

    /// What happened to a table, newest first; nothing if this transaction makes it.
    pub fn history(&self, id: ObjectId) -> BoxStream<'static, Result<TableCommitted>> {
        match self.base.objects.table(id) {
            Some(def) => self.warehouse.table_history(Arc::clone(def), self.base.objects.table_version(id)),
            None => futures::stream::empty().boxed(),
        }
    }

    /// Whether a table's files are known without reading its log.
    pub fn is_at_hand(&self, id: ObjectId) -> bool {
        self.base.objects.table(id).is_none() || self.warehouse.is_at_hand(&self.base, id)
    }

    /// A table's files as committed, without what this transaction staged.
    pub async fn committed(&self, id: ObjectId) -> Result<Option<Arc<TableState>>> {
        match self.base.objects.table(id) {
            Some(_) => Ok(Some(self.warehouse.table(&self.base, id).await?)),
            None => Ok(None),
        }
    }

    /// Only these files, as a table: how rows just written are checked before they are staged.
    pub fn only(&self, id: ObjectId, written: &Written) -> Result<Arc<TableState>> {
        let def = self.objects.table(id).ok_or_else(|| Error::Internal(format!("no table with id {id}")))?;
        let append = Append { adds: written.adds.clone(), ..Append::default() };
        Ok(Arc::new(TableState::empty(Arc::clone(def), -1)?.with_added(&append, -1)?))
    }
}
