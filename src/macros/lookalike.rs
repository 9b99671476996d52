//! `lookalike('seed', 'universe', 'id', features => ARRAY['a', 'b'], …)`: who else is like the members of a seed.
//!
//! The universe's profiles are the rows of the fit: the seed against all others. Linear methods rank everybody with
//! one product of vectors, and on seeds of a hundred they beat neighbours and trees.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::{Call, Part};
use super::features::{Features, Method};
use super::template;
use crate::error::Result;

pub(super) const LOOKALIKE: Macro = Macro {
    name: "lookalike",
    syntax: "lookalike(seed, universe, id, features => ARRAY['column', ...] [, method => 'lda'] \
             [, size => '10%' | min_score => number] [, exclude_seed => true] [, reasons => 3] [, k => 10])",
    description: "Ranks the profiles of the table universe by how much they are like those in the table seed, both \
                  with the column id: id, score, rank, percentile (100 for the first), in_audience and reasons, the \
                  features that raise the score most with what they add. Methods: lda (a linear discriminant), lr (a \
                  logistic regression with both classes balanced, l2 10), centroid (the difference of the \
                  centroids), knn (the mean cosine to the k nearest members of the seed, which gives no reasons), \
                  traits (features that are booleans, weighed by how common they are in the seed and how rare \
                  elsewhere; scores from 0 to 1). size is a number of profiles or a percentage of those ranked, as \
                  text: it locks the reach, which stays what it is however scores shift from refresh to refresh; \
                  min_score locks the likeness instead. Ties are split by id, so that a refresh on the same rows \
                  gives the same audience. Features are standardised, a NULL counts as the mean (for traits: as \
                  false). Rows without id do not count, nor do members of the seed that the universe does not have. \
                  Members of the seed are not ranked unless exclude_seed is false.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let seed = call.source("seed")?;
    let universe = call.source("universe")?;
    let id = call.column("id")?;
    let features = Features::of(call)?;
    let method = Method::of(call)?;
    let size = call.part("size")?;
    let min_score = call.number("min_score", f64::MIN, f64::MAX)?;
    let exclude_seed = call.boolean("exclude_seed")?.unwrap_or(true);
    let reasons = call.integer("reasons", 1, 10_000)?.unwrap_or(3);
    let in_audience = match (size, min_score) {
        (Some(_), Some(_)) => return Err(call.invalid("size and min_score exclude each other".to_owned())),
        (None, Some(score)) => format!("score >= {score:?}"),
        (Some(Part::Rows(rows)), None) => format!("rank <= {rows}"),
        (Some(Part::Percent(percent)), None) => within(percent),
        (None, None) => within(10.0),
    };
    let ranked = if exclude_seed { "WHERE NOT is_seed" } else { "" };
    let model = format!("(SELECT {} FROM \"lookalike: profiles\")", method.fit("is_seed"));
    let score = method.score(&model);
    let reasoned = if method.is_linear() { model.as_str() } else { "NULL" };
    let (profiles, names) = (features.profiles(), features.names());
    let sql = format!(
        r#"WITH "lookalike: profiles" AS ({profiles})
        SELECT id, score, rank, CAST(100 * (candidates - rank + 1) AS double precision) / candidates AS percentile,
            {in_audience} AS in_audience, reasons
        FROM (
            SELECT id, score, reasons, row_number() OVER (ORDER BY score DESC NULLS LAST, id) AS rank,
                count(*) OVER () AS candidates
            FROM (
                SELECT id, {score} AS score, linear_reasons({reasoned}, features, {names}, {reasons}) AS reasons
                FROM "lookalike: profiles"
                {ranked}
            ) AS scored
        ) AS ranked"#
    );
    template::fill(&sql, [("seed", seed), ("universe", universe)], &features.slots([("id", id)]))
}

/// Whether a rank is within a percentage of all, a part of a profile counted as one.
fn within(percent: f64) -> String {
    format!("rank <= ceil(CAST(candidates AS double precision) * {percent:?} / 100)")
}
