//! Maintenance of tables: asked for by CALL, or by itself in the background.
//!
//! In the background one table at a time is looked at, those that have changed since the last look, and only while
//! this process is the warehouse's writer. Work is paced: after each merge it rests so that its share of the time
//! stays small. It stops when its guard is dropped, at whatever it was doing: nothing counts before its commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use catalog::maintain::{MaintainOptions, Maintained};
use catalog::objects::{ObjectId, TableDef};
use chrono::Utc;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::SessionConfig;
use tokio::time::Instant;

use super::Engine;
use super::records::{MaintenanceRun, is_told};
use crate::error::{Result, SqlState};

/// A merge reads many files side by side: it holds a batch of each.
const BATCH_ROWS: usize = 2048;

/// When tables are maintained, and how long what they no longer need is kept.
#[derive(Debug, Clone)]
pub struct MaintenanceOptions {
    /// Whether the server maintains tables by itself.
    pub background: bool,
    /// How often it looks which tables have changed.
    pub every: Duration,
    /// It merges the files of a bucket or a day when there are at least so many small ones.
    pub small_files: usize,
    /// It sums up a table's log when it has so many commits since the last time.
    pub commits: u32,
    /// How often it removes what is no longer needed.
    pub clean_every: Duration,
    /// The share of time that merging may take, above 0 and up to 1.
    pub share: f64,
    /// How long files stay after they were removed from a table.
    pub retain: Duration,
    /// How long commits stay in the logs.
    pub retain_log: Duration,
}

impl Default for MaintenanceOptions {
    /// Files are kept seven days and logs thirty, as Delta has it.
    fn default() -> Self {
        Self {
            background: true,
            every: Duration::from_secs(60),
            small_files: 8,
            commits: 100,
            clean_every: Duration::from_secs(6 * 3600),
            share: 0.2,
            retain: Duration::from_secs(7 * 86_400),
            retain_log: Duration::from_secs(30 * 86_400),
        }
    }
}

impl MaintenanceOptions {
    /// Everything that can be done, at once.
    pub(crate) fn thorough(&self) -> MaintainOptions {
        MaintainOptions {
            dry_run: false,
            compact_from: Some(2),
            thrifty: false,
            checkpoint_from: Some(1),
            retain: Some(self.retain),
            retain_log: Some(self.retain_log),
            share: 1.0,
        }
    }

    /// What is worth its while; `clean` says whether files are removed too.
    fn worthwhile(&self, clean: bool) -> MaintainOptions {
        MaintainOptions {
            dry_run: false,
            compact_from: Some(self.small_files),
            thrifty: true,
            checkpoint_from: Some(self.commits.into()),
            retain: clean.then_some(self.retain),
            retain_log: clean.then_some(self.retain_log),
            share: self.share,
        }
    }
}

/// What made maintenance run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// `CALL audience.maintain`.
    Call,
    /// The server by itself.
    Background,
}

impl Trigger {
    fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Background => "background",
        }
    }
}

/// Maintenance in the background, until it is dropped.
#[derive(Debug)]
pub struct BackgroundMaintenance(#[expect(dead_code, reason = "stops the task when it is dropped")] SpawnedTask<()>);

impl Engine {
    /// Maintains one table and keeps a record of it.
    pub(crate) async fn maintain_table(
        self: &Arc<Self>,
        table: &TableDef,
        options: &MaintainOptions,
        trigger: Trigger,
    ) -> Result<Maintained> {
        let (warehouse, id, work_options) = (Arc::clone(&self.warehouse), table.id, options.clone());
        let (session, started_at) = (self.merging(), Utc::now());
        let work = async move { warehouse.maintain(id, &session, &work_options).await };
        let outcome = match self.compute.run(work).await {
            Ok(outcome) => outcome.map_err(Into::into),
            Err(e) => Err(e),
        };
        if !options.dry_run && is_told(table) {
            let run = MaintenanceRun { table, trigger: trigger.name(), started_at, outcome: &outcome };
            // What was done is done, whether or not it can be told.
            if let Err(e) = self.record_run(run).await {
                tracing::warn!(error = %e, "a run of maintenance could not be recorded");
            }
        }
        outcome
    }

    /// Maintains what belongs to no table: the warehouse's log, and what was dropped.
    pub(crate) async fn maintain_warehouse(self: &Arc<Self>, options: &MaintainOptions) -> Result<Maintained> {
        if !options.dry_run {
            self.finish_erasures().await?;
        }
        Ok(self.warehouse.maintain_log(options).await?)
    }

    /// When tables are maintained, and how long what they no longer need is kept.
    pub(crate) fn maintenance(&self) -> &MaintenanceOptions {
        &self.maintenance
    }

    /// Begins to maintain tables in the background, for as long as what it returns is kept; `None` if it is off.
    pub fn maintain_in_background(self: &Arc<Self>) -> Option<BackgroundMaintenance> {
        if !self.maintenance.background {
            return None;
        }
        let engine = Arc::clone(self);
        Some(BackgroundMaintenance(SpawnedTask::spawn(engine.maintain_for_ever())))
    }

    async fn maintain_for_ever(self: Arc<Self>) {
        let options = &self.maintenance;
        let mut looked_at: HashMap<ObjectId, i64> = HashMap::new();
        let mut cleaned = Instant::now();
        loop {
            tokio::time::sleep(options.every).await;
            // Who only reads, or has lost the lease, has nothing to maintain.
            if !self.warehouse.is_writing() {
                continue;
            }
            if let Err(e) = self.finish_erasures().await {
                tracing::warn!(error = %e, "an erasure could not be finished");
            }
            let clean = cleaned.elapsed() >= options.clean_every;
            let work = options.worthwhile(clean);
            let newest = self.warehouse.newest();
            let tables: Vec<(Arc<TableDef>, i64)> =
                newest.objects.tables().map(|def| (Arc::clone(def), newest.objects.table_version(def.id))).collect();
            // While tables are maintained nothing of what was replaced since may be kept from going.
            drop(newest);
            looked_at.retain(|id, _| tables.iter().any(|(def, _)| def.id == *id));
            for (def, version) in tables {
                if !clean && looked_at.get(&def.id) == Some(&version) {
                    continue;
                }
                match self.maintain_table(&def, &work, Trigger::Background).await {
                    Ok(done) => {
                        looked_at.insert(def.id, done.version);
                        if !done.is_idle() {
                            tracing::info!(
                                table = format!("{}.{}", def.schema, def.name),
                                files_before = done.files_before,
                                files_after = done.files_after,
                                files_removed = done.files_removed,
                                "table maintained"
                            );
                        }
                    }
                    Err(e) if e.sqlstate == SqlState::UNDEFINED_TABLE => {}
                    Err(e) => {
                        // Tried again when the table has changed, not over and over.
                        looked_at.insert(def.id, version);
                        tracing::warn!(table = format!("{}.{}", def.schema, def.name), error = %e, "maintenance failed");
                    }
                }
            }
            if clean {
                cleaned = Instant::now();
                if let Err(e) = self.maintain_warehouse(&work).await {
                    tracing::warn!(error = %e, "maintenance of the warehouse's log failed");
                }
            }
        }
    }

    /// What merges are planned with: one partition, the memory of all queries, spilling as they do.
    pub(super) fn merging(&self) -> SessionState {
        let config = SessionConfig::new().with_target_partitions(1).with_batch_size(BATCH_ROWS);
        SessionStateBuilder::new_from_existing(self.template.clone())
            .with_config(config)
            .with_runtime_env(Arc::clone(&self.runtime))
            .build()
    }
}
