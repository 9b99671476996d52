//! Sets of profiles: exact as bitmaps, small as sketches with bounds.
//!
//! A bitmap is bytes that hold ids: see `bitmap`. Ids are bigints; ids that are text get theirs from a dictionary that
//! is kept as a table, so that no two ever share a number:
//!
//! ```sql
//! CREATE TABLE people AS SELECT * FROM id_dictionary('visits', 'cookie');
//! SELECT tag, bitmap_agg(n) AS b FROM tagged JOIN people ON people.id = tagged.cookie GROUP BY tag;
//! ```

mod bitmap;
mod bitmap_agg;
mod bitmap_and;
mod bitmap_andnot;
mod bitmap_contains;
mod bitmap_count;
mod bitmap_expr;
mod bitmap_expr_count;
mod bitmap_from_array;
mod bitmap_from_base64;
mod bitmap_has_any;
mod bitmap_intersect;
mod bitmap_max;
mod bitmap_min;
mod bitmap_or;
mod bitmap_overlap;
mod bitmap_subset_in_range;
mod bitmap_to_array;
mod bitmap_to_base64;
mod bitmap_union;
mod bitmap_xor;
mod collected;
mod combined;
mod dictionary;
mod expression;
mod gathering;
mod id_dictionary;
mod intersect_count;
mod operations;
mod selection;
mod sketch;
mod sub_bitmap;
mod theta_a_not_b;
mod theta_bounds;
mod theta_estimate;
mod theta_intersect;
mod theta_jaccard;
mod theta_sketch;
mod theta_union;
mod to_bitmap;

use datafusion_expr::{AggregateUDF, ScalarUDF};

use crate::Functions;

pub use bitmap_agg::BitmapAgg;
pub use bitmap_and::BitmapAnd;
pub use bitmap_andnot::BitmapAndnot;
pub use bitmap_contains::BitmapContains;
pub use bitmap_count::BitmapCount;
pub use bitmap_expr::BitmapExpr;
pub use bitmap_expr_count::BitmapExprCount;
pub use bitmap_from_array::BitmapFromArray;
pub use bitmap_from_base64::BitmapFromBase64;
pub use bitmap_has_any::BitmapHasAny;
pub use bitmap_intersect::BitmapIntersect;
pub use bitmap_max::BitmapMax;
pub use bitmap_min::BitmapMin;
pub use bitmap_or::BitmapOr;
pub use bitmap_overlap::BitmapOverlap;
pub use bitmap_subset_in_range::BitmapSubsetInRange;
pub use bitmap_to_array::BitmapToArray;
pub use bitmap_to_base64::BitmapToBase64;
pub use bitmap_union::BitmapUnion;
pub use bitmap_xor::BitmapXor;
pub use id_dictionary::IdDictionary;
pub use intersect_count::IntersectCount;
pub use sub_bitmap::SubBitmap;
pub use theta_a_not_b::ThetaANotB;
pub use theta_bounds::ThetaBounds;
pub use theta_estimate::ThetaEstimate;
pub use theta_intersect::ThetaIntersect;
pub use theta_jaccard::ThetaJaccard;
pub use theta_sketch::ThetaSketch;
pub use theta_union::ThetaUnion;
pub use to_bitmap::ToBitmap;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions {
        scalars: vec![
            ScalarUDF::from(BitmapAnd),
            ScalarUDF::from(BitmapAndnot),
            ScalarUDF::from(BitmapContains),
            ScalarUDF::from(BitmapCount),
            ScalarUDF::from(BitmapFromArray),
            ScalarUDF::from(BitmapFromBase64),
            ScalarUDF::from(BitmapHasAny),
            ScalarUDF::from(BitmapMax),
            ScalarUDF::from(BitmapMin),
            ScalarUDF::from(BitmapOr),
            ScalarUDF::from(BitmapOverlap),
            ScalarUDF::from(BitmapSubsetInRange),
            ScalarUDF::from(BitmapToArray),
            ScalarUDF::from(BitmapToBase64),
            ScalarUDF::from(BitmapXor),
            ScalarUDF::from(SubBitmap),
            ScalarUDF::from(ThetaANotB),
            ScalarUDF::from(ThetaBounds),
            ScalarUDF::from(ThetaEstimate),
            ScalarUDF::from(ThetaIntersect),
            ScalarUDF::from(ThetaJaccard),
            ScalarUDF::from(ToBitmap),
        ],
        aggregates: vec![
            AggregateUDF::from(BitmapAgg),
            AggregateUDF::from(BitmapExpr),
            AggregateUDF::from(BitmapExprCount),
            AggregateUDF::from(BitmapIntersect),
            AggregateUDF::from(BitmapUnion),
            AggregateUDF::from(IdDictionary),
            AggregateUDF::from(IntersectCount),
            AggregateUDF::from(ThetaSketch),
            AggregateUDF::from(ThetaUnion),
        ],
        ..Functions::default()
    }
}
