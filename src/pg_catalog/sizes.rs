//! Rows and bytes of tables, as the lists of their files say.

use std::collections::{HashMap, HashSet};

use catalog::View;
use catalog::objects::ObjectId;
use datafusion::common::Result;
use futures::{StreamExt, TryStreamExt};

/// The page in which PostgreSQL counts.
const PAGE: u64 = 8192;
/// How many tables' logs a listing reads that nobody has read yet. Above that it says of the others that it does not
/// know, as PostgreSQL says of tables never analyzed.
const READ_AT_MOST: usize = 256;
/// How many are read at a time.
const AT_ONCE: usize = 32;

/// Rows and bytes of one table.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sizes {
    /// Rows, where all writers have said so.
    pub(crate) rows: Option<u64>,
    /// Bytes of all files.
    pub(crate) bytes: u64,
}

impl Sizes {
    /// Of one table.
    pub(crate) async fn of(view: &View, table: ObjectId) -> Result<Self> {
        let state = view.table(table).await?;
        Ok(Self { rows: state.rows(), bytes: state.bytes() })
    }

    /// Of the tables that a listing shows.
    pub(crate) async fn of_listed(view: &View, only: Option<&HashSet<i64>>) -> Result<HashMap<ObjectId, Self>> {
        let wanted = |id: &ObjectId| only.is_none_or(|only| only.contains(&(*id).into()));
        let tables = view.objects().tables().map(|def| def.id).filter(wanted);
        let (known, unknown): (Vec<_>, Vec<_>) = tables.partition(|id| view.is_at_hand(*id));
        let listed = known.into_iter().chain(unknown.into_iter().take(READ_AT_MOST));
        let sizes = futures::stream::iter(listed).map(|id| async move { Ok((id, Self::of(view, id).await?)) });
        sizes.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Pages of that many bytes.
    pub(crate) fn pages(&self) -> i64 {
        i64::try_from(self.bytes.div_ceil(PAGE)).unwrap_or(i64::MAX).min(i32::MAX.into())
    }
}
