//! Lookalikes and clusters beside figures that other programs computed: the rows of tests/it/data.

use libtest_mimic::Trial;
use tokio_postgres::Client;

use crate::trial::{Fault, Outcome, same, trial};
use crate::warehouse::{Served, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![trial("reference_lookalike::redeemers", redeemers), trial("reference_lookalike::irises", irises)]
}

/// 1,133 households of dunnhumby's Complete Journey that campaign 18 was mailed to, 214 of which redeemed (y), by 17
/// features from before it.
const HOUSEHOLDS: &str = include_str!("data/lookalike_t1_c18.csv");

/// 20 times half of the redeemers, drawn at random.
const SEEDS: &str = include_str!("data/lookalike_t1_c18_seeds.csv");

/// Fisher's irises.
const IRIS: &str = include_str!("data/iris.csv");

/// Makes a table of lines of numbers.
async fn load(client: &Client, table: &str, columns: &str, lines: impl Iterator<Item = &str>) -> Outcome {
    client.batch_execute(&format!("CREATE TABLE {table} ({columns})")).await?;
    let rows: Vec<String> = lines.map(|line| format!("({line})")).collect();
    for some in rows.chunks(500) {
        client.batch_execute(&format!("INSERT INTO {table} VALUES {}", some.join(", "))).await?;
    }
    Ok(())
}

fn number(text: &str) -> Outcome<f64> {
    text.parse().map_err(|error| Fault::from(format!("{text} is no number: {error}")))
}

/// AUC and recall at 10 % are at least those of the same methods in NumPy and scikit-learn: a discriminant with
/// shrinkage .2, and a balanced regression with C = .1.
async fn redeemers() -> Outcome {
    let server = Served::start().await?;
    let client = server.connect().await?;
    let features: Vec<String> = (0..17).map(|feature| format!("f{feature}")).collect();
    let columns = format!("id integer, y integer, {} double precision", features.join(" double precision, "));
    load(&client, "households", &columns, HOUSEHOLDS.lines().skip(1)).await?;
    load(&client, "seeds", "repeat integer, id integer", SEEDS.lines().skip(1)).await?;
    for (fit, auc, recall) in
        [("lda_fit(features, trained)", 0.846, 0.53), ("logreg_fit(features, trained, 10, true)", 0.843, 0.51)]
    {
        let found = value(
            &client,
            &format!(
                "WITH split AS (SELECT repeats.repeat, y, feature_vector({}) AS features, \
                 seeds.id IS NOT NULL AS trained FROM households CROSS JOIN \
                 (SELECT DISTINCT repeat FROM seeds) AS repeats LEFT JOIN seeds \
                 ON seeds.repeat = repeats.repeat AND seeds.id = households.id), \
                 models AS (SELECT repeat, {fit} AS model FROM split GROUP BY repeat), \
                 scores AS (SELECT split.repeat, y, linear_score(model, features) AS score FROM split \
                 JOIN models ON models.repeat = split.repeat WHERE NOT trained) \
                 SELECT concat(avg(auc), ' ', avg(recall)) FROM (SELECT auc(score, y) AS auc, \
                 recall_at(score, y, 0.1) AS recall FROM scores GROUP BY repeat) AS measured",
                features.join(", ")
            ),
        )
        .await?;
        let numbers: Vec<f64> = found.split(' ').map(number).collect::<Outcome<_>>()?;
        if numbers.len() != 2 || numbers[0] < auc || numbers[1] < recall {
            return Err(format!("{fit} has AUC and recall {found}, not {auc} and {recall}").into());
        }
    }
    // By itself, and by splits of its own.
    let names: Vec<String> = features.iter().map(|feature| format!("'{feature}'")).collect();
    let arguments =
        format!("(SELECT id FROM households WHERE y = 1), 'households', 'id', features => ARRAY[{}]", names.join(", "));
    for (method, auc) in [("lda", 0.83), ("lr", 0.83), ("centroid", 0.80), ("knn", 0.74)] {
        let found =
            value(&client, &format!("SELECT auc FROM lookalike_eval({arguments}, method => '{method}')")).await?;
        if number(&found)? < auc {
            return Err(format!("{method} has an AUC of {found}, not {auc}").into());
        }
    }
    let picked =
        value(&client, &format!("SELECT count(*) FROM lookalike({arguments}, size => 50) WHERE in_audience")).await?;
    same("profiles of a lookalike of 50", picked.as_str(), "50")?;
    server.stop().await
}

/// The optimum of three clusters that is known.
async fn irises() -> Outcome {
    let server = Served::start().await?;
    let client = server.connect().await?;
    let columns = "id integer, a double precision, b double precision, c double precision, d double precision";
    let rows: Vec<String> = IRIS.lines().enumerate().map(|(id, line)| format!("{id}, {line}")).collect();
    load(&client, "irises", columns, rows.iter().map(String::as_str)).await?;
    let inertia = value(
        &client,
        "SELECT round(sum(distance * distance), 6) FROM kmeans('irises', 'id', features => ARRAY['a', 'b', 'c', 'd'], \
         k => 3, scale => 'none')",
    )
    .await?;
    same("inertia of three clusters of irises", inertia.as_str(), "78.851441")?;
    server.stop().await
}
