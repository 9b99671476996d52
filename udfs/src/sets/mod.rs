//! Sets of profiles: exact as bitmaps, small as sketches with bounds.

use crate::Functions;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions::default()
}
