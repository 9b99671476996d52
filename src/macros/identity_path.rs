//! `identity_path('edges', 'id_a', 'id_b', from => 'x', to => 'y')`: why two ids belong together.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const IDENTITY_PATH: Macro = Macro {
    name: "identity_path",
    syntax: "identity_path(edges, id_a, id_b, from => id, to => id)",
    description: "Returns the shortest evidence that links two ids: step, from 1, and its ends id_a and id_b, in the \
                  order of the way. Edges count in both directions; of several shortest ways it is the one by the \
                  smallest ids. No rows if the ids are not linked, if one is unknown, and if both are the same. Edges \
                  with a NULL are ignored.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let edges = call.source("edges")?;
    let id_a = call.column("id_a")?;
    let id_b = call.column("id_b")?;
    let from = call.value("from")?;
    let to = call.value("to")?;
    let sql = r#"SELECT found['step'] AS step, found['id_a'] AS id_a, found['id_b'] AS id_b
        FROM (
            SELECT unnest(shortest_path("$id_a", "$id_b", "$from", "$to")) AS found FROM "$edges"
        ) AS steps"#;
    let slots = [("id_a", id_a), ("id_b", id_b), ("from", from), ("to", to)];
    template::fill(sql, [("edges", edges)], &slots)
}
