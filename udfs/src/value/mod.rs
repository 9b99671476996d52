//! What customers will be worth: BG/NBD and Gamma-Gamma models.

use crate::Functions;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions::default()
}
