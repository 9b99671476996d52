//! `connected_components('edges', 'a', 'b', …)`: which ids belong together, as a table.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const CONNECTED_COMPONENTS: Macro = Macro {
    name: "connected_components",
    syntax: "connected_components(edges, a, b [, weight => column, threshold => number])",
    description: "Returns every id of a table of edges, text or integers, with its component, which is the smallest id \
                  in it, and size, the number of its ids: node, component, size. An edge with one NULL makes a node \
                  that it links to nothing; rows with two NULLs are ignored. With weight and threshold only edges of \
                  at least this weight link; the ends of the others, and of those whose weight is NULL, are nodes all \
                  the same.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let edges = call.source("edges")?;
    let a = call.column("a")?;
    let b = call.column("b")?;
    let weight = call.optional_column("weight")?;
    let threshold = call.option("threshold");
    let mut slots = vec![("a", a), ("b", b)];
    let links = match (weight, threshold) {
        (None, None) => r#"SELECT "$a" AS a, "$b" AS b FROM "$edges""#,
        (Some(weight), Some(threshold)) => {
            slots.extend([("weight", weight), ("threshold", threshold)]);
            // A weak edge is two rows, one for each of its ends.
            r#"SELECT CASE WHEN place = 1 THEN a ELSE b END AS a, CASE WHEN strong THEN b END AS b
            FROM (
                SELECT "$a" AS a, "$b" AS b, coalesce("$weight" >= "$threshold", false) AS strong FROM "$edges"
            ) AS weighed CROSS JOIN (VALUES (1), (2)) AS ends (place)
            WHERE place = 1 OR NOT strong"#
        }
        _ => return Err(call.invalid("weight and threshold go together".to_owned())),
    };
    let sql = format!(
        r#"SELECT found['node'] AS node, found['component'] AS component, found['size'] AS size
        FROM (SELECT unnest(component_map(a, b)) AS found FROM ({links}) AS links) AS components"#
    );
    template::fill(&sql, [("edges", edges)], &slots)
}
