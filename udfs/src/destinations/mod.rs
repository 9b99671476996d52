//! Identifiers as advertising platforms want them, and consent strings of the IAB.

mod audience_hash;
mod audience_normalize;
mod clean;
mod hash_audit;
mod identifiers;
mod rules;
mod tc_bits;
mod tc_string;
mod tcf_ask;
mod tcf_decode;
mod tcf_legitimate_interest;
mod tcf_purpose;
mod tcf_special_feature;
mod tcf_vendor;

use datafusion_expr::{AggregateUDF, ScalarUDF};

use crate::Functions;

pub use audience_hash::AudienceHash;
pub use audience_normalize::AudienceNormalize;
pub use hash_audit::HashAudit;
pub use tcf_decode::TcfDecode;
pub use tcf_legitimate_interest::TcfLegitimateInterest;
pub use tcf_purpose::TcfPurpose;
pub use tcf_special_feature::TcfSpecialFeature;
pub use tcf_vendor::TcfVendor;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions {
        scalars: vec![
            ScalarUDF::from(AudienceHash),
            ScalarUDF::from(AudienceNormalize),
            ScalarUDF::from(TcfDecode),
            ScalarUDF::from(TcfLegitimateInterest),
            ScalarUDF::from(TcfPurpose),
            ScalarUDF::from(TcfSpecialFeature),
            ScalarUDF::from(TcfVendor),
        ],
        aggregates: vec![AggregateUDF::from(HashAudit)],
        ..Functions::default()
    }
}
