//! `kmeans('table', 'id', features => ARRAY['a', 'b'], k => 5, …)`: rows in clusters of those that are alike.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::features::Features;
use super::template;
use crate::error::Result;

pub(super) const KMEANS: Macro = Macro {
    name: "kmeans",
    syntax: "kmeans(table, id, features => ARRAY['column', ...] [, k => 5] [, scale => 'zscore'] [, seed => 42] \
             [, n_init => 10])",
    description: "Puts the rows of a table into k clusters by k-means: id, cluster, distance from its centre. Clusters \
                  are numbered from 1, the largest first; distances are in standard deviations, or in the features' \
                  units with the scale none. A NULL feature counts as the mean. The same rows and seed give the same \
                  clusters; of n_init starts the best counts. kmeans_fit gives the centres themselves.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let source = call.source("table")?;
    let id = call.column("id")?;
    let features = Features::of(call)?;
    let k = call.integer("k", 1, 10_000)?.unwrap_or(5);
    let scale = call.word("scale", &["zscore", "none"])?.unwrap_or("zscore");
    let seed = call.integer("seed", i64::MIN, i64::MAX)?.unwrap_or(42);
    let starts = call.integer("n_init", 1, 1000)?.unwrap_or(10);
    let vector = features.vector();
    let sql = format!(
        r#"WITH "kmeans: points" AS (SELECT "$id" AS id, {vector} AS features FROM "$source")
        SELECT id, get_field(nearest, 'cluster') AS cluster, get_field(nearest, 'distance') AS distance
        FROM (
            SELECT id, kmeans_assign((
                SELECT kmeans_fit(features, {k}, {seed}, {starts}, '{scale}') FROM "kmeans: points"
            ), features) AS nearest
            FROM "kmeans: points"
        ) AS assigned"#
    );
    template::fill(&sql, [("source", source)], &features.slots([("id", id)]))
}
