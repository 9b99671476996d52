//! `hash_audit(platform, field, value [, region])`: why a list matches less than it could.
//!
//! Counts what `audience_hash` makes of a column. Rows that share an identifier, as the members of a household share a
//! phone, reach the platform once: `distinct_identifiers` is the most that can match.
//!
//! * Every row is in one of nulls, empty, invalid, already_hashed and normalized, which add up to total.
//! * No rows: zeros, never NULL.
//! * Cost: that of `audience_hash`, and 17 bytes an identifier; they are told apart by 128 bits of XXH3.

use std::collections::HashSet;
use std::mem::size_of_val;
use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, AsArray, Int64Array, StructArray};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;
use twox_hash::XxHash3_128;

use super::identifiers::{Identifiers, Reading, Regions, coerced, values};
use crate::arguments::{constant, refuse_distinct};
use crate::named::named;

const FUNCTION: &str = "hash_audit";

/// The function `hash_audit`.
#[user_doc(
    doc_section(label = "Destination Functions"),
    description = "Counts what audience_hash makes of values, to see why few of them match: a STRUCT of total rows, nulls, empty, invalid, already_hashed, normalized (hashed, or in the clear where the platform wants that), changed (of these, how many hash otherwise than they stand, so that sha256 of the column would have failed) and distinct_identifiers (the most that can match). DISTINCT is not taken.",
    syntax_example = "hash_audit(platform, field, value [, region])",
    sql_example = r#"```sql
