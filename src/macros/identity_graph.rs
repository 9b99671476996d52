//! `identity_graph('edges', 'id_a', 'id_b', …)`: the people behind ids that were seen together.
//!
//! Connected components with guards against ids that link what does not belong together: values that are no ids, and
//! ids with more neighbours than one person has. Limits by kind of evidence are RudderStack's `maximum_edges`.

use datafusion::sql::sqlparser::ast::{Expr, Query, Value};

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const IDENTITY_GRAPH: Macro = Macro {
    name: "identity_graph",
    syntax: "identity_graph(edges, id_a, id_b [, key => column] [, max_degree => n] [, max_edges => ARRAY['kind: n', \
             ...]] [, limit_on => 'both'] [, blocked => ARRAY['unknown', '']])",
    description: "Returns every id of a table of edges with person, the smallest id that it is linked to over any \
                  number of edges, and size, the number of the person's ids: id, person, size. Ids are text or \
                  integers of one type. Values in blocked, compared as text, are no ids: they are left out, and what \
                  they stood beside is linked to nothing by this row; so is an id beside NULL. An id with more than \
                  max_degree different neighbours links nothing: it is alone, unless edges of another kind link it. \
                  key is the column with the kind of an edge, such as email or phone: degrees are counted for each \
                  kind by itself, a NULL being a kind, too. max_edges gives kinds other limits than max_degree. \
                  limit_on says which end the limits are for: both, id_a or id_b, so that a phone may be shared by few \
                  devices while a device may have had many phones. An edge given more than once, or in both \
                  directions, counts once.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let edges = call.source("edges")?;
    let id_a = call.column("id_a")?;
    let id_b = call.column("id_b")?;
    let key = call.optional_column("key")?;
    let max_degree = call.integer("max_degree", 1, i64::MAX)?;
    let max_edges = limits(call)?;
    let ends = call.word("limit_on", &["both", "id_a", "id_b"])?.unwrap_or("both");
    let blocked = call.option("blocked");
    if key.is_none() && !max_edges.is_empty() {
        return Err(call.invalid("max_edges needs key, the column with the kind of an edge".to_owned()));
    }
    let id = |column: &str| match blocked {
        Some(_) => {
            format!(r#"CASE WHEN array_has("$blocked", CAST("${column}" AS text)) THEN NULL ELSE "${column}" END"#)
        }
        None => format!(r#""${column}""#),
    };
    let kind = if key.is_some() { r#"coalesce(CAST("$key" AS text), '')"# } else { "''" };
    let known = format!(r#"SELECT {a} AS a, {b} AS b FROM "$edges""#, a = id("id_a"), b = id("id_b"));
    let links =
        if max_degree.is_none() && max_edges.is_empty() { known } else { limited(max_degree, &max_edges, ends) };
    let sql = format!(
        r#"WITH "identity_graph: edges" AS (
            SELECT DISTINCT {a} AS a, {b} AS b, {kind} AS kind FROM "$edges"
        )
        SELECT found['node'] AS id, found['component'] AS person, found['size'] AS size
        FROM (SELECT unnest(component_map(a, b)) AS found FROM ({links}) AS links) AS people"#,
        a = id("id_a"),
        b = id("id_b"),
    );
    let mut slots = vec![("id_a", id_a), ("id_b", id_b)];
    slots.extend(key.map(|key| ("key", key)));
    slots.extend(blocked.map(|blocked| ("blocked", blocked)));
    let kinds: Vec<String> = (0..max_edges.len()).map(|place| format!("kind_{place}")).collect();
    for (slot, (kind, _)) in kinds.iter().zip(max_edges) {
        slots.push((slot.as_str(), Expr::value(Value::SingleQuotedString(kind))));
    }
    template::fill(&sql, [("edges", edges)], &slots)
}

/// The edges, but those of an id that has too many; their ends stay, as nodes.
fn limited(max_degree: Option<i64>, max_edges: &[(String, i64)], ends: &str) -> String {
    let others = max_degree.map_or_else(|| "CAST(NULL AS bigint)".to_owned(), |limit| limit.to_string());
    let cases: String =
        max_edges.iter().enumerate().map(|(place, (_, n))| format!(r#" WHEN "$kind_{place}" THEN {n}"#)).collect();
    let limit = if cases.is_empty() { others } else { format!("CASE kind{cases} ELSE {others} END") };
    let (neighbours, too_many) = match ends {
        "id_a" => ("SELECT a AS id, b AS other, kind FROM \"identity_graph: edges\"", "at_a.id IS NOT NULL"),
        "id_b" => ("SELECT b AS id, a AS other, kind FROM \"identity_graph: edges\"", "at_b.id IS NOT NULL"),
        _ => (
            "SELECT a AS id, b AS other, kind FROM \"identity_graph: edges\" \
             UNION SELECT b AS id, a AS other, kind FROM \"identity_graph: edges\"",
            "(at_a.id IS NOT NULL OR at_b.id IS NOT NULL)",
        ),
    };
    format!(
        r#"SELECT CASE WHEN place = 1 THEN a ELSE b END AS a, CASE WHEN crowded THEN NULL ELSE b END AS b
        FROM (
            SELECT edges.a AS a, edges.b AS b, {too_many} AS crowded
            FROM "identity_graph: edges" AS edges
            LEFT JOIN ({crowded}) AS at_a ON edges.a = at_a.id AND edges.kind = at_a.kind
            LEFT JOIN ({crowded}) AS at_b ON edges.b = at_b.id AND edges.kind = at_b.kind
        ) AS judged CROSS JOIN (VALUES (1), (2)) AS ends (place)
        WHERE place = 1 OR crowded"#,
        crowded = format_args!(
            "SELECT id, kind FROM ({neighbours}) AS neighbours WHERE id <> other GROUP BY id, kind \
             HAVING count(*) > {limit}"
        ),
    )
}

/// Kinds of edges, and how many an id may have of each.
fn limits(call: &mut Call) -> Result<Vec<(String, i64)>> {
    let limits = call.texts("max_edges")?.unwrap_or_default();
    let parsed = limits.iter().map(|limit| {
        let (kind, number) = limit.rsplit_once(':')?;
        let number = number.trim().parse().ok().filter(|number| *number >= 1)?;
        Some((kind.trim().to_owned(), number))
    });
    parsed.collect::<Option<_>>().ok_or_else(|| {
        call.invalid("max_edges has to be kinds with the most edges of an id, such as ARRAY['email: 2']".to_owned())
    })
}
