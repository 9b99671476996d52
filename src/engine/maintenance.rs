//! Maintenance of tables: asked for by CALL, or by itself in the background.

use std::sync::Arc;
use std::time::Duration;

use catalog::maintain::{MaintainOptions, Maintained};
use catalog::objects::TableDef;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::SessionConfig;

use super::Engine;
use crate::error::Result;

/// A merge reads many files side by side: it holds a batch of each.
const BATCH_ROWS: usize = 2048;

/// When tables are maintained, and how long what they no longer need is kept.
#[derive(Debug, Clone)]
pub struct MaintenanceOptions {
    /// How long files stay after they were removed from a table.
    pub retain: Duration,
    /// How long commits stay in the logs.
    pub retain_log: Duration,
}

impl Default for MaintenanceOptions {
    /// Seven days for files and thirty for logs, as Delta has it.
    fn default() -> Self {
        Self { retain: Duration::from_secs(7 * 86_400), retain_log: Duration::from_secs(30 * 86_400) }
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
}

/// What made maintenance run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// `CALL audience.maintain`.
    Call,
}

impl Engine {
    /// Maintains one table.
    pub(crate) async fn maintain_table(
        &self,
        table: &TableDef,
        options: &MaintainOptions,
        _: Trigger,
    ) -> Result<Maintained> {
        let (warehouse, id, options) = (Arc::clone(&self.warehouse), table.id, options.clone());
        let session = self.merging();
        let work = async move { warehouse.maintain(id, &session, &options).await };
        Ok(self.compute.run(work).await??)
    }

    /// Maintains what belongs to no table: the warehouse's log, and what was dropped.
    pub(crate) async fn maintain_warehouse(&self, options: &MaintainOptions, _: Trigger) -> Result<Maintained> {
        Ok(self.warehouse.maintain_log(options).await?)
    }

    /// What merges are planned with: one partition, the memory of all queries, spilling as they do.
    fn merging(&self) -> SessionState {
        let config = SessionConfig::new().with_target_partitions(1).with_batch_size(BATCH_ROWS);
        SessionStateBuilder::new_from_existing(self.template.clone())
            .with_config(config)
            .with_runtime_env(Arc::clone(&self.runtime))
            .build()
    }
}
