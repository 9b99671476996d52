//! Keys of profiles: where they are stored, and how they are told apart.

mod audience_bucket;
mod key_bytes;

use datafusion_expr::ScalarUDF;

use crate::Functions;

pub use audience_bucket::{AudienceBucket, bucket_of};

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions { scalars: vec![ScalarUDF::from(AudienceBucket)], ..Functions::default() }
}
