//! What is alike in the trait of every function: its names, its signature and where its documentation is.

use std::sync::LazyLock;

use datafusion_expr::{Signature, Volatility};

/// Every function has `coerce_types` say what it takes, and gives equal results for equal arguments.
pub(crate) static SIGNATURE: LazyLock<Signature> = LazyLock::new(|| Signature::user_defined(Volatility::Immutable));

/// The first lines within a function's `impl` of its trait, be it of a scalar, an aggregate or a window:
///
/// ```text
/// named!("theta_union");
/// named!("theta_union", alias "theta_sketch_union");
/// ```
///
/// The traits of the three kinds have nothing in common but these methods, so it is the methods that are written once.
macro_rules! named {
    ($name:expr $(, alias $alias:literal)*) => {
        fn name(&self) -> &str {
            $name
        }

        fn aliases(&self) -> &[String] {
            static ALIASES: std::sync::LazyLock<Vec<String>> =
                std::sync::LazyLock::new(|| vec![$($alias.to_owned()),*]);
            &ALIASES
        }

        fn signature(&self) -> &datafusion_expr::Signature {
            &crate::named::SIGNATURE
        }

        fn documentation(&self) -> Option<&datafusion_expr::Documentation> {
            self.doc()
        }
    };
}

pub(crate) use named;
