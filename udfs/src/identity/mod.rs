//! Keys of profiles; identifiers cleaned, compared, linked and gathered to people.

mod audience_bucket;
mod component_map;
mod graph;
mod key_bytes;
mod shortest_path;

use datafusion_expr::{AggregateUDF, ScalarUDF};

use crate::Functions;

pub use audience_bucket::{AudienceBucket, bucket_of};
pub use component_map::ComponentMap;
pub use shortest_path::ShortestPath;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions {
        scalars: vec![ScalarUDF::from(AudienceBucket)],
        aggregates: vec![AggregateUDF::from(ComponentMap), AggregateUDF::from(ShortestPath)],
        ..Functions::default()
    }
}
