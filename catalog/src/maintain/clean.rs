//! What a table no longer needs: files that it has replaced, files that nobody committed, commits of its log that a
//! checkpoint sums up.
//!
//! A file goes only if no version within the retention has it, no snapshot of this process reads it, and no write of
//! this process is about to commit it. A commit goes only if a checkpoint behind it does for every version that is
//! kept.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use serde::Deserialize;

use super::{LOG, Maintained};
use crate::error::{Error, Result};
use crate::table::{self, TableState, write_of};
use crate::warehouse::Warehouse;

#[derive(Deserialize)]
struct LastCheckpoint {
    version: i64,
}

/// The version of a table's newest checkpoint.
pub(super) async fn last_checkpoint(warehouse: &Warehouse, state: &TableState) -> Result<Option<i64>> {
    let path = Path::from(format!("{}/{LOG}/_last_checkpoint", state.def.path));
    let Some(bytes) = warehouse.store.read(&path).await? else { return Ok(None) };
    // Damaged, it is as good as missing: the next checkpoint replaces it.
    Ok(serde_json::from_slice::<LastCheckpoint>(&bytes).ok().map(|found| found.version))
}

/// Removes commits and checkpoints that are older than `retain` and before a checkpoint that serves all later ones.
pub(super) async fn shorten_log(
    warehouse: &Warehouse,
    state: &TableState,
    retain: Duration,
    dry_run: bool,
    done: &mut Maintained,
) -> Result<()> {
    let cutoff = before(retain)?;
    let folder = Path::from(format!("{}/{LOG}", state.def.path));
    let listed: Vec<ObjectMeta> = list(warehouse, &folder).await?;
    let numbered: Vec<(i64, bool, &ObjectMeta)> = listed.iter().filter_map(numbered).collect();
    // The oldest version that somebody may still ask for: a recent one, or one that a snapshot here reads.
    let recent = numbered.iter().filter(|(_, checkpoint, object)| !checkpoint && object.last_modified >= cutoff);
    let read_here = warehouse.live().into_iter().filter(|snapshot| snapshot.objects.table(state.def.id).is_some());
    let keep = recent
        .map(|(version, ..)| *version)
        .chain(read_here.map(|snapshot| snapshot.objects.table_version(state.def.id)))
        .chain(warehouse.past.read_of(state.def.id).iter().map(|read| read.version))
        .fold(state.version, i64::min);
    let base = numbered.iter().filter(|(version, checkpoint, _)| *checkpoint && *version <= keep);
    let Some(base) = base.map(|(version, ..)| *version).max() else { return Ok(()) };
    for (version, _, object) in numbered {
        if version < base && object.last_modified < cutoff {
            remove(warehouse, object, dry_run, done).await?;
        }
    }
    Ok(())
}

/// Version of a log object, and whether it is a checkpoint.
pub(super) fn numbered(object: &ObjectMeta) -> Option<(i64, bool, &ObjectMeta)> {
    let (version, rest) = object.location.filename()?.split_once('.')?;
    let version = if version.len() == 20 { version.parse().ok()? } else { return None };
    match rest {
        "json" => Some((version, false, object)),
        rest if rest.starts_with("checkpoint.") && rest.ends_with("parquet") => Some((version, true, object)),
        _ => None,
    }
}

/// Removes data files that the table no longer has, or never had, and that nobody can need any more.
pub(crate) async fn vacuum(
    warehouse: &Arc<Warehouse>,
    state: &TableState,
    retain: Duration,
    dry_run: bool,
    done: &mut Maintained,
) -> Result<()> {
    let cutoff = before(retain)?;
    let _others_wait = warehouse.past.cleaning.write().await;
    // In this order: a file that is listed belongs to a write that still runs, or it was committed before the table's
    // versions are looked at, or it is nobody's.
    let folder = Path::from(state.def.path.as_str());
    let listed = list(warehouse, &folder).await?;
    let running = warehouse.running.all();
    // A commit whose outcome was not told may hold files that no write holds any more.
    warehouse.settle().await?;
    let mut needed: HashSet<String> = HashSet::new();
    for snapshot in warehouse.live() {
        if snapshot.objects.table(state.def.id).is_some() {
            let version = warehouse.table(&snapshot, state.def.id).await?;
            needed.extend(version.files.iter().map(|file| file.path.clone()));
        }
    }
    for version in warehouse.past.read_of(state.def.id) {
        needed.extend(version.files.iter().map(|file| file.path.clone()));
    }
    let (removed, remembered) = table::tombstones(&warehouse.store.root, &state.def, state.version).await?;
    if retain > remembered {
        return Err(Error::Invalid(format!(
            "table \"{}\" remembers removed files for {} days (delta.deletedFileRetentionDuration): retain can't be longer",
            state.def.name,
            remembered.as_secs() / 86_400
        )));
    }
    for object in listed {
        let Some(parts) = object.location.prefix_match(&folder) else { continue };
        let path = Path::from_iter(parts);
        let Some(name) = path.filename() else { continue };
        let hidden = path.parts().next().is_some_and(|first| first.as_ref().starts_with(LOG));
        if hidden || needed.contains(path.as_ref()) || write_of(name).is_some_and(|write| running.contains(&write)) {
            continue;
        }
        // Files that a table never had are taken for ours only by their names: others may keep things here too.
        let gone_since = match removed.get(path.as_ref()) {
            Some(millis) => DateTime::from_timestamp_millis(*millis).unwrap_or(object.last_modified),
            None if write_of(name).is_some() => object.last_modified,
            None => continue,
        };
        if gone_since < cutoff {
            remove(warehouse, &object, dry_run, done).await?;
        }
    }
    Ok(())
}

pub(super) fn before(retain: Duration) -> Result<DateTime<Utc>> {
    let retain = chrono::Duration::from_std(retain).ok();
    retain
        .and_then(|retain| Utc::now().checked_sub_signed(retain))
        .ok_or_else(|| Error::Invalid("the time to retain is too long".into()))
}

pub(super) async fn list(warehouse: &Warehouse, folder: &Path) -> Result<Vec<ObjectMeta>> {
    let listing = warehouse.store.root.list(Some(folder)).try_collect();
    listing.await.map_err(|e| Error::store(format!("cannot list {folder}"), e))
}

pub(super) async fn remove(
    warehouse: &Warehouse,
    object: &ObjectMeta,
    dry_run: bool,
    done: &mut Maintained,
) -> Result<()> {
    if !dry_run {
        match warehouse.store.root.delete(&object.location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(e) => return Err(Error::store(format!("cannot remove {}", object.location), e)),
        }
    }
    done.files_removed += 1;
    done.bytes_removed += object.size;
    Ok(())
}
