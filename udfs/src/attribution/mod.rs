//! Which channel a conversion is owed to: models over the touches that came before it.

use crate::Functions;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions::default()
}
