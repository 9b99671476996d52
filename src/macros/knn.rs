//! `knn('table', 'id', 'vector', query => ARRAY[…], k => 10)`: the rows whose vectors are nearest to one.
//!
//! An exact scan that keeps the best: up to a million vectors it is as fast as one needs, and nothing has to be built.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const KNN: Macro = Macro {
    name: "knn",
    syntax: "knn(table, id, vector, query => array [, k => 10] [, metric => 'cosine' | 'dot' | 'l2'])",
    description: "Finds the k rows whose vectors are nearest to the vector query: id, score, rank. The score is the \
                  cosine similarity, the scalar product, or for l2 the Euclidean distance, of which the smallest \
                  is best. Ties are split by id. Rows without a score do not count: the vector is NULL or has a \
                  NULL in it, or for the cosine is all zeros. Vectors of another length than query are an error.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let source = call.source("table")?;
    let id = call.column("id")?;
    let vector = call.column("vector")?;
    let query = call.required_option("query")?;
    let k = call.integer("k", 1, 10_000_000)?.unwrap_or(10);
    let (function, order) = match call.word("metric", &["cosine", "dot", "l2"])?.unwrap_or("cosine") {
        "dot" => ("dot", "score DESC, id"),
        "l2" => ("l2_distance", "score, id"),
        _ => ("cosine_similarity", "score DESC, id"),
    };
    let sql = format!(
        r#"SELECT id, score, row_number() OVER (ORDER BY {order}) AS rank
        FROM (
            SELECT id, score
            FROM (SELECT "$id" AS id, {function}("$vector", "$query") AS score FROM "$source") AS compared
            WHERE score IS NOT NULL
            ORDER BY {order}
            LIMIT {k}
        ) AS nearest"#
    );
    template::fill(&sql, [("source", source)], &[("id", id), ("vector", vector), ("query", query)])
}
