//! `cluster_pairs(l, r, score, max_size)`: groups of records that pairs connect, the best pairs first.
//!
//! Pairs are taken by score from the highest on (equal ones by their ids), and each joins the clusters of its two
//! records, unless the two together would be larger than `max_size`: then this pair is not used. So a chain of weak
//! pairs cannot make one hairball of many persons, and what a cluster loses are its weakest pairs. Without the bound
//! this is connected components.
//!
//! * A pair of which an id or the score is NULL does not count. A record paired with itself alone is a cluster.
//! * The name of a cluster is the smallest of its ids, as text; rows come by cluster and id.
//! * Cost: O(pairs log pairs); 16 bytes a pair beside each id once.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int64Builder, ListArray, ListBuilder, StringBuilder, StructArray,
    UInt32Builder,
};
use datafusion_common::arrow::buffer::OffsetBuffer;
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, UInt32Type};
use datafusion_common::{Result, ScalarValue, internal_err, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use crate::InvalidArgument;
use crate::arguments::constant;
use crate::named::named;

/// The function `cluster_pairs`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Groups the records that pairs connect, taking the pairs of highest score first and leaving out those that would make a cluster larger than max_size: an array of structs of id, cluster (its smallest id) and size. Pairs with NULL in them do not count. The macro of the same name gives the rows of a table of pairs.",
    syntax_example = "cluster_pairs(l, r, score [, max_size])",
    sql_example = r#"```sql
> SELECT get_field(c, 'id') AS id, get_field(c, 'cluster') AS cluster, get_field(c, 'size') AS size FROM (SELECT unnest(cluster_pairs(l, r, p, 3)) AS c FROM (VALUES ('a', 'b', 0.99), ('b', 'c', 0.9), ('c', 'd', 0.8), ('d', 'e', 0.95)) AS t (l, r, p)) AS clusters;
+----+---------+------+
| id | cluster | size |
+----+---------+------+
| a  | a       | 3    |
| b  | a       | 3    |
| c  | a       | 3    |
| d  | d       | 2    |
| e  | d       | 2    |
+----+---------+------+
```"#,
    argument(name = "l", description = "The id of one record of a pair, taken as text."),
    argument(name = "r", description = "The id of the other record."),
    argument(
        name = "score",
        description = "What the pairs are ranked by: a probability or a match weight. NaN is an error."
    ),
    argument(
        name = "max_size",
        description = "A constant: how many records a cluster has at the most; no bound if not given."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ClusterPairs;

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("cluster", DataType::Utf8, true),
        Field::new("size", DataType::Int64, true),
    ])
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields()), true))
}

fn list(name: &str, part: &str, item: DataType) -> FieldRef {
    Arc::new(Field::new(format!("{name}[{part}]"), DataType::List(Arc::new(Field::new_list_field(item, true))), true))
}

impl AggregateUDFImpl for ClusterPairs {
    named!("cluster_pairs");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let ([l, r, score] | [l, r, score, _]) = types else {
            return plan_err!("cluster_pairs takes two ids, a score and at most a size");
        };
        if let Some(nested) = [l, r].into_iter().find(|id| id.is_nested()) {
            return plan_err!("cluster_pairs takes ids that are texts, numbers or the like, not {nested}");
        }
        if !(score.is_numeric() || score.is_null()) {
            return plan_err!("cluster_pairs takes a number as score, not {score}");
        }
        if let Some(size) = types.get(3).filter(|size| !(size.is_integer() || size.is_null())) {
            return plan_err!("cluster_pairs takes a whole number as largest size, not {size}");
        }
        let taken = [DataType::Utf8, DataType::Utf8, DataType::Float64, DataType::Int64];
        Ok(taken.into_iter().take(types.len()).collect())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![
            list(args.name, "ids", DataType::Utf8),
            list(args.name, "l", DataType::UInt32),
            list(args.name, "r", DataType::UInt32),
            list(args.name, "scores", DataType::Float64),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let max_size = match args.exprs.len() {
            4 => match constant("cluster_pairs", "max_size", &args, 3)? {
                ScalarValue::Int64(Some(size @ 1..)) => Some(size as usize),
                ScalarValue::Int64(Some(size)) => {
                    return Err(invalid(format!("max_size has to be above 0, not {size}")));
                }
                _ => return Err(invalid("max_size must not be NULL, leave it out for no bound")),
            },
            _ => None,
        };
        Ok(Box::new(Pairs { max_size, ..Pairs::default() }))
    }
}

fn invalid(message: impl std::fmt::Display) -> datafusion_common::DataFusionError {
    InvalidArgument::error(format!("cluster_pairs: {message}"))
}

/// Pairs of numbered ids. DISTINCT changes nothing: a pair joins no more when it comes again.
#[derive(Debug, Default)]
struct Pairs {
    max_size: Option<usize>,
    numbers: HashMap<Arc<str>, u32>,
    ids: Vec<Arc<str>>,
    edges: Vec<(u32, u32, f64)>,
    text: usize,
}

impl Pairs {
    fn number(&mut self, id: &str) -> Result<u32> {
        if let Some(number) = self.numbers.get(id) {
            return Ok(*number);
        }
        let Ok(number) = u32::try_from(self.ids.len()) else { return Err(invalid("there are too many ids")) };
        let id: Arc<str> = id.into();
        self.text += id.len() + 2 * size_of::<usize>();
        self.ids.push(Arc::clone(&id));
        self.numbers.insert(id, number);
        Ok(number)
    }

    /// Each record's place in the order of ids, and the first place of its cluster, by place.
    fn clusters(&self) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
        let mut by_id: Vec<u32> = (0..self.ids.len() as u32).collect();
        by_id.sort_unstable_by_key(|number| self.ids.get(*number as usize));
        let mut place = vec![0_u32; by_id.len()];
        for (at, number) in by_id.iter().enumerate() {
            if let Some(place) = place.get_mut(*number as usize) {
                *place = at as u32;
            }
        }
        let placed = |number: u32| place.get(number as usize).copied().unwrap_or(0);
        let mut edges: Vec<(u32, u32, f64)> = self
            .edges
            .iter()
            .map(|(l, r, score)| (placed(*l), placed(*r), *score))
            .map(|(l, r, score)| (l.min(r), l.max(r), score))
            .collect();
        edges.sort_unstable_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
        let mut forest = Forest { parent: (0..by_id.len() as u32).collect(), size: vec![1; by_id.len()] };
        for (l, r, _) in edges {
            forest.join(l, r, self.max_size);
        }
        let roots: Vec<u32> = (0..by_id.len() as u32).map(|place| forest.root(place)).collect();
        let sizes = roots.iter().map(|root| forest.size.get(*root as usize).copied().unwrap_or(0)).collect();
        (by_id, roots, sizes)
    }
}

/// Disjoint sets, each under its first place.
struct Forest {
    parent: Vec<u32>,
    size: Vec<u32>,
}

impl Forest {
    fn root(&mut self, mut place: u32) -> u32 {
        loop {
            let above = self.parent.get(place as usize).copied().unwrap_or(place);
            if above == place {
                return place;
            }
            let further = self.parent.get(above as usize).copied().unwrap_or(above);
            if let Some(parent) = self.parent.get_mut(place as usize) {
                *parent = further;
            }
            place = further;
        }
    }

    fn join(&mut self, l: u32, r: u32, max_size: Option<usize>) {
        let (l, r) = (self.root(l), self.root(r));
        let of = |place: u32| self.size.get(place as usize).copied().unwrap_or(0);
        let together = of(l) + of(r);
        if l == r || max_size.is_some_and(|max_size| together as usize > max_size) {
            return;
        }
        let (first, other) = (l.min(r), l.max(r));
        if let (Some(parent), Some(size)) = (self.parent.get_mut(other as usize), self.size.get_mut(first as usize)) {
            *parent = first;
            *size = together;
        }
    }
}

impl Accumulator for Pairs {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [l, r, score, ..] = values else { return internal_err!("cluster_pairs misses an argument") };
        let (l, r, score) = (l.as_string::<i32>(), r.as_string::<i32>(), score.as_primitive::<Float64Type>());
        for ((l, r), score) in l.iter().zip(r).zip(score) {
            let (Some(l), Some(r), Some(score)) = (l, r, score) else { continue };
            if score.is_nan() {
                return Err(invalid("a score is NaN"));
            }
            // One zero, so that -0 does not come after 0.
            let edge = (self.number(l)?, self.number(r)?, score + 0.0);
            self.edges.push(edge);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut ids = ListBuilder::new(StringBuilder::new());
        self.ids.iter().for_each(|id| ids.values().append_value(id));
        ids.append(true);
        let mut ends = [ListBuilder::new(UInt32Builder::new()), ListBuilder::new(UInt32Builder::new())];
        let mut scores = ListBuilder::new(Float64Builder::new());
        let [l, r] = &mut ends;
        for edge in &self.edges {
            l.values().append_value(edge.0);
            r.values().append_value(edge.1);
            scores.values().append_value(edge.2);
        }
        l.append(true);
        r.append(true);
        scores.append(true);
        Ok(vec![
            ScalarValue::List(Arc::new(ids.finish())),
            ScalarValue::List(Arc::new(l.finish())),
            ScalarValue::List(Arc::new(r.finish())),
            ScalarValue::List(Arc::new(scores.finish())),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [ids, l, r, scores] = states else { return internal_err!("cluster_pairs has a state of four columns") };
        for row in 0..ids.len() {
            let ids = ids.as_list::<i32>().value(row);
            let numbers =
                ids.as_string::<i32>().iter().flatten().map(|id| self.number(id)).collect::<Result<Vec<_>>>()?;
            let (l, r) = (l.as_list::<i32>().value(row), r.as_list::<i32>().value(row));
            let scores = scores.as_list::<i32>().value(row);
            let ends = l.as_primitive::<UInt32Type>().values().iter().zip(r.as_primitive::<UInt32Type>().values());
            for ((l, r), score) in ends.zip(scores.as_primitive::<Float64Type>().values()) {
                let (Some(l), Some(r)) = (numbers.get(*l as usize), numbers.get(*r as usize)) else {
                    return internal_err!("cluster_pairs has a state with a pair of unknown ids");
                };
                self.edges.push((*l, *r, *score));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let (by_id, roots, sizes) = self.clusters();
        let mut order: Vec<usize> = (0..roots.len()).collect();
        order.sort_by_key(|place| roots.get(*place));
        let mut ids = StringBuilder::new();
        let mut clusters = StringBuilder::new();
        let mut counts = Int64Builder::new();
        let id_at = |place: usize| by_id.get(place).and_then(|number| self.ids.get(*number as usize));
        for place in order {
            ids.append_option(id_at(place));
            clusters.append_option(roots.get(place).and_then(|root| id_at(*root as usize)));
            counts.append_option(sizes.get(place).map(|size| i64::from(*size)));
        }
        let columns: Vec<ArrayRef> =
            vec![Arc::new(ids.finish()), Arc::new(clusters.finish()), Arc::new(counts.finish())];
        let rows = StructArray::try_new(fields(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths([rows.len()]);
        Ok(ScalarValue::List(Arc::new(ListArray::try_new(item(), offsets, Arc::new(rows), None)?)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
            + self.text
            + self.numbers.capacity() * (size_of::<(Arc<str>, u32)>() + 1)
            + self.ids.capacity() * size_of::<Arc<str>>()
            + self.edges.capacity() * size_of::<(u32, u32, f64)>()
    }
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::array::{Float64Array, StringArray};
    use datafusion_common::arrow::datatypes::Int64Type;

    use super::*;

    fn arrays(pairs: &[(&str, &str, f64)]) -> [ArrayRef; 3] {
        [
            Arc::new(StringArray::from_iter_values(pairs.iter().map(|pair| pair.0))),
            Arc::new(StringArray::from_iter_values(pairs.iter().map(|pair| pair.1))),
            Arc::new(Float64Array::from_iter_values(pairs.iter().map(|pair| pair.2))),
        ]
    }

    fn rows(pairs: &mut Pairs) -> Vec<String> {
        let ScalarValue::List(list) = pairs.evaluate().unwrap() else { panic!() };
        let rows = list.value(0);
        let rows = rows.as_struct();
        let text = |column: usize, row| rows.column(column).as_string::<i32>().value(row).to_owned();
        let size = |row| rows.column(2).as_primitive::<Int64Type>().value(row);
        (0..rows.len()).map(|row| format!("{} {} {}", text(0, row), text(1, row), size(row))).collect()
    }

    #[test]
    fn the_best_pairs_first() {
        let some = [("c", "d", 0.8), ("b", "a", 0.99), ("b", "c", 0.9), ("d", "e", 0.95), ("f", "f", 1.0)];
        let mut bounded = Pairs { max_size: Some(3), ..Pairs::default() };
        bounded.update_batch(&arrays(&some)).unwrap();
        assert_eq!(rows(&mut bounded), ["a a 3", "b a 3", "c a 3", "d d 2", "e d 2", "f f 1"]);
        let mut unbounded = Pairs::default();
        unbounded.update_batch(&arrays(&some)).unwrap();
        assert_eq!(rows(&mut unbounded), ["a a 5", "b a 5", "c a 5", "d a 5", "e a 5", "f f 1"]);
        assert!(rows(&mut Pairs::default()).is_empty());
    }

    /// Ties are taken by id, so order and partitions do not matter.
    #[test]
    fn any_order_and_any_partition() {
        let names: Vec<String> = (0..40).map(|number| format!("n{number}")).collect();
        let pair = |place: usize| {
            let (l, r) = (place * 7 % 40, place * 11 % 40);
            (names[l].as_str(), names[r].as_str(), (place % 3) as f64)
        };
        let all: Vec<_> = (1..60).map(pair).collect();
        let mut whole = Pairs { max_size: Some(6), ..Pairs::default() };
        whole.update_batch(&arrays(&all)).unwrap();
        let mut merged = Pairs { max_size: Some(6), ..Pairs::default() };
        for part in all.rchunks(13) {
            let mut some = Pairs { max_size: Some(6), ..Pairs::default() };
            some.update_batch(&arrays(part)).unwrap();
            let states: Vec<_> = some.state().unwrap().iter().map(|state| state.to_array().unwrap()).collect();
            merged.merge_batch(&states).unwrap();
        }
        assert_eq!(rows(&mut merged), rows(&mut whole));
        assert!(whole.size() > 40 * 16);
    }

    #[test]
    fn nan_has_no_place() {
        assert!(Pairs::default().update_batch(&arrays(&[("a", "b", f64::NAN)])).is_err());
    }
}
