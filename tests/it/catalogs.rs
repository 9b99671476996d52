//! The catalogs of a warehouse with many tables: nothing in them grows faster than what they list.

use std::fmt::Write;

use libtest_mimic::Trial;

use crate::trial::{Outcome, same, trial};
use crate::warehouse::{Served, rows, value};

/// As many as a list still has to be looked at in one go.
const TABLES: usize = 2000;

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("catalogs::many_tables_are_listed", many_tables_are_listed),
        trial("catalogs::numbers_stay", numbers_stay),
    ]
}

/// What psql asks for `\d`, and for one table by name; and what tools ask information_schema.
async fn many_tables_are_listed() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    let mut statements = String::from("BEGIN;");
    for i in 0..TABLES {
        write!(statements, "CREATE TABLE t{i} (id bigint PRIMARY KEY, name varchar(20), amount numeric(10,2));")
            .map_err(|e| e.to_string())?;
    }
    client.batch_execute(&statements).await?;
    let listed = rows(
        &client,
        "SELECT n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c \
         LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam \
         WHERE c.relkind IN ('r','p','v','m','S','f','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' \
         AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1, 2",
    )
    .await?;
    same("tables", listed.len(), TABLES)?;
    let of_one = "SELECT a.attname, (SELECT d.adnum FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) \
         FROM pg_attribute a WHERE a.attrelid = 't1234'::regclass AND a.attnum > 0 ORDER BY a.attnum";
    same("columns of one", rows(&client, of_one).await?.len(), 3)?;
    let columns =
        value(&client, "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'").await?;
    same("columns", columns, (3 * TABLES).to_string())?;
    let keys = value(&client, "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid").await?;
    same("keys", keys, TABLES.to_string())?;
    let known =
        value(&client, "SELECT count(*) FROM pg_class WHERE relname LIKE 't%' AND relkind = 'r' AND reltuples = 0");
    same("rows are known", known.await?, TABLES.to_string())?;
    client.batch_execute("ROLLBACK").await?;
    let left = value(&client, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await?;
    same("after the rollback", left.as_str(), "0")?;
    drop(client);
    served.stop().await
}

/// Numbers that clients remember stay the same for another session, and after a change of the table.
async fn numbers_stay() -> Outcome {
    let served = Served::start().await?;
    let (one, other) = (served.connect().await?, served.connect().await?);
    one.batch_execute("CREATE TABLE t (id bigint PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t").await?;
    let numbers =
        "SELECT string_agg(oid::text, ' ' ORDER BY relname) FROM pg_class WHERE relname IN ('t', 't_pkey', 'v')";
    let functions = "SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_proc WHERE proname = 'audience_bucket'";
    let before = (value(&one, numbers).await?, value(&one, functions).await?);
    one.batch_execute(
        "INSERT INTO t VALUES (1); COMMENT ON TABLE t IS 'x'; CREATE OR REPLACE VIEW v AS SELECT id FROM t",
    )
    .await?;
    same("relations", value(&other, numbers).await?, before.0)?;
    same("functions", value(&other, functions).await?, before.1)?;
    drop((one, other));
    served.stop().await
}
