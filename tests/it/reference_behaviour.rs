//! Funnels beside figures that other programs computed: the rows of tests/it/data/ecom_funnel.csv.

use libtest_mimic::Trial;

use crate::trial::{Outcome, same, trial};
use crate::warehouse::{Served, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![trial("reference::funnel", funnel)]
}

/// The events of 600 made-up users of a shop that are steps of its funnel (PyPI's retentioneering, 5.2.4): 1 for
/// product_view, then add_to_cart, cart, shipping_details, payment_details and purchase.
const ECOM: &str = include_str!("data/ecom_funnel.csv");

/// How many get how far, by whom events are grouped and within which time.
const FUNNELS: [(&str, &str, &str); 5] = [
    ("session", "36500 days", "{2868,944,477,194,72,15}"),
    ("user_id", "30 minutes", "{598,480,317,157,62,12}"),
    ("user_id", "1 day", "{598,482,324,169,69,16}"),
    ("user_id", "7 days", "{598,487,353,210,109,40}"),
    ("user_id", "36500 days", "{598,517,429,329,222,114}"),
];

async fn funnel() -> Outcome {
    let server = Served::start().await?;
    let client = server.connect().await?;
    client.batch_execute("CREATE TABLE ecom (user_id integer, session integer, seconds bigint, step integer)").await?;
    let rows: Vec<String> = ECOM.lines().skip(1).map(|line| format!("({line})")).collect();
    same("events", rows.len(), 11_538)?;
    for some in rows.chunks(1000) {
        client.batch_execute(&format!("INSERT INTO ecom VALUES {}", some.join(", "))).await?;
    }
    let steps: Vec<String> = (1..=6).map(|step| format!("step = {step}")).collect();
    let steps = steps.join(", ");
    for (group, window, expected) in FUNNELS {
        let level = format!("window_funnel(INTERVAL '{window}', to_timestamp(seconds), {steps})");
        let levels = format!("SELECT {level} AS level FROM ecom GROUP BY {group}");
        let counts = value(&client, &format!("SELECT funnel_counts(level, 6) FROM ({levels}) AS levels")).await?;
        same(&format!("how far a {group} gets within {window}"), counts.as_str(), expected)?;
    }
    server.stop().await
}
