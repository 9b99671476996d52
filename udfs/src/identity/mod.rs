//! Keys of profiles: where they are stored, and how they are told apart.

mod audience_bucket;
mod key_bytes;

use datafusion_expr::ScalarUDF;

pub use audience_bucket::{AudienceBucket, bucket_of};

/// The scalar functions of this package.
pub(crate) fn scalars() -> Vec<ScalarUDF> {
    vec![ScalarUDF::from(AudienceBucket)]
}
