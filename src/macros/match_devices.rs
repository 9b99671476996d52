//! `match_devices('observations', 'id', 'ip', 'ts', …)`: which devices are one person's, by the networks they share.
//!
//! What tells most, by the published solutions of the Drawbridge contest (ICDM 2015): that two devices were on the same
//! private network, how few others were there, on how many days, and how much of what each does happens on networks
//! that both use. Networks with more than `max_degree` devices are left out: they join half the world.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const MATCH_DEVICES: Macro = Macro {
    name: "match_devices",
    syntax: "match_devices(observations, id, ip, ts [, max_degree => 60] [, threshold => 0.25] [, max_evidence => \
             2000])",
    description: "Returns pairs of devices that share a network of at most max_degree devices, each pair once, with a \
                  score from 0 to 1 of how likely they are one person's, and what it is made of: device_a, device_b, \
                  score, shared_ips, shared_days, privateness, overlap, gap_days. Networks of up to max_evidence \
                  devices, such as an office, make no pairs but count for those that there are. privateness is the sum \
                  over shared networks of 1 / ln(1 + devices there); overlap is the cosine of the days that both spent \
                  on each network, rare networks weighing more; shared_days are the days on which both were on the \
                  same network; gap_days is the least number of days between their stays on a network, not above 0 if \
                  they were there at the same time. Pairs below threshold are left out, rows with a NULL ignored. Give \
                  the pairs to connected_components, with a threshold, for people; a threshold of 0 gives what a model \
                  of one's own can be trained on. See households for who lives together.",
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
    let least = if threshold.is_some() { "\"$threshold\"" } else { "0.25" };
    let sql = format!(
        r#"WITH "match_devices: days" AS (
            SELECT "$id" AS id, "$ip" AS ip, CAST(floor(extract(epoch FROM "$ts") / 86400) AS bigint) AS day
            FROM "$observations"
            WHERE "$id" IS NOT NULL AND "$ip" IS NOT NULL AND "$ts" IS NOT NULL
            GROUP BY 1, 2, 3
        ), "match_devices: stays" AS (
            SELECT id, ip, days, first, last, devices, 1.0 / ln(1.0 + devices) AS weight
            FROM (
                SELECT id, ip, count(*) AS days, min(day) AS first, max(day) AS last,
                    count(*) OVER (PARTITION BY ip) AS devices
                FROM "match_devices: days" GROUP BY id, ip
            ) AS visits
            WHERE devices <= {max_evidence}
        ), "match_devices: lengths" AS (
            SELECT id, sqrt(sum(weight * weight * days * days)) AS length FROM "match_devices: stays" GROUP BY id
        ), "match_devices: candidates" AS (
            SELECT DISTINCT a.id AS device_a, b.id AS device_b
            FROM (SELECT id, ip FROM "match_devices: stays" WHERE devices <= {max_degree}) AS a
            JOIN (SELECT id, ip FROM "match_devices: stays" WHERE devices <= {max_degree}) AS b ON a.ip = b.ip
            WHERE a.id < b.id
        ), "match_devices: pairs" AS (
            SELECT candidates.device_a AS device_a, candidates.device_b AS device_b, count(*) AS shared_ips,
                sum(a.weight) AS privateness, max(a.weight) AS closest,
                sum(a.weight * b.weight * a.days * b.days) AS product,
                min(greatest(a.first, b.first) - least(a.last, b.last)) AS gap_days
            FROM "match_devices: candidates" AS candidates
            JOIN "match_devices: stays" AS a ON candidates.device_a = a.id
            JOIN "match_devices: stays" AS b ON candidates.device_b = b.id AND a.ip = b.ip
            GROUP BY candidates.device_a, candidates.device_b
        ), "match_devices: meetings" AS (
            SELECT a.id AS device_a, b.id AS device_b, count(DISTINCT a.day) AS shared_days
            FROM (
                SELECT days.id AS id, days.ip AS ip, days.day AS day
                FROM "match_devices: days" AS days
                JOIN "match_devices: stays" AS stays ON days.id = stays.id AND days.ip = stays.ip
            ) AS a
            JOIN "match_devices: days" AS b ON a.ip = b.ip AND a.day = b.day
            WHERE a.id < b.id
            GROUP BY a.id, b.id
        ), "match_devices: features" AS (
            SELECT pairs.device_a AS device_a, pairs.device_b AS device_b, pairs.shared_ips AS shared_ips,
                coalesce(meetings.shared_days, 0) AS shared_days, pairs.privateness AS privateness,
                pairs.closest AS closest, pairs.product / (of_a.length * of_b.length) AS overlap,
                pairs.gap_days AS gap_days
            FROM "match_devices: pairs" AS pairs
            JOIN "match_devices: lengths" AS of_a ON pairs.device_a = of_a.id
            JOIN "match_devices: lengths" AS of_b ON pairs.device_b = of_b.id
            LEFT JOIN "match_devices: meetings" AS meetings
                ON pairs.device_a = meetings.device_a AND pairs.device_b = meetings.device_b
        )
        SELECT device_a, device_b, score, shared_ips, shared_days, privateness, overlap, gap_days
        FROM (
            SELECT device_a, device_b, shared_ips, shared_days, privateness, overlap, gap_days,
                1.0 / (1.0 + exp({BASE} - {CLOSEST} * closest - {NETWORKS} * ln(CAST(shared_ips AS double precision))
                    - {OVERLAP} * overlap + {DAYS} * ln(1.0 + shared_days))) AS score
            FROM "match_devices: features"
        ) AS scored
        WHERE score >= {least}"#
    );
    let mut slots = vec![("id", id), ("ip", ip), ("ts", ts)];
    slots.extend(threshold.map(|threshold| ("threshold", threshold)));
    template::fill(&sql, [("observations", observations)], &slots)
}

/// The score is a logistic one, fitted on generated households of one to six persons with several devices each, whose
/// cookies live for days or weeks. The fewer devices the most private network has, the fewer people they can belong to;
/// a second network in common and the same share of time on each speak for one; and devices that meet day after day are
/// rather two people's, since the cookies of one browser follow one another.
const BASE: f64 = 3.8;
const CLOSEST: f64 = 8.2;
const NETWORKS: f64 = 1.0;
const OVERLAP: f64 = 1.1;
const DAYS: f64 = 0.8;
