//! `link_records('people', 'id', …)`: the pairs of records that are probably of the same person.
//!
//! Records are compared where a blocking rule finds them alike, so that the work grows with what is alike and not with
//! the square of the table; each pair once, by the first rule that finds it. See [`super::linkage`] for the query.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::linkage::Linkage;
use crate::error::Result;

pub(super) const LINK_RECORDS: Macro = Macro {
    name: "link_records",
    syntax: "link_records(table, id, blocking => columns, compare => comparisons [, tf => columns] \
             [, right => table] [, threshold => 0.5] [, model => (SELECT model ...)] [, sample => 1000000])",
    description: "Finds the pairs of records that are of the same person by the model of Fellegi and Sunter: l, r \
                  (their ids), weight (base 2 logarithm of the odds) and probability, of at least threshold. Within a \
                  table l is less than r; with right, a table of the same columns, l is from the first and r from the \
                  other. blocking is an array of rules, columns or expressions parted by commas, and pairs are \
                  compared where those of a rule are equal. compare is an array of a column and a comparison each, \
                  such as 'surname jw:0.92,0.88,0.7', see fs_compare. For the columns in tf, which have to be \
                  compared, equality counts the more the rarer the value. Without a model one is trained on the \
                  blocked pairs and on sample random ones, the same whenever the table is the same; with one, it has \
                  to be for these comparisons. Ids have to be unique; records without id do not count, and NULL is \
                  equal to nothing and evidence of nothing.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let linkage = Linkage::new(call)?;
    let terms = call.columns("tf")?.unwrap_or_default();
    let mut terms = terms
        .iter()
        .map(|term| match linkage.place(term) {
            Some(place) => Ok(place),
            None => Err(call.invalid(format!("the column {term} of tf is not in compare"))),
        })
        .collect::<Result<Vec<_>>>()?;
    terms.sort_unstable();
    terms.dedup();
    let threshold = call.number("threshold", 0.0, 1.0)?.unwrap_or(0.5);
    let model = call.option("model");
    let query = linkage.scoring(&terms, threshold, model.is_some());
    linkage.fill(&query, model.map(|model| ("model".to_owned(), model)).into_iter().collect())
}
