//! What plans must show whatever their exact text: files, row groups and pages left unread, order kept.
//! The texts themselves are golden in tests/slt/explain.

use libtest_mimic::Trial;
use tokio_postgres::Client;

use crate::trial::{Fault, Outcome, ensure, same, trial};
use crate::warehouse::{Served, rows, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![trial("plans::pruning", pruning), trial("plans::ordering", ordering)]
}

/// Three days of 200,000 events, one file a day, sorted by person.
async fn events(client: &Client) -> Outcome {
    client
        .batch_execute(
            "SET TIME ZONE 'UTC'; \
             CREATE TABLE events (profile_id text NOT NULL, ts timestamptz NOT NULL, kind text) \
             PARTITION BY RANGE (ts) WITH (cluster_by = 'profile_id, ts')",
        )
        .await?;
    for midnight in [1_740_787_200, 1_740_873_600, 1_740_960_000] {
        client
            .batch_execute(&format!(
                "INSERT INTO events SELECT 'p' || lpad((n * 7919 % 50000)::text, 6, '0'), \
                 to_timestamp({midnight} + n * 2 / 5)::timestamptz, 'visit' FROM generate_series(1, 200000) AS g (n)"
            ))
            .await?;
    }
    Ok(())
}

async fn plan(client: &Client, sql: &str) -> Outcome<String> {
    Ok(rows(client, sql).await?.concat().join("\n"))
}

/// How many files a plan's scans read, of how many: `files=1/3`.
fn files(plan: &str) -> Vec<&str> {
    plan.split("files=").skip(1).filter_map(|rest| rest.split([',', ' ', '\n']).next()).collect()
}

/// A metric written `name=12 total → 3 matched`, added up over the plan's scans.
fn pruned(plan: &str, name: &str) -> Outcome<(f64, f64)> {
    let (mut total, mut matched) = (0.0, 0.0);
    for part in plan.split(&format!("{name}=")).skip(1) {
        let (before, after) = part.split_once(" total → ").ok_or_else(|| Fault::from(format!("{name} in {plan}")))?;
        total += number(before)?;
        matched += number(after.split(" matched").next().unwrap_or(after))?;
    }
    Ok((total, matched))
}

/// Plans write large counts as `20.0 K`.
fn number(text: &str) -> Outcome<f64> {
    let (digits, unit) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let factor = match unit {
        "" => 1.0,
        "K" => 1e3,
        "M" => 1e6,
        _ => return Err(format!("a count of {text}").into()),
    };
    Ok(digits.parse::<f64>().map_err(|e| format!("{text}: {e}"))? * factor)
}

async fn pruning() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    events(&client).await?;
    let all = plan(&client, "EXPLAIN SELECT count(kind || '') FROM events").await?;
    same("files of the table", files(&all), vec!["3/3"])?;
    let one =
        plan(&client, "EXPLAIN SELECT count(kind || '') FROM events WHERE ts >= '2025-03-02' AND ts < '2025-03-03'")
            .await?;
    same("files of one day", files(&one), vec!["1/3"])?;

    let absent = "SELECT count(kind || '') FROM events WHERE profile_id = 'p000500x'";
    let bloom = plan(&client, &format!("EXPLAIN ANALYZE {absent}")).await?;
    let (total, matched) = pruned(&bloom, "row_groups_pruned_bloom_filter")?;
    ensure(
        total >= 3.0 && matched == 0.0,
        format_args!("bloom filters left {matched} of {total} row groups:\n{bloom}"),
    )?;
    same("rows", value(&client, absent).await?.as_str(), "0")?;

    let present = "SELECT count(kind || '') FROM events WHERE profile_id = 'p000500'";
    let pages = plan(&client, &format!("EXPLAIN ANALYZE {present}")).await?;
    let (total, matched) = pruned(&pages, "page_index_rows_pruned")?;
    ensure(total > 0.0 && matched < total / 2.0, format_args!("pages left {matched} of {total} rows:\n{pages}"))?;
    same("rows", value(&client, present).await?.as_str(), "12")?;
    drop(client);
    served.stop().await
}

async fn ordering() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    events(&client).await?;
    let kept = plan(&client, "EXPLAIN SELECT profile_id, ts FROM events ORDER BY profile_id, ts").await?;
    ensure(!kept.contains("SortExec"), format_args!("sorted what is sorted:\n{kept}"))?;
    let grouped = plan(&client, "EXPLAIN SELECT profile_id, count(*) FROM events GROUP BY profile_id").await?;
    let whole = grouped.contains("ByKey") && !grouped.contains("RepartitionExec");
    ensure(whole, format_args!("sent rows round that lie together:\n{grouped}"))?;
    let other = plan(&client, "EXPLAIN SELECT profile_id, ts FROM events ORDER BY ts").await?;
    ensure(other.contains("SortExec"), format_args!("claimed an order that is not there:\n{other}"))?;

    // The order is not only claimed: every neighbour is compared.
    let wrong = "SELECT count(*) FROM (SELECT profile_id, lag(profile_id) OVER (ORDER BY place) AS previous \
                 FROM (SELECT profile_id, row_number() OVER () AS place FROM \
                 (SELECT profile_id FROM events ORDER BY profile_id) AS s) AS n) AS c WHERE previous > profile_id";
    same("out of order", value(&client, wrong).await?.as_str(), "0")?;
    let same_answer =
        "SELECT count(*) FROM (SELECT profile_id, count(*) AS n FROM events GROUP BY profile_id) AS g WHERE n = 12";
    same("groups", value(&client, same_answer).await?.as_str(), "50000")?;
    drop(client);
    served.stop().await
}
