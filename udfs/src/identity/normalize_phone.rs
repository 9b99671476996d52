//! `normalize_phone(phone [, region])`: a telephone number as E.164 has it, `+33612345678`.
//!
//! By the metadata of Google's libphonenumber (crate `phonenumber`): a number is valid if its length and its digits fit
//! a kind of number of its country. What people write round the digits is taken away before: blanks, dots, dashes,
//! slashes and brackets, the `(0)` behind a country code, `tel:`, and an extension (`x12`,
//! `ext. 12`, `#12`, `;ext=12`).
//!
//! * `region` is the country, two letters of ISO 3166, that a number without `+` or its country's international prefix
//!   belongs to. NULL or not given: only numbers with `+` are known.
//! * NULL, and what is not a valid number: NULL. Never the empty text. An unknown region is an error.
//! * Cost: some ten microseconds a number; one that a batch has had before is not parsed again.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;
use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, country};

use super::texts::text_types;
use crate::InvalidArgument;
use crate::named::named;
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
        description = "The country that a number without + belongs to, such as FR; without it such numbers are NULL."
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
            known.insert(key, normalized(phone, region));
        }
        result.append_option(known.get(&key).and_then(Option::as_deref));
    }
    Ok(Arc::new(result.finish()))
}

fn country_of(region: &str) -> Result<country::Id> {
    let capitals = region.trim().to_ascii_uppercase();
    // The parser takes for granted that it has data of a region.
    capitals.parse().ok().filter(|_| DATABASE.by_id(&capitals).is_some()).ok_or_else(|| {
        let message = format!("{NAME}: unknown region \"{region}\", give two letters of ISO 3166 such as FR");
        InvalidArgument::error(message)
    })
}

fn normalized(phone: &str, region: Option<country::Id>) -> Option<String> {
    let digits = digits(phone)?;
    if region.is_none() && !digits.starts_with('+') {
        return None;
    }
    let number = phonenumber::parse(region, digits).ok()?;
    number.is_valid().then(|| number.format().mode(Mode::E164).to_string())
}

/// The digits of a number, and its plus. None if there is anything in it that is not written round digits.
fn digits(phone: &str) -> Option<String> {
    let phone = phone.trim();
    let phone = match phone.split_at_checked(3) {
        Some((scheme, number)) if scheme.eq_ignore_ascii_case("tel") => number.trim_start_matches([':', '.', ' ']),
        _ => phone,
    };
    let phone = phone.find(['x', 'X', 'e', 'E', '#', ';', ',']).map_or(phone, |extension| &phone[..extension]);
    let mut digits = String::with_capacity(phone.len());
    // Behind a country code people write the zero that is dialled within the country.
    let international = phone.trim_start().starts_with(['+', '\u{ff0b}']);
    let dialled_within = if international { phone.replacen("(0)", "", 1) } else { phone.to_owned() };
    for character in dialled_within.chars() {
        match character {
            '0'..='9' => digits.push(character),
            // Full-width digits.
            '\u{ff10}'..='\u{ff19}' => digits.extend(char::from_digit(u32::from(character) - 0xff10, 10)),
            '+' | '\u{ff0b}' if digits.is_empty() => digits.push('+'),
            '(' | ')' | '[' | ']' | '.' | '-' | '/' | '~' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ad}' => {}
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{ff0d}' => {}
            blank if blank.is_whitespace() => {}
            _ => return None,
        }
    }
    // No number of any country is longer with its prefixes.
    (3..=20).contains(&digits.len()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_many_shapes() {
        let fr = Some(country::Id::FR);
        for (phone, region, expected) in [
            ("06 12 34 56 78", fr, Some("+33612345678")),
            ("06.12.34.56.78", fr, Some("+33612345678")),
            ("0033 6 12 34 56 78", fr, Some("+33612345678")),
            ("+33 (0)6 12 34 56 78", fr, Some("+33612345678")),
            ("+33 (0)6 12 34 56 78", None, Some("+33612345678")),
            ("tel:+33-6-12-34-56-78;ext=4", None, Some("+33612345678")),
            ("Tél. 06 12 34 56 78", fr, None),
            ("Tel. 06 12 34 56 78", fr, Some("+33612345678")),
            ("+44 20 7946 0018", fr, Some("+442079460018")),
            ("(650) 253-0000 x12", Some(country::Id::US), Some("+16502530000")),
            ("06 698 12345", Some(country::Id::IT), Some("+390669812345")),
            ("06 12 34 56 78", None, None),
            ("06 12 34 56", fr, None),
            ("1234567890123456789012", fr, None),
            ("call me", fr, None),
            ("", fr, None),
            ("+", fr, None),
            ("+0", None, None),
            ("00000", fr, None),
        ] {
            assert_eq!(normalized(phone, region).as_deref(), expected, "{phone}");
        }
    }

    #[test]
    fn regions_are_checked() {
        assert!(country_of("fr").is_ok());
        assert!(country_of("France").unwrap_err().to_string().contains("unknown region"));
        assert!(country_of("").is_err());
    }
}
