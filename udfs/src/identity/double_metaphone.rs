//! `double_metaphone(name)`: a name of many origins by how it is spoken.
//!
//! Philips (The double Metaphone search algorithm, 2000), at most four letters; another way to speak it is given by
//! double_metaphone_alt. As dmetaphone of PostgreSQL's fuzzystrmatch, which is an alias.
//!
//! * Accents and ligatures are folded, then all but the letters A to Z is dropped, blanks too: several words are
//!   coded as one. NULL, and a text without such letters: NULL.
//! * Cost: O(length).

use datafusion_macros::user_doc;
use rphonetic::DoubleMetaphone as Philips;

use super::sounds::append_code;
use super::texts::text_function;

/// The function `double_metaphone`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns the Double Metaphone code of a name, at most four letters: how it is spoken first of all. NULL for NULL and for a text without letters.",
    syntax_example = "double_metaphone(name)",
    sql_example = r#"```sql
> SELECT double_metaphone('Schmidt') AS a, double_metaphone_alt('Schmidt') AS b;
+-----+-----+
| a   | b   |
+-----+-----+
| XMT | SMT |
+-----+-----+
```"#,
    argument(name = "name", description = "A name, text. Accents and all but letters do not count.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DoubleMetaphone;

text_function!(DoubleMetaphone, coded, "double_metaphone", alias "dmetaphone");

fn coded(name: &str, code: &mut String) -> bool {
    append_code(name, code, |letters| Philips::default().double_metaphone(&letters).primary())
}

#[cfg(test)]
mod tests {
    use super::super::sounds::assert_codes;
    use super::*;

    #[test]
    fn names_that_sound_alike() {
        assert_codes(coded, &[("Schmidt", "XMT"), ("Smith", "SM0"), ("Thomas", "TMS"), ("Gauthier", "K0")]);
    }
}
