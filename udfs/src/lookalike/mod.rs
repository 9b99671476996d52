//! Models that score profiles by what they have in common with others, and how well they do it.

mod class_moments;
mod cosine_similarity;
mod discriminant;
mod dot;
mod feature_vector;
mod features;
mod l2_distance;
mod lda_fit;
mod linear_score;
mod model;
mod options;
mod pairs;
mod propensity;
mod scoring;

use datafusion_expr::{AggregateUDF, ScalarUDF};

use crate::Functions;

pub use cosine_similarity::CosineSimilarity;
pub use dot::Dot;
pub use feature_vector::FeatureVector;
pub use l2_distance::L2Distance;
pub use lda_fit::LdaFit;
pub use linear_score::LinearScore;
pub use propensity::Propensity;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions {
        scalars: vec![
            ScalarUDF::from(CosineSimilarity),
            ScalarUDF::from(Dot),
            ScalarUDF::from(FeatureVector),
            ScalarUDF::from(L2Distance),
            ScalarUDF::from(LinearScore),
            ScalarUDF::from(Propensity),
        ],
        aggregates: vec![AggregateUDF::from(LdaFit)],
        ..Functions::default()
    }
}
