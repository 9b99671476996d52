//! Names of channels, each kept once.

use std::sync::Arc;

use datafusion_common::arrow::array::{Array, AsArray};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{HashMap, Result, plan_err};

/// Names, and the numbers that stand for them.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
    bytes: usize,
}

impl Names {
    /// The number of a name, which is the next one if it is new.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let (number, kept) = (self.names.len() as u32, Arc::<str>::from(name));
        self.bytes += name.len() + 16;
        self.names.push(kept.clone());
        self.numbers.insert(kept, number);
        number
    }

    /// The names by number.
    pub(super) fn all(&self) -> &[Arc<str>] {
        &self.names
    }

    /// The name of a number that was given out.
    pub(super) fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }

    /// The names in the order of the alphabet, and the place in it of each number.
    pub(super) fn ranked(&self) -> (Vec<Arc<str>>, Vec<u32>) {
        let mut order: Vec<(Arc<str>, usize)> = self.names.iter().cloned().zip(0..).collect();
        order.sort_unstable();
        let mut ranks = vec![0; order.len()];
        for (rank, (_, number)) in (0..).zip(&order) {
            if let Some(place) = ranks.get_mut(*number) {
                *place = rank;
            }
        }
        (order.into_iter().map(|(name, _)| name).collect(), ranks)
    }

    pub(super) fn size(&self) -> usize {
        self.bytes + (self.numbers.capacity() * 2 + self.names.capacity()) * size_of::<Arc<str>>()
    }
}

/// The type that text is coerced to: it stays what it is.
///
/// # Errors
/// If it is not text.
pub(super) fn text_type(function: &str, what: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(given.clone()),
        DataType::Null => Ok(DataType::Utf8),
        other => plan_err!("{function} takes {what} as text, not as {other}"),
    }
}

/// The texts of an array that was coerced to [`text_type`].
///
/// # Errors
/// If it is not text.
pub(super) fn texts<'a>(array: &'a dyn Array) -> Result<Box<dyn Iterator<Item = Option<&'a str>> + 'a>> {
    Ok(match array.data_type() {
        DataType::Utf8 => Box::new(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => Box::new(array.as_string::<i64>().iter()),
        DataType::Utf8View => Box::new(array.as_string_view().iter()),
        other => return plan_err!("channels are text, not {other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_once_and_ranked() {
        let mut names = Names::default();
        assert_eq!(["b", "a", "b", "c"].map(|name| names.number(name)), [0, 1, 0, 2]);
        let (sorted, ranks) = names.ranked();
        assert_eq!(sorted.iter().map(|name| &**name).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(ranks, [1, 0, 2]);
        assert_eq!(names.name(2), "c");
    }
}
