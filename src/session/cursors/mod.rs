//! The cursors of a session: those of DECLARE, and the names of the portals of the client's protocol, which share one
//! space of names with them.

mod kept;
mod reader;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::Stream;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use self::reader::Reader;
use crate::error::{Error, Result, SqlState};
use crate::statement::{Declare, Direction};

/// How many cursors may be open: each can hold a batch of rows and a file.
const MOST: usize = 1000;

/// The cursors of one session by name.
#[derive(Clone, Default)]
pub(crate) struct Cursors(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    cursors: BTreeMap<String, Entry>,
    portals: BTreeMap<String, Portal>,
    /// How many savepoints the open block has.
    savepoints: usize,
}

struct Entry {
    cursor: Arc<Cursor>,
    /// How many savepoints of its transaction were set before it was declared.
    level: usize,
    /// The transaction that declared it is over.
    held: bool,
}

/// A portal of the client's protocol, as far as others see it.
struct Portal {
    statement: Arc<str>,
    opened: DateTime<Utc>,
    /// As for [`Entry::level`].
    level: usize,
}

/// One cursor of DECLARE.
pub(crate) struct Cursor {
    name: String,
    statement: Arc<str>,
    declared: DateTime<Utc>,
    /// Its columns.
    pub(crate) columns: SchemaRef,
    /// Its rows are sent in the binary format where the client does not choose.
    pub(crate) binary: bool,
    scroll: bool,
    hold: bool,
    reader: Arc<tokio::sync::Mutex<Reader>>,
}

/// A cursor as `pg_cursors` lists it.
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) statement: Arc<str>,
    pub(super) hold: bool,
    pub(super) binary: bool,
    pub(super) scroll: bool,
    pub(super) opened: DateTime<Utc>,
}

impl Cursor {
    pub(crate) fn new(
        declare: &Declare,
        statement: Arc<str>,
        columns: SchemaRef,
        rows: BoxStream<'static, Result<RecordBatch>>,
        runtime: Arc<RuntimeEnv>,
    ) -> Self {
        let reader = Reader::new(rows, declare.scroll, runtime);
        Self {
            name: declare.name.clone(),
            statement,
            declared: Utc::now(),
            columns,
            binary: declare.binary,
            scroll: declare.scroll,
            hold: declare.hold,
            reader: Arc::new(tokio::sync::Mutex::new(reader)),
        }
    }

    /// The cursor for the statement that reads it now.
    ///
    /// # Errors
    /// 55006 if another one has not read its rows to the end, 55000 if reading it has failed.
    fn reader(&self) -> Result<OwnedMutexGuard<Reader>> {
        let reader = Arc::clone(&self.reader).try_lock_owned().map_err(|_| {
            let message = format!("cursor \"{}\" is being read by another statement", self.name);
            Error::new(SqlState::OBJECT_IN_USE, message).with_hint("read the rows of that FETCH to the end")
        })?;
        reader.check(&self.name)?;
        Ok(reader)
    }

    /// Whether reading it has failed.
    fn is_broken(&self) -> bool {
        self.reader.try_lock().is_ok_and(|reader| reader.is_broken())
    }

    /// The rows of FETCH as they are asked for.
    pub(crate) fn fetch(
        &self,
        direction: Direction,
    ) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + 'static + use<>> {
        let begin = Some((self.reader()?, None));
        Ok(futures::stream::try_unfold(begin, move |state| async move {
            let Some((mut reader, going)) = state else { return Ok(None) };
            let next = reader.fetch(direction, going).await?;
            // With the last of its rows the statement lets go of the cursor.
            Ok(next.map(|(batch, going)| (batch, going.map(|going| (reader, Some(going))))))
        }))
    }

    /// Runs MOVE: how many rows FETCH would have returned.
    pub(crate) async fn pass(&self, direction: Direction) -> Result<u64> {
        self.reader()?.pass(direction).await
    }
}

