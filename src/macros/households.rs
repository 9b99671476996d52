//! `households('observations', 'id', 'ip', 'ts', …)`: devices that live under one roof.
//!
//! A household is where its devices are at night. Networks change hands and devices change networks, so each network is
//! judged period by period: it is a home if few devices were on it, enough of what happened there happened at night or
//! at the weekend, which offices fail, and devices come back to it, which they don't to a café's or a carrier's. Per
//! period a device has one home, and the devices of a home are linked; one that stays links the periods. Without the
//! last test a single passer-by of each period joins two homes, and their chains a town.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const HOUSEHOLDS: Macro = Macro {
    name: "households",
    syntax: "households(observations, id, ip, ts [, max_devices => 30] [, days => 7] [, night_from => 19] [, night_to \
             => 8] [, min_night => 25] [, min_days => 1] [, min_stay => 1.5])",
    description: "Returns every device of a table of observations with its household, the smallest device in it, and \
                  size, the number of its devices: id, household, size. In each period of some days a network is a \
                  home if at most max_devices were seen on it, and at least min_night per cent of what was seen at \
                  night (from the hour night_from to night_to, as ts has it) or at the weekend. Over all periods a device has to be seen there on min_stay \
                  different days of a period in the mean; to a network of four stays or fewer that does not apply. A \
                  device's home of a \
                  period is the one where it was seen most, on min_days different days at least; devices that have the \
                  same home in the same period belong together. A device without a home is a household by itself. Rows \
                  with a NULL device are ignored, those with a NULL network or time make the device known and nothing \
                  else.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let observations = call.source("observations")?;
    let id = call.column("id")?;
    let ip = call.column("ip")?;
    let ts = call.column("ts")?;
    let max_devices = call.integer("max_devices", 2, 1_000_000)?.unwrap_or(30);
    let days = call.integer("days", 1, 100_000)?.unwrap_or(7);
    let night_from = call.integer("night_from", 0, 23)?.unwrap_or(19);
    let night_to = call.integer("night_to", 0, 24)?.unwrap_or(8);
    let min_night = call.integer("min_night", 0, 100)?.unwrap_or(25);
    let min_days = call.integer("min_days", 1, 100_000)?.unwrap_or(1);
    let min_stay = call.number("min_stay", 0.0, 100_000.0)?.unwrap_or(1.5);
    let homes = Homes { max_devices, days, night_from, night_to, min_night, min_days, min_stay };
    let sql = format!("WITH {} {}", homes.relations(), HOUSEHOLDS_FOUND);
    let slots = [("id", id), ("ip", ip), ("ts", ts)];
    template::fill(&sql, [("observations", observations)], &slots)
}

/// What makes a network a home.
pub(super) struct Homes {
    max_devices: i64,
    days: i64,
    night_from: i64,
    night_to: i64,
    min_night: i64,
    min_days: i64,
    min_stay: f64,
}

impl Default for Homes {
    fn default() -> Self {
        Self { max_devices: 30, days: 7, night_from: 19, night_to: 8, min_night: 25, min_days: 1, min_stay: 1.5 }
    }
}

impl Homes {
    /// The relations that [`HOUSEHOLDS_FOUND`] is read from, over the slots `observations`, `id`, `ip` and `ts`.
    pub(super) fn relations(&self) -> String {
        let Self { max_devices, days, night_from, night_to, min_night, min_days, min_stay } = self;
        let either = if night_from < night_to { "AND" } else { "OR" };
        format!(
            r#""households: seen" AS (
                SELECT id, ip, CAST(floor(epoch / (86400 * {days})) AS bigint) AS period,
                    CAST(floor(epoch / 86400) AS bigint) AS day,
                    CASE WHEN hour >= {night_from} {either} hour < {night_to} OR weekday IN (0, 6) THEN 1 ELSE 0 END
                        AS home
                FROM (
                    SELECT "$id" AS id, "$ip" AS ip, extract(epoch FROM "$ts") AS epoch,
                        extract(hour FROM "$ts") AS hour, extract(dow FROM "$ts") AS weekday
                    FROM "$observations"
                    WHERE "$id" IS NOT NULL
                ) AS observations
            ), "households: visits" AS (
                SELECT id, ip, period, count(*) AS seen, count(DISTINCT day) AS days, sum(home) AS home
                FROM "households: seen" GROUP BY id, ip, period
            ), "households: networks" AS (
                SELECT id, ip, period, seen,
                    ip IS NOT NULL AND period IS NOT NULL AND days >= {min_days}
                        AND count(*) OVER (PARTITION BY ip, period) <= {max_devices}
                        AND 100 * sum(home) OVER (PARTITION BY ip, period)
                            >= {min_night} * sum(seen) OVER (PARTITION BY ip, period)
                        AND (count(*) OVER (PARTITION BY ip) <= {FEW_STAYS}
                            OR sum(days) OVER (PARTITION BY ip) >= {min_stay} * count(*) OVER (PARTITION BY ip))
                        AS is_home
                FROM "households: visits"
            ), "households: homes" AS (
                SELECT id, ip, period,
                    is_home
                        AND row_number() OVER (PARTITION BY id, period, is_home ORDER BY seen DESC, ip) = 1
                        AS lives_there
                FROM "households: networks"
            )"#
        )
    }
}

/// So few stays on a network say nothing about how long they are.
const FEW_STAYS: i64 = 4;

/// Every device with its household and the number of devices there, from [`Homes::relations`].
pub(super) const HOUSEHOLDS_FOUND: &str = r#"SELECT found['node'] AS id, found['component'] AS household,
    found['size'] AS size
    FROM (
        SELECT unnest(component_map(id, neighbour)) AS found
        FROM (
            SELECT id, CASE WHEN lives_there
                THEN lag(id) OVER (PARTITION BY ip, period, lives_there ORDER BY id) END AS neighbour
            FROM "households: homes"
        ) AS neighbours
    ) AS found"#;
