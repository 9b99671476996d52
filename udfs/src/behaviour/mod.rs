//! What people did, in order: funnels, retention, sequences, sessions and paths.

mod event_accumulator;
mod event_columns;
mod event_log;
mod event_state;
mod funnel;
mod funnel_arguments;
mod funnel_counts;
mod funnel_modes;
mod funnel_steps;
mod instant_lists;
mod matcher;
mod matches;
mod names;
mod path_edges;
mod pattern;
mod retention;
mod sequence_arguments;
mod sequence_count;
mod sequence_match;
mod sequence_match_events;
mod sequence_next_node;
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

pub use funnel_counts::FunnelCounts;
pub use funnel_steps::FunnelSteps;
pub use path_edges::PathEdges;
pub use retention::Retention;
pub use sequence_count::SequenceCount;
pub use sequence_match::SequenceMatch;
pub use sequence_match_events::SequenceMatchEvents;
pub use sequence_next_node::SequenceNextNode;
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
        aggregates: vec![
            AggregateUDF::from(FunnelCounts),
            AggregateUDF::from(FunnelSteps),
            AggregateUDF::from(PathEdges),
            AggregateUDF::from(Retention),
            AggregateUDF::from(SequenceCount),
            AggregateUDF::from(SequenceMatch),
            AggregateUDF::from(SequenceMatchEvents),
            AggregateUDF::from(SequenceNextNode),
            AggregateUDF::from(WindowFunnel),
        ],
        windows: vec![
            WindowUDF::from(SessEndIf),
            WindowUDF::from(SessStartIf),
            WindowUDF::from(SessTimeout),
            WindowUDF::from(SessionId),
            WindowUDF::from(TimeBetweenNextMatch),
            WindowUDF::from(TimeBetweenPreviousMatch),
        ],
        ..Functions::default()
    }
}
