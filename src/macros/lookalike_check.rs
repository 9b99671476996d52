//! `lookalike_check('seed', 'universe', 'id', features => ARRAY['a', 'b'], …)`: what is wrong with a seed.
//!
//! Too small a seed teaches nothing; a feature that is the seed's own definition teaches the definition: the model
//! looks perfect and finds those who are in already, or nobody.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::features::Features;
use super::template;
use crate::error::Result;

pub(super) const LOOKALIKE_CHECK: Macro = Macro {
    name: "lookalike_check",
    syntax: "lookalike_check(seed, universe, id, features => ARRAY['column', ...] [, min_seed => 100])",
    description: "Examines a seed before a lookalike is made of it, a row for each finding: finding, feature, value, \
                  ok. seed_size: how many profiles of the universe are in the seed, at least min_seed. seed_found: \
                  which share of the seed the universe has, at least half. seed_share: which share of the universe the \
                  seed is, at most half. definition, for each feature: how well it alone, or that it is known, tells \
                  the seed from the others (the AUC, from 0.5 to 1); above 0.99 it is what the seed was made by, and \
                  should be left out. varies, for each feature: the difference between its largest and its \
                  smallest value, above 0. ok is NULL where there is nothing to examine.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let seed = call.source("seed")?;
    let universe = call.source("universe")?;
    let id = call.column("id")?;
    let features = Features::of(call)?;
    let min_seed = call.integer("min_seed", 1, i64::MAX)?.unwrap_or(100);
    let (profiles, count) = (features.profiles(), features.count());
    let of_each = |text: fn(usize) -> String| (1..=count).map(text).collect::<Vec<_>>().join("");
    let figures = of_each(|at| {
        format!(
            ", auc(features[{at}], is_seed) AS value_{at}, max(features[{at}]) - min(features[{at}]) AS range_{at}, \
             auc(CASE WHEN features[{at}] IS NULL THEN 0 ELSE 1 END, is_seed) AS known_{at}"
        )
    });
    let rows = of_each(|at| {
        let name = at - 1;
        format!(", ({}, 'definition', \"$name {name}\"), ({}, 'varies', \"$name {name}\")", 2 * at + 2, 2 * at + 3)
    });
    let values = of_each(|at| {
        format!(
            " WHEN {} THEN greatest(value_{at}, 1 - value_{at}, known_{at}, 1 - known_{at}) WHEN {} THEN range_{at}",
            2 * at + 2,
            2 * at + 3
        )
    });
    let sql = format!(
        r#"WITH "lookalike_check: profiles" AS ({profiles})
        SELECT finding, feature, value, CASE finding WHEN 'seed_size' THEN value >= {min_seed}
            WHEN 'seed_found' THEN value >= 0.5 WHEN 'seed_share' THEN value <= 0.5
            WHEN 'definition' THEN value <= 0.99 ELSE value > 0 END AS ok
        FROM (
            SELECT place, finding, feature, CASE place WHEN 1 THEN CAST(members AS double precision)
                WHEN 2 THEN CAST(members AS double precision) / nullif(seeds, 0)
                WHEN 3 THEN CAST(members AS double precision) / nullif(profiles, 0){values} END AS value
            FROM (
                SELECT count(*) AS profiles, count(DISTINCT CASE WHEN is_seed THEN id END) AS members{figures}
                FROM "lookalike_check: profiles"
            ) AS figures
            CROSS JOIN (SELECT count(DISTINCT "$id") AS seeds FROM "$seed") AS seed
            CROSS JOIN (VALUES (1, 'seed_size', NULL), (2, 'seed_found', NULL), (3, 'seed_share', NULL){rows})
                AS findings (place, finding, feature)
        ) AS found
        ORDER BY place"#
    );
    template::fill(&sql, [("seed", seed), ("universe", universe)], &features.slots([("id", id)]))
}
