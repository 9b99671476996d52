//! Where a cursor is in its rows, and how it moves, by PostgreSQL's rules.
//!
//! A cursor that only goes on reads its query as far as it was asked to and holds one batch. One that can go back
//! keeps what it has read in a [`Kept`], and so does one that outlives its transaction, with all that was left.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, UInt64Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::kept::Kept;
use crate::error::{Error, Result, SqlState};
use crate::statement::Direction;

/// The rows of a cursor, numbered from 1, and its place among them.
pub(super) struct Reader {
    /// What is left of the query; `None` at its end.
    query: Option<BoxStream<'static, Result<RecordBatch>>>,
    /// How many rows came of the query. All of them at its end.
    read: u64,
    scroll: bool,
    kept: Option<Kept>,
    /// Some rows, with the number of the first.
    near: Option<(u64, RecordBatch)>,
    /// The row where the cursor is: 0 before the first, one more than there are behind the last.
    at: u64,
    /// What began to read has not returned: it failed, or was given up.
    broken: bool,
    runtime: Arc<RuntimeEnv>,
    memory: MemoryReservation,
}

/// What is still to do of a FETCH.
pub(super) struct Going {
    back: bool,
    rows: u64,
}

impl Reader {
    pub(super) fn new(query: BoxStream<'static, Result<RecordBatch>>, scroll: bool, runtime: Arc<RuntimeEnv>) -> Self {
        let memory = MemoryConsumer::new("cursor").register(&runtime.memory_pool);
        Self { query: Some(query), read: 0, scroll, kept: None, near: None, at: 0, broken: false, runtime, memory }
    }

