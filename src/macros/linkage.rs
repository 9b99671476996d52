//! The query of [`super::link_records`] and [`super::fs_train`]: which pairs are compared, and what they teach.
//!
//! * `left`, `right`: the records, with what they are blocked by (`b0_0`: rule 0, its first expression) and what is
//!   compared (`c0`, …). Within one table both are the same.
//! * `found`: for each rule an equi-join, so a hash join, without the pairs that an earlier rule found.
//! * `taught by`: all records of a small table, some of a large one; and `teaching`: what is `found` for them. A model
//!   that is trained has to be known before the first pair is weighed, and pairs are many: keeping their levels would
//!   take memory for each of them, and comparing them again is as much work as the first time. So what comparisons are
//!   made twice is bounded, as the pairs that a model learns from are enough.
//! * `drawn left`, `drawn right`: some records again, for random pairs.
//! * `random`: each of them in an order that is as good as random, and the same at any time, with the next few in that
//!   order: `sample` pairs in all, none of them twice.
//! * `term 0`, …: how frequent the values of a column are, joined by the value that both records of a pair have,
//!   since it is only asked where they are equal.

use datafusion::sql::sqlparser::ast::{Expr, Query, Value};

use super::call::{Call, Source};
use super::template;
use crate::error::Result;

/// What is linked, and by what.
pub(super) struct Linkage {
    source: Source,
    right: Option<Source>,
    id: Expr,
    blocking: Vec<Vec<Expr>>,
    /// Columns, and how they are compared.
    compare: Vec<(Expr, String)>,
    sample: i64,
}

