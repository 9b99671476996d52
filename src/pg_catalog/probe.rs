//! What a function that checks its arguments itself takes and gives, found out by asking it: it says no more than
//! whether it takes given types, what it makes of them, and what it returns for these.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::Result;

/// What was found out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Probed {
    /// The type of each argument; `None` where several will do.
    pub(super) arguments: Vec<Option<DataType>>,
    /// The type of the result; `None` where it depends on the arguments.
    pub(super) returns: Option<DataType>,
}

/// Types that stand for all that columns have.
fn samples() -> [DataType; 10] {
    [
        DataType::Utf8,
        DataType::Int64,
        DataType::Float64,
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Boolean,
        DataType::Date32,
        DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Binary,
        DataType::new_list(DataType::Float64, true),
        DataType::new_list(DataType::Utf8, true),
    ]
}

/// Asks a function about `count` arguments. `None` if it takes nothing that was tried.
pub(super) fn probe(
    count: usize,
    coerce: impl Fn(&[DataType]) -> Result<Vec<DataType>>,
    returns: impl Fn(&[DataType]) -> Result<DataType>,
) -> Option<Probed> {
    let taken = |types: &[DataType]| coerce(types).ok().filter(|taken| taken.len() == count);
    let uniform = [DataType::Null].into_iter().chain(samples()).map(|sample| vec![sample; count]);
    let base = uniform.into_iter().find(|types| taken(types).is_some())?;
    let mut results = Vec::new();
    let mut arguments = Vec::with_capacity(count);
    for place in 0..count {
        let mut found = Vec::new();
        for sample in samples() {
            let mut types = base.clone();
            types[place] = sample;
            if let Some(taken) = taken(&types) {
                found.extend(taken.get(place).cloned());
                results.extend(returns(&taken).ok());
            }
        }
        arguments.push(only(found));
    }
    if count == 0 {
        results.extend(returns(&[]).ok());
    }
    Some(Probed { arguments, returns: only(results) })
}

/// The one type that all are.
fn only(types: Vec<DataType>) -> Option<DataType> {
    let mut types = types.into_iter().filter(|of| *of != DataType::Null);
    let first = types.next()?;
    types.all(|other| other == first).then_some(first)
}

/// Fields of these types, for a function that is asked by them.
pub(super) fn fields(types: &[DataType]) -> Vec<FieldRef> {
    types.iter().map(|of| Arc::new(Field::new("", of.clone(), true))).collect()
}

#[cfg(test)]
mod tests {
    use datafusion::common::plan_err;

    use super::*;

    #[test]
    fn one_type_or_any() {
        let coerce = |types: &[DataType]| match types {
            [_, count] if !count.is_integer() && !count.is_null() => plan_err!("not a number"),
            [value, _] => Ok(vec![value.clone(), DataType::Int64]),
            _ => plan_err!("two arguments"),
        };
        let found = probe(2, coerce, |_| Ok(DataType::Boolean)).unwrap();
        assert_eq!(found.arguments, [None, Some(DataType::Int64)]);
        assert_eq!(found.returns, Some(DataType::Boolean));
        assert_eq!(probe(3, coerce, |_| Ok(DataType::Boolean)), None);
        let same = probe(2, coerce, |types| Ok(types[0].clone())).unwrap();
        assert_eq!(same.returns, None);
    }
}
