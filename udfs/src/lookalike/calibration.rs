//! `calibration(probability, label [, bins])`: whether what is said to happen in 3 cases of 10 does.
//!
//! Probabilities fall into bins of equal width; each bin tells how many there are, their mean, and the share of rows
//! with the label. scikit-learn's `calibration_curve` with its strategy `uniform`, and the sizes beside it.
//!
//! * A probability on a boundary belongs to the upper bin, 1 to the last. Bins without rows are left out.
//! * A row whose probability or label is NULL does not count. NULL of no rows; a probability below 0, above 1 or NaN is
//!   an error.
//! * Merges; how rows are parted changes `predicted` by rounding only.
//! * Cost: one pass, O(bins) memory a group.

use std::sync::{Arc, LazyLock};

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StructArray};
use datafusion_common::arrow::buffer::OffsetBuffer;
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::features::labels;
use super::model::{state, state_fields, states};
use super::options;
use crate::InvalidArgument;
use crate::arguments::{constant, refuse_distinct};
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `calibration`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns how predicted probabilities compare with what was observed: an array of structs of bin, n, predicted (the mean probability) and observed (the share of rows with the label), for bins of equal width that have rows. Rows whose probability or label is NULL do not count; NULL of no rows.",
    syntax_example = "calibration(probability, label [, bins])",
    sql_example = r#"```sql
> SELECT unnest(calibration(p, bought, 2)) AS bin FROM (VALUES (0.25, false), (0.25, true), (0.5, true), (1.0, true)) AS t (p, bought);
+------------------------------------------------+
| bin                                            |
+------------------------------------------------+
| {bin: 1, n: 2, predicted: 0.25, observed: 0.5} |
| {bin: 2, n: 2, predicted: 0.75, observed: 1.0} |
+------------------------------------------------+
```"#,
    argument(name = "probability", description = "A number from 0 to 1; others are errors."),
    argument(name = "label", description = "Whether it happened: a boolean, or 1 and 0."),
    argument(name = "bins", description = "The number of bins, a constant from 1 to 1000; 10 if not given.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Calibration;

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("bin", DataType::Int64, true),
        Field::new("n", DataType::Int64, true),
        Field::new("predicted", DataType::Float64, true),
        Field::new("observed", DataType::Float64, true),
    ])
});

const NAME: &str = "calibration";

fn item() -> FieldRef {
    Field::new_list_field(DataType::Struct(FIELDS.clone()), true).into()
}

impl AggregateUDFImpl for Calibration {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let parameters = [("probability", Taken::Number), ("label", Taken::Label), ("bins", Taken::Integer)];
        coerce(NAME, types, &parameters, 2)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(NAME, &args, "select distinct rows in a sub-query")?;
        let bins = match args.exprs.len() {
            0..3 => 10,
            _ => options::whole(NAME, "bins", &constant(NAME, "bins", &args, 2)?, 1, 1000)?,
        };
        Ok(Box::new(Bins(vec![[0.0; 3]; bins as usize])))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args, ["bins"]))
    }
}

/// For each bin the number of rows, the sum of their probabilities, and how many have the label.
#[derive(Debug)]
struct Bins(Vec<[f64; 3]>);

impl Accumulator for Bins {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [probabilities, label, ..] = values else {
            return plan_err!("{NAME} takes a probability and a label");
        };
        let labels = labels(NAME, label)?;
        let Some(probabilities) = probabilities.as_primitive_opt::<Float64Type>() else {
            return plan_err!("{NAME} takes a number as probability");
        };
        let bins = self.0.len();
        for (probability, label) in probabilities.iter().zip(&labels).filter_map(|(p, label)| Some((p?, label?))) {
            if !(0.0..=1.0).contains(&probability) {
                let message = format!("{NAME}: a probability has to be from 0 to 1, not {probability}");
                return Err(InvalidArgument::error(message));
            }
            let bin = ((probability * bins as f64) as usize).min(bins - 1);
            if let Some([rows, sum, hits]) = self.0.get_mut(bin) {
                *rows += 1.0;
                *sum += probability;
                *hits += f64::from(u8::from(label));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let filled: Vec<(i64, [f64; 3])> =
            (1..).zip(self.0.iter().copied()).filter(|(_, [rows, ..])| *rows > 0.0).collect();
        if filled.is_empty() {
            return ScalarValue::try_from(&DataType::List(item()));
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(filled.iter().map(|(bin, _)| Some(*bin)).collect::<Int64Array>()),
            Arc::new(filled.iter().map(|(_, [rows, ..])| Some(*rows as i64)).collect::<Int64Array>()),
            Arc::new(filled.iter().map(|(_, [rows, sum, _])| Some(sum / rows)).collect::<Float64Array>()),
            Arc::new(filled.iter().map(|(_, [rows, _, hits])| Some(hits / rows)).collect::<Float64Array>()),
        ];
        let values = StructArray::try_new(FIELDS.clone(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths([values.len()]);
        Ok(ScalarValue::List(Arc::new(ListArray::try_new(item(), offsets, Arc::new(values), None)?)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.capacity() * size_of::<[f64; 3]>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![state(self.0.iter().flatten().copied().collect())])
    }

    fn merge_batch(&mut self, given: &[ArrayRef]) -> Result<()> {
        let [bins] = given else {
            return plan_err!("{NAME} has a state of one list");
        };
        for bins in states(bins)? {
            for (mine, other) in self.0.iter_mut().flatten().zip(bins) {
                *mine += other;
            }
        }
        Ok(())
    }
}
