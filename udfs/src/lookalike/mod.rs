//! Models that score profiles by what they have in common with others, and how well they do it.

use crate::Functions;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions::default()
}
