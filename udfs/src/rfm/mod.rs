//! Recency, frequency, monetary value: scores of customers against one another, and the segments they make; how
//! active they are, and in which stage of their life.

mod active_days;
mod distinct;
mod events;
mod frequency;
mod lifecycle_stage;
mod method;
mod recency;
mod rfm_score;
mod rfm_segment;
mod segment_map;
mod stages;
mod tally;

use datafusion_expr::{AggregateUDF, ScalarUDF, WindowUDF};

use crate::Functions;

pub use active_days::ActiveDays;
pub use frequency::Frequency;
pub use lifecycle_stage::LifecycleStage;
pub use recency::Recency;
pub use rfm_score::RfmScore;
pub use rfm_segment::RfmSegment;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions {
        scalars: vec![ScalarUDF::from(LifecycleStage), ScalarUDF::from(RfmSegment)],
        aggregates: vec![AggregateUDF::from(ActiveDays), AggregateUDF::from(Frequency), AggregateUDF::from(Recency)],
        windows: vec![WindowUDF::from(RfmScore)],
    }
}
