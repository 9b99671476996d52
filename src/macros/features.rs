//! What the macros over features share: their columns, the profiles of a seed and a universe, and methods of scoring.

use datafusion::sql::sqlparser::ast::{Expr, Value};

use super::call::Call;
use crate::error::Result;

/// Columns that are features.
pub(super) struct Features {
    slots: Vec<(String, Expr)>,
    count: usize,
}

impl Features {
    /// The option `features`, an array of names of columns.
    pub(super) fn of(call: &mut Call) -> Result<Self> {
        let Some(columns) = call.columns("features")? else {
            return Err(call.invalid("features => ARRAY['column', ...] has to say which columns count".to_owned()));
        };
        let count = columns.len();
        let name = |column: &Expr| match column {
            Expr::Identifier(ident) => ident.value.clone(),
            other => other.to_string(),
        };
        let names = columns.iter().map(|column| Expr::value(Value::SingleQuotedString(name(column))));
        let names: Vec<Expr> = names.collect();
        let slots = columns.into_iter().enumerate().map(|(at, column)| (format!("feature {at}"), column));
        let names = names.into_iter().enumerate().map(|(at, name)| (format!("name {at}"), name));
        Ok(Self { slots: slots.chain(names).collect(), count })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The vector of a row.
    pub(super) fn vector(&self) -> String {
        let columns: Vec<String> = (0..self.count).map(|at| format!("\"$feature {at}\"")).collect();
        format!("feature_vector({})", columns.join(", "))
    }

    /// Their names as an array of texts.
    pub(super) fn names(&self) -> String {
        let names: Vec<String> = (0..self.count).map(|at| format!("\"$name {at}\"")).collect();
        format!("ARRAY[{}]", names.join(", "))
    }

    /// What fills a template that has them, with more.
    pub(super) fn slots<'a>(&'a self, more: impl IntoIterator<Item = (&'a str, Expr)>) -> Vec<(&'a str, Expr)> {
        let own = self.slots.iter().map(|(name, value)| (name.as_str(), value.clone()));
        own.chain(more).collect()
    }

    /// The profiles of `"$universe"`: id, features, and whether they are of `"$seed"`.
    pub(super) fn profiles(&self) -> String {
        format!(
            r#"SELECT universe.id AS id, universe.features AS features, seed.id IS NOT NULL AS is_seed
            FROM (SELECT "$id" AS id, {} AS features FROM "$universe") AS universe
            LEFT JOIN (SELECT DISTINCT "$id" AS id FROM "$seed") AS seed ON seed.id = universe.id
            WHERE universe.id IS NOT NULL"#,
            self.vector()
        )
    }
}

/// How profiles are scored by a seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Method {
    /// As a user writes it.
    pub(super) name: &'static str,
    neighbours: i64,
}

impl Method {
    /// The options `method` and, for the nearest members of the seed, `k`.
    pub(super) fn of(call: &mut Call) -> Result<Self> {
        let name = call.word("method", &["lda", "lr", "centroid", "knn", "traits"])?.unwrap_or("lda");
        let neighbours = call.integer("k", 1, 10_000)?;
        match neighbours {
            Some(_) if name != "knn" => Err(call.invalid("k is for the method knn".to_owned())),
            neighbours => Ok(Self { name, neighbours: neighbours.unwrap_or(10) }),
        }
    }

    /// The aggregate that fits a model to `features` and a label.
    pub(super) fn fit(self, label: &str) -> String {
        match self.name {
            "lr" => format!("logreg_fit(features, {label}, 10, true)"),
            "centroid" => format!("lda_fit(features, {label}, 1)"),
            "knn" => format!("knn_fit(features, {label}, {})", self.neighbours),
            "traits" => format!("traits_fit(features, {label})"),
            _ => format!("lda_fit(features, {label})"),
        }
    }

    /// The score of `features` by a model.
    pub(super) fn score(self, model: &str) -> String {
        let function = if self.is_linear() { "linear_score" } else { "knn_score" };
        format!("{function}({model}, features)")
    }

    /// Whether a score is a sum over features.
    pub(super) fn is_linear(self) -> bool {
        self.name != "knn"
    }
}
