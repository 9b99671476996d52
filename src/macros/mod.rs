//! Table functions over other tables, written as queries: `rfm('orders', 'customer_id', 'at', 'amount')` in FROM
//! becomes a sub-query before anything is planned.
//!
//! A macro sees syntax only. So the tables it names are resolved, checked, pruned and remembered as dependencies like
//! any other, its relation may be a CTE or a sub-query, its options may be parameters, and EXPLAIN shows what it
//! became. Relations and columns come first, as text; options come by name (`as_of => now()`).
//!
//! # How to add one
//!
//! Write `src/macros/<name>.rs` with its [`Macro`], and its line in [`MACROS`]; its behaviour is tested in
//! `tests/slt/macros`.

mod call;
mod cluster_pairs;
mod fs_train;
mod link_records;
mod linkage;
mod rfm;
mod template;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Query, TableFactor, VisitMut, VisitorMut};

use self::call::Call;
use crate::error::{Error, Result};
use crate::statement::fold;

/// A table function that is a query.
pub(crate) struct Macro {
    /// Its name, without a schema.
    pub(crate) name: &'static str,
    /// How it is called.
    pub(crate) syntax: &'static str,
    /// What it returns, and what becomes of nulls and ties.
    pub(crate) description: &'static str,
    /// The query that a call stands for.
    expand: fn(&mut Call) -> Result<Query>,
}

/// All of them, by name.
pub(crate) static MACROS: &[Macro] =
    &[cluster_pairs::CLUSTER_PAIRS, fs_train::FS_TRAIN, link_records::LINK_RECORDS, rfm::RFM];

/// Replaces every call of a macro in a query, also inside of other calls.
///
/// # Errors
/// 42883 for arguments that it does not take, 22023 for values that it does not take.
pub(crate) fn expand(query: &mut Query) -> Result<()> {
    match VisitMut::visit(query, &mut Expansion) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Expansion;

impl VisitorMut for Expansion {
    type Break = Box<Error>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        match expansion(factor) {
            Ok(Some(expanded)) => *factor = expanded,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(Box::new(error)),
        }
        ControlFlow::Continue(())
    }
}

fn expansion(factor: &TableFactor) -> Result<Option<TableFactor>> {
    let TableFactor::Table { name, alias, args: Some(arguments), .. } = factor else {
        return Ok(None);
    };
    let [name] = name.0.as_slice() else {
        return Ok(None);
    };
    let Some(name) = name.as_ident().map(fold) else {
        return Ok(None);
    };
    let Some(found) = MACROS.iter().find(|known| known.name == name) else {
        return Ok(None);
    };
    let mut call = Call::new(found, &arguments.args)?;
    let query = (found.expand)(&mut call)?;
    call.finish()?;
    let alias = alias.clone().unwrap_or_else(|| template::alias(found.name));
    Ok(Some(TableFactor::Derived { lateral: false, subquery: Box::new(query), alias: Some(alias), sample: None }))
}
