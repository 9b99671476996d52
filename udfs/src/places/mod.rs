//! Distances, cells and circles on the Earth.

mod geohash;
mod geohash_decode;
mod h3;
mod h3_cell_from_string;
mod h3_cell_to_latlng;
mod h3_cell_to_parent;
mod h3_cell_to_string;
mod h3_grid_disk;
mod h3_grid_distance;
mod h3_latlng_to_cell;
mod haversine_distance;
mod place;
mod within_radius;

use datafusion_expr::ScalarUDF;

use crate::Functions;

pub use geohash::Geohash;
pub use geohash_decode::GeohashDecode;
pub use h3_cell_from_string::H3CellFromString;
pub use h3_cell_to_latlng::H3CellToLatlng;
pub use h3_cell_to_parent::H3CellToParent;
pub use h3_cell_to_string::H3CellToString;
pub use h3_grid_disk::H3GridDisk;
pub use h3_grid_distance::H3GridDistance;
pub use h3_latlng_to_cell::H3LatlngToCell;
pub use haversine_distance::HaversineDistance;
pub use within_radius::WithinRadius;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions {
        scalars: vec![
            ScalarUDF::from(Geohash),
            ScalarUDF::from(GeohashDecode),
            ScalarUDF::from(H3CellFromString),
            ScalarUDF::from(H3CellToLatlng),
            ScalarUDF::from(H3CellToParent),
            ScalarUDF::from(H3CellToString),
            ScalarUDF::from(H3GridDisk),
            ScalarUDF::from(H3GridDistance),
            ScalarUDF::from(H3LatlngToCell),
            ScalarUDF::from(HaversineDistance),
            ScalarUDF::from(WithinRadius),
        ],
        ..Functions::default()
    }
}
