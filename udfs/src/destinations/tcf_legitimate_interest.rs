//! `tcf_legitimate_interest(tc, purpose [, vendor])`: whether a purpose may rest on legitimate interest.
//!
//! Source and cost as of `tcf_purpose`; the purposes that may not are those of IAB Europe's policies.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::tc_string::PURPOSES;
use super::tcf_ask::{Number, VENDOR, answered, coerced, small, vendor};
use crate::named::named;

/// The function `tcf_legitimate_interest`.
#[user_doc(
    doc_section(label = "Destination Functions"),
    description = "Returns whether a TC string establishes legitimate interest for a purpose: the person was told and did not object. With a vendor, whether that vendor may process on it: its own interest is established as well and no publisher restriction forbids it or demands consent. Purpose 1 never rests on legitimate interest, and 3 to 6 not since TCF 2.2 (policy version 4), whatever the string says. False, never NULL, for NULL and for a string that can't be read in full.",
    syntax_example = "tcf_legitimate_interest(tc, purpose [, vendor])",
    sql_example = r#"```sql
> SELECT purpose, tcf_legitimate_interest('COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA', purpose) AS interest FROM (VALUES (2), (7), (9)) AS p (purpose) ORDER BY purpose;
+---------+----------+
| purpose | interest |
+---------+----------+
| 2       | true     |
| 7       | false    |
| 9       | true     |
+---------+----------+
```"#,
    argument(name = "tc", description = "A TC string of version 2, with or without its further segments."),
    argument(name = "purpose", description = "The number of the purpose, from 1 to 24."),
    argument(name = "vendor", description = "The vendor's number on the IAB's list, from 1 to 65535.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TcfLegitimateInterest;

const NUMBERS: [Number; 2] = [Number("purpose", PURPOSES as i64), VENDOR];

impl ScalarUDFImpl for TcfLegitimateInterest {
    named!("tcf_legitimate_interest");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced(self.name(), types, 1, &NUMBERS)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        answered(self.name(), &args, &NUMBERS, |tc, numbers| {
            let vendor = numbers.get(1).map(|id| vendor(*id));
            numbers.first().is_some_and(|purpose| tc.legitimate_interest(small(*purpose), vendor))
        })
    }
}
