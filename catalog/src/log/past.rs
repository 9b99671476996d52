//! What the log says of earlier times: where it was at an instant, and the catalog as it was there.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use futures::stream::{self, StreamExt};
use object_store::ObjectMeta;

use super::{Log, READ_AHEAD, checkpoint_folder, missing, number, replay};
use crate::error::{Error, Result};
use crate::objects::Objects;

impl Log {
    /// The last entry that was committed at `at` or before, of those up to `newest`: 0 if none was yet, `None` if the
    /// entries of that time are no longer there. Reads about twice as many entries as `newest` has binary digits.
    pub(crate) async fn position_at(&self, newest: u64, at: DateTime<Utc>) -> Result<Option<u64>> {
        // Instants are told to the microsecond: what is shown as the time of an entry has to find it.
        let micros = at.timestamp_micros();
        // Everything from `after` on is later; `low` is not later, or is gone.
        let (mut low, mut low_is_gone, mut after, mut step) = (0, false, newest + 1, 1);
        while after - low > 1 {
            let probe = match step {
                0 => low + (after - low) / 2,
                step => after.saturating_sub(step).max(low + 1),
            };
            match self.read(probe).await? {
                Some(entry) if entry.at.timestamp_micros() > micros => {
                    after = probe;
                    step *= 2;
                }
                found => {
                    (low, low_is_gone) = (probe, found.is_none());
                    step = 0;
                }
            }
        }
        Ok((!low_is_gone).then_some(low))
    }

    /// The oldest place that can be looked back to.
    pub(crate) async fn oldest(&self) -> Result<u64> {
        if self.holds(1).await? {
            return Ok(0);
        }
        let numbers = self.checkpoints().await?;
        Ok(numbers.into_iter().min().unwrap_or(u64::MAX))
    }

    async fn checkpoints(&self) -> Result<Vec<u64>> {
        let folder = checkpoint_folder();
        let listed = self.store.root.list(Some(&folder)).try_collect::<Vec<ObjectMeta>>().await;
        let listed = listed.map_err(|e| Error::store(format!("cannot list {folder}"), e))?;
        Ok(listed.iter().filter_map(|object| number(&object.location)).collect())
    }

    /// The catalog after entry `position`; `None` if the log no longer reaches back to it.
    pub(crate) async fn objects_at(&self, position: u64) -> Result<Option<Objects>> {
        let start = self.checkpoints().await?.into_iter().filter(|id| *id <= position).max();
        let (mut objects, start) = match start {
            Some(id) => (self.checkpointed(id).await?, id),
            None => (Objects::default(), 0),
        };
        let mut entries = stream::iter(start + 1..=position).map(|id| self.read(id)).buffered(READ_AHEAD);
        for id in start + 1..=position {
            match entries.try_next().await?.ok_or_else(|| missing(id))? {
                Some(entry) => objects = replay(&entry, &objects)?,
                None => return Ok(None),
            }
        }
        Ok(Some(objects))
    }
}
