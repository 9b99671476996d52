//! `damerau_levenshtein(a, b)`: the number of mistakes in typing that lie between two texts.
//!
//! The true distance of Damerau and Levenshtein: insertions, deletions, substitutions, and transpositions of neighbours
//! between which there may be other edits (Lowrance and Wagner, An extension of the string-to-string correction
//! problem, 1975), a metric; as in DuckDB and RapidFuzz. 'ca' and 'abc' are 2 apart, which the restricted form (optimal
//! string alignment) takes for 3.
//!
//! * Compared character by character as they stand.
//! * NULL if either is.
//! * Cost: O(length²) beyond a common start and end.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, AsArray, Int32Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::texts::text_types;
use crate::named::named;
use crate::rows::evaluate;

/// The function `damerau_levenshtein`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns the distance of two texts by Damerau and Levenshtein: how many characters have to be inserted, deleted, replaced, or swapped with their neighbour to make one of the other. NULL if either is NULL.",
    syntax_example = "damerau_levenshtein(a, b)",
    sql_example = r#"```sql
> SELECT damerau_levenshtein('dupont', 'dupnot') AS swapped, damerau_levenshtein('ca', 'abc') AS more, levenshtein('dupont', 'dupnot') AS plain;
+---------+------+-------+
| swapped | more | plain |
+---------+------+-------+
| 1       | 2    | 2     |
+---------+------+-------+
```"#,
    argument(name = "a", description = "A text."),
    argument(name = "b", description = "Another.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DamerauLevenshtein;

impl ScalarUDFImpl for DamerauLevenshtein {
    named!("damerau_levenshtein");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        text_types(self.name(), types, 2, 2)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        evaluate(&args, |columns| {
            let [a, b] = columns else { return plan_err!("damerau_levenshtein takes two texts") };
            let rows = a.as_string_view().iter().zip(b.as_string_view());
            let mut table = Vec::new();
            let distances: Int32Array = rows.map(|(a, b)| Some(distance(a?, b?, &mut table))).collect();
            Ok(Arc::new(distances) as ArrayRef)
        })
    }
}

/// `table` is kept from row to row.
fn distance(a: &str, b: &str, table: &mut Vec<u32>) -> i32 {
    if a.is_ascii() && b.is_ascii() {
        return of_ascii(a.as_bytes(), b.as_bytes(), table) as i32;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    strsim::generic_damerau_levenshtein(&a, &b) as i32
}

fn of_ascii(mut a: &[u8], mut b: &[u8], table: &mut Vec<u32>) -> u32 {
    while let (Some((first, rest_a)), Some((other, rest_b))) = (a.split_first(), b.split_first()) {
        if first != other {
            break;
        }
        (a, b) = (rest_a, rest_b);
    }
    while let (Some((last, rest_a)), Some((other, rest_b))) = (a.split_last(), b.split_last()) {
        if last != other {
            break;
        }
        (a, b) = (rest_a, rest_b);
    }
    if a.is_empty() || b.is_empty() {
        return (a.len() + b.len()) as u32;
    }
    // Rows are prefixes of a, columns of b. Before both there is a border that no transposition reaches over.
    let width = b.len() + 2;
    let border = (a.len() + b.len()) as u32;
    table.clear();
    table.resize((a.len() + 2) * width, border);
    for column in 0..=b.len() {
        table[width + column + 1] = column as u32;
    }
    // The last row in which each byte of a was seen.
    let mut rows = [0_usize; 128];
    for (row, byte) in (1..).zip(a) {
        let (above, here) = (row * width, (row + 1) * width);
        table[here + 1] = row as u32;
        // The last column of this row in which the bytes were equal.
        let mut equal = 0;
        for (column, other) in (1..).zip(b) {
            let before = rows[usize::from(other & 127)];
            let swapped = table[before * width + equal] + (row - before - 1) as u32 + 1 + (column - equal - 1) as u32;
            let mut least = table[above + column] + u32::from(byte != other);
            least = least.min(table[here + column] + 1).min(table[above + column + 1] + 1).min(swapped);
            table[here + column + 1] = least;
            if byte == other {
                equal = column;
            }
        }
        rows[usize::from(byte & 127)] = row;
    }
    table[(a.len() + 1) * width + b.len() + 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_counted() {
        let mut table = Vec::new();
        for (a, b, expected) in [
            ("", "", 0),
            ("ab", "", 2),
            ("ab", "ba", 1),
            ("ca", "abc", 2),
            ("dupont", "dupnot", 1),
            ("élodie", "eldoie", 2),
            ("kitten", "sitting", 3),
            ("a cat", "an abct", 3),
        ] {
            assert_eq!(distance(a, b, &mut table), expected, "{a} {b}");
            assert_eq!(distance(b, a, &mut table), expected, "{b} {a}");
        }
    }

    #[test]
    fn bytes_and_characters_agree() {
        let mut state = 7_u64;
        let mut text = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let of = |place: u64| char::from(b'a' + ((state >> 20).wrapping_mul(place * place + 3) >> 7) as u8 % 3);
            (0..state >> 60).map(of).collect::<String>()
        };
        let mut table = Vec::new();
        for _ in 0..5_000 {
            let (a, b) = (text(), text());
            assert_eq!(distance(&a, &b, &mut table) as usize, strsim::damerau_levenshtein(&a, &b), "{a} {b}");
        }
    }
}
