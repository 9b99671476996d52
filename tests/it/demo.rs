//! The demo: the same for the same seed, whole or not there, true to life, and its printed queries answered.
//!
//! What the queries answer stands in demo.answers; `AUDIENCEDB_COMPLETE=1` writes it anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use audiencedb::{DEMO_QUERIES, Demo, DemoOptions, Engine, EngineOptions, Execution, Session, format_batch};
use futures::TryStreamExt;
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::process::{Server, query, run, run_and_kill};
use crate::trial::{Fault, Outcome, ensure, full, same, trial};
use crate::warehouse::value;

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("demo::same_seed_same_rows", same_seed_same_rows),
        trial("demo::holds_together", holds_together),
        trial("demo::is_true_to_life", is_true_to_life),
        trial("demo::queries", queries),
        trial("demo::command", command),
        trial("demo::killed_while_it_is_made", killed_while_it_is_made),
    ]
}

/// A demo in a folder of its own, and a session on it.
struct Made {
    session: Session,
    engine: Arc<Engine>,
    _folder: TempDir,
}

impl Made {
    async fn with(profiles: u64, seed: u64) -> Outcome<Self> {
        let folder = TempDir::new()?;
        let engine = Engine::open(EngineOptions::new(folder.path().to_string_lossy())).await?;
        let mut session = engine.session("postgres", "audience")?;
        let options = DemoOptions { profiles: Some(profiles), seed: Some(seed) };
        let demo = session.demo(options, Arc::new(|_| ())).await?;
        same("demo", demo, Demo { profiles, seed, created: true })?;
        Ok(Self { session, engine, _folder: folder })
    }

    /// The rows of a query, values joined by `|`.
    async fn rows(&mut self, sql: &str) -> Outcome<Vec<String>> {
        let mut lines = Vec::new();
        let outcome = self.session.run(sql, async |session, execution| {
            if let Execution::Rows(rows) = execution {
                for batch in rows.try_collect::<Vec<_>>().await? {
                    let text = format_batch(&batch, session)?;
                    let cell = |value: Option<String>| value.unwrap_or_default();
                    lines.extend(text.into_iter().map(|row| row.into_iter().map(cell).collect::<Vec<_>>().join("|")));
                }
            }
            Ok(())
        });
        outcome.await.map_err(|e| Fault::from(format!("{sql}: {e}")))?;
        Ok(lines)
    }

    /// The only number that a query yields.
    async fn number(&mut self, sql: &str) -> Outcome<f64> {
        match self.rows(sql).await?.as_slice() {
            [one] => one.parse().map_err(|_| Fault::from(format!("{sql}: {one} is no number"))),
            rows => Err(Fault::from(format!("{sql}: {} rows", rows.len()))),
        }
    }

    async fn close(self) -> Outcome {
        Ok(self.engine.close().await?)
    }
}

const TABLES: [&str; 8] =
    ["products", "campaigns", "profiles", "consents", "identities", "events", "truth.persons", "truth.demo"];

async fn same_seed_same_rows() -> Outcome {
    let mut demos = Vec::new();
    for seed in [7, 7, 8] {
        let mut made = Made::with(250, seed).await?;
        // In whatever order the two writers had them.
        let mut tables = Vec::new();
        for table in TABLES {
            let mut rows = made.rows(&format!("SELECT * FROM {table}")).await?;
            rows.sort_unstable();
            tables.push(rows);
        }
        demos.push(tables);
        made.close().await?;
    }
    for (number, table) in TABLES.iter().enumerate() {
        ensure(demos[0][number] == demos[1][number], format_args!("{table} differs for one seed"))?;
        let fixed = *table == "campaigns";
        ensure(fixed || demos[0][number] != demos[2][number], format_args!("{table} is the same for two seeds"))?;
    }
    Ok(())
}

