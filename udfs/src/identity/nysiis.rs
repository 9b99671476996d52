//! `nysiis(name)`: a name by how it sounds, for names of many origins.
//!
//! New York State Identification and Intelligence System (Taft, Name search techniques, 1970): at most six letters.
//!
//! * Accents and ligatures are folded, then all but the letters A to Z is dropped, blanks too: several words are
//!   coded as one. NULL, and a text without such letters: NULL.
//! * Cost: O(length).

use datafusion_macros::user_doc;
use rphonetic::{Encoder, Nysiis as NewYork};

use super::sounds::append_code;
use super::texts::text_function;

/// The function `nysiis`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns the NYSIIS code of a name, at most six letters, so that names that sound alike agree; it keeps more of the vowels than Soundex does. NULL for NULL and for a text without letters.",
    syntax_example = "nysiis(name)",
    sql_example = r#"```sql
> SELECT nysiis('Brown') AS a, nysiis('Brian') AS b;
+------+------+
| a    | b    |
+------+------+
| BRAN | BRAN |
+------+------+
```"#,
    argument(name = "name", description = "A name, text. Accents and all but letters do not count.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Nysiis;

text_function!(Nysiis, coded, "nysiis");

fn coded(name: &str, code: &mut String) -> bool {
    append_code(name, code, |letters| NewYork::default().encode(&letters))
}

#[cfg(test)]
mod tests {
    use super::super::sounds::assert_codes;
    use super::*;

    #[test]
    fn names_that_sound_alike() {
        assert_codes(coded, &[("Brian", "BRAN"), ("Brown", "BRAN"), ("Macintosh", "MCANT")]);
    }
}
