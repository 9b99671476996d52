//! SQL functions for audiences, usable in any DataFusion program.
//!
//! Everything here is pure: no I/O, no waiting, no session. A function sees Arrow arrays and gives Arrow arrays.
//! What needs a session, the catalog or other tables lives in the engine.
//!
//! A package is a folder named after what an analyst thinks in. So far there is one:
//!
//! * [`identity`]: keys of profiles
//!
//! # How to add a function
//!
//! 1. Write `src/<package>/<function>.rs`, named exactly as in SQL: what it means and whose semantics it follows, the
//!    documented struct (`#[user_doc]`), its trait, the kernel, tests of the kernel's edge cases.
//! 2. Add its `mod` line and its entry in the list of the package's `mod.rs`.
//! 3. Add `tests/slt/functions/<package>/<function>.slt` with its behaviour in SQL.
//!
//! Nothing else: [`register_all`], the reference documentation and the tests go by the lists.
//!
//! A bad argument is an [`InvalidArgument`], so that an engine can tell it from a fault of the program.

pub mod identity;
mod invalid_argument;

use std::iter::once;
use std::sync::Arc;

use datafusion_common::{Result, plan_err};
use datafusion_expr::registry::FunctionRegistry;

pub use invalid_argument::InvalidArgument;

/// Registers every function.
///
/// # Errors
/// If a name or an alias is taken, by another function of this package or by one that was there before. What was
/// registered until then stays registered.
pub fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in identity::scalars() {
        for name in once(function.name()).chain(function.aliases().iter().map(String::as_str)) {
            if registry.udf(name).is_ok() {
                return plan_err!("function {name} is already registered");
            }
        }
        registry.register_udf(Arc::new(function))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use datafusion_expr::registry::MemoryFunctionRegistry;

    use super::*;

    #[test]
    fn registers_once() {
        let mut registry = MemoryFunctionRegistry::new();
        register_all(&mut registry).unwrap();
        assert!(registry.udf("audience_bucket").is_ok());
        assert!(register_all(&mut registry).unwrap_err().to_string().contains("audience_bucket"));
    }

    #[test]
    fn every_function_is_documented() {
        for function in identity::scalars() {
            let documentation = function.documentation().unwrap_or_else(|| panic!("{}", function.name()));
            assert!(documentation.sql_example.is_some(), "{}", function.name());
            assert!(documentation.arguments.is_some(), "{}", function.name());
        }
    }
}
