//! The accumulator of fits: rows are counted, and the model is fitted to the counts at the end.

use std::fmt;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::Accumulator;
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::format_state_name;

use super::counted::Counted;
use crate::InvalidArgument;
use crate::arguments::refuse_distinct;

/// A model that is fitted to rows of `N` numbers.
pub(super) trait Fit<const N: usize>: fmt::Debug + Send + Sync + 'static {
    /// The SQL function.
    const NAME: &'static str;

    /// The row to count, none if it tells the model nothing, or what is wrong with it.
    fn row(given: [f64; N]) -> Result<Option<[f64; N]>, String>;

    /// The parameters and the logarithm of the likelihood, in the order of the result's fields.
    fn fit(rows: &[([f64; N], u64)]) -> Option<Vec<f64>>;
}

/// Counts rows for a fit.
#[derive(Debug)]
pub(super) struct Fitting<const N: usize, F: Fit<N>> {
    counted: Counted<N>,
    result: DataType,
    fit: std::marker::PhantomData<F>,
}

impl<const N: usize, F: Fit<N>> Fitting<N, F> {
    /// # Errors
    /// With DISTINCT: customers who bought alike are still several.
    pub(super) fn new(result: DataType, args: &AccumulatorArgs) -> Result<Self> {
        refuse_distinct(F::NAME, args, "customers who bought alike are still several")?;
        Ok(Self { counted: Counted::new(), result, fit: std::marker::PhantomData })
    }
}

/// The state of a fit.
pub(super) fn state_fields(args: &StateFieldsArgs) -> Vec<FieldRef> {
    vec![Field::new(format_state_name(args.name, "counted"), DataType::LargeBinary, true).into()]
}

impl<const N: usize, F: Fit<N>> Accumulator for Fitting<N, F> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let columns: Vec<_> = values.iter().take(N).map(|column| column.as_primitive::<Float64Type>()).collect();
        let weights = values.get(N).map(|column| column.as_primitive::<Int64Type>());
        for row in 0..values.first().map_or(0, |column| column.len()) {
            let known = columns.iter().all(|column| column.is_valid(row));
            if !known || weights.is_some_and(|weights| weights.is_null(row)) {
                continue;
            }
            let mut numbers = [0.0; N];
            for (number, column) in numbers.iter_mut().zip(&columns) {
                *number = column.value(row);
            }
            let invalid = |message: String| InvalidArgument::error(format!("{}: {message}", F::NAME));
            let weight = weights.map_or(1, |weights| weights.value(row));
            let weight = u64::try_from(weight).map_err(|_| invalid(format!("a weight is negative: {weight}")))?;
            if let Some(numbers) = F::row(numbers).map_err(invalid)?.filter(|_| weight > 0) {
                self.counted.add(numbers, weight);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.counted.is_empty() {
            return ScalarValue::try_from(&self.result);
        }
        let rows = self.counted.rows();
        let Some(fitted) = F::fit(&rows) else {
            return Err(InvalidArgument::error(format!(
                "{}: no model fits best, since these customers are too few or too alike",
                F::NAME
            )));
        };
        let n = rows.iter().fold(0_u64, |n, (_, count)| n.saturating_add(*count));
        let n = ScalarValue::from(i64::try_from(n).unwrap_or(i64::MAX));
        let values = fitted.into_iter().map(ScalarValue::from).chain([n]);
        let DataType::Struct(fields) = &self.result else {
            return plan_err!("{} returns a struct", F::NAME);
        };
        let columns = values.map(|value| value.to_array()).collect::<Result<Vec<_>>>()?;
        let model = datafusion_common::arrow::array::StructArray::try_new(fields.clone(), columns, None)?;
        Ok(ScalarValue::Struct(std::sync::Arc::new(model)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counted.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::LargeBinary(Some(self.counted.to_bytes()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states.iter().flat_map(|states| states.as_binary::<i64>().iter().flatten()) {
            self.counted.merge(state)?;
        }
        Ok(())
    }
}
