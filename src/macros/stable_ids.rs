//! `stable_ids('components', 'node', 'component', previous => 'table', …)`: people keep their names when components
//! change.
//!
//! Each person of before goes to one component: the one with the id that the person is named after, or else with most
//! of the person's ids, or else the smallest. Of the people who meet in a component one survives: the oldest if there
//! is `since` (as in Snowplow's identities), or else the one with most ids, or else the smallest. A component where
//! nobody arrives is a new person, named after the component. That name is free, since a component is named after one
//! of its ids, and a person of that name would have come there. So names are never given twice.

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query};

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const STABLE_IDS: Macro = Macro {
    name: "stable_ids",
    syntax: "stable_ids(components, node, component, previous => table [, previous_node => 'node'] [, person => \
             'person'] [, since => column])",
    description: "Returns every node of a table of components, as connected_components gives them, with the person \
                  that it belongs to: node, person. Where a component has ids of a person of the table previous, it is \
                  this person. When components merge the oldest person survives, by the column since of previous, or \
                  else the one who had most ids, or else the smallest; see identity_merges. When a component falls \
                  apart the person goes with the id that it is named after, or else with most ids. Others are new \
                  people, named after their component, which has to be the smallest id in it. An empty previous gives \
                  every component as a person. Rows with a NULL id, component or person do not count.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    filled(
        call,
        r#"SELECT present.node AS node, coalesce(survivors.person, present.component) AS person
        FROM "stable_ids: present" AS present
        LEFT JOIN "stable_ids: survivors" AS survivors ON present.component = survivors.component"#,
    )
}

/// What is selected from the people, where they are now, and who survives there.
pub(super) fn filled(call: &mut Call, select: &str) -> Result<Query> {
    let components = call.source("components")?;
    let node = call.column("node")?;
    let component = call.column("component")?;
    let previous = call.source("previous")?;
    let named = |name: &str| Expr::Identifier(Ident::with_quote('"', name));
    let previous_node = call.optional_column("previous_node")?.unwrap_or_else(|| named("node"));
    let person = call.optional_column("person")?.unwrap_or_else(|| named("person"));
    let since = call.optional_column("since")?;
    let (first, oldest) = if since.is_some() { (r#", "$since" AS since"#, ", min(since) AS since") } else { ("", "") };
    let by_age = if since.is_some() { "persons.since NULLS LAST, " } else { "" };
    let sql = format!(
        r#"WITH "stable_ids: present" AS (
            SELECT "$node" AS node, "$component" AS component FROM "$components"
            WHERE "$node" IS NOT NULL AND "$component" IS NOT NULL
        ), "stable_ids: before" AS (
            SELECT "$previous_node" AS node, "$person" AS person{first} FROM "$previous"
            WHERE "$previous_node" IS NOT NULL AND "$person" IS NOT NULL
        ), "stable_ids: persons" AS (
            SELECT person, count(DISTINCT node) AS ids{oldest} FROM "stable_ids: before" GROUP BY person
        ), "stable_ids: claims" AS (
            SELECT person, component, sum(ids) AS ids, max(namesake) AS namesake
            FROM (
                SELECT past.person AS person, present.component AS component, 1 AS ids, 0 AS namesake
                FROM (SELECT DISTINCT node, person FROM "stable_ids: before") AS past
                JOIN "stable_ids: present" AS present ON past.node = present.node
                UNION ALL
                SELECT persons.person AS person, present.component AS component, 0 AS ids, 1 AS namesake
                FROM "stable_ids: persons" AS persons
                JOIN "stable_ids: present" AS present ON persons.person = present.node
            ) AS shares
            GROUP BY person, component
        ), "stable_ids: homes" AS (
            SELECT person, component
            FROM (
                SELECT person, component,
                    row_number() OVER (PARTITION BY person ORDER BY namesake DESC, ids DESC, component) AS place
                FROM "stable_ids: claims"
            ) AS claims
            WHERE place = 1
        ), "stable_ids: survivors" AS (
            SELECT component, person
            FROM (
                SELECT homes.component AS component, homes.person AS person,
                    row_number() OVER (
                        PARTITION BY homes.component ORDER BY {by_age}persons.ids DESC, homes.person
                    ) AS place
                FROM "stable_ids: homes" AS homes
                JOIN "stable_ids: persons" AS persons ON homes.person = persons.person
            ) AS candidates
            WHERE place = 1
        )
        {select}"#
    );
    let mut slots =
        vec![("node", node), ("component", component), ("previous_node", previous_node), ("person", person)];
    slots.extend(since.map(|since| ("since", since)));
    template::fill(&sql, [("components", components), ("previous", previous)], &slots)
}