/// Everything that a table says of another is so.
async fn holds_together() -> Outcome {
    let mut made = Made::with(2_000, 1).await?;
    for (what, sql) in [
        (
            "events of nobody",
            "SELECT count(*) FROM events AS e WHERE profile_id IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM profiles AS p WHERE p.profile_id = e.profile_id)",
        ),
        (
            "events of nothing on sale",
            "SELECT count(*) FROM events AS e LEFT JOIN products AS p ON p.product_id = e.product_id
             WHERE e.product_id IS NOT NULL AND p.product_id IS NULL",
        ),
        (
            "events of no campaign",
            "SELECT count(*) FROM events AS e LEFT JOIN campaigns AS c ON c.campaign_id = e.campaign_id
             WHERE e.campaign_id IS NOT NULL AND c.campaign_id IS NULL",
        ),
        (
            "campaigns outside of their days",
            "SELECT count(*) FROM events AS e JOIN campaigns AS c ON c.campaign_id = e.campaign_id
             WHERE e.kind IN ('email_sent', 'ad_impression')
             AND (e.ts AT TIME ZONE 'Europe/Paris')::date NOT BETWEEN c.first_day AND c.last_day",
        ),
        (
            "events before their profile",
            "SELECT count(*) FROM events AS e JOIN profiles AS p ON p.profile_id = e.profile_id
             WHERE e.ts < p.signed_up_at",
        ),
        (
            "events outside of the year",
            "SELECT count(*) FROM events WHERE ts < timestamptz '2025-01-01 00:00+01'
             OR ts >= timestamptz '2026-01-01 00:00+01'",
        ),
        (
            "consents of nobody",
            "SELECT count(*) FROM consents AS c LEFT JOIN profiles AS p ON p.profile_id = c.profile_id
             WHERE p.profile_id IS NULL",
        ),
        (
            "two answers at one moment",
            "SELECT count(*) FROM (SELECT profile_id, purpose, at FROM consents
             GROUP BY profile_id, purpose, at HAVING count(*) > 1) AS twice",
        ),
        // The newest answer before a letter or an advertisement has to be yes.
        (
            "letters without consent",
            "SELECT count(*) FROM (SELECT e.ts, e.profile_id, max(c.at) FILTER (WHERE c.granted) AS yes,
               max(c.at) FILTER (WHERE NOT c.granted) AS no
             FROM events AS e LEFT JOIN consents AS c ON c.profile_id = e.profile_id AND c.purpose = 'newsletter'
               AND c.at <= e.ts
             WHERE e.kind = 'email_sent' GROUP BY e.ts, e.profile_id) AS letter
             WHERE yes IS NULL OR no > yes",
        ),
        (
            "advertisements without consent",
            "SELECT count(*) FROM (SELECT e.ts, e.profile_id, max(c.at) FILTER (WHERE c.granted) AS yes,
               max(c.at) FILTER (WHERE NOT c.granted) AS no
             FROM events AS e LEFT JOIN consents AS c ON c.profile_id = e.profile_id AND c.purpose = 'advertising'
               AND c.at <= e.ts
             WHERE e.kind = 'ad_impression' AND e.profile_id IS NOT NULL GROUP BY e.ts, e.profile_id) AS shown
             WHERE yes IS NULL OR no > yes",
        ),
        (
            "letters opened before they were sent, or never sent",
            "SELECT count(*) FROM events AS o LEFT JOIN events AS s ON s.kind = 'email_sent'
               AND s.profile_id = o.profile_id AND s.campaign_id = o.campaign_id AND s.ts <= o.ts
             WHERE o.kind IN ('email_open', 'email_click', 'unsubscribe') AND s.ts IS NULL",
        ),
        (
            "carts without a look at the product",
            "SELECT count(*) FROM events AS c LEFT JOIN events AS v ON v.kind = 'product_view'
               AND v.session_id = c.session_id AND v.product_id = c.product_id AND v.ts < c.ts
             WHERE c.kind = 'cart' AND v.ts IS NULL",
        ),
        (
            "online orders without cart or checkout before them",
            "SELECT count(*) FROM events AS o WHERE o.kind = 'purchase' AND o.channel <> 'store'
             AND (NOT EXISTS (SELECT 1 FROM events AS c WHERE c.kind = 'cart' AND c.session_id = o.session_id
                    AND c.product_id = o.product_id AND c.ts < o.ts)
               OR NOT EXISTS (SELECT 1 FROM events AS c WHERE c.kind = 'checkout' AND c.session_id = o.session_id
                    AND c.ts < o.ts AND c.profile_id = o.profile_id))",
        ),
        (
            "refunds of what was not bought",
            "SELECT count(*) FROM events AS r LEFT JOIN events AS b ON b.kind = 'purchase'
               AND b.order_id = r.order_id AND b.product_id = r.product_id AND b.ts < r.ts AND b.amount = -r.amount
             WHERE r.kind = 'refund' AND b.ts IS NULL",
        ),
        (
            "sessions that half an hour does not end",
            "SELECT count(*) FROM (SELECT session_id = lag(session_id) OVER w AS same,
               ts - lag(ts) OVER w <= interval '30 minutes' AS soon
             FROM events WHERE session_id IS NOT NULL AND profile_id IS NOT NULL
             WINDOW w AS (PARTITION BY profile_id ORDER BY ts, session_id)) AS pair WHERE same <> soon",
        ),
        (
            "store tickets out of hours",
            "SELECT count(*) FROM (SELECT ts AT TIME ZONE 'Europe/Paris' AS local FROM events WHERE channel = 'store'
               AND kind = 'purchase') AS ticket
             WHERE local::time NOT BETWEEN time '10:00' AND time '19:30'
               OR local::date IN (date '2025-01-01', date '2025-05-01', date '2025-07-14', date '2025-12-25')",
        ),
        (
            "identifiers that are not in identities as they were seen",
            "SELECT count(*) FROM (SELECT identifier, profile_id, min(ts) AS first_seen, max(ts) AS last_seen,
               count(*) AS events FROM events WHERE identifier IS NOT NULL AND channel <> 'store'
               GROUP BY identifier, profile_id) AS e
             LEFT JOIN (SELECT identifier, profile_id, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
               sum(events) AS events FROM identities GROUP BY identifier, profile_id) AS i
             ON i.identifier = e.identifier AND i.profile_id IS NOT DISTINCT FROM e.profile_id
               AND i.first_seen = e.first_seen AND i.last_seen = e.last_seen AND i.events = e.events
             WHERE i.identifier IS NULL",
        ),
        (
            "identifiers that nobody's truth knows",
            "SELECT count(*) FROM (SELECT identifier, kind FROM identities
               UNION SELECT profile_id, 'profile' FROM profiles) AS i
             LEFT JOIN truth.persons AS t ON t.identifier = i.identifier AND t.kind = i.kind
             WHERE t.identifier IS NULL",
        ),
        (
            "truths about nothing",
            "SELECT count(*) FROM truth.persons AS t WHERE kind <> 'profile'
             AND NOT EXISTS (SELECT 1 FROM identities AS i WHERE i.identifier = t.identifier)",
        ),
        (
            "known identifiers of another person",
            "SELECT count(*) FROM identities AS i JOIN truth.persons AS p ON p.identifier = i.profile_id
             LEFT JOIN truth.persons AS t ON t.identifier = i.identifier AND t.person_id = p.person_id
             WHERE t.identifier IS NULL",
        ),
        (
            "profiles that are two persons",
            "SELECT count(*) FROM (SELECT identifier FROM truth.persons WHERE kind = 'profile'
             GROUP BY identifier HAVING count(*) > 1) AS twice",
        ),
    ] {
        same(what, made.number(sql).await?, 0.0)?;
    }
    same("profiles", made.number("SELECT count(*) FROM profiles").await?, 2_000.0)?;
    same("today", made.rows("SELECT today, seed, profiles FROM truth.demo").await?, vec!["2026-01-01|1|2000"])?;
    made.close().await
}

