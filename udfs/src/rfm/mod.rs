//! Recency, frequency, monetary value: scores of customers against one another, and the segments they make.

mod method;
mod rfm_score;
mod rfm_segment;
mod segment_map;

use datafusion_expr::{ScalarUDF, WindowUDF};

pub use rfm_score::RfmScore;
pub use rfm_segment::RfmSegment;

/// The scalar functions of this package.
pub(crate) fn scalars() -> Vec<ScalarUDF> {
    vec![ScalarUDF::from(RfmSegment)]
}

/// The window functions of this package.
pub(crate) fn windows() -> Vec<WindowUDF> {
    vec![WindowUDF::from(RfmScore)]
}
