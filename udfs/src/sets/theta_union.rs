//! `theta_union(s [, lgk])`: the union of a group's theta sketches.
//!
//! * NULLs do not count; without other rows NULL. Bytes that are no sketch are an error.
//! * Cost: that of the sketches' bytes.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::function::AccumulatorArgs;
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::gathering::{Gathering, GatheringGroups};
use super::sketch::{DEFAULT_LG_K, United, lg_k};
use crate::arguments::constant;
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `theta_union`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns the theta sketch of all values that the sketches of a group have seen. NULLs do not count; without other rows it is NULL.",
    syntax_example = "theta_union(s [, lgk])",
    sql_example = r#"```sql
> SELECT theta_estimate(theta_union(s)) AS people FROM (SELECT theta_sketch(id) AS s FROM (VALUES ('mon', 1), ('mon', 2), ('tue', 2), ('tue', 3)) AS visits (day, id) GROUP BY day) AS days;
+--------+
| people |
+--------+
| 3.0    |
+--------+
```"#,
    argument(name = "s", description = "A theta sketch."),
    argument(
        name = "lgk",
        description = "The logarithm to base 2 of the number of hashes to keep, a constant from 5 to 26; 12 if it is not given."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ThetaUnion;

impl AggregateUDFImpl for ThetaUnion {
    named!("theta_union", alias "theta_sketch_union");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce("theta_union", types, &[("s", Taken::Bytes), ("lgk", Taken::Integer)], 1)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Gathering::<United>::new(&plan(&args)?)?))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(GatheringGroups::<United>::new(plan(&args)?)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn plan(args: &AccumulatorArgs) -> Result<u8> {
    match args.exprs.len() {
        0 | 1 => Ok(DEFAULT_LG_K),
        _ => lg_k("theta_union", &constant("theta_union", "lgk", args, 1)?),
    }
}
