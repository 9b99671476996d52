//! Values behind an index: dictionaries and run-end encoded arrays.

use bytes::BytesMut;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RunArray, UInt64Array, new_null_array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Int16Type, Int32Type, Int64Type, RunEndIndexType};

use super::{Formatting, Values, column};
use crate::error::{Error, Result};
use crate::values::pg_type::PgType;

struct Indirect {
    index: Vec<usize>,
    nulls: Option<NullBuffer>,
    values: Box<dyn Values>,
}

/// The values of a dictionary or run-end encoded array: each is downcast once and printed where it is used.
pub(super) fn indirect(array: &ArrayRef, pg: PgType, formatting: &Formatting) -> Result<Box<dyn Values>> {
    let Some((index, values)) = resolve(array) else {
        return Err(Error::unsupported(format!("an array of Arrow type {}", array.data_type())));
    };
    let values = column::values(&values, pg, formatting)?;
    Ok(Box::new(Indirect { index, nulls: array.nulls().cloned(), values }))
}

impl Indirect {
    fn at(&self, row: usize) -> usize {
        self.index[row]
    }
}

impl Values for Indirect {
    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) || self.values.is_null(self.at(row))
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.values.text(self.at(row), out)
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.values.binary(self.at(row), out)
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.values.json(self.at(row), out)
    }
}

/// Lists behind an index as plain lists, so that a nested array can be taken apart; else the array itself.
pub(super) fn unpack_lists(array: ArrayRef) -> Result<ArrayRef> {
    let mut array = array;
    while holds_lists(array.data_type()) {
        let Some((index, values)) = resolve(&array) else {
            return Ok(array);
        };
        array = if values.is_empty() {
            new_null_array(values.data_type(), array.len())
        } else {
            let rows = index.iter().enumerate();
            let index: UInt64Array = rows.map(|(row, at)| array.is_valid(row).then_some(*at as u64)).collect();
            take(&values, &index, None)
                .map_err(|error| Error::internal(format!("a dictionary of lists cannot be unpacked: {error}")))?
        };
    }
    Ok(array)
}

/// Whether this is an index over lists, at any number of removes.
fn holds_lists(data_type: &DataType) -> bool {
    let values = match data_type {
        DataType::Dictionary(_, values) => values,
        DataType::RunEndEncoded(_, values) => values.data_type(),
        _ => return false,
    };
    holds_lists(values)
        || matches!(
            values,
            DataType::List(_)
                | DataType::LargeList(_)
                | DataType::FixedSizeList(_, _)
                | DataType::ListView(_)
                | DataType::LargeListView(_)
        )
}

/// For each row the place of its value, and the values. NULL rows have some place that exists, unless there
/// are no values at all; `None` if the array has no index.
fn resolve(array: &ArrayRef) -> Option<(Vec<usize>, ArrayRef)> {
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let values = ArrayRef::clone(dictionary.values());
            let index = if values.is_empty() { vec![0; array.len()] } else { dictionary.normalized_keys() };
            Some((index, values))
        }
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => Some(runs(array.as_run::<Int16Type>())),
            DataType::Int32 => Some(runs(array.as_run::<Int32Type>())),
            DataType::Int64 => Some(runs(array.as_run::<Int64Type>())),
            _ => None,
        },
        _ => None,
    }
}

fn runs<R: RunEndIndexType>(array: &RunArray<R>) -> (Vec<usize>, ArrayRef) {
    let index = (0..array.len()).map(|row| array.get_physical_index(row)).collect();
    (index, ArrayRef::clone(array.values()))
}
