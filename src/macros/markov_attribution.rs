//! `markov_attribution('paths', 'path', 'conversions', 'nulls', …)`: what each channel is owed by a Markov chain of a table
//! of paths. The work is that of the aggregate `markov_credits`.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const MARKOV_ATTRIBUTION: Macro = Macro {
    name: "markov_attribution",
    syntax: "markov_attribution(table, path, conversions, nulls [, order => 1])",
    description: "Shares the conversions of a table of paths among channels: channel, conversions and removal_effect, the \
                  share of conversions that would be lost without the channel, solved exactly in a Markov chain that \
                  remembers as many channels as its order, from 1 to 8. A path is a list of texts, or a text in which > \
                  parts the channels; conversions and nulls are how often it ended with and without one, NULL is 0. \
                  Paths without a channel do not count.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let source = call.source("table")?;
    let path = call.column("path")?;
    let conversions = call.column("conversions")?;
    let nulls = call.column("nulls")?;
    let order = call.integer("order", 1, 8)?.unwrap_or(1);
    let sql = format!(
        r#"SELECT credit['channel'] AS channel, credit['conversions'] AS conversions,
            credit['removal_effect'] AS removal_effect
        FROM (
            SELECT unnest(markov_credits("$path", "$conversions", "$nulls", {order})) AS credit FROM "$source"
        ) AS credits"#
    );
    template::fill(&sql, [("source", source)], &[("path", path), ("conversions", conversions), ("nulls", nulls)])
}
