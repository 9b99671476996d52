//! `shapley_attribution('paths', 'path', 'conversions')`: what each channel of a table of paths is owed by its Shapley
//! value. The work is that of the aggregate `shapley_credits`.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const SHAPLEY_ATTRIBUTION: Macro = Macro {
    name: "shapley_attribution",
    syntax: "shapley_attribution(table, path, conversions)",
    description: "Shares the conversions of a table of paths among channels by Shapley's value: channel and conversions. \
                  Channels are worth together the conversions of the paths that use no others, so each path shares its \
                  conversions equally among its different channels. A path is a list of texts, or a text in which > \
                  parts the channels; a NULL number of conversions is 0. Paths without a channel do not count.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let source = call.source("table")?;
    let path = call.column("path")?;
    let conversions = call.column("conversions")?;
    let sql = r#"SELECT credit['channel'] AS channel, credit['conversions'] AS conversions
        FROM (SELECT unnest(shapley_credits("$path", "$conversions")) AS credit FROM "$source") AS credits"#;
    template::fill(sql, [("source", source)], &[("path", path), ("conversions", conversions)])
}
