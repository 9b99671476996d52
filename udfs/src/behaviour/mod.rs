//! What people did, in order: funnels, retention, sequences, sessions and paths.

mod event_accumulator;
mod event_columns;
mod event_log;
mod funnel;
mod funnel_arguments;
mod funnel_steps;
mod instant_lists;
mod matches;
mod names;
mod sess_end_if;
mod sess_start_if;
mod sess_timeout;
mod session_id;
mod sessions;
mod time_between_next_match;
mod time_between_previous_match;
mod window_funnel;

use datafusion_expr::{AggregateUDF, WindowUDF};

use crate::Functions;

pub use funnel_steps::FunnelSteps;
pub use sess_end_if::SessEndIf;
pub use sess_start_if::SessStartIf;
pub use sess_timeout::SessTimeout;
pub use session_id::SessionId;
pub use time_between_next_match::TimeBetweenNextMatch;
pub use time_between_previous_match::TimeBetweenPreviousMatch;
pub use window_funnel::WindowFunnel;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions {
        windows: vec![
            WindowUDF::from(SessEndIf),
            WindowUDF::from(SessStartIf),
            WindowUDF::from(SessTimeout),
            WindowUDF::from(SessionId),
            WindowUDF::from(TimeBetweenNextMatch),
            WindowUDF::from(TimeBetweenPreviousMatch),
        ],
        aggregates: vec![AggregateUDF::from(FunnelSteps), AggregateUDF::from(WindowFunnel)],
        ..Functions::default()
    }
}
