//! `path_analysis('visits', 'profile', 'at', 'page', …)`: what profiles do one after the other, as edges of a diagram.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const PATH_ANALYSIS: Macro = Macro {
    name: "path_analysis",
    syntax: "path_analysis(table, profile, ts, event [, gap => INTERVAL '30 minutes'] [, depth => 5] [, start => text] \
             [, reverse => false] [, tie_breaker => column])",
    description: "Counts the steps of paths through events, one path a session: step, source, target, sessions and \
                  profiles. A session ends if nothing happens for longer than gap. A path is its first depth events, \
                  or those from the first start on; with reverse its last ones, back in time, or those from the last \
                  start back. A target of NULL is the end of the session, or its beginning in reverse. Rows without \
                  profile, time or event do not count. Events at equal times come by tie_breaker, then by their text.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let source = call.source("table")?;
    let profile = call.column("profile")?;
    let ts = call.column("ts")?;
    let event = call.column("event")?;
    let gap = call.option("gap");
    let depth = call.integer("depth", 2, 100)?.unwrap_or(5);
    let start = call.option("start");
    let reverse = call.option("reverse");
    let tie_breaker = call.optional_column("tie_breaker")?;
    let gap_slot = if gap.is_some() { "\"$gap\"" } else { "INTERVAL '30 minutes'" };
    let start_slot = if start.is_some() { "\"$start\"" } else { "CAST(NULL AS text)" };
    let reverse_slot = if reverse.is_some() { "\"$reverse\"" } else { "false" };
    let tie_slot = if tie_breaker.is_some() { "\"$tie_breaker\", " } else { "" };
    let sql = format!(
        r#"SELECT get_field(edge, 'step') AS step, get_field(edge, 'source') AS source,
            get_field(edge, 'target') AS target, count(*) AS sessions, count(DISTINCT id) AS profiles
        FROM (
            SELECT id, unnest(edges) AS edge
            FROM (
                SELECT "$profile" AS id,
                    path_edges("$ts", {tie_slot}"$event", {gap_slot}, {depth}, {start_slot}, {reverse_slot}) AS edges
                FROM "$source"
                WHERE "$profile" IS NOT NULL
                GROUP BY "$profile"
            ) AS paths
        ) AS steps
        GROUP BY get_field(edge, 'step'), get_field(edge, 'source'), get_field(edge, 'target')"#
    );
    let mut slots = vec![("profile", profile), ("ts", ts), ("event", event)];
    let options = [("gap", gap), ("start", start), ("reverse", reverse), ("tie_breaker", tie_breaker)];
    slots.extend(options.into_iter().filter_map(|(name, value)| Some((name, value?))));
    template::fill(&sql, [("source", source)], &slots)
}
