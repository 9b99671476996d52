//! `identity_merges('components', 'node', 'component', previous => 'table', …)`: who has become whom.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::stable_ids;
use crate::error::Result;

pub(super) const IDENTITY_MERGES: Macro = Macro {
    name: "identity_merges",
    syntax: "identity_merges(components, node, component, previous => table [, previous_node => 'node'] [, person => \
             'person'] [, since => column])",
    description: "Returns the people of the table previous who are part of another person now: survivor, merged. By \
                  the rules of stable_ids, with the same arguments. People of whom no id is left are not listed.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    stable_ids::filled(
        call,
        r#"SELECT survivors.person AS survivor, homes.person AS merged
        FROM "stable_ids: homes" AS homes
        JOIN "stable_ids: survivors" AS survivors ON homes.component = survivors.component
        WHERE homes.person <> survivors.person"#,
    )
}
