//! Identifiers as advertising platforms want them, and consent strings of the IAB.

use crate::Functions;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions::default()
}
