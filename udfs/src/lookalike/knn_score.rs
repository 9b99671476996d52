//! `knn_score(model, features)`: how near a row is to the members of the seed that are nearest to it.
//!
//! The mean cosine between the row and the `k` nearest members, on features standardised over all rows of the fit: from
//! -1 to 1. With fewer members than `k` all of them count.
//!
//! * NULL if the model or the array is; a NULL in the array counts as the mean of the fit; a row that is at the mean
//!   of everything has no direction and scores 0. NaN is an error, and so is an array of another length.
//! * Cost: a product with every member of the seed, as one of matrices: a thousand members cost some fifty times what a
//!   linear model does.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_common::arrow::array::Float64Array;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::features::Vectors;
use super::neighbours::{Neighbours, coerced};
use super::scoring::{Scored, score_types};
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::constant_for_constants;

/// Rows that are multiplied with the seeds at a time.
const BLOCK: usize = 256;

/// The function `knn_score`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns the mean cosine similarity, from -1 to 1, between a row and the k members of the seed that are nearest to it, on standardised features. NULL if the model or the array of features is NULL.",
    syntax_example = "knn_score(model, features)",
    sql_example = r#"```sql
> SELECT round(knn_score(knn_fit(ARRAY[orders], bought, 2), ARRAY[1]), 3) AS score FROM (VALUES (0, false), (2, false), (4, true), (6, true)) AS t (orders, bought);
+-------+
| score |
+-------+
| -1.0  |
+-------+
```"#,
    argument(name = "model", description = "A model of knn_fit."),
    argument(
        name = "features",
        description = "An array of numbers or booleans, of the features of the fit in the same order. A NULL among them counts as the mean of the fit."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct KnnScore;

const NAME: &str = "knn_score";

impl ScalarUDFImpl for KnnScore {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        score_types(NAME, types, coerced)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Scored { models, one_model, features, rows } = Scored::new(NAME, &args)?;
        let vectors = Vectors::new(NAME, &features)?;
        let result = if one_model {
            let all: Vec<usize> = (0..rows).collect();
            let blocks = all.chunks(BLOCK);
            match Neighbours::read(NAME, &models, 0)? {
                Some(model) => {
                    blocks.map(|block| scores(&model, &vectors, block)).collect::<Result<Vec<_>>>()?.concat()
                }
                None => vec![None; rows],
            }
        } else {
            let score = |row| match Neighbours::read(NAME, &models, row)? {
                Some(model) => scores(&model, &vectors, &[row]),
                None => Ok(vec![None]),
            };
            (0..rows).map(score).collect::<Result<Vec<_>>>()?.concat()
        };
        constant_for_constants(&args.args, Arc::new(Float64Array::from(result)))
    }
}

/// The scores of some rows by one model.
fn scores(model: &Neighbours, vectors: &Vectors, rows: &[usize]) -> Result<Vec<Option<f64>>> {
    let width = model.means.len();
    let mut values = Vec::with_capacity(rows.len() * width);
    for features in rows.iter().filter_map(|row| vectors.get(*row)) {
        if features.len() != width {
            let message = format!("{NAME}: the model has {width} features, the array {}", features.len());
            return Err(InvalidArgument::error(message));
        }
        values.extend_from_slice(features);
    }
    let mut scored = model.scores(values).into_iter();
    Ok(rows.iter().map(|row| vectors.get(*row).and_then(|_| scored.next())).collect())
}
