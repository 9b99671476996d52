//! The accumulator of dictionaries: different texts, numbered in their order.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StringViewArray, StructArray};
use datafusion_common::arrow::buffer::OffsetBuffer;
use datafusion_common::arrow::datatypes::{DataType, Field, Fields};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::Accumulator;

/// Different texts.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    texts: HashSet<Box<str>>,
    bytes: usize,
}

/// An entry of the dictionary.
fn entry() -> Fields {
    Fields::from(vec![Field::new("id", DataType::Utf8View, false), Field::new("n", DataType::Int64, false)])
}

/// The type of a dictionary.
pub(super) fn dictionary() -> DataType {
    DataType::new_list(DataType::Struct(entry()), true)
}

impl Dictionary {
    fn add(&mut self, texts: &StringViewArray) {
        for text in texts.iter().flatten() {
            if !self.texts.contains(text) {
                self.bytes += text.len();
                self.texts.insert(text.into());
            }
        }
    }

    fn sorted(&self) -> Vec<&str> {
        let mut sorted: Vec<&str> = self.texts.iter().map(Box::as_ref).collect();
        sorted.sort_unstable();
        sorted
    }
}

impl Accumulator for Dictionary {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if let Some(texts) = values.first() {
            self.add(texts.as_string_view());
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.texts.is_empty() {
            return ScalarValue::try_from(&dictionary());
        }
        let sorted = self.sorted();
        let numbers: Int64Array = (0..).take(sorted.len()).map(Some).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(StringViewArray::from(sorted)), Arc::new(numbers)];
        let entries = StructArray::try_new(entry(), columns, None)?;
        let item = Field::new_list_field(DataType::Struct(entry()), true);
        let one_list = OffsetBuffer::from_lengths([entries.len()]);
        Ok(ScalarValue::List(Arc::new(ListArray::try_new(Arc::new(item), one_list, Arc::new(entries), None)?)))
    }

    fn size(&self) -> usize {
        // A hash table has a byte of control and an eighth of its slots free for every text.
        size_of_val(self) + self.bytes + self.texts.capacity() * 8 / 7 * (size_of::<Box<str>>() + 1)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let texts: Vec<_> =
            self.sorted().into_iter().map(|text| ScalarValue::Utf8View(Some(text.to_owned()))).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list(&texts, &DataType::Utf8View, true))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states.iter().flat_map(|states| states.as_list::<i32>().iter().flatten()) {
            self.add(state.as_string_view());
        }
        Ok(())
    }
}
