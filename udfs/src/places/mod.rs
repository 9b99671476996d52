//! Distances, cells and circles on the Earth.

use crate::Functions;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions::default()
}
