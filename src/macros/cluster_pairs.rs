//! `cluster_pairs('pairs', 'l', 'r', 'probability', …)`: the groups of records that pairs connect.
//!
//! The work is that of the aggregate of the same name; the macro filters the pairs, and gives a row for each record.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const CLUSTER_PAIRS: Macro = Macro {
    name: "cluster_pairs",
    syntax: "cluster_pairs(pairs, l, r, score [, threshold => 0.9] [, max_size => 100])",
    description: "Groups the records that a table of pairs connects: id, cluster (the smallest id of its records, as \
                  text) and size. Pairs of a score below threshold do not count. The others are taken from the highest \
                  score on, equal ones by their ids, and one that would make a cluster larger than max_size is not \
                  used. Pairs with NULL in them do not count; a record without a pair has no row.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let pairs = call.source("pairs")?;
    let l = call.column("l")?;
    let r = call.column("r")?;
    let score = call.column("score")?;
    let threshold = call.number("threshold", f64::MIN, f64::MAX)?.unwrap_or(0.9);
    let max_size = call.integer("max_size", 1, i64::from(u32::MAX))?.unwrap_or(100);
    let sql = format!(
        r#"SELECT get_field(record, 'id') AS id, get_field(record, 'cluster') AS cluster,
            get_field(record, 'size') AS size
        FROM (
            SELECT unnest(cluster_pairs("$l", "$r", "$score", {max_size})) AS record
            FROM "$pairs"
            WHERE "$score" >= {threshold}
        ) AS clusters"#
    );
    template::fill(&sql, [("pairs", pairs)], &[("l", l), ("r", r), ("score", score)])
}
