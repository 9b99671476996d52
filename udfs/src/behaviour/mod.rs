//! What people did, in order: funnels, retention, sequences, sessions and paths.

use crate::Functions;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions::default()
}
