//! `frequency_distribution('impressions', 'profile', …)`: how many profiles were reached how often.
//!
//! The table that media planners read: the profiles with exactly so many events, and the reach at so many or more
//! ("3+ reach").

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const FREQUENCY_DISTRIBUTION: Macro = Macro {
    name: "frequency_distribution",
    syntax: "frequency_distribution(table, profile [, by => column] [, cap => n])",
    description: "Counts the profiles of a table of events by how many events they have: frequency, profiles (with exactly \
                  so many), share (of all profiles), cumulative_share (of those with at most so many), reach (the profiles \
                  with at least so many) and events (theirs with exactly so many). With by, all of it for each value of \
                  that column, which comes first as segment; NULL is a value. With cap, frequencies from cap on are \
                  gathered in one row. Rows without profile do not count.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let source = call.source("table")?;
    let profile = call.column("profile")?;
    let by = call.optional_column("by")?;
    let cap = call.integer("cap", 1, i64::from(i32::MAX))?;
    let (given, segment, window) = match by {
        Some(_) => ("\"$by\" AS segment, ", "segment, ", "PARTITION BY segment"),
        None => ("", "", ""),
    };
    let frequency = match cap {
        Some(cap) => format!("CASE WHEN times < {cap} THEN times ELSE {cap} END"),
        None => "times".to_owned(),
    };
    let sql = format!(
        r#"SELECT {segment}frequency, profiles,
            CAST(profiles AS double precision) / sum(profiles) OVER ({window}) AS share,
            CAST(sum(profiles) OVER ({window} ORDER BY frequency) AS double precision)
                / sum(profiles) OVER ({window}) AS cumulative_share,
            CAST(sum(profiles) OVER ({window} ORDER BY frequency DESC) AS bigint) AS reach, events
        FROM (
            SELECT {segment}frequency, count(*) AS profiles, CAST(sum(times) AS bigint) AS events
            FROM (
                SELECT {segment}{frequency} AS frequency, times
                FROM (
                    SELECT {segment}profile, count(*) AS times
                    FROM (SELECT {given}"$profile" AS profile FROM "$source") AS given
                    WHERE profile IS NOT NULL
                    GROUP BY {segment}profile
                ) AS profiles
            ) AS capped
            GROUP BY {segment}frequency
        ) AS frequencies"#
    );
    let mut slots = vec![("profile", profile)];
    slots.extend(by.map(|by| ("by", by)));
    template::fill(&sql, [("source", source)], &slots)
}
