//! `reach('impressions', 'profile', …)`: how many profiles were reached, and how many by one medium alone.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const REACH: Macro = Macro {
    name: "reach",
    syntax: "reach(table, profile [, by => column])",
    description: "Counts the different profiles of a table of events: reach, events, and frequency, the events of a \
                  profile on average, NULL if there is none. With by, for each value of that column, which comes first as \
                  segment, and then exclusive, the profiles that no other value has reached; NULL is a value. Rows without \
                  profile do not count.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let source = call.source("table")?;
    let profile = call.column("profile")?;
    let by = call.optional_column("by")?;
    let sql = match by {
        None => {
            r#"SELECT count(*) AS reach, coalesce(CAST(sum(times) AS bigint), 0) AS events,
                CAST(sum(times) AS double precision) / nullif(count(*), 0) AS frequency
            FROM (
                SELECT count(*) AS times FROM "$source" WHERE "$profile" IS NOT NULL GROUP BY "$profile"
            ) AS profiles"#
        }
        Some(_) => {
            r#"SELECT segment, count(*) AS reach, CAST(sum(times) AS bigint) AS events,
                CAST(sum(times) AS double precision) / count(*) AS frequency,
                count(*) FILTER (WHERE segments = 1) AS exclusive
            FROM (
                SELECT segment, times, count(*) OVER (PARTITION BY profile) AS segments
                FROM (
                    SELECT segment, profile, count(*) AS times
                    FROM (SELECT "$by" AS segment, "$profile" AS profile FROM "$source") AS given
                    WHERE profile IS NOT NULL
                    GROUP BY segment, profile
                ) AS profiles
            ) AS shared
            GROUP BY segment"#
        }
    };
    let mut slots = vec![("profile", profile)];
    slots.extend(by.map(|by| ("by", by)));
    template::fill(sql, [("source", source)], &slots)
}
