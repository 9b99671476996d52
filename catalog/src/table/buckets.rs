//! Which buckets of a keyed table hold the rows that a predicate can mean.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int32Type, Schema, SchemaRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_expr::expressions::{col, lit};
use datafusion::physical_expr::utils::{Guarantee, LiteralGuarantee};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use super::layout::{Cut, Layout};

/// A predicate that means more keys than this reads all buckets.
const MOST_KEYS: usize = 4096;

/// Computes a key's bucket.
pub(super) struct Buckets<'a> {
    pub(super) hash: &'a Arc<ScalarUDF>,
    pub(super) layout: &'a Layout,
    /// The table's columns.
    pub(super) schema: &'a SchemaRef,
}

impl Buckets<'_> {
    /// The buckets of all keys for which `predicate` can be true, as files name them; `None` if those are not known:
    /// every column of the key has to be equal to one of a few constants.
    pub(super) fn of(
        &self,
        predicate: &Arc<dyn PhysicalExpr>,
        options: &ConfigOptions,
    ) -> Result<Option<HashSet<String>>> {
        let Cut::Bucket { key, buckets } = &self.layout.cut else { return Ok(None) };
        let guarantees = LiteralGuarantee::analyze(predicate);
        let mut columns: Vec<Vec<&ScalarValue>> = Vec::with_capacity(key.len());
        let mut keys = 1;
        for name in key {
            let index = self.schema.index_of(name)?;
            let of_column = |g: &&LiteralGuarantee| g.guarantee == Guarantee::In && g.column.name() == name;
            let Some(values) = guarantees.iter().filter(of_column).map(|g| &g.literals).min_by_key(|l| l.len()) else {
                return Ok(None);
            };
            keys *= values.len();
            // The bucket is that of the value as it is stored.
            if keys > MOST_KEYS || values.iter().any(|v| v.data_type() != *self.schema.field(index).data_type()) {
                return Ok(None);
            }
            columns.push(values.iter().collect());
        }
        if keys == 0 {
            return Ok(Some(HashSet::new()));
        }
        let mut repeated = 1;
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(key.len());
        for values in &columns {
            let every = (0..keys).map(|row| values[row / repeated % values.len()].clone());
            arrays.push(ScalarValue::iter_to_array(every)?);
            repeated *= values.len();
        }
        let fields = key.iter().map(|name| Ok(self.schema.field_with_name(name)?.clone().with_nullable(true)));
        let schema = Arc::new(Schema::new(fields.collect::<Result<Vec<_>>>()?));
        let mut arguments: Vec<Arc<dyn PhysicalExpr>> = Vec::with_capacity(key.len() + 1);
        for name in key {
            arguments.push(col(name, &schema)?);
        }
        arguments.push(lit(i64::from(*buckets)));
        let hash = ScalarFunctionExpr::try_new(Arc::clone(self.hash), arguments, &schema, Arc::new(options.clone()))?;
        let found = hash.evaluate(&RecordBatch::try_new(schema, arrays)?)?.into_array(keys)?;
        // A null is equal to nothing.
        Ok(Some(found.as_primitive::<Int32Type>().iter().flatten().map(|bucket| bucket.to_string()).collect()))
    }
}
