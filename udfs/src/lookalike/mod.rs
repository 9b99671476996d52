//! Models that score profiles by what they have in common with others, and how well they do it.

mod auc;
mod calibration;
mod centroids;
mod class_moments;
mod clusters;
mod collected;
mod cosine_similarity;
mod discriminant;
mod dot;
mod feature_vector;
mod features;
mod kmeans_assign;
mod kmeans_fit;
mod knn_fit;
mod knn_score;
mod l2_distance;
mod lda_fit;
mod lift;
mod linear_reasons;
mod linear_score;
mod logistic;
mod logreg_fit;
mod model;
mod neighbours;
mod options;
mod pairs;
mod propensity;
mod ranked;
mod recall_at;
mod scoring;
mod spread;
mod traits_fit;

use datafusion_expr::{AggregateUDF, ScalarUDF};

use crate::Functions;

pub use auc::Auc;
pub use calibration::Calibration;
pub use cosine_similarity::CosineSimilarity;
pub use dot::Dot;
pub use feature_vector::FeatureVector;
pub use kmeans_assign::KmeansAssign;
pub use kmeans_fit::KmeansFit;
pub use knn_fit::KnnFit;
pub use knn_score::KnnScore;
pub use l2_distance::L2Distance;
pub use lda_fit::LdaFit;
pub use lift::Lift;
pub use linear_reasons::LinearReasons;
pub use linear_score::LinearScore;
pub use logreg_fit::LogregFit;
pub use propensity::Propensity;
pub use recall_at::RecallAt;
pub use traits_fit::TraitsFit;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions {
        scalars: vec![
            ScalarUDF::from(CosineSimilarity),
            ScalarUDF::from(Dot),
            ScalarUDF::from(FeatureVector),
            ScalarUDF::from(KmeansAssign),
            ScalarUDF::from(KnnScore),
            ScalarUDF::from(L2Distance),
            ScalarUDF::from(LinearReasons),
            ScalarUDF::from(LinearScore),
            ScalarUDF::from(Propensity),
        ],
        aggregates: vec![
            AggregateUDF::from(Auc),
            AggregateUDF::from(Calibration),
            AggregateUDF::from(KmeansFit),
            AggregateUDF::from(KnnFit),
            AggregateUDF::from(LdaFit),
            AggregateUDF::from(Lift),
            AggregateUDF::from(LogregFit),
            AggregateUDF::from(RecallAt),
            AggregateUDF::from(TraitsFit),
        ],
        ..Functions::default()
    }
}
