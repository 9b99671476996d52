//! Probabilistic record linkage: how alike two records are, what that says about their being one person, and the
//! groups that the links make.
//!
//! The model is that of Fellegi and Sunter, "A Theory for Record Linkage" (1969), with the levels, the term frequency
//! adjustment and the scale of Splink: a match weight is a base 2 logarithm of odds.

mod cluster_pairs;
mod comparison;
mod fs_compare;
mod fs_probability;
mod fs_train;
mod fs_weight;
mod model;
mod training;

use datafusion_expr::{AggregateUDF, ScalarUDF};

pub use cluster_pairs::ClusterPairs;
pub use fs_compare::FsCompare;
pub use fs_probability::FsProbability;
pub use fs_train::FsTrain;
pub use fs_weight::FsWeight;

/// The scalar functions of this part.
pub(super) fn scalars() -> [ScalarUDF; 3] {
    [FsCompare.into(), FsProbability.into(), FsWeight.into()]
}

/// The aggregates of this part.
pub(super) fn aggregates() -> [AggregateUDF; 2] {
    [ClusterPairs.into(), FsTrain.into()]
}
