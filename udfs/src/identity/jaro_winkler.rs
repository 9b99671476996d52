//! `jaro_winkler(a, b)`: how alike two short texts are, from 0 to 1.
//!
//! Jaro's similarity (Advances in record-linkage methodology, 1989), raised by Winkler's bonus of a tenth for each of
//! at most four first characters that agree, if it is above 0.7: as in DuckDB, Splink and RapidFuzz.
//!
//! * Compared character by character as they stand: see normalize_name for case and accents.
//! * Two empty texts: 1; one empty: 0. NULL if either is.
//! * Cost: for ASCII up to 64 bytes, which names are, O(length) by bits; else O(length²).

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, AsArray, Float64Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::texts::text_types;
use crate::named::named;
use crate::rows::evaluate;

/// The function `jaro_winkler`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns the similarity of two texts by Jaro and Winkler, from 0 for nothing in common to 1 for equal. It is made for names: a common start counts more than a common end. NULL if either is NULL.",
    syntax_example = "jaro_winkler(a, b)",
    sql_example = r#"```sql
> SELECT round(jaro_winkler('martha', 'marhta'), 4) AS a, jaro_winkler('dupont', 'dupont') AS b, jaro_winkler('ada', 'bo') AS c;
+--------+-----+-----+
| a      | b   | c   |
+--------+-----+-----+
| 0.9611 | 1.0 | 0.0 |
+--------+-----+-----+
```"#,
    argument(name = "a", description = "A text."),
    argument(name = "b", description = "Another.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JaroWinkler;

impl ScalarUDFImpl for JaroWinkler {
    named!("jaro_winkler", alias "jaro_winkler_similarity");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        text_types(self.name(), types, 2, 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        evaluate(&args, |columns| {
            let [a, b] = columns else { return plan_err!("jaro_winkler takes two texts") };
            let rows = a.as_string_view().iter().zip(b.as_string_view());
            let similar: Float64Array = rows.map(|(a, b)| Some(similarity(a?, b?))).collect();
            Ok(Arc::new(similar) as ArrayRef)
        })
    }
}

fn similarity(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    if !a.is_ascii() || !b.is_ascii() || a.len() > 64 || b.len() > 64 {
        return strsim::jaro_winkler(a, b);
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let jaro = jaro(a, b);
    if jaro <= 0.7 {
        return jaro;
    }
    let start = a.iter().zip(b).take(4).take_while(|(a, b)| a == b).count();
    jaro + 0.1 * start as f64 * (1.0 - jaro)
}

/// Of at most 64 bytes each: places are bits.
fn jaro(a: &[u8], b: &[u8]) -> f64 {
    let mut places = [0_u64; 128];
    for (byte, place) in b.iter().zip(0_u32..) {
        places[usize::from(byte & 127)] |= 1 << place;
    }
    let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
    let (mut matched_a, mut matched_b) = (0_u64, 0_u64);
    for (place, byte) in a.iter().enumerate() {
        let from = place.saturating_sub(reach);
        let to = place + reach + 1;
        let window = (if to >= 64 { u64::MAX } else { (1 << to) - 1 }) & (u64::MAX << from.min(63));
        let free = places[usize::from(byte & 127)] & window & !matched_b;
        if free != 0 {
            matched_b |= free & free.wrapping_neg();
            matched_a |= 1 << place;
        }
    }
    let matches = matched_a.count_ones();
    if matches == 0 {
        return 0.0;
    }
    let mut out_of_place = 0_u32;
    while matched_a != 0 && matched_b != 0 {
        let (place_a, place_b) = (matched_a.trailing_zeros() as usize, matched_b.trailing_zeros() as usize);
        out_of_place += u32::from(a[place_a] != b[place_b]);
        matched_a &= matched_a - 1;
        matched_b &= matched_b - 1;
    }
    let (matches, transpositions) = (f64::from(matches), f64::from(out_of_place / 2));
    (matches / a.len() as f64 + matches / b.len() as f64 + (matches - transpositions) / matches) / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of Winkler's papers.
    #[test]
    fn published_values() {
        for (a, b, expected) in
            [("martha", "marhta", 0.961), ("dwayne", "duane", 0.840), ("dixon", "dicksonx", 0.813), ("", "", 1.0)]
        {
            assert!((similarity(a, b) - expected).abs() < 0.0005, "{a} {b}");
        }
        assert_eq!(similarity("", "a"), 0.0);
        assert!((similarity("élodie", "elodie") - strsim::jaro_winkler("xlodie", "elodie")).abs() < 1e-15);
    }

    #[test]
    fn bits_and_characters_agree() {
        let mut state = 7_u64;
        let mut text = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let length = state >> 58;
            let of = |place: u64| char::from(b'a' + ((state >> 20).wrapping_mul(place * place + 3) >> 7) as u8 % 5);
            (0..=length).map(of).collect::<String>()
        };
        for _ in 0..5_000 {
            let (a, b) = (text(), text());
            assert!((similarity(&a, &b) - strsim::jaro_winkler(&a, &b)).abs() < 1e-12, "{a} {b}");
        }
    }
}
