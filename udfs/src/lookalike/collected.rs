//! The rows of an aggregate that has to see all of them at once.

use datafusion_common::arrow::array::{Array, ArrayRef};
use datafusion_common::{Result, ScalarValue, plan_err};

use super::features::{Vectors, labels, same_width};
use super::model::{state, states};

/// Rows of equal width after one another, each with a label. What is unknown is NaN.
#[derive(Debug, Clone, Default)]
pub(super) struct Collected {
    pub(super) width: usize,
    pub(super) values: Vec<f64>,
    pub(super) labels: Vec<bool>,
}

impl Collected {
    /// Adds the rows that have features and, where there are labels, a label.
    ///
    /// # Errors
    /// If rows differ in width, or have values that are no features or labels.
    pub(super) fn update(&mut self, function: &str, features: &ArrayRef, label: Option<&ArrayRef>) -> Result<()> {
        let vectors = Vectors::new(function, features)?;
        let labels = label.map(|label| labels(function, label)).transpose()?;
        for row in 0..vectors.len() {
            let label = labels.as_ref().map_or(Some(false), |labels| labels.is_valid(row).then(|| labels.value(row)));
            if let (Some(features), Some(label)) = (vectors.get(row), label) {
                same_width(function, &mut self.width, features.len())?;
                self.values.extend_from_slice(features);
                self.labels.push(label);
            }
        }
        Ok(())
    }

    /// All of it as lists of doubles.
    pub(super) fn take_state(&mut self) -> Vec<ScalarValue> {
        let taken = std::mem::take(self);
        let labels = taken.labels.iter().map(|label| f64::from(u8::from(*label))).collect();
        vec![state(taken.values), state(labels)]
    }

    /// Adds what others have collected.
    ///
    /// # Errors
    /// If rows differ in width.
    pub(super) fn merge(&mut self, function: &str, given: &[ArrayRef]) -> Result<()> {
        let [values, labels] = given else {
            return plan_err!("{function} has a state of two lists");
        };
        for (values, labels) in states(values)?.into_iter().zip(states(labels)?) {
            if !labels.is_empty() {
                same_width(function, &mut self.width, values.len() / labels.len())?;
                self.values.extend(values);
                self.labels.extend(labels.iter().map(|label| *label == 1.0));
            }
        }
        Ok(())
    }

    /// Bytes on the heap, twice: a fit works on a copy.
    pub(super) fn size(&self) -> usize {
        2 * (self.values.capacity() * size_of::<f64>() + self.labels.capacity())
    }

    /// The rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// Brings the rows into the one order that they have whatever the order they came in.
    pub(super) fn sort(&mut self) {
        let width = self.width;
        let row = |at: usize| &self.values[at * width..(at + 1) * width];
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        order.sort_unstable_by(|a, b| {
            let mut pairs = row(*a).iter().zip(row(*b)).map(|(a, b)| a.total_cmp(b));
            pairs.find(|order| order.is_ne()).unwrap_or_else(|| self.labels[*a].cmp(&self.labels[*b]))
        });
        self.values = order.iter().flat_map(|at| row(*at)).copied().collect();
        self.labels = order.iter().map(|at| self.labels[*at]).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_one_order() {
        let mut a = Collected {
            width: 2,
            values: vec![2.0, 1.0, 1.0, 9.0, 1.0, 3.0, 1.0, 3.0],
            labels: vec![false, true, true, false],
        };
        a.sort();
        assert_eq!(a.values, [1.0, 3.0, 1.0, 3.0, 1.0, 9.0, 2.0, 1.0]);
        assert_eq!(a.labels, [false, true, true, false]);
    }
}