/// People are unequal, weeks have a rhythm, seasons matter, some share and some are twice.
async fn is_true_to_life() -> Outcome {
    let mut made = Made::with(2_000, 1).await?;
    for (what, low, high, sql) in [
        ("events per profile", 15.0, 25.0, "SELECT count(*) / 2000.0 FROM events"),
        ("anonymous events, percent", 10.0, 40.0, "SELECT 100.0 * count(*) FILTER (WHERE profile_id IS NULL) / count(*) FROM events"),
        (
            "events of the busiest tenth of profiles, percent",
            40.0,
            70.0,
            "SELECT 100.0 * sum(n) FILTER (WHERE tenth = 1) / sum(n) FROM (
               SELECT n, ntile(10) OVER (ORDER BY n DESC) AS tenth FROM (
                 SELECT p.profile_id, count(e.ts) AS n FROM profiles AS p LEFT JOIN events AS e
                 ON e.profile_id = p.profile_id GROUP BY p.profile_id) AS counted) AS ranked",
        ),
        ("buyers, percent", 25.0, 50.0, "SELECT 100.0 * count(DISTINCT profile_id) / 2000 FROM events WHERE kind = 'purchase'"),
        (
            "Saturday beside Tuesday in stores",
            1.5,
            4.0,
            "SELECT 1.0 * count(*) FILTER (WHERE extract(isodow FROM ts AT TIME ZONE 'Europe/Paris') = 6)
               / count(*) FILTER (WHERE extract(isodow FROM ts AT TIME ZONE 'Europe/Paris') = 2)
             FROM events WHERE channel = 'store'",
        ),
        (
            "visits at nine in the evening beside four in the morning",
            10.0,
            1000.0,
            "SELECT 1.0 * count(DISTINCT session_id) FILTER (WHERE extract(hour FROM ts AT TIME ZONE 'Europe/Paris') = 21)
               / (1 + count(DISTINCT session_id) FILTER (WHERE extract(hour FROM ts AT TIME ZONE 'Europe/Paris') = 4))
             FROM events",
        ),
        (
            "December beside February",
            1.5,
            4.0,
            "SELECT sum(amount) FILTER (WHERE extract(month FROM ts) = 12) / sum(amount) FILTER (WHERE extract(month FROM ts) = 2)
             FROM events WHERE kind = 'purchase'",
        ),
        (
            "visits that end in an order, percent",
            4.0,
            14.0,
            "SELECT 100.0 * count(DISTINCT session_id) FILTER (WHERE kind = 'purchase') / count(DISTINCT session_id) FROM events",
        ),
        (
            "letters opened, percent",
            12.0,
            35.0,
            "SELECT 100.0 * count(*) FILTER (WHERE kind = 'email_open') / count(*) FILTER (WHERE kind = 'email_sent') FROM events",
        ),
        (
            "people with two profiles",
            40.0,
            140.0,
            "SELECT count(*) FROM (SELECT person_id FROM truth.persons WHERE kind = 'profile'
             GROUP BY person_id HAVING count(*) = 2) AS twice",
        ),
        (
            "screens that several people log in on",
            10.0,
            200.0,
            "SELECT count(*) FROM (SELECT identifier FROM identities WHERE kind = 'cookie'
             GROUP BY identifier HAVING count(DISTINCT profile_id) > 1) AS shared",
        ),
        (
            "people the brand does not know",
            150.0,
            500.0,
            "SELECT count(DISTINCT person_id) FROM truth.persons AS t WHERE NOT EXISTS (
               SELECT 1 FROM truth.persons AS p WHERE p.kind = 'profile' AND p.person_id = t.person_id)",
        ),
        (
            "profiles of households of several, percent",
            50.0,
            85.0,
            "SELECT 100.0 * sum(n) FILTER (WHERE n > 1) / sum(n) FROM (
               SELECT count(*) AS n FROM profiles GROUP BY household_id) AS home",
        ),
        (
            "names with an accent",
            300.0,
            1200.0,
            "SELECT count(*) FROM profiles WHERE first_name ~ '[éèêëïîôçÉÈ]' OR last_name ~ '[éèêëïîôçÉÈ]'",
        ),
        (
            "newsletters allowed at the end, percent of addresses",
            50.0,
            75.0,
            "SELECT 100.0 * count(*) / (SELECT count(*) FROM profiles WHERE email IS NOT NULL)
             FROM segments.reachable_by_email",
        ),
    ] {
        let is = made.number(sql).await?;
        ensure((low..=high).contains(&is), format_args!("{what}: {is}, expected {low} to {high}"))?;
    }
    made.close().await
}

