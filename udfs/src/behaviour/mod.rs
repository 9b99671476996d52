//! What people did, in order: funnels, retention, sequences, sessions and paths.

mod event_accumulator;
mod event_columns;
mod event_log;
mod funnel;
mod funnel_arguments;
mod funnel_steps;
mod instant_lists;
mod names;
mod window_funnel;

use datafusion_expr::AggregateUDF;

use crate::Functions;

pub use funnel_steps::FunnelSteps;
pub use window_funnel::WindowFunnel;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions {
        aggregates: vec![AggregateUDF::from(FunnelSteps), AggregateUDF::from(WindowFunnel)],
        ..Functions::default()
    }
}
