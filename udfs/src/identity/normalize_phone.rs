//! `normalize_phone(phone [, region])`: a telephone number as E.164 has it, `+33612345678`.
//!
//! By the metadata of Google's libphonenumber (crate `phonenumber`): a number is valid if its length and its digits fit
//! a kind of number of its country. What people write round the digits is taken away before: blanks, dots, dashes,
//! slashes and brackets, the `(0)` behind a country code, `tel:`, and an extension (`x12`, `ext. 12`, `#12`,
//! `;ext=12`). `audience_hash` reads numbers the same way.
//!
//! * `region` is the country, two letters of ISO 3166, that a number without `+` or an international prefix belongs to.
//!   NULL or not given: only numbers with `+` or 00 are known.
//! * NULL, and what is not a valid number: NULL. Never the empty text. An unknown region is an error.
//! * Cost: some ten microseconds a number; one that a batch has had before is not parsed again.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;
use phonenumber::country;

use super::texts::text_types;
use crate::InvalidArgument;
use crate::named::named;
use crate::phone;
use crate::rows::evaluate;

/// The function `normalize_phone`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns a telephone number in international form, E.164: a plus, the code of the country and the number. NULL if it is not a valid number. Extensions are dropped.",
    syntax_example = "normalize_phone(phone [, region])",
    sql_example = r#"```sql
> SELECT normalize_phone('06 12 34 56 78', 'FR') AS mobile, normalize_phone('+44 (0)20 7946 0018 ext. 5') AS london, normalize_phone('12', 'FR') AS none;
+--------------+---------------+------+
| mobile       | london        | none |
+--------------+---------------+------+
| +33612345678 | +442079460018 |      |
+--------------+---------------+------+
```"#,
    argument(name = "phone", description = "The number as it was written, text."),
    argument(
        name = "region",
        description = "The country that a number without + or 00 belongs to, such as FR; without it such numbers are NULL."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct NormalizePhone;

const NAME: &str = "normalize_phone";

impl ScalarUDFImpl for NormalizePhone {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        text_types(NAME, types, 1, 2)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        evaluate(&args, |columns| match columns {
            [phones] => normalized_all(phones, None),
            [phones, regions] => normalized_all(phones, Some(regions)),
            _ => plan_err!("{NAME} takes a number and a region"),
        })
    }
}

fn normalized_all(phones: &ArrayRef, regions: Option<&ArrayRef>) -> Result<ArrayRef> {
    let phones = phones.as_string_view();
    let regions = regions.map(|regions| regions.as_string_view());
    let mut known: HashMap<(&str, &str), Option<String>> = HashMap::new();
    let mut result = StringBuilder::with_capacity(phones.len(), phones.len() * 13);
    for (row, phone) in phones.iter().enumerate() {
        let Some(phone) = phone else {
            result.append_null();
            continue;
        };
        let region = regions.filter(|regions| regions.is_valid(row)).map(|regions| regions.value(row));
        let key = (phone, region.unwrap_or_default());
        if !known.contains_key(&key) {
            let region = region.map(country_of).transpose()?;
            known.insert(key, phone::e164(phone, region));
        }
        result.append_option(known.get(&key).and_then(Option::as_deref));
    }
    Ok(Arc::new(result.finish()))
}

fn country_of(letters: &str) -> Result<country::Id> {
    phone::region(letters).ok_or_else(|| {
        let message = format!("{NAME}: unknown region \"{letters}\", give two letters of ISO 3166 such as FR");
        InvalidArgument::error(message)
    })
}
