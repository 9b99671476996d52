//! "Perhaps you meant …": what is suggested for a name that does not exist, and that nothing absurd is.

use audiencedb::Session;
use libtest_mimic::Trial;

use crate::trial::{Fault, Outcome, same, trial};
use crate::warehouse::Warehouse;

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![trial("hints::names", names)]
}

const SETUP: &str = "CREATE TABLE profiles (profile_id text, email text, \"Score\" integer); \
    CREATE TABLE events (profile_id text, amount numeric(10,2)); \
    CREATE VIEW segments.vip AS SELECT profile_id FROM profiles";

/// Statements, and what their errors suggest.
const CASES: &[(&str, Option<&str>)] = &[
    // Relations: misspelt, in a schema that is not looked in, in a schema that is misspelt.
    ("SELECT * FROM profilse", Some("perhaps you meant \"profiles\"")),
    ("SELECT * FROM vip", Some("perhaps you meant \"segments.vip\"")),
    ("SELECT * FROM segments.vpi", Some("perhaps you meant \"segments.vip\"")),
    ("SELECT * FROM segmnts.vip", Some("perhaps you meant \"segments.vip\"")),
    ("SELECT * FROM public.vip", Some("perhaps you meant \"segments.vip\"")),
    ("SELECT * FROM (SELECT * FROM evnets) AS e", Some("perhaps you meant \"events\"")),
    ("INSERT INTO event VALUES ('a', 1)", Some("perhaps you meant \"events\"")),
    ("DROP TABLE evens", Some("perhaps you meant \"events\"")),
    ("DROP VIEW segment.vip", Some("perhaps you meant \"segments.vip\"")),
    ("SELECT * FROM customers", None),
    // Schemas.
    ("CREATE TABLE segmens.x (n integer)", Some("perhaps you meant \"segments\"")),
    ("DROP SCHEMA marketing", None),
    // Columns, as PostgreSQL words it.
    ("SELECT emial FROM profiles", Some("Perhaps you meant to reference the column \"profiles.email\".")),
    ("SELECT p.emial FROM profiles AS p", Some("Perhaps you meant to reference the column \"p.email\".")),
    ("SELECT amount FROM profiles AS p WHERE ammount > 1", None),
    ("SELECT score FROM profiles", Some("there is a column \"Score\"; write it with its quotes")),
    ("SELECT purchase FROM events", None),
    ("INSERT INTO events (profile, amout) VALUES ('a', 1)", None),
    ("INSERT INTO events (profile_id, amout) VALUES ('a', 1)", Some("perhaps you meant \"amount\"")),
    // Functions, types, settings, options.
    ("SELECT cuont(*) FROM events", Some("perhaps you meant the function \"count\"")),
    ("SELECT frobnicate(1)", None),
    ("CREATE TABLE t (n integr)", Some("perhaps you meant \"integer\"")),
    ("SELECT 'a'::txt", Some("perhaps you meant \"text\"")),
    ("SET statment_timeout = 1", Some("perhaps you meant \"statement_timeout\"")),
    ("SHOW timezon", Some("perhaps you meant \"TimeZone\"")),
    ("SHOW nothing_like_it", None),
    ("CREATE TABLE t (n integer) WITH (clusterby = 'n')", Some("perhaps you meant \"cluster_by\"")),
    ("EXPLAIN (verbos) SELECT 1", Some("perhaps you meant \"verbose\"")),
];

async fn names() -> Outcome {
    let warehouse = Warehouse::open().await?;
    let mut session = warehouse.engine.session("postgres", "audience")?;
    run(&mut session, SETUP).await?;
    for (sql, hint) in CASES {
        let error = run(&mut session, sql).await.err().ok_or_else(|| Fault::from(format!("succeeded: {sql}")))?;
        same(sql, error.hint.as_deref(), *hint)?;
    }
    drop(session);
    warehouse.close().await
}

async fn run(session: &mut Session, sql: &str) -> audiencedb::Result<()> {
    session.run(sql, async |_, _| Ok(())).await
}
