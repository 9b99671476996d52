//! SQL functions for audiences, usable in any DataFusion program.
//!
//! Everything here is pure: no I/O, no waiting, no session. A function sees Arrow arrays and gives Arrow arrays.
//! What needs a session, the catalog or other tables lives in the engine.
//!
//! A package is a folder named after what an analyst thinks in:
//!
//! * [`identity`]: keys of profiles
//! * [`rfm`]: recency, frequency and monetary value
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
pub mod rfm;

use std::iter::once;
use std::sync::Arc;

use datafusion_common::{Result, plan_err};
use datafusion_expr::registry::FunctionRegistry;
use datafusion_expr::{ScalarUDF, WindowUDF};

pub use invalid_argument::InvalidArgument;

/// Registers every function.
///
/// # Errors
/// If a name or an alias is taken, by another function of this package or by one that was there before. What was
/// registered until then stays registered.
pub fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in scalars() {
        free(registry, function.name(), function.aliases())?;
        registry.register_udf(Arc::new(function))?;
    }
    for function in windows() {
        free(registry, function.name(), function.aliases())?;
        registry.register_udwf(Arc::new(function))?;
    }
    Ok(())
}

fn scalars() -> impl Iterator<Item = ScalarUDF> {
    identity::scalars().into_iter().chain(rfm::scalars())
}

fn windows() -> impl Iterator<Item = WindowUDF> {
    rfm::windows().into_iter()
}

/// Fails if one of the names is taken by a function of any kind.
fn free(registry: &dyn FunctionRegistry, name: &str, aliases: &[String]) -> Result<()> {
    for name in once(name).chain(aliases.iter().map(String::as_str)) {
        if registry.udf(name).is_ok() || registry.udaf(name).is_ok() || registry.udwf(name).is_ok() {
            return plan_err!("function {name} is already registered");
        }
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
        let scalars = scalars().map(|f| (f.name().to_owned(), f.documentation().cloned()));
        let windows = windows().map(|f| (f.name().to_owned(), f.documentation().cloned()));
        for (name, documentation) in scalars.chain(windows) {
            let documentation = documentation.unwrap_or_else(|| panic!("{name}"));
            assert!(documentation.sql_example.is_some(), "{name}");
            assert!(documentation.arguments.is_some(), "{name}");
        }
    }
}
