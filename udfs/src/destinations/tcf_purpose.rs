//! `tcf_purpose(tc, purpose)`: whether a consent string holds consent to a purpose.
//!
//! The consent of the person to the purpose alone: a vendor needs its own as well, see `tcf_vendor`. Source: IAB Tech
//! Lab, Consent string and vendor list formats v2 (2.3). Cost: reads the string once, about a microsecond.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::tc_string::PURPOSES;
use super::tcf_ask::{Number, answered, coerced, small};
use crate::named::named;

/// The function `tcf_purpose`.
#[user_doc(
    doc_section(label = "Destination Functions"),
    description = "Returns whether a TC string of the IAB's Transparency and Consent Framework (versions 2.0 to 2.3) holds the person's consent to a purpose. False, never NULL, for NULL and for a string that can't be read in full: what is not known was not agreed to.",
    syntax_example = "tcf_purpose(tc, purpose)",
    sql_example = r#"```sql
> SELECT tc, tcf_purpose(tc, 2) AS second, tcf_purpose(tc, 3) AS third FROM (VALUES ('COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA'), ('COtybn4PA_zT4KjACBENAPCI')) AS t (tc);
+----------------------------------------------+--------+-------+
| tc                                           | second | third |
+----------------------------------------------+--------+-------+
| COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA | true   | false |
| COtybn4PA_zT4KjACBENAPCI                     | false  | false |
+----------------------------------------------+--------+-------+
```"#,
    argument(name = "tc", description = "A TC string of version 2, with or without its further segments."),
    argument(
        name = "purpose",
        description = "The number of the purpose, from 1 to 24: 1 is to store and access information on a device, 3 and 4 are personalised advertising."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TcfPurpose;

const NUMBERS: [Number; 1] = [Number("purpose", PURPOSES as i64)];

impl ScalarUDFImpl for TcfPurpose {
    named!("tcf_purpose");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced(self.name(), types, 1, &NUMBERS)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        answered(self.name(), &args, &NUMBERS, |tc, numbers| {
            numbers.iter().all(|purpose| tc.purposes.contains(small(*purpose)))
        })
    }
}
