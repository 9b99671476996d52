//! `double_metaphone_alt(name)`: another way in which a name of many origins is spoken.
//!
//! Philips (The double Metaphone search algorithm, 2000), at most four letters; equal to double_metaphone if there is
//! but one way. As dmetaphone_alt of PostgreSQL's fuzzystrmatch, which is an alias.
//!
//! * Accents and ligatures are folded, then all but the letters A to Z is dropped, blanks too: several words are
//!   coded as one. NULL, and a text without such letters: NULL.
//! * Cost: O(length).

use datafusion_macros::user_doc;
use rphonetic::DoubleMetaphone as Philips;

use super::sounds::append_code;
use super::texts::text_function;

/// The function `double_metaphone_alt`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns the alternate Double Metaphone code of a name, at most four letters: how it may be spoken, too; the code of double_metaphone if there is but one. NULL for NULL and for a text without letters.",
    syntax_example = "double_metaphone_alt(name)",
    sql_example = r#"```sql
> SELECT double_metaphone('Smith') AS a, double_metaphone_alt('Smith') AS b;
+-----+-----+
| a   | b   |
+-----+-----+
| SM0 | XMT |
+-----+-----+
```"#,
    argument(name = "name", description = "A name, text. Accents and all but letters do not count.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DoubleMetaphoneAlt;

text_function!(DoubleMetaphoneAlt, coded, "double_metaphone_alt", alias "dmetaphone_alt");

fn coded(name: &str, code: &mut String) -> bool {
    append_code(name, code, |letters| Philips::default().double_metaphone(&letters).alternate())
}

#[cfg(test)]
mod tests {
    use super::super::sounds::assert_codes;
    use super::*;

    #[test]
    fn names_that_sound_alike() {
        assert_codes(coded, &[("Schmidt", "SMT"), ("Smith", "XMT"), ("Thomas", "TMS")]);
    }
}
