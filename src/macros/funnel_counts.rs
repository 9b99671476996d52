//! `funnel_counts('events', 'profile', 'at', steps => ARRAY[kind = 'view', …], …)`: a funnel over all profiles.
//!
//! The steps are conditions on the table's columns, written as they would be in WHERE. Levels are those of the
//! aggregate `window_funnel`, counted by the aggregate that has this macro's name.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const FUNNEL_COUNTS: Macro = Macro {
    name: "funnel_counts",
    syntax: "funnel_counts(table, profile, ts, steps => ARRAY[condition, ...], within => interval [, mode => text] \
             [, tie_breaker => column])",
    description: "Counts how many profiles reach each step of a funnel: step, profiles, share_of_first (of those who \
                  entered it) and share_of_previous (of those who reached the step before; NULL for the first). Shares \
                  of nobody are NULL. A row for every step, steps are conditions on columns of the table. Semantics and modes as for the aggregate \
                  window_funnel. Rows without profile or time do not count.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let source = call.source("table")?;
    let profile = call.column("profile")?;
    let ts = call.column("ts")?;
    let steps = call.expressions("steps", 1, 32)?;
    let within = call.required_option("within")?;
    let mode = call.option("mode");
    let tie_breaker = call.optional_column("tie_breaker")?;
    let names: Vec<String> = (1..=steps.len()).map(|step| format!("step {step}")).collect();
    let conditions: Vec<String> = names.iter().map(|name| format!("\"${name}\"")).collect();
    let (conditions, count) = (conditions.join(", "), steps.len());
    let mode_slot = if mode.is_some() { ", \"$mode\"" } else { "" };
    let tie_slot = if tie_breaker.is_some() { "\"$tie_breaker\", " } else { "" };
    let numbers: Vec<String> = (1..=count).map(|step| step.to_string()).collect();
    let numbers = numbers.join(", ");
    let sql = format!(
        r#"SELECT step, profiles, CAST(profiles AS double precision) / nullif(entered, 0) AS share_of_first,
            CAST(profiles AS double precision) / nullif(before, 0) AS share_of_previous
        FROM (
            SELECT step, profiles, first_value(profiles) OVER (ORDER BY step) AS entered,
                lag(profiles) OVER (ORDER BY step) AS before
            FROM (
                SELECT unnest(ARRAY[{numbers}]) AS step, unnest(counts) AS profiles
                FROM (
                    SELECT funnel_counts(level, {count}) AS counts
                    FROM (
                        SELECT window_funnel("$within", "$ts", {tie_slot}{conditions}{mode_slot}) AS level
                        FROM "$source"
                        WHERE "$profile" IS NOT NULL
                        GROUP BY "$profile"
                    ) AS levels
                ) AS counted
            ) AS listed
        ) AS compared"#
    );
    let mut slots = vec![("profile", profile), ("ts", ts), ("within", within)];
    let options = [("mode", mode), ("tie_breaker", tie_breaker)];
    slots.extend(options.into_iter().filter_map(|(name, value)| Some((name, value?))));
    slots.extend(names.iter().map(String::as_str).zip(steps));
    template::fill(&sql, [("source", source)], &slots)
}