> SELECT a.total AS total, a.nulls AS nulls, a.empty AS empty, a.invalid AS invalid, a.already_hashed AS already_hashed, a.normalized AS normalized, a.changed AS changed, a.distinct_identifiers AS distinct_identifiers FROM (SELECT hash_audit('meta', 'email', email) AS a FROM (VALUES ('ada@example.com'), ('ADA@example.com '), ('bo'), (''), (NULL)) AS t (email)) AS audit;
+-------+-------+-------+---------+----------------+------------+---------+----------------------+
| total | nulls | empty | invalid | already_hashed | normalized | changed | distinct_identifiers |
+-------+-------+-------+---------+----------------+------------+---------+----------------------+
| 5     | 1     | 1     | 1       | 0              | 2          | 1       | 1                    |
+-------+-------+-------+---------+----------------+------------+---------+----------------------+
```"#,
    argument(name = "platform", description = "As audience_hash takes it."),
    argument(name = "field", description = "As audience_hash takes it."),
    argument(name = "value", description = "The value: text, an integer, or a date."),
    argument(
        name = "region",
        description = "Two letters of the country that phones without a country code, zip codes and states belong to."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct HashAudit;

/// The counts that add up, in the order of the result and of the state.
const COUNTS: [&str; 7] = ["total", "nulls", "empty", "invalid", "already_hashed", "normalized", "changed"];

fn fields() -> Fields {
    let names = COUNTS.into_iter().chain(["distinct_identifiers"]);
    names.map(|name| Field::new(name, DataType::Int64, false)).collect()
}

impl AggregateUDFImpl for HashAudit {
    named!(FUNCTION);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced(FUNCTION, types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(FUNCTION, &args, "select distinct values in a sub-query")?;
        let platform = constant(FUNCTION, "the platform", &args, 0)?;
        let field = constant(FUNCTION, "the field", &args, 1)?;
        let identifiers = Identifiers::of(FUNCTION, &platform, &field)?;
        // A column of regions is not constant; it comes with the rows.
        let region = match args.exprs.len() {
            4 => constant(FUNCTION, "the region", &args, 3).ok(),
            _ => Some(ScalarValue::Null),
        };
        let region = region.map(|region| Regions::constant(FUNCTION, &region)).transpose()?;
        Ok(Box::new(Audit { identifiers, region, counts: [0; 7], identifiers_seen: HashSet::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |name: &str, data_type| Arc::new(Field::new(format!("{}[{name}]", args.name), data_type, false));
        let counts = COUNTS.into_iter().map(|name| field(name, DataType::Int64));
        Ok(counts.chain([field("identifiers", DataType::LargeBinary)]).collect())
    }
}

struct Audit {
    identifiers: Identifiers,
    /// The same for all rows; `None` where it is a column.
    region: Option<Regions>,
    counts: [i64; 7],
    identifiers_seen: HashSet<u128>,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Audit {
    fn add(&mut self, value: Option<&str>, region: &Regions, row: usize) {
        let [total, nulls, empty, invalid, already_hashed, normalized, changed] = &mut self.counts;
        *total += 1;
        let Some(value) = value else {
            *nulls += 1;
            return;
        };
        let reading = self.identifiers.read(value, region.at(row));
        match &reading {
            Reading::Empty => *empty += 1,
            Reading::Invalid => *invalid += 1,
            Reading::Hashed(_) => *already_hashed += 1,
            Reading::Clear(clear) => {
                *normalized += 1;
                *changed += i64::from(clear != value);
            }
        }
        if let Some(sent) = self.identifiers.sent(reading) {
            self.identifiers_seen.insert(XxHash3_128::oneshot(sent.as_bytes()));
        }
    }
}

impl Accumulator for Audit {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        let Some(value) = arguments.get(2) else {
            return plan_err!("hash_audit needs a value");
        };
        let region = match (self.region.take(), arguments.get(3)) {
            (None, Some(regions)) => Regions::Each(regions.as_string::<i32>().clone()),
            (region, _) => region.unwrap_or(Regions::One(None)),
        };
        for (row, value) in values(value)?.iter().enumerate() {
            self.add(value, &region, row);
        }
        if matches!(region, Regions::One(_)) {
            self.region = Some(region);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some((identifiers, counts)) = states.split_last() else {
            return plan_err!("hash_audit has no state to merge");
        };
        for (total, counts) in self.counts.iter_mut().zip(counts) {
            *total += counts.as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        }
        for blob in identifiers.as_binary::<i64>().iter().flatten() {
            let (identifiers, _) = blob.as_chunks::<16>();
            self.identifiers_seen.extend(identifiers.iter().map(|bytes| u128::from_le_bytes(*bytes)));
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let blob = self.identifiers_seen.iter().flat_map(|identifier| identifier.to_le_bytes()).collect();
        let counts = self.counts.iter().map(|count| ScalarValue::from(*count));
        Ok(counts.chain([ScalarValue::LargeBinary(Some(blob))]).collect())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let distinct = i64::try_from(self.identifiers_seen.len()).unwrap_or(i64::MAX);
        let counts = self.counts.iter().copied().chain([distinct]);
        let columns = counts.map(|count| Arc::new(Int64Array::from(vec![count])) as ArrayRef).collect();
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(fields(), columns, None)?)))
    }

    fn size(&self) -> usize {
        // A byte of control for each place.
        size_of_val(self) + self.identifiers_seen.capacity() * 17
    }
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::array::StringArray;

    use super::*;

    fn audit(values: &[Option<&str>]) -> Audit {
        let identifiers = Identifiers::of(FUNCTION, &ScalarValue::from("meta"), &ScalarValue::from("email")).unwrap();
        let region = Some(Regions::One(None));
        let mut audit = Audit { identifiers, region, counts: [0; 7], identifiers_seen: HashSet::new() };
        let constant: ArrayRef = Arc::new(StringArray::from(vec!["x"; values.len()]));
        let values: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
        audit.update_batch(&[Arc::clone(&constant), constant, values]).unwrap();
        audit
    }

    #[test]
    fn halves_make_the_whole() {
        let hash = "8CBA8D2A1E4C5F8C2F6F9F3A1E4C5F8C2F6F9F3A1E4C5F8C2F6F9F3A1E4C5F8C";
        let rows =
            [Some("a@b.de"), Some(" A@b.de"), None, Some(""), Some("b"), Some(hash), Some("c@d.ef"), Some("c@d.ef")];
        let mut whole = audit(&rows);
        assert_eq!(whole.counts, [8, 1, 1, 1, 1, 4, 1]);
        assert_eq!(whole.identifiers_seen.len(), 3);
        let mut left = audit(&rows[..3]);
        let state = audit(&rows[3..]).state().unwrap();
        let state: Vec<ArrayRef> = state.iter().map(|value| value.to_array().unwrap()).collect();
        left.merge_batch(&state).unwrap();
        assert_eq!(left.evaluate().unwrap(), whole.evaluate().unwrap());
        assert!(whole.size() > size_of_val(&whole));
    }
}
