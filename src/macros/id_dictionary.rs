//! `id_dictionary('visits', 'cookie', …)`: numbers for ids that are text, as bitmaps want them.
//!
//! A hash would do without a table, but two ids may share it, and nobody would notice. Here every id has a number of
//! its own: those of an earlier dictionary keep theirs, and new ones follow in the order of the ids, without gaps.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const ID_DICTIONARY: Macro = Macro {
    name: "id_dictionary",
    syntax: "id_dictionary(table, id [, previous => table])",
    description: "The different ids of a table with a bigint for each: id, as text, and n. Numbers are from 0 without \
                  gaps, in the order of the ids. previous is an earlier dictionary, a table with the columns id and n: \
                  its rows come first, unchanged, and new ids get the numbers after its largest. NULLs do not count. \
                  Keep the result as a table, and join it where bitmaps are made and read.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let source = call.source("table")?;
    let id = call.column("id")?;
    let previous = call.optional_source("previous")?;
    let ids = r#"SELECT DISTINCT CAST("$id" AS text) AS id FROM "$source" WHERE "$id" IS NOT NULL"#;
    let numbered = "CAST(row_number() OVER (ORDER BY id) - 1 AS bigint)";
    let Some(previous) = previous else {
        let sql = format!("SELECT id, {numbered} AS n FROM ({ids}) AS ids");
        return template::fill(&sql, [("source", source)], &[("id", id)]);
    };
    let sql = format!(
        r#"WITH "id_dictionary: previous" AS (
            SELECT CAST(id AS text) AS id, CAST(n AS bigint) AS n FROM "$previous"
        )
        SELECT id, n FROM "id_dictionary: previous"
        UNION ALL
        SELECT id, first_free + {numbered} AS n
        FROM (
            SELECT ids.id
            FROM ({ids}) AS ids LEFT JOIN "id_dictionary: previous" AS known ON known.id = ids.id
            WHERE known.id IS NULL
        ) AS new_ids
        CROSS JOIN (SELECT coalesce(max(n) + 1, 0) AS first_free FROM "id_dictionary: previous") AS numbers"#
    );
    template::fill(&sql, [("source", source), ("previous", previous)], &[("id", id)])
}
