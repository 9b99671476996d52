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
mod capped;
mod cluster_pairs;
mod clv_summary;
mod connected_components;
mod features;
mod frequency_distribution;
mod fs_train;
mod funnel_counts;
mod households;
mod id_dictionary;
mod identity_graph;
mod identity_merges;
mod identity_path;
mod kmeans;
mod knn;
mod link_records;
mod linkage;
mod lookalike;
mod lookalike_check;
mod lookalike_eval;
mod markov_attribution;
mod match_devices;
mod path_analysis;
mod reach;
mod rfm;
mod shapley_attribution;
mod stable_ids;
mod template;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Query, TableFactor, VisitMut, VisitorMut};

use self::call::Call;
pub(crate) use self::call::{integer, text};
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
pub(crate) static MACROS: &[Macro] = &[
    capped::CAPPED,
    cluster_pairs::CLUSTER_PAIRS,
    clv_summary::CLV_SUMMARY,
    connected_components::CONNECTED_COMPONENTS,
    frequency_distribution::FREQUENCY_DISTRIBUTION,
    fs_train::FS_TRAIN,
    funnel_counts::FUNNEL_COUNTS,
    households::HOUSEHOLDS,
    id_dictionary::ID_DICTIONARY,
    identity_graph::IDENTITY_GRAPH,
    identity_merges::IDENTITY_MERGES,
    identity_path::IDENTITY_PATH,
    kmeans::KMEANS,
    knn::KNN,
    link_records::LINK_RECORDS,
    lookalike::LOOKALIKE,
    lookalike_check::LOOKALIKE_CHECK,
    lookalike_eval::LOOKALIKE_EVAL,
    markov_attribution::MARKOV_ATTRIBUTION,
    match_devices::MATCH_DEVICES,
    path_analysis::PATH_ANALYSIS,
    reach::REACH,
    rfm::RFM,
    shapley_attribution::SHAPLEY_ATTRIBUTION,
    stable_ids::STABLE_IDS,
];

/// Replaces every call of a macro in a query, also inside of other calls.
///
/// # Errors
/// 42883 for arguments that it does not take, 22023 for values that it does not take.
pub(crate) fn expand(query: &mut Query) -> Result<()> {
    match VisitMut::visit(query, &mut Expansion { so_far: 0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

/// Calls are replaced from the outside in.
struct Expansion {
    so_far: usize,
}

impl VisitorMut for Expansion {
    type Break = Box<Error>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        match expansion(factor, self.so_far) {
            Ok(Some(expanded)) => {
                *factor = expanded;
                self.so_far += 1;
            }
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(Box::new(error)),
        }
        ControlFlow::Continue(())
    }
}

fn expansion(factor: &TableFactor, before: usize) -> Result<Option<TableFactor>> {
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
    let mut query = (found.expand)(&mut call)?;
    call.finish()?;
    if before > 0 {
        template::distinguish(&mut query, before);
    }
    let alias = alias.clone().unwrap_or_else(|| template::alias(found.name));
    Ok(Some(TableFactor::Derived { lateral: false, subquery: Box::new(query), alias: Some(alias), sample: None }))
}
