//! Keys of profiles: where they are stored, and how they are told apart.

mod audience_bucket;
mod key_bytes;
mod linkage;

use datafusion_expr::ScalarUDF;

use crate::Functions;

pub use audience_bucket::{AudienceBucket, bucket_of};
pub use linkage::{ClusterPairs, FsCompare, FsProbability, FsTrain, FsWeight};

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    let mut functions = Functions { scalars: vec![ScalarUDF::from(AudienceBucket)], ..Functions::default() };
    functions.scalars.extend(linkage::scalars());
    functions.aggregates.extend(linkage::aggregates());
    functions
}
