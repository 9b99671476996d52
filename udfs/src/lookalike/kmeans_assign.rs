//! `kmeans_assign(model, features)`: the cluster whose centroid is nearest to a row.
//!
//! * A struct of `cluster`, from 1, the largest of the fit; and `distance`, Euclidean, in standard deviations if the
//!   fit was scaled. Equally near: the smaller number.
//! * NULL if the model or the array is; a NULL in the array counts as the mean of the fit. NaN is an error, and so is
//!   an array of another length.
//! * Cost: O(k d) a row.

use std::sync::{Arc, LazyLock};

use datafusion_common::Result;
use datafusion_common::arrow::array::{ArrayRef, Float64Array, Int64Array, StructArray};
use datafusion_common::arrow::buffer::NullBuffer;
use datafusion_common::arrow::datatypes::{DataType, Field, Fields};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::centroids::{Assignment, coerced};
use super::features::Vectors;
use super::scoring::{Scored, score_types};
use crate::named::named;
use crate::rows::constant_for_constants;

/// The function `kmeans_assign`.
#[user_doc(
    doc_section(label = "Lookalike Functions"),
    description = "Returns the cluster of kmeans_fit that is nearest to a row: a struct of cluster, numbered from 1, the largest of the fit, and distance from its centroid. NULL if the model or the array of features is NULL.",
    syntax_example = "kmeans_assign(model, features)",
    sql_example = r#"```sql
> SELECT kmeans_assign(kmeans_fit(ARRAY[orders], 2, 42, 10, 'none'), ARRAY[9]) AS nearest FROM (VALUES (1), (2), (3), (10), (12)) AS t (orders);
+-----------------------------+
| nearest                     |
+-----------------------------+
| {cluster: 2, distance: 2.0} |
+-----------------------------+
```"#,
    argument(name = "model", description = "A model of kmeans_fit."),
    argument(
        name = "features",
        description = "An array of numbers or booleans, of the features of the fit in the same order. A NULL among them counts as the mean of the fit."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct KmeansAssign;

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![Field::new("cluster", DataType::Int64, true), Field::new("distance", DataType::Float64, true)])
});

const NAME: &str = "kmeans_assign";

impl ScalarUDFImpl for KmeansAssign {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(FIELDS.clone()))
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
        let mut assigned: Vec<Option<(i64, f64)>> = Vec::with_capacity(rows);
        let mut current = None;
        for row in 0..rows {
            if row == 0 || !one_model {
                current = Assignment::read(NAME, &models, row)?;
            }
            assigned.push(match (&current, vectors.get(row)) {
                (Some(model), Some(features)) => Some(model.of(NAME, features)?),
                _ => None,
            });
        }
        let clusters: Int64Array = assigned.iter().map(|found| found.map(|(cluster, _)| cluster)).collect();
        let distances: Float64Array = assigned.iter().map(|found| found.map(|(_, distance)| distance)).collect();
        let valid: NullBuffer = assigned.iter().map(Option::is_some).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(clusters), Arc::new(distances)];
        constant_for_constants(&args.args, Arc::new(StructArray::try_new(FIELDS.clone(), columns, Some(valid))?))
    }
}