/// The five printed queries and those of the README, as they stand there.
async fn queries() -> Outcome {
    let mut made = Made::with(2_000, 1).await?;
    let mut answers = String::new();
    let readme = std::fs::read_to_string(here().join("../../README.md"))?;
    let printed = DEMO_QUERIES.iter().map(|query| (query.title.to_owned(), query.sql.to_owned()));
    let shown = readme_queries(&readme)?;
    ensure(shown.iter().filter(|(_, sql)| !sql.starts_with("CREATE")).count() >= 10, "the README has less than ten")?;
    for (title, sql) in printed.chain(shown) {
        let rows = made.rows(&sql).await?;
        ensure(sql.starts_with("CREATE") || !rows.is_empty(), format_args!("{title}: no rows"))?;
        answers.push_str(&format!("-- {title}\n"));
        answers.extend(rows.into_iter().map(|row| row + "\n"));
        answers.push('\n');
    }
    let path = here().join("demo.answers");
    if std::env::var_os("AUDIENCEDB_COMPLETE").is_some_and(|v| v == "1") {
        std::fs::write(&path, &answers)?;
    }
    let expected = std::fs::read_to_string(&path)?;
    for (got, want) in answers.lines().zip(expected.lines()) {
        same("a line of the answers", got, want)?;
    }
    same("lines of answers", answers.lines().count(), expected.lines().count())?;
    made.close().await
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("it")
}