impl Linkage {
    /// Takes what both macros take.
    pub(super) fn new(call: &mut Call) -> Result<Self> {
        let source = call.source("table")?;
        let id = call.column("id")?;
        let right = call.optional_source("right")?;
        let blocking = call.expression_lists("blocking")?.unwrap_or_default();
        let compare = call.texts("compare")?.unwrap_or_default();
        let sample = call.integer("sample", 1, 1_000_000_000)?.unwrap_or(1_000_000);
        if blocking.is_empty() {
            return Err(call.invalid("needs blocking, such as blocking => ARRAY['email', 'surname, postcode']".into()));
        }
        if compare.is_empty() {
            return Err(
                call.invalid("needs compare, such as compare => ARRAY['surname jw:0.92,0.88', 'zip exact']".into())
            );
        }
        let compare = compare
            .iter()
            .map(|text| match text.trim().split_once(char::is_whitespace) {
                Some((column, comparison)) => {
                    Ok((call.column_called("compare", column)?, comparison.trim().to_owned()))
                }
                None => Err(call.invalid(format!("compare: \"{text}\" is no column and comparison, as 'zip exact'"))),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { source, right, id, blocking, compare, sample })
    }

    /// The place of a column that is compared.
    pub(super) fn place(&self, column: &Expr) -> Option<usize> {
        self.compare.iter().position(|(compared, _)| compared == column)
    }

    /// The query of the model alone.
    pub(super) fn training(&self) -> String {
        format!("WITH {} {}", self.relations().join(", "), self.model())
    }

    /// The query of the pairs, with the columns at some places compared by how frequent their values are.
    pub(super) fn scoring(&self, terms: &[usize], threshold: f64, has_model: bool) -> String {
        let mut relations = self.relations();
        let mut joins = String::new();
        for place in terms {
            let all = match self.right {
                Some(_) => {
                    format!(r#"(SELECT c{place} FROM {LEFT} UNION ALL SELECT c{place} FROM {RIGHT}) AS records"#)
                }
                None => LEFT.to_owned(),
            };
            relations.push(format!(
                r#""link_records: term {place}" AS (
                    SELECT c{place} AS term,
                        CAST(count(*) AS double precision) / (SELECT count(c{place}) FROM {all}) AS frequency
                    FROM {all} WHERE c{place} IS NOT NULL GROUP BY c{place}
                )"#
            ));
            joins += &format!(
                r#" LEFT JOIN "link_records: term {place}" AS term{place} ON term{place}.term = found.l{place}"#
            );
        }
        let frequency = |place: usize| match terms.contains(&place) {
            true => format!("term{place}.frequency"),
            false => "CAST(NULL AS double precision)".to_owned(),
        };
        let frequencies = match terms {
            [] => String::new(),
            _ => format!(", ARRAY[{}]", self.each(frequency)),
        };
        let model = if has_model { r#""$model""#.to_owned() } else { format!("({})", self.model()) };
        format!(
            r#"WITH {} SELECT l, r, weight, fs_probability(weight) AS probability
            FROM (
                SELECT l, r, fs_weight({model}, {}{frequencies}) AS weight FROM {FOUND} AS found{joins}
            ) AS weighed
            WHERE fs_probability(weight) >= {threshold}"#,
            relations.join(", "),
            self.levels()
        )
    }

    /// A query of this linkage, with its slots filled.
    pub(super) fn fill(self, query: &str, more: Vec<(String, Expr)>) -> Result<Query> {
        let mut slots = more;
        slots.push(("id".to_owned(), self.id));
        for (rule, keys) in self.blocking.into_iter().enumerate() {
            slots.extend(keys.into_iter().enumerate().map(|(place, key)| (format!("b{rule}_{place}"), key)));
        }
        for (place, (column, comparison)) in self.compare.into_iter().enumerate() {
            slots.push((format!("c{place}"), column));
            slots.push((format!("compare{place}"), Expr::Value(Value::SingleQuotedString(comparison).into())));
        }
        let slots: Vec<(&str, Expr)> = slots.iter().map(|(name, filling)| (name.as_str(), filling.clone())).collect();
        let sources = [("source", self.source)].into_iter().chain(self.right.map(|right| ("right", right)));
        template::fill(query, sources, &slots)
    }

    /// The name of the relation of the records that come second in a pair.
    fn second(&self) -> &'static str {
        if self.right.is_some() { RIGHT } else { LEFT }
    }

    /// Something for each comparison, parted by commas.
    fn each(&self, of: impl Fn(usize) -> String) -> String {
        (0..self.compare.len()).map(of).collect::<Vec<_>>().join(", ")
    }

    fn levels(&self) -> String {
        format!("ARRAY[{}]", self.each(|place| format!(r#"fs_compare("$compare{place}", l{place}, r{place})"#)))
    }

    /// The relations that the pairs are in.
    fn relations(&self) -> Vec<String> {
        let mut relations = vec![format!("{LEFT} AS ({})", self.records("source"))];
        if self.right.is_some() {
            relations.push(format!("{RIGHT} AS ({})", self.records("right")));
        }
        relations.push(format!("{FOUND} AS ({})", self.found(LEFT)));
        let (teachers, drawn) = (self.sample / TEACHES, self.sample / PARTNERS);
        relations.push(format!("{TAUGHT_BY} AS ({})", some(LEFT, teachers)));
        relations.push(format!("{TEACHING} AS ({})", self.found(TAUGHT_BY)));
        relations.push(format!("{DRAWN_LEFT} AS ({})", some(LEFT, drawn)));
        if self.right.is_some() {
            relations.push(format!("{DRAWN_RIGHT} AS ({})", some(RIGHT, drawn)));
        }
        relations.push(format!("{RANDOM} AS ({})", self.random()));
        relations
    }

    fn records(&self, source: &str) -> String {
        let keys = self.blocking.iter().enumerate().flat_map(|(rule, keys)| {
            (0..keys.len()).map(move |place| format!(r#""$b{rule}_{place}" AS b{rule}_{place}"#))
        });
        let keys = keys.collect::<Vec<_>>().join(", ");
        let compared = self.each(|place| format!(r#""$c{place}" AS c{place}"#));
        format!(r#"SELECT "$id" AS id, {keys}, {compared} FROM "${source}" WHERE "$id" IS NOT NULL"#)
    }

    fn values(&self) -> String {
        self.each(|place| format!("l.c{place} AS l{place}, r.c{place} AS r{place}"))
    }

    /// The pairs that blocking finds, with these records as their first.
    fn found(&self, first: &str) -> String {
        let equal = |(rule, keys): (usize, &Vec<Expr>)| {
            let keys = (0..keys.len()).map(|place| format!("l.b{rule}_{place} = r.b{rule}_{place}"));
            keys.collect::<Vec<_>>().join(" AND ")
        };
        let rules: Vec<String> = self.blocking.iter().enumerate().map(equal).collect();
        let joins = rules.iter().enumerate().map(|(place, rule)| {
            let earlier = rules.iter().take(place).map(|earlier| format!("NOT coalesce({earlier}, false)"));
            let order = self.right.is_none().then(|| "l.id < r.id".to_owned());
            let conditions: Vec<String> = order.into_iter().chain(earlier).collect();
            let condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
            format!(
                "SELECT l.id AS l, r.id AS r, {} FROM {first} AS l JOIN {} AS r ON {rule} WHERE {condition}",
                self.values(),
                self.second()
            )
        });
        joins.collect::<Vec<_>>().join(" UNION ALL ")
    }

    fn random(&self) -> String {
        let Self { sample, .. } = self;
        let second = if self.right.is_some() { DRAWN_RIGHT } else { DRAWN_LEFT };
        let (left, right) = (count(DRAWN_LEFT), count(second));
        let each = format!("{sample} / greatest({left}, 1)");
        // Within a table the n-th partner of one record is further back for another.
        let (first, last, others) = match self.right {
            Some(_) => (0, format!("greatest(least({each}, {right}), 1) - 1"), "true"),
            None => (1, format!("greatest(least({each}, ({right} - 1) / 2), 1)"), "l.place <> r.place"),
        };
        format!(
            "SELECT {} FROM (
                SELECT *, (place + step) % greatest({right}, 1) AS partner
                FROM (
                    SELECT *, unnest(generate_series({first}, {last})) AS step FROM ({}) AS shuffled
                ) AS steps
            ) AS l JOIN ({}) AS r ON l.partner = r.place WHERE {others}",
            self.values(),
            shuffled(DRAWN_LEFT),
            shuffled(second)
        )
    }

    /// The query of the model, over the relations. Its population are all pairs of a record that teaches.
    fn model(&self) -> String {
        let levels = self.levels();
        let (left, right) = (count(TAUGHT_BY), count(self.second()));
        let pairs = match self.right {
            Some(_) => format!("{left} * {right}"),
            None => format!("{left} * ({right} - 1) / 2"),
        };
        format!(
            "SELECT fs_train(levels, random, (SELECT {pairs}), ARRAY[{}]) AS model
            FROM (
                SELECT {levels} AS levels, false AS random FROM {TEACHING}
                UNION ALL SELECT {levels}, true FROM {RANDOM}
            ) AS pairs",
            self.each(|place| format!(r#""$compare{place}""#))
        )
    }
}

/// How many random pairs a record of a large table is in.
const PARTNERS: i64 = 10;
/// How many random pairs there are for each record whose pairs teach.
const TEACHES: i64 = 4;
/// How many records a sample has at least, if there are as many.
const FEWEST_RECORDS: i64 = 10_000;

const LEFT: &str = r#""link_records: left""#;
const RIGHT: &str = r#""link_records: right""#;
const FOUND: &str = r#""link_records: found""#;
const TAUGHT_BY: &str = r#""link_records: taught by""#;
const TEACHING: &str = r#""link_records: teaching""#;
const DRAWN_LEFT: &str = r#""link_records: drawn left""#;
const DRAWN_RIGHT: &str = r#""link_records: drawn right""#;
const RANDOM: &str = r#""link_records: random""#;

fn count(relation: &str) -> String {
    format!("(SELECT count(*) FROM {relation})")
}

/// Some of the records, by hash; all of them if there are no more than so many.
fn some(relation: &str, records: i64) -> String {
    let records = records.max(FEWEST_RECORDS);
    format!(
        "SELECT * FROM {relation} WHERE audience_bucket(id, 2147483647)
            <= {records} / greatest((SELECT CAST(count(*) AS double precision) FROM {relation}), 1) * 2147483647"
    )
}

/// Records with their place in an order by hash.
fn shuffled(relation: &str) -> String {
    format!("SELECT *, row_number() OVER (ORDER BY audience_bucket(id, 2147483647), id) - 1 AS place FROM {relation}")
}
