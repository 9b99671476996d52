//! SQL functions for audiences, usable in any DataFusion program.
//!
//! Everything here is pure: no I/O, no waiting, no session. A function sees Arrow arrays and gives Arrow arrays.
//! What needs a session, the catalog or other tables lives in the engine.
//!
//! A package is a folder named after what an analyst thinks in:
//!
//! * [`attribution`]: which channel a conversion is owed to
//! * [`behaviour`]: funnels, retention, sequences, sessions and paths of events
//! * [`destinations`]: identifiers as advertising platforms want them, and consent strings
//! * [`identity`]: keys of profiles; identifiers cleaned, compared, linked and gathered to people
//! * [`lookalike`]: models that score profiles by what they have in common with others
//! * [`places`]: distances, cells and circles on the Earth
//! * [`rfm`]: recency, frequency and monetary value
//! * [`sets`]: sets of profiles as bitmaps, exact, and as sketches with bounds
//! * [`value`]: what customers will be worth
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

mod arguments;
pub mod attribution;
pub mod behaviour;
pub mod destinations;
pub mod identity;
mod invalid_argument;
pub mod lookalike;
mod named;
mod phone;
pub mod places;
pub mod rfm;
mod rows;
pub mod sets;
mod single_group;
pub mod value;
mod window;

use std::iter::once;
use std::sync::Arc;

use datafusion_common::{Result, plan_err};
use datafusion_expr::registry::FunctionRegistry;
use datafusion_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub use invalid_argument::InvalidArgument;

/// The functions of a package.
#[derive(Debug, Default)]
struct Functions {
    scalars: Vec<ScalarUDF>,
    aggregates: Vec<AggregateUDF>,
    windows: Vec<WindowUDF>,
}

/// Every function, package by package.
fn packages() -> [Functions; 9] {
    [
        attribution::functions(),
        behaviour::functions(),
        destinations::functions(),
        identity::functions(),
        lookalike::functions(),
        places::functions(),
        rfm::functions(),
        sets::functions(),
        value::functions(),
    ]
}

/// Registers every function.
///
/// # Errors
/// If a name or an alias is taken, by another function of this package or by one that was there before. What was
/// registered until then stays registered.
pub fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for package in packages() {
        for function in package.scalars {
            free(registry, function.name(), function.aliases())?;
            registry.register_udf(Arc::new(function))?;
        }
        for function in package.aggregates {
            free(registry, function.name(), function.aliases())?;
            registry.register_udaf(Arc::new(function))?;
        }
        for function in package.windows {
            free(registry, function.name(), function.aliases())?;
            registry.register_udwf(Arc::new(function))?;
        }
    }
    Ok(())
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
        assert!(register_all(&mut registry).unwrap_err().to_string().contains("already registered"));
    }

    #[test]
    fn every_function_is_documented() {
        let documented = packages().into_iter().flat_map(|package| {
            let scalars = package.scalars.into_iter().map(|f| (f.name().to_owned(), f.documentation().cloned()));
            let aggregates = package.aggregates.into_iter().map(|f| (f.name().to_owned(), f.documentation().cloned()));
            let windows = package.windows.into_iter().map(|f| (f.name().to_owned(), f.documentation().cloned()));
            scalars.chain(aggregates).chain(windows).collect::<Vec<_>>()
        });
        for (name, documentation) in documented {
            let documentation = documentation.unwrap_or_else(|| panic!("{name}"));
            assert!(documentation.sql_example.is_some(), "{name}");
            assert!(documentation.arguments.is_some(), "{name}");
        }
    }
}