/// The statements of the README's section on the demo, each with the comment above it or else its first line.
fn readme_queries(readme: &str) -> Outcome<Vec<(String, String)>> {
    let section = readme.split("\n### The demo\n").nth(1).ok_or("the README has no section on the demo")?;
    let section = section.split("\n### ").next().unwrap_or("");
    let mut queries = Vec::new();
    for block in section.split("```sql\n").skip(1) {
        let block = block.split("```").next().unwrap_or("");
        for statement in block.split_inclusive(";\n").map(str::trim).filter(|s| !s.is_empty()) {
            let (title, sql) = match statement.strip_prefix("-- ").and_then(|rest| rest.split_once('\n')) {
                Some((title, sql)) => (title, sql),
                None => (statement.lines().next().unwrap_or(""), statement),
            };
            queries.push((title.to_owned(), sql.to_owned()));
        }
    }
    Ok(queries)
}

/// The command makes the demo once, serves it, and lets other warehouses be.
async fn command() -> Outcome {
    let folder = TempDir::new()?;
    let data = folder.path().join("demo");
    let text = data.to_string_lossy().into_owned();
    let arguments = ["demo", "--profiles", "200", "--seed", "3"];
    let mut first = None;
    for _ in 0..2 {
        let mut server = Server::start_command(&arguments, &data)?;
        let client = server.connect().await?;
        same("profiles", value(&client, "SELECT count(*) FROM profiles").await?.as_str(), "200")?;
        let events = value(&client, "SELECT count(*) FROM events").await?;
        same("events", &events, first.get_or_insert(events.clone()))?;
        drop(client);
        server.terminate()?;
        same("exit code", server.wait(Duration::from_secs(10))?.code(), Some(0))?;
    }
    // What was not asked for is not asked after, and what somebody adds is his.
    let server = Server::start_command(&["demo"], &data)?;
    server.connect().await?.batch_execute("CREATE TABLE mine (n integer)").await?;
    server.kill()?;
    let server = Server::start_command(&["demo"], &data)?;
    same("mine", value(&server.connect().await?, "SELECT count(*) FROM mine").await?.as_str(), "0")?;
    server.kill()?;

    let fails = |arguments: &[&str], word: &str| -> Outcome {
        let output = run(arguments)?;
        let said = String::from_utf8_lossy(&output.stderr);
        same(&format!("{arguments:?}: {said}"), output.status.code(), Some(1))?;
        ensure(said.contains("55000") && said.contains("hint:"), format_args!("{said}"))?;
        ensure(said.contains(word), format_args!("does not say {word}: {said}"))
    };
    let demo = ["demo", "--data", text.as_str(), "--listen", "127.0.0.1:0"];
    fails(&[&demo[..], &["--profiles", "300"]].concat(), "200 profiles")?;
    fails(&[&demo[..], &["--seed", "4"]].concat(), "seed 3")?;

    let other = folder.path().join("other");
    for (statement, word) in [("CREATE SCHEMA staff", "schema staff"), ("CREATE TABLE t (n integer)", "table public.t")]
    {
        query(&other, statement)?;
        let before = listing(&other)?;
        fails(&["demo", "--data", &other.to_string_lossy(), "--listen", "127.0.0.1:0"], word)?;
        same("files", listing(&other)?, before)?;
    }
    Ok(())
}

/// Every file below a folder, without those that a process at work leaves.
fn listing(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

/// After kill -9 at any moment there is the whole demo or nothing of it, and the next start makes it whole.
async fn killed_while_it_is_made() -> Outcome {
    let folder = TempDir::new()?;
    let data = folder.path().to_string_lossy().into_owned();
    let arguments = ["demo", "--profiles", "600", "--data", &data, "--listen", "127.0.0.1:0"];
    let count = "SELECT count(*) FROM information_schema.tables WHERE table_schema IN ('public', 'segments', 'truth')";

    let whole = TempDir::new()?;
    let started = Instant::now();
    Server::start_command(&arguments[..3], whole.path())?.kill()?;
    let took = started.elapsed();
    let relations = query(whole.path(), count)?;
    let rows = "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM truth.persons)";
    let events = query(whole.path(), rows)?;

    let rounds = if full() { 50 } else { 6 };
    let mut nothing = 0;
    for round in 0..rounds {
        run_and_kill(&arguments, took * (2 * round + 1) / (2 * rounds))?;
        let found = query(folder.path(), count)?;
        if found == ["0"] {
            nothing += 1;
        } else {
            same("relations", &found, &relations)?;
            same("rows", query(folder.path(), rows)?, events.clone())?;
        }
    }
    ensure(nothing > 0, "no kill came while the demo was made")?;
    let server = Server::start_command(&arguments[..3], folder.path())?;
    same("rows", value(&server.connect().await?, rows).await?, events[0].clone())
}
