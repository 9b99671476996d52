//! `theta_sketch(x [, lgk])`: a theta sketch of a group's values.
//!
//! Dasgupta, Lang, Rhodes and Thaler, "A Framework for Estimating Stream Expression Cardinalities" (2016), by the
//! library Apache DataSketches; the bytes are those of that library, with its seed.
//!
//! * NULLs do not count; without other rows NULL. DISTINCT changes nothing. The result does not depend on the order of
//!   the rows.
//! * Cost: O(1) a row; at most about 16 × 2^lgk bytes in memory and 8 × 2^lgk as a value.

use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::AccumulatorArgs;
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::gathering::{Gathering, GatheringGroups};
use super::sketch::{DEFAULT_LG_K, Sketched, lg_k};
use crate::arguments::constant;
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `theta_sketch`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns a theta sketch of the values of a group: a small summary that tells how many different ones there are, and that can be united, intersected and subtracted. Exact up to 2^lgk values, then an estimate. NULLs do not count; without other rows it is NULL.",
    syntax_example = "theta_sketch(x [, lgk])",
    sql_example = r#"```sql
> SELECT theta_estimate(theta_sketch(x)) AS people FROM (VALUES ('a'), ('b'), ('b'), (NULL)) AS visits (x);
+--------+
| people |
+--------+
| 2.0    |
+--------+
```"#,
    argument(name = "x", description = "The value: text, an integer or a double."),
    argument(
        name = "lgk",
        description = "The logarithm to base 2 of the number of hashes to keep, a constant from 5 to 26; 12, an error of about 1.6 %, if it is not given."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ThetaSketch;

impl AggregateUDFImpl for ThetaSketch {
    named!("theta_sketch", alias "theta_sketch_build");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let value = match types.first() {
            Some(given) => [Taken::Integer, Taken::Text].into_iter().find_map(|taken| taken.coerced(given)),
            None => None,
        };
        let value = match (value, types.first()) {
            (Some(value), _) => value,
            (None, Some(given)) if given.is_floating() => DataType::Float64,
            (None, given) => {
                let given = given.map(ToString::to_string).unwrap_or_default();
                return plan_err!("theta_sketch takes text, integers or doubles, not {given}; cast to text");
            }
        };
        let rest = coerce("theta_sketch", types.get(1..).unwrap_or_default(), &[("lgk", Taken::Integer)], 0)?;
        Ok(std::iter::once(value).chain(rest).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Gathering::<Sketched>::new(&plan(&args)?)?))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(GatheringGroups::<Sketched>::new(plan(&args)?)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn plan(args: &AccumulatorArgs) -> Result<u8> {
    match args.exprs.len() {
        0 | 1 => Ok(DEFAULT_LG_K),
        _ => lg_k("theta_sketch", &constant("theta_sketch", "lgk", args, 1)?),
    }
}
