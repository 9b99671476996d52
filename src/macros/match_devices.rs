//! `match_devices('observations', 'id', 'ip', 'ts', …)`: which devices are one person's, by the networks they share.
//!
//! What tells most, by the published solutions of the Drawbridge contest (ICDM 2015): that two devices were on the same
//! private network, how few others were there, and how much of what each does happens on networks that both use. Of
//! two devices at home that leaves the question which of those who live there has both, and there it is other things
//! that tell: how many devices are used there at one time; whether one begins when the other has ended, as the cookies
//! of one browser do, and is used as often; and whether both go out together, to one office, or each by itself.
//!
//! * `days`, `visits`, `stays`: each device's days on each network; networks that half the world uses are left out.
//! * `devices`: when and how much each is used, how much of it not at home, and how many others are used there then.
//! * `candidates`: devices of one household, see [`super::households`], and those that share a small network.
//! * `shared`, `meetings`: of candidates, the networks and the days that they have in common.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::households::{HOUSEHOLDS_FOUND, Homes};
use super::template;
use crate::error::Result;

pub(super) const MATCH_DEVICES: Macro = Macro {
    name: "match_devices",
    syntax: "match_devices(observations, id, ip, ts [, max_degree => 60] [, threshold => 0.31] [, max_evidence => \
             2000])",
    description: "Returns pairs of devices, each pair once, with a score from 0 to 1 of how likely they are one \
                  person's, and what it is made of: device_a, device_b, score, shared_ips, shared_days, privateness, \
                  overlap, crowd, gap_days, pace, away. Pairs are of devices that share a network of at most max_degree \
                  devices, or belong to one household of at most twice as many, as households finds them with its \
                  defaults. Networks of up to max_evidence devices, such as an office, make no pairs but count for \
                  those that there are. privateness is the sum over shared networks of 1 / ln(1 + devices there); \
                  overlap is the cosine of the days that both spent on each network, rare networks weighing more; \
                  shared_days are the days on which both were on the same network; crowd is how many devices of the \
                  household are in use at one time, in the mean; gap_days is the number of days from the last use of \
                  one to the first of the other, not above 0 if their times overlap; pace is how many times as often a \
                  day the one is used as the other, as a natural logarithm; away is the share of what the one that \
                  goes out less does on networks of more than max_degree devices. Pairs below threshold are left out, \
                  rows with a NULL ignored. Give the pairs to cluster_pairs, for people; a threshold of 0 gives what a \
                  model of one's own can be trained on. See households for who lives together.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let observations = call.source("observations")?;
    let id = call.column("id")?;
    let ip = call.column("ip")?;
    let ts = call.column("ts")?;
    let max_degree = call.integer("max_degree", 2, 1_000_000)?.unwrap_or(60);
    let max_evidence = call.integer("max_evidence", 2, 1_000_000)?.unwrap_or(2000).max(max_degree);
    let threshold = call.option("threshold");
    let least = if threshold.is_some() { "\"$threshold\"" } else { "0.31" };
    let homes = Homes::default().relations();
    let max_household = 2 * max_degree;
    let sql = format!(
        r#"WITH {homes}, "match_devices: days" AS (
            SELECT "$id" AS id, "$ip" AS ip, CAST(floor(extract(epoch FROM "$ts") / 86400) AS bigint) AS day,
                count(*) AS views
            FROM "$observations"
            WHERE "$id" IS NOT NULL AND "$ip" IS NOT NULL AND "$ts" IS NOT NULL
            GROUP BY 1, 2, 3
        ), "match_devices: visits" AS (
            SELECT id, ip, count(*) AS days, sum(views) AS views, min(day) AS first, max(day) AS last,
                count(*) OVER (PARTITION BY ip) AS devices
            FROM "match_devices: days" GROUP BY id, ip
        ), "match_devices: stays" AS (
            SELECT id, ip, days, devices, 1 / ln(1 + CAST(devices AS double precision)) AS weight
            FROM "match_devices: visits" WHERE devices <= {max_evidence}
        ), "match_devices: devices" AS (
            SELECT used.id AS id, used.first AS first, used.last AS last, used.pace AS pace, used.away AS away,
                homes.household AS household, homes.size AS size,
                CAST(sum(used.last - used.first + 1) OVER (PARTITION BY homes.household) AS double precision)
                    / (max(used.last) OVER (PARTITION BY homes.household)
                        - min(used.first) OVER (PARTITION BY homes.household) + 1) AS crowd
            FROM (
                SELECT id, min(first) AS first, max(last) AS last,
                    ln(CAST(sum(views) AS double precision) / (max(last) - min(first) + 1)) AS pace,
                    CAST(sum(CASE WHEN devices > {max_degree} THEN views ELSE 0 END) AS double precision)
                        / sum(views) AS away
                FROM "match_devices: visits" GROUP BY id
            ) AS used
            JOIN ({HOUSEHOLDS_FOUND}) AS homes ON used.id = homes.id
        ), "match_devices: lengths" AS (
            SELECT id, sqrt(sum(weight * weight * days * days)) AS length FROM "match_devices: stays" GROUP BY id
        ), "match_devices: candidates" AS (
            SELECT a.id AS device_a, b.id AS device_b
            FROM (SELECT id, household FROM "match_devices: devices" WHERE size <= {max_household}) AS a
            JOIN (SELECT id, household FROM "match_devices: devices") AS b ON a.household = b.household
            WHERE a.id < b.id
            UNION
            SELECT a.id AS device_a, b.id AS device_b
            FROM (SELECT id, ip FROM "match_devices: stays" WHERE devices <= {max_degree}) AS a
            JOIN (SELECT id, ip FROM "match_devices: stays" WHERE devices <= {max_degree}) AS b ON a.ip = b.ip
            WHERE a.id < b.id
        ), "match_devices: shared" AS (
            SELECT candidates.device_a AS device_a, candidates.device_b AS device_b, count(*) AS ips,
                sum(a.weight) AS privateness,
                sum(CASE WHEN a.devices > {max_degree} THEN a.weight ELSE 0 END) AS outside,
                sum(a.weight * b.weight * a.days * b.days) AS product
            FROM "match_devices: candidates" AS candidates
            JOIN "match_devices: stays" AS a ON candidates.device_a = a.id
            JOIN "match_devices: stays" AS b ON candidates.device_b = b.id AND a.ip = b.ip
            GROUP BY candidates.device_a, candidates.device_b
        ), "match_devices: meetings" AS (
            SELECT candidates.device_a AS device_a, candidates.device_b AS device_b, count(DISTINCT a.day) AS days
            FROM "match_devices: candidates" AS candidates
            JOIN (
                SELECT days.id AS id, days.ip AS ip, days.day AS day
                FROM "match_devices: days" AS days
                JOIN "match_devices: stays" AS stays ON days.id = stays.id AND days.ip = stays.ip
            ) AS a ON candidates.device_a = a.id
            JOIN "match_devices: days" AS b ON candidates.device_b = b.id AND a.ip = b.ip AND a.day = b.day
            GROUP BY candidates.device_a, candidates.device_b
        ), "match_devices: features" AS (
            SELECT candidates.device_a AS device_a, candidates.device_b AS device_b,
                CASE WHEN a.household = b.household THEN 1 ELSE 0 END AS together,
                greatest(a.crowd, b.crowd) AS crowd, greatest(a.first, b.first) - least(a.last, b.last) AS gap_days,
                abs(a.pace - b.pace) AS pace, least(a.away, b.away) AS away, abs(a.away - b.away) AS kind,
                coalesce(shared.ips, 0) AS shared_ips,
                coalesce(shared.privateness, 0) AS privateness, coalesce(shared.outside, 0) AS outside,
                coalesce(shared.product / (of_a.length * of_b.length), 0) AS overlap,
                coalesce(meetings.days, 0) AS shared_days
            FROM "match_devices: candidates" AS candidates
            JOIN "match_devices: devices" AS a ON candidates.device_a = a.id
            JOIN "match_devices: devices" AS b ON candidates.device_b = b.id
            LEFT JOIN "match_devices: lengths" AS of_a ON candidates.device_a = of_a.id
            LEFT JOIN "match_devices: lengths" AS of_b ON candidates.device_b = of_b.id
            LEFT JOIN "match_devices: shared" AS shared
                ON candidates.device_a = shared.device_a AND candidates.device_b = shared.device_b
            LEFT JOIN "match_devices: meetings" AS meetings
                ON candidates.device_a = meetings.device_a AND candidates.device_b = meetings.device_b
        )
        SELECT device_a, device_b, score, shared_ips, shared_days, privateness, overlap, crowd, gap_days, pace, away
        FROM (
            SELECT device_a, device_b, shared_ips, shared_days, privateness, overlap, crowd, gap_days, pace, away,
                1.0 / (1.0 + exp(-({BASE} + {TOGETHER} * together - {CROWD} * ln(crowd) + {OUTSIDE} * outside
                    + {OVERLAP} * overlap
                    + CASE WHEN gap_days > 0 THEN {APART} - {PACE} * pace - {KIND} * kind
                        ELSE -{AWAY} * away END))) AS score
            FROM "match_devices: features"
        ) AS scored
        WHERE score >= {least}"#
    );
    let mut slots = vec![("id", id), ("ip", ip), ("ts", ts)];
    slots.extend(threshold.map(|threshold| ("threshold", threshold)));
    template::fill(&sql, [("observations", observations)], &slots)
}

/// The score is a logistic one, fitted on one generated graph of real households (tests/identity, seed 1) and judged by
/// others. The more devices are in use at a time, the more people live there, and the less two of them are one's.
const BASE: f64 = 0.47;
const TOGETHER: f64 = 1.77;
const CROWD: f64 = 1.76;
/// An office in common, and as much time here and there.
const OUTSIDE: f64 = 12.9;
const OVERLAP: f64 = 0.29;
/// One begins where the other has ended: the same browser, if it is used as often and taken along as much.
const APART: f64 = 1.17;
const PACE: f64 = 0.66;
const KIND: f64 = 0.82;
/// Two that are used at the same time and both taken along are two people's phones.
const AWAY: f64 = 5.0;
