//! `fs_train('people', 'id', …)`: the model that links the records of a table, to be kept and used again.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::linkage::Linkage;
use crate::error::Result;

pub(super) const FS_TRAIN: Macro = Macro {
    name: "fs_train",
    syntax: "fs_train(table, id, blocking => columns, compare => comparisons [, right => table] [, sample => 1000000])",
    description: "Learns, without labels, how records of the same person differ from others, in one row with a column \
                  model: the model that link_records finds for itself, and that its option model takes. For the \
                  arguments see link_records. NULL if the blocking finds no pair, or there are not two records.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let linkage = Linkage::new(call)?;
    let query = linkage.training();
    linkage.fill(&query, Vec::new())
}
