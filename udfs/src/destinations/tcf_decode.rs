//! `tcf_decode(tc)`: all that a consent string says.
//!
//! * NULL, and what can't be read in full: NULL. `tc IS NOT NULL AND tcf_decode(tc) IS NULL` finds the broken ones.
//! * Cost: some microseconds a string, and 4 bytes a vendor that it lists. Strings come from browsers, and fifty
//!   characters can list 65,535 vendors: a batch that lists more than 64 million ends the query.

use std::sync::Arc;

use datafusion_common::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, ListArray, StringArray, StructArray, TimestampMicrosecondArray,
};
use datafusion_common::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::{Result, plan_err, resources_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::tc_string::{Publisher, TcString, numbers_in};
use crate::named::named;
use crate::rows::evaluate;

/// How many vendors all strings of a batch may list.
const MAX_VENDORS: usize = 64 << 20;

/// The function `tcf_decode`.
#[user_doc(
    doc_section(label = "Destination Functions"),
    description = "Returns all that a TC string of the IAB's Transparency and Consent Framework (versions 2.0 to 2.3) says, as a STRUCT: version, created, updated, cmp_id, cmp_version, consent_screen, consent_language, vendor_list_version, policy_version, is_service_specific, use_non_standard_texts, special_features, purposes (consented to), legitimate_interests, purpose_one_treatment, publisher_country, vendors, vendor_legitimate_interests, publisher_restrictions (a list of purpose, restriction and vendors), disclosed_vendors, and the publisher's own purposes: publisher_purposes, publisher_legitimate_interests, custom_purposes, custom_legitimate_interests. What is in a segment that the string does not have is NULL. NULL for NULL and for a string that can't be read in full.",
    syntax_example = "tcf_decode(tc)",
    sql_example = r#"```sql
> SELECT d.cmp_id AS cmp_id, d.updated AS updated, d.purposes AS purposes, d.vendors AS vendors, d.disclosed_vendors AS disclosed_vendors, d.publisher_country AS publisher_country FROM (SELECT tcf_decode('CQSbk4AQSbk4ANwAAAENAwCgAAAAAAAAAAYgACPAAAAA.IDKQA4AAgAKAGQAygAAA.YAAAAAAAAAAA') AS d) AS decoded;
+--------+----------------------+----------+--------------+---------------------------+-------------------+
| cmp_id | updated              | purposes | vendors      | disclosed_vendors         | publisher_country |
+--------+----------------------+----------+--------------+---------------------------+-------------------+
| 880    | 2025-06-03T00:00:00Z | []       | [1, 2, 3, 4] | [1, 2, 3, 4, 5, 100, 404] | DE                |
+--------+----------------------+----------+--------------+---------------------------+-------------------+
```"#,
    argument(name = "tc", description = "A TC string of version 2, with or without its further segments.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TcfDecode;

impl ScalarUDFImpl for TcfDecode {
    named!("tcf_decode");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(decoded(&[])?.0))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [text] if text.is_string() || text.is_null() => Ok(vec![DataType::Utf8]),
            _ => plan_err!("tcf_decode takes a TC string as text"),
        }
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        evaluate(&args, |columns| {
            let [texts] = columns else { return plan_err!("tcf_decode takes a TC string as text") };
            let read: Vec<_> = texts.as_string::<i32>().iter().map(|text| TcString::read(text?)).collect();
            let (fields, columns) = decoded(&read)?;
            let known: NullBuffer = read.iter().map(Option::is_some).collect();
            Ok(Arc::new(StructArray::try_new_with_length(fields, columns, Some(known), read.len())?))
        })
    }
}

/// The columns of the result.
struct Columns<'a> {
    strings: &'a [Option<TcString>],
    fields: Vec<FieldRef>,
    arrays: Vec<ArrayRef>,
    vendors: usize,
}

impl Columns<'_> {
    fn push(&mut self, name: &str, array: ArrayRef) {
        self.fields.push(Arc::new(Field::new(name, array.data_type().clone(), true)));
        self.arrays.push(array);
    }

    fn number(&mut self, name: &str, of: impl Fn(&TcString) -> u64) {
        let number = |tc: &Option<TcString>| i32::try_from(of(tc.as_ref()?)).ok();
        self.push(name, Arc::new(self.strings.iter().map(number).collect::<Int32Array>()));
    }

    fn flag(&mut self, name: &str, of: impl Fn(&TcString) -> bool) {
        let flag = |tc: &Option<TcString>| tc.as_ref().map(&of);
        self.push(name, Arc::new(self.strings.iter().map(flag).collect::<BooleanArray>()));
    }

    fn letters(&mut self, name: &str, of: impl Fn(&TcString) -> [char; 2]) {
        let text = |tc: &Option<TcString>| tc.as_ref().map(|tc| String::from_iter(of(tc)));
        self.push(name, Arc::new(self.strings.iter().map(text).collect::<StringArray>()));
    }

    fn instant(&mut self, name: &str, of: impl Fn(&TcString) -> u64) {
        let micros = |tc: &Option<TcString>| i64::try_from(of(tc.as_ref()?)).ok()?.checked_mul(100_000);
        let micros: TimestampMicrosecondArray = self.strings.iter().map(micros).collect();
        self.push(name, Arc::new(micros.with_timezone("UTC")));
    }

    /// `None` where the string has not got the segment.
    fn numbers<T: Into<i64>>(&mut self, name: &str, of: impl Fn(&TcString) -> Option<Vec<T>>) -> Result<()> {
        let mut lists = Lists::default();
        for tc in self.strings {
            lists.push(tc.as_ref().and_then(&of), &mut self.vendors)?;
        }
        self.push(name, lists.finish());
        Ok(())
    }

    fn publisher(&mut self, name: &str, of: impl Fn(Publisher) -> super::tc_string::Flags) -> Result<()> {
        self.numbers(name, |tc| Some(of(tc.publisher?).numbers().collect()))
    }

    fn restrictions(&mut self) -> Result<()> {
        let (mut purposes, mut kinds, mut vendors) = (Vec::new(), Vec::new(), Lists::default());
        let (mut ends, mut known) = (vec![0], Vec::new());
        for tc in self.strings {
            for restriction in tc.iter().flat_map(|tc| &tc.restrictions) {
                purposes.push(restriction.purpose as i32);
                kinds.push(restriction.kind.name());
                vendors.push(Some(numbers_in(&restriction.vendors)), &mut self.vendors)?;
                // Each takes the place of a vendor, so that these too have an end.
                self.vendors += 1;
            }
            ends.push(purposes.len() as i32);
            known.push(tc.is_some());
        }
        let fields: Vec<(&str, ArrayRef)> = vec![
            ("purpose", Arc::new(Int32Array::from(purposes))),
            ("restriction", Arc::new(StringArray::from(kinds))),
            ("vendors", vendors.finish()),
        ];
        let nullable = |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
        let types: Fields = fields.iter().map(nullable).collect();
        let rows = fields.first().map_or(0, |(_, array)| array.len());
        let arrays = fields.into_iter().map(|(_, array)| array).collect();
        let items = StructArray::try_new_with_length(types, arrays, None, rows)?;
        let item = Arc::new(Field::new("item", items.data_type().clone(), true));
        let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
        let lists = ListArray::try_new(item, ends, Arc::new(items), Some(NullBuffer::from(known)))?;
        self.push("publisher_restrictions", Arc::new(lists));
        Ok(())
    }
}

/// Lists of numbers.
struct Lists {
    values: Vec<i32>,
    ends: Vec<i32>,
    known: Vec<bool>,
}

impl Default for Lists {
    fn default() -> Self {
        Self { values: Vec::new(), ends: vec![0], known: Vec::new() }
    }
}

impl Lists {
    fn push<T: Into<i64>>(&mut self, list: Option<Vec<T>>, total: &mut usize) -> Result<()> {
        self.known.push(list.is_some());
        let list = list.unwrap_or_default();
        *total += list.len();
        if *total > MAX_VENDORS {
            return resources_err!("tcf_decode: the strings of one batch list more than {MAX_VENDORS} vendors");
        }
        self.values.extend(list.into_iter().map(|number| number.into() as i32));
        self.ends.push(self.values.len() as i32);
        Ok(())
    }

    fn finish(self) -> ArrayRef {
        let item = Arc::new(Field::new("item", DataType::Int32, true));
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        let values = Arc::new(Int32Array::from(self.values));
        Arc::new(ListArray::new(item, ends, values, Some(NullBuffer::from(self.known))))
    }
}

/// The fields of the result and their columns, a row for each string.
fn decoded(strings: &[Option<TcString>]) -> Result<(Fields, Vec<ArrayRef>)> {
    let mut columns = Columns { strings, fields: Vec::new(), arrays: Vec::new(), vendors: 0 };
    columns.number("version", |_| 2);
    columns.instant("created", |tc| tc.created);
    columns.instant("updated", |tc| tc.updated);
    columns.number("cmp_id", |tc| tc.cmp_id);
    columns.number("cmp_version", |tc| tc.cmp_version);
    columns.number("consent_screen", |tc| tc.consent_screen);
    columns.letters("consent_language", |tc| tc.consent_language);
    columns.number("vendor_list_version", |tc| tc.vendor_list_version);
    columns.number("policy_version", |tc| tc.policy_version);
    columns.flag("is_service_specific", |tc| tc.is_service_specific);
    columns.flag("use_non_standard_texts", |tc| tc.use_non_standard_texts);
    columns.numbers("special_features", |tc| Some(tc.special_features.numbers().collect()))?;
    columns.numbers("purposes", |tc| Some(tc.purposes.numbers().collect()))?;
    columns.numbers("legitimate_interests", |tc| Some(tc.legitimate_interests.numbers().collect()))?;
    columns.flag("purpose_one_treatment", |tc| tc.purpose_one_treatment);
    columns.letters("publisher_country", |tc| tc.publisher_country);
    columns.numbers("vendors", |tc| Some(tc.vendors.numbers(&tc.core)))?;
    columns.numbers("vendor_legitimate_interests", |tc| Some(tc.vendor_legitimate_interests.numbers(&tc.core)))?;
    columns.restrictions()?;
    columns.numbers("disclosed_vendors", |tc| tc.disclosed.as_ref().map(|(bits, vendors)| vendors.numbers(bits)))?;
    columns.publisher("publisher_purposes", |publisher| publisher.purposes)?;
    columns.publisher("publisher_legitimate_interests", |publisher| publisher.legitimate_interests)?;
    columns.publisher("custom_purposes", |publisher| publisher.custom_purposes)?;
    columns.publisher("custom_legitimate_interests", |publisher| publisher.custom_legitimate_interests)?;
    Ok((columns.fields.into(), columns.arrays))
}

#[cfg(test)]
mod tests {
    use datafusion_common::ScalarValue;

    use super::super::tc_string::tests::Writer;
    use super::*;

    #[test]
    fn restrictions_and_what_is_missing() {
        let core = Writer::core(5, &[1, 24], &[]).put(0, 17).put(0, 17).put(2, 12);
        let text = core.put(2, 6).put(1, 2).ranges(&[(7, 9), (8, 8)]).put(3, 6).put(0, 2).ranges(&[]).text();
        let (fields, columns) = decoded(&[TcString::read(&text), None]).unwrap();
        let column = |name: &str| &columns[fields.find(name).unwrap().0];
        let printed = |name: &str| ScalarValue::try_from_array(column(name), 0).unwrap().to_string();
        assert_eq!(printed("purposes"), "[1, 24]");
        assert_eq!(printed("vendors"), "[]");
        assert!(column("disclosed_vendors").is_null(0) && column("purposes").is_null(1));
        assert_eq!(
            printed("publisher_restrictions"),
            "[{purpose: 2, restriction: require_consent, vendors: [7, 8, 9]}, {purpose: 3, restriction: not_allowed, vendors: []}]"
        );
    }

    #[test]
    fn strings_that_list_everyone_end() {
        let core = Writer::core(5, &[1], &[]).put(65_535, 16).put(1, 1).ranges(&[(1, 65_535)]);
        let everyone = TcString::read(&core.put(0, 17).put(0, 12).text());
        assert!(everyone.is_some());
        assert!(decoded(&vec![everyone.clone(); 100]).is_ok());
        let error = decoded(&vec![everyone; 1100]).unwrap_err();
        assert!(error.to_string().contains("vendors"), "{error}");
    }
}
