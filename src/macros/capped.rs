//! `capped('impressions', 'profile', 'ts', cap => 3, per => INTERVAL '7 days')`: the profiles that have had enough.
//!
//! The list to exclude from a campaign: who has reached the cap in the time before as_of, and when that will no longer be
//! so. Events in `(as_of - per, as_of]` count, as for `frequency`.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const CAPPED: Macro = Macro {
    name: "capped",
    syntax: "capped(table, profile, ts, cap => n, per => interval [, as_of => now()])",
    description: "Returns the profiles of a table of events that have at least cap events after as_of - per and at or \
                  before as_of: id, events, last_at, and free_at, the instant from which they have fewer if nothing is \
                  added. Rows without profile or time do not count.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let source = call.source("table")?;
    let profile = call.column("profile")?;
    let ts = call.column("ts")?;
    let Some(cap) = call.integer("cap", 1, i64::from(i32::MAX))? else {
        return Err(call.invalid("needs the cap, such as cap => 3".to_owned()));
    };
    let Some(per) = call.option("per") else {
        return Err(call.invalid("needs the time that the cap is for, such as per => INTERVAL '7 days'".to_owned()));
    };
    let as_of = call.option("as_of");
    let instant = if as_of.is_some() { "\"$as_of\"" } else { "now()" };
    let sql = format!(
        r#"SELECT id, count(*) AS events, max(at) AS last_at,
            max(CASE WHEN place = {cap} THEN at END) + "$per" AS free_at
        FROM (
            SELECT id, at, row_number() OVER (PARTITION BY id ORDER BY at DESC) AS place
            FROM (
                SELECT "$profile" AS id, "$ts" AS at
                FROM "$source"
                WHERE "$profile" IS NOT NULL AND "$ts" <= {instant} AND "$ts" > {instant} - "$per"
            ) AS recent
        ) AS numbered
        GROUP BY id
        HAVING count(*) >= {cap}"#
    );
    let mut slots = vec![("profile", profile), ("ts", ts), ("per", per)];
    slots.extend(as_of.map(|as_of| ("as_of", as_of)));
    template::fill(&sql, [("source", source)], &slots)
}
