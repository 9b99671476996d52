//! Recency, frequency, monetary value: scores of customers against one another, and the segments they make.

mod method;
mod rfm_score;
mod rfm_segment;
mod segment_map;

use datafusion_expr::{ScalarUDF, WindowUDF};

use crate::Functions;

pub use rfm_score::RfmScore;
pub use rfm_segment::RfmSegment;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions {
        scalars: vec![ScalarUDF::from(RfmSegment)],
        windows: vec![WindowUDF::from(RfmScore)],
        ..Functions::default()
    }
}
