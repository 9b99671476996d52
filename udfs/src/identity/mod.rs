//! Keys of profiles; identifiers cleaned, compared, linked and gathered to people.

mod audience_bucket;
mod component_map;
mod damerau_levenshtein;
mod distance;
mod double_metaphone;
mod double_metaphone_alt;
mod folding;
mod graph;
mod jaro_winkler;
mod key_bytes;
mod linkage;
mod metaphone;
mod normalize_email;
mod normalize_name;
mod normalize_phone;
mod nysiis;
mod shortest_path;
mod soundex;
mod soundex_fr;
mod sounds;
mod texts;

use datafusion_expr::{AggregateUDF, ScalarUDF};

use crate::Functions;

pub use audience_bucket::{AudienceBucket, bucket_of};
pub use component_map::ComponentMap;
pub use damerau_levenshtein::DamerauLevenshtein;
pub use double_metaphone::DoubleMetaphone;
pub use double_metaphone_alt::DoubleMetaphoneAlt;
pub use jaro_winkler::JaroWinkler;
pub use linkage::{ClusterPairs, FsCompare, FsProbability, FsTrain, FsWeight};
pub use metaphone::Metaphone;
pub use normalize_email::NormalizeEmail;
pub use normalize_name::NormalizeName;
pub use normalize_phone::NormalizePhone;
pub use nysiis::Nysiis;
pub use shortest_path::ShortestPath;
pub use soundex::Soundex;
pub use soundex_fr::SoundexFr;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    let mut functions = Functions {
        scalars: vec![
            ScalarUDF::from(AudienceBucket),
            ScalarUDF::from(DamerauLevenshtein),
            ScalarUDF::from(DoubleMetaphone),
            ScalarUDF::from(DoubleMetaphoneAlt),
            ScalarUDF::from(JaroWinkler),
            ScalarUDF::from(Metaphone),
            ScalarUDF::from(NormalizeEmail),
            ScalarUDF::from(NormalizeName),
            ScalarUDF::from(NormalizePhone),
            ScalarUDF::from(Nysiis),
            ScalarUDF::from(Soundex),
            ScalarUDF::from(SoundexFr),
        ],
        aggregates: vec![AggregateUDF::from(ComponentMap), AggregateUDF::from(ShortestPath)],
        ..Functions::default()
    };
    functions.scalars.extend(linkage::scalars());
    functions.aggregates.extend(linkage::aggregates());
    functions
}
