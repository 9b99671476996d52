//! `tcf_vendor(tc, vendor [, purpose])`: whether a consent string holds consent to a vendor.
//!
//! A publisher restriction of a kind that the format does not define counts as a prohibition. Source and cost as of
//! `tcf_purpose`.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::tc_string::PURPOSES;
use super::tcf_ask::{Number, VENDOR, answered, coerced, small, vendor};
use crate::named::named;

/// The function `tcf_vendor`.
#[user_doc(
    doc_section(label = "Destination Functions"),
    description = "Returns whether a TC string holds the person's consent to a vendor; with a purpose, whether the vendor may process for that purpose by consent: the vendor and the purpose both have it, and no publisher restriction forbids it or demands legitimate interest instead. False, never NULL, for NULL and for a string that can't be read in full.",
    syntax_example = "tcf_vendor(tc, vendor [, purpose])",
    sql_example = r#"```sql
> SELECT vendor, tcf_vendor(tc, vendor) AS consent, tcf_vendor(tc, vendor, 3) AS for_profiles, tcf_vendor(tc, vendor, 1) AS for_storage FROM (VALUES (23), (24)) AS v (vendor), (VALUES ('COrEAV4OrXx94ACABBENAHCIAD-AAAAAAACAAxAAAAgAIAwgAgAAAAEAgQAAAAAEAYQAQAAAACAAAABAAA')) AS t (tc) ORDER BY vendor;
+--------+---------+--------------+-------------+
| vendor | consent | for_profiles | for_storage |
+--------+---------+--------------+-------------+
| 23     | true    | true         | false       |
| 24     | false   | false        | false       |
+--------+---------+--------------+-------------+
```"#,
    argument(name = "tc", description = "A TC string of version 2, with or without its further segments."),
    argument(name = "vendor", description = "The vendor's number on the IAB's list, from 1 to 65535."),
    argument(name = "purpose", description = "The number of a purpose, from 1 to 24.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TcfVendor;

const NUMBERS: [Number; 2] = [VENDOR, Number("purpose", PURPOSES as i64)];

impl ScalarUDFImpl for TcfVendor {
    named!("tcf_vendor");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced(self.name(), types, 1, &NUMBERS)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        answered(self.name(), &args, &NUMBERS, |tc, numbers| {
            numbers.first().is_some_and(|id| tc.vendor(vendor(*id), numbers.get(1).map(|purpose| small(*purpose))))
        })
    }
}