    /// Whether something failed while the cursor was read.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Asserts that the cursor is whole.
    ///
    /// # Errors
    /// 55000 if something failed while it was read.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        if !self.broken {
            return Ok(());
        }
        let message = format!("portal \"{name}\" cannot be run");
        Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
            .with_hint("reading it failed before: close the cursor and declare it again"))
    }

    /// The next rows of FETCH in `direction`, which has been `going` on or begins, and how it goes on if it does;
    /// `None` when it is done.
    pub(super) async fn fetch(
        &mut self,
        direction: Direction,
        going: Option<Going>,
    ) -> Result<Option<(RecordBatch, Option<Going>)>> {
        let fetched = async {
            let mut going = match going {
                Some(going) => going,
                None => self.begin(direction).await?,
            };
            let batch = self.next(&mut going).await?;
            Ok(batch.map(|batch| (batch, (going.rows > 0).then_some(going))))
        }
        .await;
        self.broken |= fetched.is_err();
        fetched
    }

    /// Runs MOVE: how many rows FETCH would have returned.
    pub(super) async fn pass(&mut self, direction: Direction) -> Result<u64> {
        let passed = self.passed(direction).await;
        self.broken |= passed.is_err();
        passed
    }

    /// Goes where FETCH begins to return rows, and says how many it may return.
    async fn begin(&mut self, direction: Direction) -> Result<Going> {
        match direction {
            Direction::Forward(0) | Direction::Relative(0) => {
                if !self.on_row() {
                    return Ok(Going { back: false, rows: 0 });
                }
                // The same row again.
                self.skip(Going { back: true, rows: 1 }).await?;
                Ok(Going { back: false, rows: 1 })
            }
            Direction::Forward(rows) => Ok(Going { back: false, rows }),
            Direction::Backward(rows) => Ok(Going { back: true, rows }),
            Direction::Absolute(0) => {
                self.rewind()?;
                Ok(Going { back: false, rows: 0 })
            }
            Direction::Absolute(row) if row > 0 => {
                let before = row.unsigned_abs() - 1;
                let consumed = if self.behind_last() { self.at.saturating_sub(1) } else { self.at };
                if before <= consumed / 2 {
                    self.rewind()?;
                }
                let going = match self.at > before {
                    true => Going { back: true, rows: self.at - before },
                    false => Going { back: false, rows: before - self.at },
                };
                self.skip(going).await?;
                Ok(Going { back: false, rows: 1 })
            }
            Direction::Absolute(row) => {
                self.skip(Going { back: false, rows: Direction::ALL }).await?;
                self.skip(Going { back: true, rows: row.unsigned_abs() - 1 }).await?;
                Ok(Going { back: true, rows: 1 })
            }
            Direction::Relative(rows) => {
                let going = |count| Going { back: rows < 0, rows: count };
                self.skip(going(rows.unsigned_abs() - 1)).await?;
                Ok(going(1))
            }
        }
    }

    /// The next rows of a FETCH; `None` when it is done.
    async fn next(&mut self, going: &mut Going) -> Result<Option<RecordBatch>> {
        let Some((batch, begin, rows)) = self.advance(going).await? else { return Ok(None) };
        let part = batch.slice(begin, rows);
        if !going.back {
            return Ok(Some(part));
        }
        let reversed = UInt64Array::from_iter_values((0..rows as u64).rev());
        Ok(Some(take_record_batch(&part, &reversed).map_err(DataFusionError::from)?))
    }

    async fn passed(&mut self, direction: Direction) -> Result<u64> {
        match direction {
            Direction::Forward(0) | Direction::Relative(0) => Ok(u64::from(self.on_row())),
            Direction::Backward(Direction::ALL) => {
                let passed = self.at.saturating_sub(1);
                self.rewind()?;
                Ok(passed)
            }
            _ => {
                let going = self.begin(direction).await?;
                self.skip(going).await
            }
        }
    }

    /// Reads what is left of the query, so that nothing of it is needed any more.
    pub(super) async fn keep_all(&mut self) -> Result<()> {
        if self.query.is_none() && self.kept.is_some() {
            return Ok(());
        }
        if self.kept.is_none() {
            let mut kept = Kept::new(&self.runtime.disk_manager)?;
            if let Some((first, batch)) = &self.near {
                kept.append(*first, batch)?;
            }
            self.kept = Some(kept);
        }
        while self.pull().await? {}
        self.kept.as_mut().map_or(Ok(()), Kept::finish)?;
        self.set_near(None)
    }

    /// Passes over rows, and says how many there were.
    async fn skip(&mut self, mut going: Going) -> Result<u64> {
        let mut passed = 0;
        // Over rows that are kept nobody has to walk.
        if going.back && self.scroll {
            let before = self.at.saturating_sub(1);
            self.at = if going.rows > before { 0 } else { self.at - going.rows };
            return Ok(going.rows.min(before));
        }
        if !going.back && self.kept.is_some() {
            passed = going.rows.min(self.read.saturating_sub(self.at));
            self.at += passed;
            going.rows -= if going.rows == Direction::ALL { 0 } else { passed };
        }
        while let Some((_, _, rows)) = self.advance(&mut going).await? {
            passed += rows as u64;
        }
        Ok(passed)
    }

    /// Goes over rows that lie together in one batch: the batch, the first of them in it, and how many.
    async fn advance(&mut self, going: &mut Going) -> Result<Option<(RecordBatch, usize, usize)>> {
        if going.back && !self.scroll {
            return Err(forward_only());
        }
        if going.rows == 0 {
            return Ok(None);
        }
        let next = if going.back { self.at.saturating_sub(1) } else { self.at.saturating_add(1) };
        let found = if next == 0 { None } else { self.find(next).await? };
        let Some((first, batch)) = found else {
            self.at = if going.back { 0 } else { self.read + 1 };
            going.rows = 0;
            return Ok(None);
        };
        let within = next - first;
        let there = if going.back { within + 1 } else { batch.num_rows() as u64 - within };
        let rows = there.min(going.rows);
        going.rows -= if going.rows == Direction::ALL { 0 } else { rows };
        self.at = if going.back { next + 1 - rows } else { next + rows - 1 };
        let begin = if going.back { within + 1 - rows } else { within };
        Ok(Some((batch, begin as usize, rows as usize)))
    }

    /// The batch with row `row`, and the number of its first; `None` behind the last row.
    async fn find(&mut self, row: u64) -> Result<Option<(u64, RecordBatch)>> {
        loop {
            if let Some((first, batch)) = &self.near
                && (*first..*first + batch.num_rows() as u64).contains(&row)
            {
                return Ok(Some((*first, batch.clone())));
            }
            if row <= self.read {
                let kept = self.kept.as_ref().map(|kept| kept.read(row)).transpose()?;
                let found = kept.flatten().ok_or_else(|| Error::internal("a cursor has lost its rows"))?;
                self.set_near(Some(found))?;
            } else if !self.pull().await? {
                return Ok(None);
            }
        }
    }

    /// Takes the next batch of the query; `false` at its end.
    async fn pull(&mut self) -> Result<bool> {
        let Some(query) = &mut self.query else { return Ok(false) };
        if self.scroll && self.kept.is_none() {
            self.kept = Some(Kept::new(&self.runtime.disk_manager)?);
        }
        // Given up while it waits, or failed: where the cursor would be then, nobody can know.
        self.broken = true;
        match query.next().await {
            Some(Err(error)) => {
                self.query = None;
                return Err(error);
            }
            Some(Ok(batch)) if batch.num_rows() == 0 => {}
            Some(Ok(batch)) => {
                let first = self.read + 1;
                if let Some(kept) = &mut self.kept {
                    kept.append(first, &batch)?;
                }
                self.read += batch.num_rows() as u64;
                self.set_near(Some((first, batch)))?;
            }
            None => {
                self.query = None;
                if let Some(kept) = &mut self.kept {
                    kept.finish()?;
                }
                self.broken = false;
                return Ok(false);
            }
        }
        self.broken = false;
        Ok(true)
    }

    fn set_near(&mut self, near: Option<(u64, RecordBatch)>) -> Result<()> {
        self.near = near;
        let rows = self.near.as_ref().map_or(0, |(_, batch)| batch.get_array_memory_size());
        Ok(self.memory.try_resize(rows + self.kept.as_ref().map_or(0, Kept::memory))?)
    }

    fn rewind(&mut self) -> Result<()> {
        if self.at > 0 && !self.scroll {
            return Err(forward_only());
        }
        self.at = 0;
        Ok(())
    }

    fn behind_last(&self) -> bool {
        self.at > self.read
    }

    fn on_row(&self) -> bool {
        self.at > 0 && !self.behind_last()
    }
}

fn forward_only() -> Error {
    Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
        .with_hint("Declare it with SCROLL option to enable backward scan.")
}