impl Cursors {
    /// The cursor of that name.
    ///
    /// # Errors
    /// 34000 if there is none, 0A000 if it is a portal of the protocol.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Cursor>> {
        let open = self.0.lock();
        match open.cursors.get(name) {
            Some(entry) => Ok(Arc::clone(&entry.cursor)),
            None if open.portals.contains_key(name) => {
                Err(Error::unsupported(format!("FETCH from \"{name}\", a portal of the client's protocol"))
                    .with_hint("declare a cursor, or read the portal with Execute messages"))
            }
            None => Err(missing(name)),
        }
    }

    /// Asserts that a name is free.
    ///
    /// # Errors
    /// 42P03 if it is not, 54000 if there are too many cursors.
    pub(crate) fn check_free(&self, name: &str) -> Result<()> {
        let open = self.0.lock();
        if open.cursors.contains_key(name) || open.portals.contains_key(name) {
            return Err(Error::new(SqlState::DUPLICATE_CURSOR, format!("cursor \"{name}\" already exists")));
        }
        if open.cursors.len() >= MOST {
            let message = format!("a session may have {MOST} cursors");
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message).with_hint("close some of them"));
        }
        Ok(())
    }

    /// Opens a cursor.
    pub(crate) fn open(&self, cursor: Cursor) -> Result<()> {
        self.check_free(&cursor.name)?;
        let mut open = self.0.lock();
        let entry = Entry { level: open.savepoints, held: false, cursor: Arc::new(cursor) };
        open.cursors.insert(entry.cursor.name.clone(), entry);
        Ok(())
    }

    /// Closes a cursor or portal.
    ///
    /// # Errors
    /// 34000 if there is none.
    pub(crate) fn close(&self, name: &str) -> Result<()> {
        let mut open = self.0.lock();
        let closed = (open.cursors.remove(name), open.portals.remove(name));
        drop(open);
        if matches!(closed, (None, None)) { Err(missing(name)) } else { Ok(()) }
    }

    /// Closes all.
    pub(crate) fn close_all(&self) {
        let mut open = self.0.lock();
        let closed = (std::mem::take(&mut open.cursors), std::mem::take(&mut open.portals));
        // What is closed is let go after the lock.
        drop(open);
        drop(closed);
    }

    /// Reads on its way into a file what the transaction's cursors WITH HOLD have not read yet.
    pub(super) async fn keep_held(&self) -> Result<()> {
        let holding = |entry: &&Entry| entry.cursor.hold && !entry.held;
        let cursors: Vec<Arc<Cursor>> =
            self.0.lock().cursors.values().filter(holding).map(|entry| Arc::clone(&entry.cursor)).collect();
        for cursor in cursors.iter().filter(|cursor| !cursor.is_broken()) {
            cursor.reader()?.keep_all().await?;
        }
        Ok(())
    }

    /// Whether there are cursors for [`Cursors::keep_held`].
    pub(super) fn any_to_keep(&self) -> bool {
        self.0.lock().cursors.values().any(|entry| entry.cursor.hold && !entry.held)
    }

    /// A savepoint was set.
    pub(super) fn savepoint(&self) {
        self.0.lock().savepoints += 1;
    }

    /// The transaction is committed: those WITH HOLD stay, unless they failed.
    pub(super) fn commit(&self) {
        self.0.lock().savepoints = 0;
        self.retain(|entry| {
            entry.held |= entry.cursor.hold && !entry.cursor.is_broken();
            entry.level = 0;
            entry.held
        });
    }

    /// The transaction is rolled back, and its cursors were never declared.
    pub(super) fn roll_back(&self) {
        self.0.lock().savepoints = 0;
        self.retain(|entry| entry.held);
    }

    /// Rolled back to a savepoint with so many before it: cursors and portals that were opened behind it are gone.
    /// Where the others are does not change.
    pub(super) fn roll_back_to(&self, before: usize) {
        let mut open = self.0.lock();
        open.savepoints = before + 1;
        open.portals.retain(|_, portal| portal.level <= before);
        drop(open);
        self.retain(|entry| entry.level <= before);
    }

    /// A savepoint with so many before it was released: what it had is its parent's.
    pub(super) fn release(&self, before: usize) {
        let mut open = self.0.lock();
        open.savepoints = before;
        open.cursors.values_mut().for_each(|entry| entry.level = entry.level.min(before));
        open.portals.values_mut().for_each(|portal| portal.level = portal.level.min(before));
    }

    fn retain(&self, mut stays: impl FnMut(&mut Entry) -> bool) {
        let mut closed = Vec::new();
        self.0.lock().cursors.retain(|_, entry| {
            let stays = stays(entry);
            if !stays {
                closed.push(Arc::clone(&entry.cursor));
            }
            stays
        });
    }

    /// Notes a portal of the protocol.
    pub(crate) fn open_portal(&self, name: &str, statement: Arc<str>) {
        let mut open = self.0.lock();
        let level = open.savepoints;
        open.portals.insert(name.to_owned(), Portal { statement, opened: Utc::now(), level });
    }

    /// Forgets a portal of the protocol.
    pub(crate) fn close_portal(&self, name: &str) {
        self.0.lock().portals.remove(name);
    }

    /// Whether a portal of the protocol was not closed, by SQL or by the protocol.
    pub(crate) fn has_portal(&self, name: &str) -> bool {
        self.0.lock().portals.contains_key(name)
    }

    /// All that have a name, in its order.
    pub(super) fn list(&self) -> Vec<Listed> {
        let open = self.0.lock();
        let cursors = open.cursors.iter().map(|(name, Entry { cursor, .. })| Listed {
            name: name.clone(),
            statement: Arc::clone(&cursor.statement),
            hold: cursor.hold,
            binary: cursor.binary,
            scroll: cursor.scroll,
            opened: cursor.declared,
        });
        let portals = open.portals.iter().filter(|(name, _)| !name.is_empty()).map(|(name, portal)| Listed {
            name: name.clone(),
            statement: Arc::clone(&portal.statement),
            hold: false,
            binary: false,
            scroll: false,
            opened: portal.opened,
        });
        let mut all: Vec<Listed> = cursors.chain(portals).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

fn missing(name: &str) -> Error {
    Error::new(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}
