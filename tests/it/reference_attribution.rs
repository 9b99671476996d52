//! Attribution beside figures of the data of R's package ChannelAttribution: 10,000 paths over twelve channels, 19,785
//! conversions. First, last and linear credit are those that the package itself computes; Markov's were computed by
//! iterating the chain, Shapley's over all coalitions.

use libtest_mimic::Trial;

use crate::trial::{Outcome, same, trial};
use crate::warehouse::{Served, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![trial("reference::attribution", attribution)]
}

/// Paths as letters, and how often they ended with and without a conversion.
const PATHS: &str = include_str!("data/attribution_paths.csv");

/// By letter: the channel; first, last, linear, shapley and markov credit; removal effect.
const CREDITS: [(&str, [f64; 6]); 12] = [
    ("alpha", [6308.0, 8447.0, 7574.718593751175, 7627.944047619048, 5344.947682085157, 0.558399489507747]),
    ("beta", [2831.0, 989.0, 2083.500144589048, 1982.739285714286, 2527.352166520385, 0.264038535741237]),
    ("delta", [1.0, 5.0, 1.725, 2.292857142857143, 4.613618311101, 0.000481995758039]),
    ("epsilon", [99.0, 531.0, 272.170437720459, 374.677380952381, 599.570650463211, 0.062638582275491]),
    ("eta", [3164.0, 4167.0, 3539.951157100577, 3613.655952380952, 3340.847401500867, 0.349026331871146]),
    ("gamma", [165.0, 92.0, 121.041639026207, 138.185714285714, 171.145442693733, 0.017879974419969]),
    ("iota", [4606.0, 3355.0, 3857.096221017706, 3505.044047619048, 3884.614701875086, 0.405835004471944]),
    ("kappa", [74.0, 230.0, 137.964077922278, 159.057142857143, 274.363255954803, 0.028663386655466]),
    ("lambda", [902.0, 1207.0, 1035.257572285534, 987.782142857143, 1282.847223394358, 0.134022122809700]),
    ("mi", [2.0, 2.0, 2.222222222222, 2.666666666667, 1.722424556281, 0.000179945819895]),
    ("theta", [1606.0, 653.0, 1022.801393904220, 1190.963095238098, 1971.912879886926, 0.206010462772771]),
    ("zeta", [27.0, 107.0, 136.551540466445, 199.991666666667, 381.062552758088, 0.039810517817384]),
];

async fn attribution() -> Outcome {
    let server = Served::start().await?;
    let client = server.connect().await?;
    let name = |letter: char| {
        let place = u32::from(letter).wrapping_sub(u32::from('a')) as usize;
        CREDITS.get(place).map_or("", |(name, _)| name)
    };
    let rows = PATHS.lines().skip(1).enumerate().filter_map(|(id, line)| {
        let (letters, numbers) = line.split_once(',')?;
        let path: Vec<&str> = letters.chars().map(name).collect();
        Some(format!("({id}, '{}', {}, {numbers})", path.join(" > "), letters.len()))
    });
    let rows: Vec<String> = rows.collect();
    same("paths", rows.len(), 10_000)?;
    client
        .batch_execute(
            "CREATE TABLE paths (id integer, path text, touches integer, conversions integer, nulls integer)",
        )
        .await?;
    for some in rows.chunks(2000) {
        client.batch_execute(&format!("INSERT INTO paths VALUES {}", some.join(", "))).await?;
    }
    let credits = CREDITS.map(|(name, figures)| format!("('{name}', {})", figures.map(|f| f.to_string()).join(", ")));
    client
        .batch_execute(&format!(
            "CREATE TABLE credits (channel text, first_touch double precision, last_touch double precision, \
             linear double precision, shapley double precision, markov double precision, removal double precision); \
             INSERT INTO credits VALUES {}",
            credits.join(", ")
        ))
        .await?;
    for (macro_call, differs) in [
        ("shapley_attribution('paths', 'path', 'conversions')", "abs(c.conversions - e.shapley) > 1e-8"),
        (
            "markov_attribution('paths', 'path', 'conversions', 'nulls')",
            "abs(c.conversions - e.markov) > 1e-8 OR abs(c.removal_effect - e.removal) > 1e-12",
        ),
    ] {
        let equal = value(
            &client,
            &format!("SELECT count(*) FROM {macro_call} AS c JOIN credits AS e ON c.channel = e.channel WHERE NOT ({differs})"),
        )
        .await?;
        same(macro_call, equal.as_str(), "12")?;
    }
    for (model, expected) in [("first", "first_touch"), ("last", "last_touch"), ("linear", "linear")] {
        let equal = value(
            &client,
            &format!(
                "WITH touches AS (
                    SELECT id, conversions, split_part(path, ' > ', n::integer) AS channel,
                        to_timestamp(n::double precision) AS at
                    FROM paths JOIN generate_series(1, 100) AS numbers (n) ON n <= touches
                ), shares AS (
                    SELECT conversions, unnest(attribute(channel, at, '{model}')) AS share
                    FROM touches GROUP BY id, conversions
                ), credit AS (
                    SELECT share['channel'] AS channel, sum(conversions * share['credit']) AS conversions
                    FROM shares GROUP BY share['channel']
                )
                SELECT count(*) FROM credit AS c JOIN credits AS e ON c.channel = e.channel
                WHERE abs(c.conversions - e.{expected}) < 1e-7"
            ),
        )
        .await?;
        same(model, equal.as_str(), "12")?;
    }
    server.stop().await
}
