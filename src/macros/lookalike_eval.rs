//! `lookalike_eval('seed', 'universe', 'id', features => ARRAY['a', 'b'], …)`: how well a lookalike finds its own seed.
//!
//! A part of the seed is hidden, the model is fitted to the rest, and everybody but the rest is ranked: good models
//! bring the hidden members to the top. Done many times over, since one split of a small seed says little.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::features::{Features, Method};
use super::template;
use crate::error::Result;

pub(super) const LOOKALIKE_EVAL: Macro = Macro {
    name: "lookalike_eval",
    syntax: "lookalike_eval(seed, universe, id, features => ARRAY['column', ...] [, method => 'lda'] \
             [, holdout => 0.5] [, repeats => 20] [, seed_number => 42] [, k => 10])",
    description: "Measures a lookalike by repeated hold-outs: a part of the seed is hidden, the model fitted to the \
                  rest, and all others ranked. One row: method, repeats, auc, recall_at_10 (the share of the hidden \
                  members among the best 10 % of those ranked) and lift_at_10 (how many times more than by chance), \
                  as means over the repeats; each with _low and _high, between which 95 % of the repeats are. Which \
                  members are hidden depends on their ids, the repeat and seed_number alone. A hidden member counts \
                  as one that is not like the seed while the model is fitted, as an unknown one would. Methods and \
                  NULL as for lookalike; ids have to be unique. Cost: repeats times that of a lookalike.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let seed = call.source("seed")?;
    let universe = call.source("universe")?;
    let id = call.column("id")?;
    let features = Features::of(call)?;
    let method = Method::of(call)?;
    let holdout = call.number("holdout", 0.01, 0.99)?.unwrap_or(0.5);
    let repeats = call.integer("repeats", 1, 1000)?.unwrap_or(20);
    let number = call.integer("seed_number", i64::MIN, i64::MAX)?.unwrap_or(42);
    let (profiles, name) = (features.profiles(), method.name);
    let (fit, score) = (method.fit("trained"), method.score("model"));
    let measures = ["auc", "recall_at_10", "lift_at_10"].map(|measure| {
        let bound = |share: &str| format!("percentile_cont({share}) WITHIN GROUP (ORDER BY {measure})");
        format!(
            "avg({measure}) AS {measure}, {} AS {measure}_low, {} AS {measure}_high",
            bound("0.025"),
            bound("0.975")
        )
    });
    let measures = measures.join(", ");
    let sql = format!(
        r#"WITH "lookalike_eval: profiles" AS ({profiles}),
        "lookalike_eval: repeats" AS (SELECT repeat FROM generate_series(1, {repeats}) AS series (repeat)),
        "lookalike_eval: draws" AS (
            SELECT id, repeat, count(*) OVER (PARTITION BY repeat) AS members,
                row_number() OVER (PARTITION BY repeat
                    ORDER BY audience_bucket(id, repeat, CAST({number} AS bigint), 2147483647), id) AS place
            FROM "lookalike_eval: profiles" CROSS JOIN "lookalike_eval: repeats"
            WHERE is_seed
        ),
        "lookalike_eval: split" AS (
            SELECT profiles.features AS features, profiles.is_seed AS is_seed, repeats.repeat AS repeat,
                coalesce(place > greatest(1, least(members - 1, round(members * {holdout:?}))), false) AS trained
            FROM "lookalike_eval: profiles" AS profiles
            CROSS JOIN "lookalike_eval: repeats" AS repeats
            LEFT JOIN "lookalike_eval: draws" AS draws ON draws.id = profiles.id AND draws.repeat = repeats.repeat
        ),
        "lookalike_eval: models" AS (
            SELECT repeat, {fit} AS model FROM "lookalike_eval: split" GROUP BY repeat
        ),
        "lookalike_eval: scores" AS (
            SELECT split.repeat AS repeat, is_seed, {score} AS score
            FROM "lookalike_eval: split" AS split
            JOIN "lookalike_eval: models" AS models ON models.repeat = split.repeat
            WHERE NOT trained
        )
        SELECT '{name}' AS method, count(*) AS repeats, {measures}
        FROM (
            SELECT repeat, auc(score, is_seed) AS auc, recall_at(score, is_seed, 0.1) AS recall_at_10,
                lift(score, is_seed, 0.1) AS lift_at_10
            FROM "lookalike_eval: scores"
            GROUP BY repeat
        ) AS measured"#
    );
    template::fill(&sql, [("seed", seed), ("universe", universe)], &features.slots([("id", id)]))
}
