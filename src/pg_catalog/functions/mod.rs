//! Functions that look into the catalogs: definitions, comments, visibility, names, sizes.
//!
//! They are bound to the catalog that a statement sees, and made when a statement calls them. To add one: an entry in
//! the list of its file.

mod arrays;
mod catalog_function;
mod comments;
mod definitions;
mod format;
mod json_build_object;
mod privileges;
pub(crate) mod reg;
mod sizes;
mod visible;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use self::catalog_function::Entry;
use super::PgCatalog;

/// The lists of all files.
const LISTS: [&[Entry]; 8] = [
    arrays::LIST,
    comments::LIST,
    definitions::LIST,
    format::LIST,
    json_build_object::LIST,
    privileges::LIST,
    reg::LIST,
    visible::LIST,
];

/// The function of that name.
pub(super) fn function(catalog: &Arc<PgCatalog>, name: &str) -> Option<Arc<ScalarUDF>> {
    let entry = LISTS.iter().flat_map(|list| list.iter()).find(|entry| entry.name == name);
    let made = entry.map(|entry| catalog_function::function(catalog, entry));
    made.or_else(|| sizes::function(catalog, name)).map(Arc::new)
}

/// The names of all of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    LISTS.iter().flat_map(|list| list.iter()).map(|entry| entry.name).chain(sizes::NAMES)
}
